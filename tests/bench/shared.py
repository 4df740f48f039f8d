#!/usr/bin/env python3
"""Measures what counting together in Redis costs: saslatchd on local state beside saslatchd on a
private Redis, by its Unix socket, by TCP and by TLS, and on a Redis Cluster of three, in one run with
interleaved rounds.

Two cases, with the shipped rules and passwords that cost nothing to check: `owners`, whose password
is right, from one address each time; and `guesses`, another wrong password each time, at one account
after the other, from nowhere (with an address the first few would end the case with a lock). Of Redis
it tells the CPU time of an attempt, hence how many it carries, and the memory that guesses leave.

The daemon has one core, the load and Redis share the other. Needs redis-tools, taskset (util-linux),
openssl for TLS.

usage: shared.py [--build DIR] [--rounds N] [--duration TIME] [--only BACKEND…] [--json FILE]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
import compare  # noqa: E402
from harness.box import Box, free_port, wait_until  # noqa: E402
from harness.certificate import Authority  # noqa: E402
from harness.network import Host  # noqa: E402
from harness.redis import RedisServer  # noqa: E402
from harness.shared import KEY  # noqa: E402

BACKENDS = ("local", "redis by socket", "redis by TCP", "redis by TLS", "cluster of three")
ACCOUNTS = {"owners": 1000, "guesses": 200_000}
TRIES = 3
SLOTS = 16384
LOADS = {"owners": ["--rip", "192.0.2.1"], "guesses": ["--wrong-percent", "100"]}


class Daemon(compare.Saslatchd):
    """With further sections in its configuration."""

    def __init__(self, binary, folder, core, sections):
        super().__init__(binary, folder, "dovecot", core)
        self.sections = sections

    def command(self):
        command = super().command()
        with open(self.folder / "saslatch.conf", "a", encoding="utf-8") as config:
            config.write(self.sections)
        return command


class Redis:
    """The server or servers of one backend, and what [state] says of them."""

    def __init__(self, box, backend, core):
        lines, tls, cluster = "", backend.endswith("TLS"), backend.startswith("cluster")
        if tls:
            authority = Authority(box)
            cert, key = authority.issue("redis")
            lines = (f"tls-cert-file {cert}\ntls-key-file {key}\ntls-auth-clients no\n"
                     f"tls-ca-cert-file {authority.certificate}\n")
        # Redis' own choice for the bus, 10000 above, may be no port.
        buses = [free_port() for _ in range(3 if cluster else 1)]
        self.servers = [RedisServer(
            box, Host("here", "127.0.0.1"), f"redis{number}", tls=tls,
            lines=f"cluster-enabled yes\ncluster-port {bus}\n" if cluster else lines).start()
            for number, bus in enumerate(buses)]
        for server in self.servers:
            os.sched_setaffinity(server.process.pid, [core])
        if cluster:
            self.make_cluster(buses[0])
        first = self.servers[0]
        where = first.socket if backend.endswith("socket") else first.address
        self.sections = (f"\n[state]\nbackend = redis\nservers = {where}\nbudget = 1s\n"
                         f"key-file = {box.write('key', KEY, mode=0o640)}\n")
        if tls:
            self.sections += f"tls = yes\ntls-ca-file = {authority.certificate}\n"

    def make_cluster(self, bus):
        share = SLOTS // len(self.servers) + 1
        for number, server in enumerate(self.servers):
            last = min((number + 1) * share, SLOTS) - 1
            server.call("CLUSTER", "ADDSLOTSRANGE", number * share, last)
            server.call("CLUSTER", "MEET", "127.0.0.1", self.servers[0].port, bus)
        for server in self.servers:
            wait_until(lambda: "cluster_state:ok" in server.call("CLUSTER", "INFO") and
                       len(server.call("CLUSTER", "SLOTS")) == len(self.servers), "the cluster")

    def usage(self):
        """Of all servers together."""
        cpus = [server.info("cpu") for server in self.servers]
        return {"cpu": sum(float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])
                           for cpu in cpus),
                "memory": sum(int(server.info("memory")["used_memory"])
                              for server in self.servers),
                "keys": sum(server.call("DBSIZE") for server in self.servers)}

    def wait_idle(self):
        """Until it has done no script between two looks."""
        last = [None]

        def is_idle():
            last[:] = [last[-1], self.commands().get("evalsha")]
            return last[0] is not None and last[0] == last[1]
        wait_until(is_idle, "Redis to have done everything")

    def commands(self):
        """Calls and microseconds by command."""
        told = {}
        for server in self.servers:
            for name, values in server.info("commandstats").items():
                fields = dict(value.split("=") for value in values.split(","))
                calls, microseconds = told.get(name.removeprefix("cmdstat_"), (0, 0))
                told[name.removeprefix("cmdstat_")] = (calls + int(fields["calls"]),
                                                       microseconds + int(fields["usec"]))
        return told


def measure(options, cores, case, backend):
    box = Box()
    try:
        redis = Redis(box, backend, cores[1]) if backend != "local" else None
        with tempfile.TemporaryDirectory(prefix="saslatch-shared-") as name:
            folder = pathlib.Path(name)
            accounts = range(ACCOUNTS[case])
            (folder / "users").write_text(
                "".join(f"user{i}@example.com:{{PLAIN}}secret-{i}\n" for i in accounts))
            (folder / "load").write_text(
                "".join(f"user{i}@example.com:secret-{i}\n" for i in accounts))
            sections = "\n[policy]\npreset = small-site\nfailure-delay = 0\n"
            sections += redis.sections if redis else ""
            binary = options.build / "bin/saslatchd"
            with Daemon(binary, folder, cores[0], sections) as server:
                if redis:
                    log = folder / "server.log"
                    wait_until(lambda: "shared-state-up" in log.read_text(), "the daemon to share")
                bench = ["taskset", "-c", str(cores[1]), str(options.build / "bin/saslatch-bench"),
                         "--socket", server.socket, "--users", str(folder / "load"), "--json",
                         *LOADS[case]]
                if case == "owners":  # their networks are familiar before the clock runs
                    subprocess.run([*bench, "--count", "2000"], capture_output=True, timeout=120)
                before = redis.usage() if redis else None
                done = subprocess.run(
                    [*bench, "--duration", options.duration, "--server-pid",
                     str(server.process.pid)], capture_output=True, text=True, timeout=600)
                if done.returncode != 0:
                    raise SystemExit(f"{case}, {backend}: exit {done.returncode}\n{done.stdout}"
                                     f"{done.stderr}{(folder / 'server.log').read_text()[-2000:]}")
                report = json.loads(done.stdout)
                if redis:
                    redis.wait_idle()  # what is pipelined behind the answers belongs to the logins
                    report["redis"] = cost(before, redis.usage(), report) | {
                        "commands": redis.commands()}
                    if "shared-state-down" in (folder / "server.log").read_text():
                        return None  # an answer came later than the budget
                return report
    finally:
        box.close()


def cost(before, after, report):
    logins = report["ok"] + report["fail"]
    keys = after["keys"] - before["keys"]
    return {"us_per_login": (after["cpu"] - before["cpu"]) * 1e6 / logins,
            "keys_per_login": keys / logins,
            "bytes_per_login": (after["memory"] - before["memory"]) / logins}


FIGURES = {
    "logins/s": (lambda r: r["logins_per_second"], 0),
    "logins/CPU s": (lambda r: r["logins_per_cpu_second"], 0),
    "p50 ms": (lambda r: r["latency_ms"]["p50"], 2),
    "p99 ms": (lambda r: r["latency_ms"]["p99"], 2),
}
REDIS_FIGURES = {
    "Redis CPU µs/login": (lambda r: r["redis"]["us_per_login"], 1),
    "logins/s one Redis carries": (lambda r: 1e6 / r["redis"]["us_per_login"], 0),
    "keys/login": (lambda r: r["redis"]["keys_per_login"], 2),
    "bytes/login": (lambda r: r["redis"]["bytes_per_login"], 0),
}


def table(results):
    names = [*FIGURES, "× local", *REDIS_FIGURES]
    lines = ["| case | state | " + " | ".join(names) + " |",
             "| --- | --- |" + " ---: |" * len(names)]
    for case in dict.fromkeys(case for case, _ in results):
        local = results.get((case, "local"))
        for (here, backend), runs in results.items():
            if here != case:
                continue

            def median(read, of):
                return statistics.median(read(run) for run in of)
            cells = [f"{median(read, runs):.{digits}f}" for read, digits in FIGURES.values()]
            ratio = median(FIGURES["logins/s"][0], runs) / median(FIGURES["logins/s"][0], local) \
                if local else 0
            cells.append(f"{ratio:.2f}" if local else "–")
            cells += [f"{median(read, runs):.{digits}f}" if "redis" in runs[0] else "–"
                      for read, digits in REDIS_FIGURES.values()]
            lines.append(f"| {case} | {backend} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", type=pathlib.Path,
                        default=HERE.parents[1] / "build/release", help="with saslatch-bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", default="4s")
    parser.add_argument("--only", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--json", type=pathlib.Path, help="also write all figures to this file")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("shared.py: two cores are needed")
    load_before = os.getloadavg()[0]
    results = {(case, backend): [] for case in ACCOUNTS for backend in options.only}
    for number in range(options.rounds):
        for (case, backend), runs in results.items():
            print(f"round {number + 1} of {options.rounds}: {case}, {backend}", file=sys.stderr)
            for _ in range(TRIES):
                if report := measure(options, cores, case, backend):
                    runs.append(report)
                    break
                print("the daemon worked on local state; once more", file=sys.stderr)
            else:
                sys.exit("shared.py: Redis is slower than a second: too much other work here")
    about = compare.machine()
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}; load average "
          f"{load_before:.1f} before and {os.getloadavg()[0]:.1f} after\n")
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps(
            {"machine": about, "results": [{"case": case, "backend": backend, "runs": runs}
                                           for (case, backend), runs in results.items()]}, indent=1))


if __name__ == "__main__":
    main()
