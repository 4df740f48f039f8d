#!/usr/bin/env python3
"""Measures what one saslatchd with two event loops loses to their sharing of one policy, one audit log
and one set of figures.

Two load generators on two cores, PLAIN, 25 connections each. By turns: one daemon with two event
loops, and two daemons with one each, which share nothing. The same work is done by as many threads on
as many cores, so that the difference of the two is what sharing costs. A third line, one daemon with
one event loop for both generators, tells what the second loop brings where the load takes as much of
the machine as the server does.

usage: both_cores.py [--build DIR] [--rounds N] [--duration TIME] [--json FILE]
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from compare import ACCOUNTS, RIP, Saslatchd

CONNECTIONS = 25  # of each generator


class Daemon(Saslatchd):
    def __init__(self, binary, folder, threads):
        super().__init__(binary, folder, "dovecot")
        self.threads = threads

    def command(self):
        command = super().command()
        config = self.folder / "saslatch.conf"
        config.write_text(config.read_text().replace(
            "[daemon]\n", f"[daemon]\nthreads = {self.threads}\nhash-threads = 1\n", 1))
        return command

    def cpu_seconds(self):
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


# How many daemons, and of how many event loops each.
WAYS = {"one daemon, two loops": (1, 2), "two daemons, one loop each": (2, 1),
        "one daemon, one loop": (1, 1)}


def measure(way, options):
    """Logins a second of both generators together, and CPU time of the daemons for each."""
    daemons, threads = WAYS[way]
    with contextlib.ExitStack() as stack:
        running = []
        for _ in range(daemons):
            folder = pathlib.Path(stack.enter_context(
                tempfile.TemporaryDirectory(prefix="saslatch-cores-")))
            (folder / "users").write_text(
                "".join(f"user{i}@example.com:{{PLAIN}}secret-{i}\n" for i in range(ACCOUNTS)))
            (folder / "load").write_text(
                "".join(f"user{i}@example.com:secret-{i}\n" for i in range(ACCOUNTS)))
            running.append(stack.enter_context(
                Daemon(options.build / "bin/saslatchd", folder, threads)))
        before = sum(daemon.cpu_seconds() for daemon in running)
        load = []
        for number in range(2):
            daemon = running[number % daemons]
            load.append(subprocess.Popen(
                [str(options.build / "bin/saslatch-bench"), "--socket", daemon.socket, "--mechanism",
                 "PLAIN", "--connections", str(CONNECTIONS), "--users", str(daemon.folder / "load"),
                 "--rip", RIP, "--duration", options.duration, "--json"],
                stdout=subprocess.PIPE, text=True))
        reports = [json.loads(one.communicate(timeout=600)[0]) for one in load]
        if any(one.returncode != 0 for one in load):
            raise SystemExit(f"{way}: a login was lost or answered wrongly: {reports}")
        logins = sum(report["ok"] for report in reports)
        cpu = sum(daemon.cpu_seconds() for daemon in running) - before
    return {"logins_per_second": sum(report["logins_per_second"] for report in reports),
            "cpu_us": cpu / logins * 1e6}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--build", type=pathlib.Path, default=root / "build/release",
                        help="the build folder with saslatchd and saslatch-bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", default="3s")
    parser.add_argument("--json", type=pathlib.Path, help="also write all figures to this file")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("both_cores.py: two cores are needed")

    runs = {way: [] for way in WAYS}
    for number in range(options.rounds):
        for way, of_way in runs.items():
            print(f"round {number + 1} of {options.rounds}: {way}", file=sys.stderr)
            of_way.append(measure(way, options))
    print("| | logins/s | CPU of the server, µs a login |\n| --- | ---: | ---: |")
    for way, of_way in runs.items():
        wall, cpu = (statistics.median(run[figure] for run in of_way)
                     for figure in ("logins_per_second", "cpu_us"))
        print(f"| {way} | {wall:.0f} | {cpu:.1f} |")
    if options.json:
        options.json.write_text(json.dumps(runs, indent=1))


if __name__ == "__main__":
    main()
