#!/usr/bin/env python3
"""Measures saslatchd beside a private Dovecot and beside a server that verifies nothing.

The servers are all up, on one core, and loaded by turns from the other; of each figure the median of
the rounds is shown, of each ratio the median of what the rounds give. Same accounts, same passwd-file with {PLAIN} passwords, same
requests. Two variants: `rip`, as Postfix sends them (Dovecot asks its anvil process for the
address's penalty), and `no rip` (no penalty). Needs dovecot-core and taskset (util-linux), and for
the saslauthd protocol sasl2-bin and root: it knows /etc/sasldb2 only, and gets an /etc of its own.

usage: compare.py [--build DIR] [--saslatchd BIN] [--rounds N] [--duration TIME] [--only CASE…]
                  [--json FILE]
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import pwd
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ACCOUNTS = 1000
RIP = "192.0.2.1"

# The first is the headline. Each: name, protocol, options of saslatch-bench.
CASES = {
    "plain": ("dovecot", "--mechanism", "PLAIN", "--connections", "50"),
    "plain-500": ("dovecot", "--mechanism", "PLAIN", "--connections", "500"),
    "plain-idle": ("dovecot", "--mechanism", "PLAIN", "--connections", "50"),
    "plain-pipelined": ("dovecot", "--mechanism", "PLAIN", "--connections", "50",
                        "--outstanding", "16"),
    "plain-reconnect": ("dovecot", "--mechanism", "PLAIN", "--connections", "50", "--reconnect"),
    "login": ("dovecot", "--mechanism", "LOGIN", "--connections", "50"),
    "cram-md5": ("dovecot", "--mechanism", "CRAM-MD5", "--connections", "50"),
    # Not 50: it listens with a backlog of 32.
    "saslauthd": ("saslauthd", "--connections", "20"),
}


# Connections that are open and say nothing: as many as Dovecot takes beside the 50 that do
# (client_limit = 1000).
IDLE = {"plain-idle": 900}


class Server:
    """A process of its own in `folder`, listening at `socket`; the end of `with` ends it."""

    name = ""
    protocols = ("dovecot", "saslauthd")
    takes_rip = True

    def __init__(self, folder, core=None):
        self.folder = folder
        self.core = core
        self.process = None

    def command(self):
        raise NotImplementedError

    def __enter__(self):
        pinned = [] if self.core is None else ["taskset", "-c", str(self.core)]
        log = open(self.folder / "server.log", "wb")
        self.process = subprocess.Popen(pinned + self.command(), stdout=log, stderr=log,
                                        stdin=subprocess.DEVNULL)
        log.close()
        try:
            self.wait_until_it_listens()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_until_it_listens(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(5)
                probe.connect(str(self.socket))
                return
            time.sleep(0.02)
        log = (self.folder / "server.log").read_text(errors="replace")[-2000:]
        raise SystemExit(f"{self.name}: does not listen at {self.socket}\n{log}")

    def pids(self):
        """The server's processes: its first one and that one's children."""
        pids = [self.process.pid]
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = (entry / "stat").read_text()
                if int(stat.rpartition(")")[2].split()[1]) == self.process.pid:
                    pids.append(int(entry.name))
        return pids


class Floor(Server):
    name = "floor"

    def __init__(self, binary, folder, protocol, core=None):
        super().__init__(folder, core)
        self.binary, self.protocol = binary, protocol
        self.socket = f"{folder}/floor.socket"

    def command(self):
        return [str(self.binary), self.protocol, self.socket]


class Dovecot(Server):
    name = "dovecot"
    protocols = ("dovecot",)

    def __init__(self, _binary, folder, _protocol, core=None):
        super().__init__(folder, core)
        self.socket = f"{folder}/run/bench"

    def command(self):
        me = pwd.getpwuid(os.getuid()).pw_name
        # Without root its services run as the caller and in no chroot; else as packaged.
        users = "" if os.getuid() == 0 else (
            f"default_internal_user = {me}\ndefault_login_user = {me}\n"
            f"default_internal_group = {pwd.getpwuid(os.getuid()).pw_gid}\n"
            "service anvil {\n  chroot =\n}\n")
        config = self.folder / "dovecot.conf"
        config.write_text(f"""\
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login cram-md5
{users}passdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  unix_listener bench {{
    mode = 0600
  }}
}}
""")
        return [shutil.which("dovecot") or "/usr/sbin/dovecot", "-F", "-c", str(config)]


class Saslatchd(Server):
    name = "saslatchd"

    def __init__(self, binary, folder, protocol, core=None):
        super().__init__(folder, core)
        self.binary, self.protocol = binary, protocol
        self.socket = f"{folder}/auth"

    def command(self):
        for name in ("state", "run"):
            (self.folder / name).mkdir()
        config = self.folder / "saslatch.conf"
        config.write_text(f"""\
[daemon]
state-dir = {self.folder}/state
run-dir = {self.folder}/run
user =
audit-log = {self.folder}/audit.jsonl

[listen.bench]
protocol = {self.protocol}
socket = {self.socket}
mode = 0600

[mechanisms]
offer = PLAIN LOGIN CRAM-MD5

[passdb.users]
driver = passwd-file
path = {self.folder}/users
""")
        return [str(self.binary), "--config", str(config)]


class Saslauthd(Server):
    """Debian's, with the five processes it has there."""

    name = "saslauthd"
    protocols = ("saslauthd",)
    takes_rip = False  # it does not know the fifth field
    options = ()
    database = None

    def __init__(self, _binary, folder, _protocol, core=None):
        super().__init__(folder, core)
        self.socket = f"{folder}/mux"

    @classmethod
    def make_database(cls):
        """Made once; kept as bytes."""
        with tempfile.TemporaryDirectory(prefix="saslatch-compare-") as name:
            for i in range(ACCOUNTS):
                subprocess.run(["saslpasswd2", "-p", "-c", "-f", f"{name}/sasldb2", "-u",
                                "example.com", f"user{i}"], input=f"secret-{i}", text=True,
                               check=True)
            Saslauthd.database = pathlib.Path(f"{name}/sasldb2").read_bytes()

    def command(self):
        if self.database is None:
            self.make_database()
        shutil.copytree("/etc", self.folder / "etc", symlinks=True,
                        ignore=shutil.ignore_patterns("sasldb2"))
        (self.folder / "etc/sasldb2").write_bytes(self.database)
        # It leaves for the background and takes no other way; the shell stays for it.
        return ["unshare", "--mount", "sh", "-c",
                'mount --bind "$0/etc" /etc && "$@" || exit; read -r pid <"$0/saslauthd.pid"\n'
                "trap 'kill \"$pid\"' TERM; while kill -0 \"$pid\" 2>/dev/null; "
                "do sleep 0.1; done", str(self.folder),
                shutil.which("saslauthd") or "/usr/sbin/saslauthd", "-a", "sasldb", "-m",
                str(self.folder), "-n", "5", *self.options]

    def pids(self):
        first = int((self.folder / "saslauthd.pid").read_text())
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True,
                               text=True, check=False).stdout.split()
        return [first, *map(int, found)]


class SaslauthdCached(Saslauthd):
    name = "saslauthd -c"
    options = ("-c",)


class Bench:
    """One server that is up, and the load for it."""

    def __init__(self, stack, server_class, binary, case, with_rip, options, cores):
        protocol, *load = CASES[case]
        self.name = server_class.name
        folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="saslatch-compare-")))
        folder.chmod(0o755)  # Dovecot's auth process is not root; the accounts are made up
        (folder / "users").write_text(
            "".join(f"user{i}@example.com:{{PLAIN}}secret-{i}\n" for i in range(ACCOUNTS)))
        (folder / "load").write_text(
            "".join(f"user{i}@example.com:secret-{i}\n" for i in range(ACCOUNTS)))
        self.server = stack.enter_context(server_class(binary, folder, protocol, cores[0]))
        self.command = ["taskset", "-c", str(cores[1]), str(options.build / "bin/saslatch-bench"),
                        "--socket", self.server.socket, "--protocol", protocol, *load,
                        "--users", str(folder / "load"), "--json"]
        self.command += ["--rip", RIP] if with_rip else []
        # Processes that a server starts with its first login are there before the clock runs.
        self.load("--count", "1000")
        for _ in range(IDLE.get(case, 0)):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(self.server.socket)

    def load(self, *arguments):
        run = subprocess.run([*self.command, *arguments], capture_output=True, text=True,
                             timeout=600, check=False)
        if run.returncode != 0:
            raise SystemExit(f"{self.name}: exit {run.returncode}\n{run.stdout}{run.stderr}")
        return json.loads(run.stdout)

    def measure(self, duration):
        """The report of saslatch-bench."""
        return self.load("--duration", duration,
                         "--server-pid", ",".join(map(str, self.server.pids())))


FIGURES = {
    "logins/s": lambda r: r["logins_per_second"],
    "logins/CPU s": lambda r: r["logins_per_cpu_second"],
    "p50 ms": lambda r: r["latency_ms"]["p50"],
    "p99 ms": lambda r: r["latency_ms"]["p99"],
}


RATIOS = [(figure, to) for figure in ("logins/CPU s", "logins/s") for to in ("peer", "floor")]


def ratio(here, result, figure, to):
    """The median of what each round gives: a machine that is slow for a while is so for all servers
    of a round, and from one round to the next it may change by half."""
    other = {"floor": "floor", "peer": "dovecot" if "dovecot" in here else "saslauthd"}[to]
    if other not in here:
        return None
    read = FIGURES[figure]
    pairs = [(read(mine), read(its)) for mine, its in zip(result["runs"], here[other]["runs"])]
    return statistics.median(mine / its for mine, its in pairs) if all(
        its for _, its in pairs) else None


def table(results):
    """Markdown: one row a case and server, with its ratios to the peer (Dovecot, or saslauthd where
    that is the protocol) and to the floor, by CPU time and by the wall."""
    lines = ["| case | rip | server | " + " | ".join(FIGURES) + " | × peer | × floor | wall × peer | wall × floor |",
             "| --- | --- | --- |" + " ---: |" * (len(FIGURES) + 4)]
    for case, rip in dict.fromkeys((r["case"], r["rip"]) for r in results):
        here = {r["server"]: r for r in results if (r["case"], r["rip"]) == (case, rip)}
        for server, result in here.items():
            figures = [f"{result['median'][name]:.{3 if 'ms' in name else 0}f}" for name in FIGURES]
            ratios = [ratio(here, result, figure, to) for figure, to in RATIOS]
            lines.append("| " + " | ".join(
                [case, "yes" if rip else "no", server, *figures,
                 *("–" if r is None else f"{r:.2f}" for r in ratios)]) + " |")
    return "\n".join(lines)


def machine():
    model = ""
    with contextlib.suppress(OSError, StopIteration):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    dovecot = subprocess.run(["dovecot", "--version"], capture_output=True, text=True,
                             check=False).stdout.strip() if shutil.which("dovecot") else ""
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "dovecot": dovecot}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--build", type=pathlib.Path, default=root / "build/release",
                        help="the build folder with saslatch-bench and floor_server")
    parser.add_argument("--saslatchd", type=pathlib.Path, help="default: the one of --build")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--duration", default="400ms", help="of each server in each round")
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--json", type=pathlib.Path, help="also write all figures to this file")
    options = parser.parse_args()

    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("compare.py: two cores are needed, one for the server and one for the load")
    servers = [(Floor, options.build / "bin/floor_server")]
    if shutil.which("dovecot") or os.access("/usr/sbin/dovecot", os.X_OK):
        servers.append((Dovecot, None))
    else:
        print("compare.py: no dovecot here (apt install dovecot-core); left out", file=sys.stderr)
    if os.getuid() == 0 and shutil.which("saslpasswd2"):
        servers += [(Saslauthd, None), (SaslauthdCached, None)]
    else:
        print("compare.py: no saslpasswd2 here (apt install sasl2-bin), or not root; saslauthd is "
              "left out", file=sys.stderr)
    saslatchd = options.saslatchd or options.build / "bin/saslatchd"
    if saslatchd.exists():
        servers.append((Saslatchd, saslatchd))
    elif options.saslatchd:
        sys.exit(f"compare.py: {saslatchd} is not there")
    else:
        print(f"compare.py: no {saslatchd}; left out", file=sys.stderr)

    results = []
    load_before = os.getloadavg()[0]
    for case in options.only:
        able = [(s, b) for s, b in servers if CASES[case][0] in s.protocols]
        for with_rip in (True, False):
            here = [(s, b) for s, b in able if s.takes_rip or not with_rip]
            runs = {server.name: [] for server, _ in here}
            with contextlib.ExitStack() as stack:
                benches = [Bench(stack, server, binary, case, with_rip, options, cores)
                           for server, binary in here]
                for number in range(options.rounds):
                    print(f"{case}, {'rip' if with_rip else 'no rip'}, round {number + 1} of "
                          f"{options.rounds}", file=sys.stderr)
                    for bench in benches[::-1 if number % 2 else 1]:
                        runs[bench.name].append(bench.measure(options.duration))
            for name, reports in runs.items():
                results.append({
                    "case": case, "rip": with_rip, "server": name, "runs": reports,
                    "median": {figure: statistics.median(read(r) for r in reports)
                               for figure, read in FIGURES.items()}})
    about = machine() | {"command": " ".join(sys.argv), "rounds": options.rounds,
                         "duration": options.duration,
                         "load_average": [load_before, os.getloadavg()[0]]}
    # The load tells whether the machine had other work: two of it are the measurement's own.
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, "
          f"Dovecot {about['dovecot'] or 'absent'}; load average {load_before:.1f} before and "
          f"{about['load_average'][1]:.1f} after\n")
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": results}, indent=1))


if __name__ == "__main__":
    main()
