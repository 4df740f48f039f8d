#!/usr/bin/env python3
"""What slow password hashes cost, and whom: saslatchd beside a private Dovecot.

Both serve the same passwd-file, every password stored as Argon2id with Dovecot's own parameters.
Both may use every core, as the load does. Needs dovecot-core (`doveadm pw` also makes the hash).

  repeated   the same ten accounts log in again and again, 10 connections: saslatchd as shipped
             (verdict-cache = 5m) and Dovecot
  cold       every login costs its hash, 50 connections: verdict-cache = 0, and Dovecot
  beside     CRAM-MD5 logins of other accounts, alone and while 50 Argon2id checks are in flight
  flooded    the cold logins of saslatchd while 20 other connections log in by CRAM-MD5 as fast as they
             can, on all cores: threads that hash step back, and must not starve
  attack     2,000 wrong logins a second from 10,000 addresses at 5,000 accounts while 20 owners a
             second log in from where they did minutes ago; saslatchd only, since Dovecot makes
             everybody wait for the hashes before his own (see `beside`)
  attack-cold  the same with 5 owners a second whose hashes have to be computed: verdict-cache = 0

usage: hashes.py [--build DIR] [--only CASE…] [--seconds N] [--seed N] [--json FILE]
"""

import argparse
import base64
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import random
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import compare

PASSWORD = "the right one"
OWNERS, TARGETS, CLEAR = 2000, 5000, 50


def accounts(stored):
    """The lines of the passwd-file: slow ones (one hash serves for all), and CRAM-MD5's."""
    slow = [f"{kind}{i}@example.com:{stored}"
            for kind, many in (("owner", OWNERS), ("target", TARGETS)) for i in range(many)]
    return slow + [f"clear{i}@example.com:{{PLAIN}}{PASSWORD}" for i in range(CLEAR)]


class Saslatchd(compare.Saslatchd):
    """With another verdict-cache, and where every processor may be used."""

    verdicts = "5m"

    def command(self):
        command = super().command()
        config = self.folder / "saslatch.conf"
        config.write_text(config.read_text().replace(
            "[daemon]\n", f"[daemon]\nverdict-cache = {self.verdicts}\n").replace(
            "mode = 0600\n", "mode = 0600\non-temporary-failure = reply\n"))
        return command


class WithoutVerdicts(Saslatchd):
    verdicts = "0"


class Connection:
    """One client of the Dovecot auth protocol; requests may be in flight side by side."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.buffer = b""
        while b"DONE\n" not in self.buffer:
            self.buffer += self.socket.recv(4096)
        self.buffer = b""
        self.socket.sendall(b"VERSION\t1\t2\nCPID\t%d\n" % os.getpid())
        self.next_id = 0
        self.sent = {}

    def request(self, mechanism, rip, response=None, about=None):
        self.next_id += 1
        resp = b"" if response is None else b"\tresp=" + base64.b64encode(response)
        self.sent[self.next_id] = (time.perf_counter(), about)
        self.socket.sendall(f"AUTH\t{self.next_id}\t{mechanism}\tservice=smtp\tsecured\trip={rip}"
                            .encode() + resp + b"\n")
        return self.next_id

    def plain(self, user, password, rip, about=None):
        return self.request("PLAIN", rip, f"\0{user}\0{password}".encode(), about)

    def replies(self):
        """Reads what is there: (word, id, fields) of each whole line."""
        data = self.socket.recv(65536)
        if not data:
            raise SystemExit("hashes.py: the server closed a connection")
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            word, number, *fields = line.split(b"\t")
            yield word, int(number), fields

    def cram_md5(self, user, rip):
        """A whole login; how long it took."""
        number = self.request("CRAM-MD5", rip)
        begun, _ = self.sent.pop(number)
        while True:
            for word, _, fields in self.replies():
                if word == b"CONT":
                    challenge = base64.b64decode(fields[0])
                    digest = hmac.new(PASSWORD.encode(), challenge, hashlib.md5).hexdigest()
                    answer = base64.b64encode(f"{user} {digest}".encode())
                    self.socket.sendall(b"CONT\t%d\t%s\n" % (number, answer))
                elif word == b"OK":
                    return time.perf_counter() - begun
                else:
                    raise SystemExit(f"hashes.py: a right CRAM-MD5 login got {word}")


def figures(times):
    """p50, p99 and the worst, in milliseconds."""
    ordered = sorted(times)
    if not ordered:
        return {"logins": 0}
    return {"logins": len(ordered), "p50 ms": round(1e3 * statistics.median(ordered), 3),
            "p99 ms": round(1e3 * ordered[int(len(ordered) * 0.99)], 3),
            "worst ms": round(1e3 * ordered[-1], 3)}


@contextlib.contextmanager
def served(server_class, options):
    with tempfile.TemporaryDirectory(prefix="saslatch-hashes-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # Dovecot's auth process is not root; the accounts are made up
        (folder / "users").write_text("\n".join(accounts(options.stored)) + "\n")
        with server_class(options.build / "bin/saslatchd", folder, "dovecot") as server:
            yield server


def closed_loop(path, users, connections, seconds):
    """Each connection logs in as soon as it has its answer; logins of the time, how long each took,
    and how many were turned away: who could not be answered in time is told so at once."""
    selector = selectors.DefaultSelector()
    at = 0
    for _ in range(connections):
        connection = Connection(path)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.plain(users[at % len(users)], PASSWORD, "192.0.2.1")
        at += 1
    begun = time.perf_counter()
    times, turned_away = [], 0
    while time.perf_counter() < begun + seconds:
        for key, _ in selector.select(timeout=0.5):
            for word, number, fields in key.data.replies():
                took = time.perf_counter() - key.data.sent.pop(number)[0]
                if word == b"OK":
                    times.append(took)
                elif b"temp" in fields:
                    turned_away += 1
                    time.sleep(0.001)
                else:
                    raise SystemExit(f"hashes.py: a right login got {word}")
                key.data.plain(users[at % len(users)], PASSWORD, "192.0.2.1")
                at += 1
    wall = time.perf_counter() - begun
    return {"logins/s": round(len(times) / wall, 1), "turned away": turned_away} | figures(times)


def bench_loop(server, options, users, connections):
    """The same by saslatch-bench, which can keep up with logins that cost no hash."""
    (server.folder / "load").write_text("".join(f"{u}:{PASSWORD}\n" for u in users))
    command = [str(options.build / "bin/saslatch-bench"), "--socket", server.socket,
               "--mechanism", "PLAIN", "--connections", str(connections), "--users",
               str(server.folder / "load"), "--rip", "192.0.2.1", "--json"]
    subprocess.run(command + ["--count", str(2 * len(users))], capture_output=True, timeout=120,
                   check=True)
    run = subprocess.run(command + ["--duration", f"{options.seconds}s"], capture_output=True,
                         text=True, timeout=300, check=True)
    report = json.loads(run.stdout)
    return {"logins/s": round(report["logins_per_second"], 1)} | {
        f"{name} ms": round(report["latency_ms"][name], 3) for name in ("p50", "p99")}


def repeated(options):
    users = [f"owner{i}@example.com" for i in range(10)]
    for name, server_class in (("dovecot", compare.Dovecot), ("saslatchd", Saslatchd)):
        with served(server_class, options) as server:
            yield name, bench_loop(server, options, users, 10)


def cold(options):
    users = [f"owner{i}@example.com" for i in range(OWNERS)]
    for name, server_class in (("dovecot", compare.Dovecot), ("saslatchd", WithoutVerdicts)):
        with served(server_class, options) as server:
            yield name, closed_loop(server.socket, users, 50, options.seconds)


def beside(options):
    for name, server_class in (("dovecot", compare.Dovecot), ("saslatchd", WithoutVerdicts)):
        with served(server_class, options) as server:
            def login_on(seconds):
                connection = Connection(server.socket)
                until = time.perf_counter() + seconds
                times = []
                while time.perf_counter() < until:
                    user = f"clear{len(times) % CLEAR}@example.com"
                    times.append(connection.cram_md5(user, "198.51.100.7"))
                    time.sleep(0.002)  # a pace, so that the load takes no core of its own
                return figures(times)
            yield f"{name}, alone", login_on(options.seconds)
            hashing = subprocess.Popen(
                [sys.executable, __file__, "--keep-hashing", server.socket,
                 str(options.seconds + 2)])
            time.sleep(1)
            yield f"{name}, beside 50 checks", login_on(options.seconds)
            hashing.wait()


def flooded(options):
    users = [f"owner{i}@example.com" for i in range(OWNERS)]
    with served(WithoutVerdicts, options) as server:
        (server.folder / "load").write_text(
            "".join(f"clear{i}@example.com:{PASSWORD}\n" for i in range(CLEAR)))
        flood = subprocess.Popen(
            [str(options.build / "bin/saslatch-bench"), "--socket", server.socket, "--mechanism",
             "CRAM-MD5", "--connections", "20", "--users", str(server.folder / "load"), "--rip",
             "198.51.100.7", "--duration", f"{options.seconds + 1}s", "--json"],
            stdout=subprocess.PIPE, text=True)
        yield "cold", closed_loop(server.socket, users, 50, options.seconds)
        report = json.loads(flood.communicate()[0])
        yield "flood", {"logins/s": round(report["logins_per_second"])} | {
            f"{name} ms": round(report["latency_ms"][name], 3) for name in ("p50", "p99")}


def attack(options, server_class=Saslatchd, pace=20):
    rng = random.Random(options.seed)
    addresses = [f"10.{i >> 8 & 255}.{i & 255}.{rng.randrange(1, 255)}" for i in range(10_000)]
    with served(server_class, options) as server:
        owners = [f"owner{i}@example.com" for i in range(min(OWNERS, pace * options.seconds))]
        homes = {owner: f"203.{i >> 8}.{i & 255}.9" for i, owner in enumerate(owners)}
        # They have been there before; four at a time, as the hashes allow.
        threads = []

        def settle_in(share):
            connection = Connection(server.socket)
            for owner in share:
                number = connection.plain(owner, PASSWORD, homes[owner])
                replies = list(connection.replies())
                assert replies == [(b"OK", number, [b"user=" + owner.encode()])], replies
        for i in range(4):
            threads.append(threading.Thread(target=settle_in, args=(owners[i::4],)))
            threads[-1].start()
        for thread in threads:
            thread.join()

        selector = selectors.DefaultSelector()
        guessers = [Connection(server.socket) for _ in range(40)]
        owners_door = [Connection(server.socket) for _ in range(10)]
        for connection in guessers + owners_door:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        begun = time.perf_counter()
        guesses = logins = right = 0
        times, wrong_times, answers = [], [], {}
        end = begun + options.seconds
        while (now := time.perf_counter()) < end + 5:
            while now < end and guesses < (now - begun) * 2000:
                guessers[guesses % 40].plain(f"target{rng.randrange(TARGETS)}@example.com",
                                             f"guess{rng.randrange(10**9)}",
                                             addresses[rng.randrange(10_000)])
                guesses += 1
            while now < end and logins < min((now - begun) * pace, len(owners)):
                owner = owners[logins]
                owners_door[logins % 10].plain(owner, PASSWORD, homes[owner], about=owner)
                logins += 1
            for key, _ in selector.select(timeout=0.002):
                for word, number, fields in key.data.replies():
                    sent, owner = key.data.sent.pop(number)
                    took = time.perf_counter() - sent
                    if owner is None:
                        said = "temporary" if b"temp" in fields else word.decode()
                        answers[said] = answers.get(said, 0) + 1
                        wrong_times.append(took)
                    else:
                        right += word == b"OK"
                        times.append(took)
            if now > end and len(times) == logins and len(wrong_times) == guesses:
                break
        yield "guesses", {"sent": guesses, "answered": answers} | figures(wrong_times)
        yield "owners", {"sent": logins, "let in": right} | figures(times)


def attack_cold(options):
    return attack(options, WithoutVerdicts, 5)


CASES = {"repeated": repeated, "cold": cold, "beside": beside, "flooded": flooded,
         "attack": attack, "attack-cold": attack_cold}


def main():
    if sys.argv[1:2] == ["--keep-hashing"]:
        closed_loop(sys.argv[2], [f"owner{i}@example.com" for i in range(OWNERS)], 50,
                    float(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--build", type=pathlib.Path, default=root / "build/release")
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path, help="also write all figures to this file")
    options = parser.parse_args()
    if not shutil.which("doveadm"):
        sys.exit("hashes.py: no doveadm here (apt install dovecot-core)")
    options.stored = subprocess.run(
        ["doveadm", "pw", "-s", "ARGON2ID", "-p", PASSWORD], capture_output=True, text=True,
        check=True).stdout.strip()
    print(f"{options.stored.split('$')[1]} {options.stored.split('$')[3]}, "
          f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    results = {}
    for case in options.only:
        for name, result in CASES[case](options):
            results.setdefault(case, {})[name] = result
            print(f"{case:9} {name:28}", "  ".join(f"{k} {v}" for k, v in result.items()),
                  flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
