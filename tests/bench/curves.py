#!/usr/bin/env python3
"""What a login costs as there is more of something, as a picture: connections, accounts, rules.

CPU time of saslatchd for a PLAIN login (preset small-site, audit log on, passwords in the clear) over
the number of connections and of accounts in a passwd-file; and of the policy alone, by policy_bench,
over accounts known to it and over rules. CPU time, since it is steadier than the clock on a machine
that does other things, too.

usage: curves.py [--build DIR] [--seconds N] [--json FILE] [--svg FILE] [--draw FILE]
  --draw FILE   only draws what an earlier run wrote with --json
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import compare

WIDTH, HEIGHT, LEFT, TOP, GAP = 360, 150, 52, 40, 64  # pixels; two panels a row
CONNECTIONS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
ACCOUNTS = (1_000, 10_000, 100_000, 1_000_000)


def login_cost(options, accounts, connections):
    """Microseconds of the server's CPU time."""
    with tempfile.TemporaryDirectory(prefix="saslatch-curves-") as name:
        folder = pathlib.Path(name)
        with open(folder / "users", "w") as users, open(folder / "load", "w") as load:
            for i in range(accounts):
                users.write(f"user{i}@example.com:{{PLAIN}}secret{i}\n")
                # Steps, so that neighbours in the file are not asked for one after the other.
                at = i * 7919 % accounts
                load.write(f"user{at}@example.com:secret{at}\n")
        with compare.Saslatchd(options.build / "bin/saslatchd", folder, "dovecot") as server:
            command = [str(options.build / "bin/saslatch-bench"), "--socket", server.socket,
                       "--mechanism", "PLAIN", "--connections", str(connections), "--users",
                       str(folder / "load"), "--rip", compare.RIP, "--json", "--server-pid",
                       str(server.process.pid)]
            # Each network is made familiar, and written to disk, once.
            for how in (["--count", str(accounts)], ["--duration", f"{options.seconds}s"]):
                run = subprocess.run(command + how, capture_output=True, text=True, timeout=600)
                if run.returncode != 0:
                    sys.exit(f"curves.py: saslatch-bench: {run.stdout}{run.stderr}")
    return 1e6 / json.loads(run.stdout)["logins_per_cpu_second"]


def policy_costs(options, benchmark):
    """(argument, microseconds) of each case of one benchmark of policy_bench."""
    run = subprocess.run(
        [str(options.build / "bin/policy_bench"), f"--benchmark_filter={benchmark}/",
         "--benchmark_format=json"], capture_output=True, text=True, timeout=600, check=True)
    return [(int(case["name"].split("/")[1]), case["cpu_time"] / 1e3)
            for case in json.loads(run.stdout)["benchmarks"]]


def measure(options):
    return {
        "connections": [(n, login_cost(options, 1000, n)) for n in CONNECTIONS],
        "accounts": [(n, login_cost(options, n, 50)) for n in ACCOUNTS],
        "subjects": policy_costs(options, "BM_SuccessOfAccounts"),
        "rules": policy_costs(options, "BM_SuccessUnderRules"),
    }


PANELS = (("connections", "a login, µs of CPU time, over connections", True),
          ("accounts", "a login, µs, over accounts in a passwd-file", True),
          ("subjects", "the policy alone, µs, over accounts it knows", True),
          ("rules", "the policy alone, µs, over rules", False))


def panel(points, title, left, top, is_log):

    position = math.log10 if is_log else float
    first, last = position(points[0][0]), position(points[-1][0])
    highest = max(cost for _, cost in points)
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if 4 * s >= highest)
    width = WIDTH - LEFT - 20

    def x(value):
        return left + LEFT + width * (position(value) - first) / (last - first)

    def y(cost):
        return top + HEIGHT - HEIGHT * cost / (4 * step)
    out = [f'<text x="{left + LEFT}" y="{top - 10}" class="t">{title}</text>']
    for n in range(5):
        out.append(f'<line x1="{left + LEFT}" x2="{left + LEFT + width}" y1="{y(n * step):.1f}" '
                   f'y2="{y(n * step):.1f}" class="g"/><text x="{left + LEFT - 6}" '
                   f'y="{y(n * step) + 4:.1f}" class="n">{n * step:g}</text>')
    out.append('<polyline class="c" points="' + " ".join(
        f"{x(n):.1f},{y(cost):.1f}" for n, cost in points) + '"/>')
    free = 0  # where the next label has room
    for n, cost in points:
        label = f"{n // 1000},000".replace("1000,000", "1,000,000") if n >= 1000 else str(n)
        out.append(f'<circle cx="{x(n):.1f}" cy="{y(cost):.1f}" r="2.5" fill="#1b6ca8"/>')
        half = 3.2 * len(label)
        if x(n) - half >= free:
            free = x(n) + half + 4
            out.append(f'<text x="{x(n):.1f}" y="{top + HEIGHT + 16}" class="m">{label}</text>')
    return out


def draw(results):
    height = TOP + 2 * (HEIGHT + GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH + 20} {height}" '
           f'width="{2 * WIDTH + 20}" height="{height}" font-family="sans-serif" font-size="11">',
           "<style>.t{font-weight:bold}.n{text-anchor:end}.m{text-anchor:middle}"
           ".g{stroke:#ddd}.c{fill:none;stroke:#1b6ca8;stroke-width:1.5}</style>",
           f'<rect width="{2 * WIDTH + 20}" height="{height}" fill="#fff"/>']
    for number, (key, title, is_log) in enumerate(PANELS):
        out += panel(results[key], title, number % 2 * WIDTH, TOP + number // 2 * (HEIGHT + GAP),
                     is_log)
    return "\n".join([*out, "</svg>\n"])


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=root / "build/release")
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--json", type=pathlib.Path, help="write the figures to this file")
    parser.add_argument("--svg", type=pathlib.Path, help="write the picture to this file")
    parser.add_argument("--draw", type=pathlib.Path, help="figures of an earlier run")
    options = parser.parse_args()
    results = json.loads(options.draw.read_text()) if options.draw else measure(options)
    for key, title, _ in PANELS:
        print(title + ":", ", ".join(f"{n}: {cost:.2f}" for n, cost in results[key]))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    if options.svg:
        options.svg.write_text(draw(results))


if __name__ == "__main__":
    main()
