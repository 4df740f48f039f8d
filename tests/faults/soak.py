#!/usr/bin/env python3
"""Mixed load for an hour, in which memory, descriptors and latency must stay flat.

usage: soak.py [--minutes N] [--rate N] [--seed N] [--bin DIR] [--svg FILE] [--samples FILE] [--json]

Right and wrong logins with every mechanism, on connections that stay and on new ones, cancelled
requests, clients that vanish, saslauthd, metrics, reloads, control commands. Attackers come from a
fixed set of addresses at a fixed set of names, larger than max-subjects, so that the tables are full
after the warm-up and must stay so. Every 5 s it notes resident memory, descriptors, threads and the
latency of the owner's logins; the warm-up (the first fifth, at most ten minutes) is not judged.

A trend is Theil and Sen's: the median of the slopes between all pairs of samples, times the judged
time. What it may come to stands in LIMITS. Exit code 0: flat, 1: something grew or failed.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from plot import draw  # noqa: E402
from scene import (  # noqa: E402
    ALICE, HOME, PASSWORD, AuthClient, Scene, Usage, attempt, outcome, setups)

from harness.smtp import cram_md5  # noqa: E402

SAMPLE_SECONDS = 5
WARM_UP, LONGEST_WARM_UP = 0.2, 600  # a part of the time, seconds
SUBJECTS = 4000  # max-subjects
ADDRESSES, NAMES = 3000, 2000  # of the attackers
OWNERS = 50
CONFIG = """
[policy]
failure-delay = 50ms
"""

# What a trend may come to over the judged time, and why not nothing.
LIMITS = {
    "mb": (3.0, "MB of resident memory: the allocator's own, and the journal's cache"),
    "fds": (2.0, "descriptors: those of connections at the moment of the sample"),
    "threads": (0.0, "threads"),
    "p50_ms": (0.5, "ms of the median login: the machine does other things, too"),
    "p99_ms": (5.0, "ms of the login that is slower than 99 of 100"),
}
RELATIVE = 0.5  # of the latencies' own median, where that is more


class Load(threading.Thread):
    """One client: draws what to do next, does it, waits. Notes what was not as it should be."""

    def __init__(self, soak, seed, every):
        super().__init__(daemon=True)
        self.soak, self.random, self.every = soak, random.Random(seed), every
        self.done, self.wrong = {}, []
        self.kept = None
        self.ends = threading.Event()
        self.kinds = [(40, self.kept_plain), (12, self.new_plain), (10, self.login),
                      (10, self.cram_md5), (1, self.argon2), (14, self.wrong_password),
                      (4, self.unknown_name), (3, self.cancel), (2, self.vanish),
                      (1, self.nonsense), (3, self.saslauthd)]

    def run(self):
        weights = [weight for weight, _ in self.kinds]
        while not self.ends.wait(self.every * self.random.uniform(0.5, 1.5)):
            kind = self.random.choices(self.kinds, weights)[0][1]
            self.done[kind.__name__] = self.done.get(kind.__name__, 0) + 1
            try:
                kind()
            except (OSError, AssertionError) as error:
                self.wrong.append(f"{kind.__name__}: {type(error).__name__} {error}")
                self.leave()
        self.leave()

    def leave(self):
        if self.kept:
            self.kept.close()
            self.kept = None

    def expect(self, reply, wanted):
        if outcome(reply) != wanted:
            self.wrong.append(f"{sys._getframe(1).f_code.co_name}: {reply}, not {wanted}")

    def client(self):
        return AuthClient(self.soak.daemon.socket)

    def owner(self):
        return f"owner{self.random.randrange(OWNERS)}@example.com"

    def attacker(self):
        number = self.random.randrange(ADDRESSES)
        return f"rip=10.{number // 250}.{number % 250}.7"  # a network each

    def kept_plain(self):
        if self.kept is None or self.random.random() < 0.02:
            self.leave()
            self.kept = self.client()
        began = time.monotonic()
        reply = self.kept.plain(self.owner(), PASSWORD, HOME)
        self.soak.latencies.append(time.monotonic() - began)
        self.expect(reply, "OK")

    def new_plain(self):
        with self.client() as client:
            self.expect(client.plain(self.owner(), PASSWORD, HOME), "OK")

    def login(self):
        with self.client() as client:
            self.expect(client.login(ALICE, PASSWORD), "OK")

    def cram_md5(self):
        with self.client() as client:
            number = client.request("CRAM-MD5", HOME)
            challenge = client.line()
            client.send(f"CONT\t{number}\t{cram_md5('crammer@example.com', PASSWORD, challenge[2])}\n")
            self.expect(client.line(), "OK")

    def argon2(self):
        with self.client() as client:
            self.expect(client.plain("argon@example.com", PASSWORD, HOME), "OK")

    def wrong_password(self):
        with self.client() as client:
            self.expect(client.plain(self.owner(), f"guess {self.random.random()}",
                                     self.attacker()), "FAIL")

    def unknown_name(self):
        with self.client() as client:
            self.expect(client.plain(f"nobody{self.random.randrange(NAMES)}@example.com",
                                     f"guess {self.random.randrange(500)}", self.attacker()), "FAIL")

    def cancel(self):
        with self.client() as client:
            number = client.request("LOGIN", HOME)
            client.line()
            client.send(f"CANCEL\t{number}\n")
            self.expect(client.plain(self.owner(), PASSWORD, HOME), "OK")

    def vanish(self):
        client = self.client()
        client.request("LOGIN", HOME)
        client.request_plain(self.owner(), PASSWORD, HOME)
        client.send("AUTH\t99\tPLA")
        client.close()

    def nonsense(self):
        with contextlib.suppress(ConnectionError), self.client() as client:
            client.send(self.random.randbytes(300) + b"\n")
            while client.line() is not None:
                pass

    def saslauthd(self):
        fields = (ALICE, PASSWORD, "smtp", "")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
            client.settimeout(10)
            client.connect(str(self.soak.daemon.sockets[1]))
            client.sendall(b"".join(len(f).to_bytes(2, "big") + f.encode() for f in fields))
            reply = client.recv(100)
            if not reply[2:].startswith(b"OK"):
                self.wrong.append(f"saslauthd: {reply}")


class Soak:
    def __init__(self, options, show):
        self.options, self.show = options, show
        self.scene = Scene("soak", options.seed, show)
        self.latencies, self.samples, self.trouble = [], [], []
        self.commands = 0

    def prepare(self):
        box = self.scene.box
        self.daemon = setups.on_socket(
            box, daemon_section=f"max-subjects = {SUBJECTS}", policy=CONFIG, listeners={
                "auth": "protocol = dovecot\n", "mux": "protocol = saslauthd\n",
                "metrics": "protocol = metrics\n"}).start()
        self.scene.add_cheap(self.daemon, ALICE,
                             *(f"owner{number}@example.com" for number in range(OWNERS)))
        self.daemon.add_user("crammer@example.com", PASSWORD, "--scheme", "CRAM-MD5")
        self.daemon.add_user("argon@example.com", PASSWORD)
        # Their network is familiar: the rules that attackers trip spare them.
        for number in range(OWNERS):
            if attempt(self.daemon.socket, f"owner{number}@example.com", PASSWORD, HOME) != "OK":
                sys.exit("soak: an owner cannot log in")
        threads = 8
        self.loads = [Load(self, f"{self.options.seed}/{n}", threads / self.options.rate)
                      for n in range(threads)]
        for load in self.loads:
            load.start()

    def command(self, number):
        """What an administrator does meanwhile, one thing every 5 s."""
        name = f"locked{number % 50}@example.com"
        commands = (("status", "--json"), ("lock", "list", "--json"),
                    ("lock", "add", f"user:{name}", "--for", "10m", "--reason", "soak"),
                    ("lock", "clear", f"user:{name}"), ("reload",), ("explain", f"user:{ALICE}"),
                    ("user", "list"), ("user", "disable", "crammer@example.com"),
                    ("user", "enable", "crammer@example.com"), ("metrics",))
        command = commands[number % len(commands)]
        if command[1:2] == ("disable",):
            return  # it would make CRAM-MD5 logins fail: only `enable`, which writes too
        self.commands += 1
        try:
            if command[0] == "metrics":
                with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
                    client.settimeout(10)
                    client.connect(str(self.daemon.sockets[2]))
                    client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                    if not client.recv(100).startswith(b"HTTP/1."):
                        self.trouble.append("metrics: no HTTP")
            else:
                self.daemon.cli(*command)
        except (AssertionError, OSError) as error:
            self.trouble.append(str(error))

    def sample(self, began):
        usage = Usage.of(self.daemon)
        taken, self.latencies = sorted(self.latencies), []
        if len(taken) < 2:
            return
        stat = pathlib.Path(f"/proc/{self.daemon.process.pid}/stat").read_text().split()
        ticks = os.sysconf("SC_CLK_TCK")
        self.samples.append({
            "s": round(time.monotonic() - began, 1), "mb": usage.megabytes,
            "fds": usage.descriptors, "threads": int(stat[19]),
            "cpu_s": (int(stat[13]) + int(stat[14])) / ticks,
            "logins": len(taken), "p50_ms": 1000 * taken[len(taken) // 2],
            "p99_ms": 1000 * taken[min(len(taken) - 1, len(taken) * 99 // 100)]})

    def run(self):
        self.prepare()
        began, number = time.monotonic(), 0
        seconds = self.options.minutes * 60
        while time.monotonic() < began + seconds and self.daemon.process.running():
            self.command(number)
            number += 1
            time.sleep(max(0.0, began + number * SAMPLE_SECONDS - time.monotonic()))
            self.sample(began)
            if number % 60 == 0 and self.samples:
                last = self.samples[-1]
                self.show(f"{last['s'] / 60:5.1f} min  {last['mb']:6.1f} MB  {last['fds']} fds  "
                          f"p50 {last['p50_ms']:.2f} ms  p99 {last['p99_ms']:.2f} ms")
        for load in self.loads:
            load.ends.set()
        for load in self.loads:
            load.join(30)
        return self.judge()

    def judge(self):
        total = self.samples[-1]["s"] if self.samples else 0
        warm = min(WARM_UP * total, LONGEST_WARM_UP)
        judged = [sample for sample in self.samples if sample["s"] >= warm]
        done, wrong = {}, list(self.trouble)
        for load in self.loads:
            wrong += load.wrong
            for kind, count in load.done.items():
                done[kind] = done.get(kind, 0) + count
        if not self.daemon.process.running():
            wrong.append("the daemon ended")
        trends = {key: trend(judged, key) for key in LIMITS}
        allowed = {key: max(limit, RELATIVE * statistics.median(s[key] for s in judged))
                   if judged and key.endswith("_ms") else limit
                   for key, (limit, _) in LIMITS.items()}
        grew = [f"{key} grew by {trends[key]:.2f} (allowed: {allowed[key]:.2f} {why})"
                for key, (_, why) in LIMITS.items() if trends[key] > allowed[key]]
        events = self.daemon.audit(event="auth")
        return {
            "seed": self.options.seed, "minutes": round(total / 60, 1),
            "warm_up_minutes": round(warm / 60, 1), "samples": len(self.samples),
            "attempts": len(events), "done": done, "commands": self.commands,
            "daemon_cpu_percent": round(100 * self.samples[-1]["cpu_s"] / total, 1) if total else 0,
            "subjects": json.loads(self.daemon.cli("status", "--json"))["now"]["subjects"]
            if self.daemon.process.running() else None,
            "judged": {key: {"median": round(statistics.median(s[key] for s in judged), 2),
                             "lowest": round(min(s[key] for s in judged), 2),
                             "highest": round(max(s[key] for s in judged), 2),
                             "trend": round(trends[key], 3), "allowed": round(allowed[key], 2)}
                       for key in LIMITS} if judged else {},
            "grew": grew, "wrong": len(wrong), "wrong_first": wrong[:5],
            "result": "flat" if judged and not grew and not wrong else "BROKEN"}


def trend(samples, key):
    """By how much the value grew over the time of the samples: Theil and Sen's slope."""
    if len(samples) < 3:
        return 0.0
    step = max(1, len(samples) // 300)  # at most 45,000 pairs
    some = samples[::step]
    slopes = [(b[key] - a[key]) / (b["s"] - a["s"])
              for n, a in enumerate(some) for b in some[n + 1:]]
    return statistics.median(slopes) * (samples[-1]["s"] - samples[0]["s"])


def text(result):
    lines = [f"{result['minutes']} min, {result['attempts']} attempts, {result['commands']} commands, "
             f"{result['subjects']} subjects, daemon at {result['daemon_cpu_percent']} % of a core",
             "", f"{'':8} {'median':>9} {'lowest':>9} {'highest':>9} {'trend':>9} {'allowed':>9}"]
    lines += [f"{key:8} {v['median']:9.2f} {v['lowest']:9.2f} {v['highest']:9.2f} {v['trend']:+9.2f} "
              f"{v['allowed']:9.2f}" for key, v in result["judged"].items()]
    lines += [""] + result["grew"] + result["wrong_first"]
    return "\n".join([*lines, f"{result['result']} (seed {result['seed']})"])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="\n".join(__doc__.splitlines()[4:]),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=40, help="actions a second (default 40)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--bin", help="the folder with saslatchd and saslatch (default build/dev/bin)")
    parser.add_argument("--svg", help="draw the samples into this file")
    parser.add_argument("--samples", help="write the samples into this file, one JSON object a line")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if options.bin:
        os.environ["SASLATCH_BIN"] = str(pathlib.Path(options.bin).resolve())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))

    def show(line):
        print(line, file=sys.stderr, flush=True)
    show(f"seed {options.seed}, {options.minutes:g} min")
    soak = Soak(options, show)
    try:
        result = soak.run()
        if result["result"] != "flat":
            show(soak.daemon.log()[-4000:])
    finally:
        soak.scene.close()
    if options.samples:
        pathlib.Path(options.samples).write_text(
            "".join(json.dumps(sample) + "\n" for sample in soak.samples))
    if options.svg:
        pathlib.Path(options.svg).write_text(draw(soak.samples, result))
    print(json.dumps(result, indent=2) if options.json else text(result))
    return 0 if result["result"] == "flat" else 1


if __name__ == "__main__":
    sys.exit(main())
