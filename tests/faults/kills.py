"""kill -9, of the daemon and of the command that writes users."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time

from harness import programs
from scene import ALICE, CHEAP, PASSWORD, STRANGER, AuthClient, attempt

ROUNDS = 200
LONGEST_LIFE = 0.15  # seconds between the daemon's start and its kill
ACCOUNTS = 12  # guessed at in each round, all on one connection
LIMIT = 4
LOCKS = f"""
[policy]
failure-delay = 0
[rule.guess-account]
count = failures
by    = user
limit = {LIMIT}/1h
then  = lock
for   = 2h
spare = familiar
"""


class Attack(threading.Thread):
    """Guesses at every account of a round until the daemon is gone; counts the answers."""

    def __init__(self, socket, accounts):
        super().__init__(daemon=True)
        self.socket, self.answered = socket, dict.fromkeys(accounts, 0)

    def run(self):
        with contextlib.suppress(OSError, AssertionError):  # killed while it was talked to
            with AuthClient(self.socket) as client:
                asked = {}
                for guess in range(LIMIT + 2):
                    for account in self.answered:
                        number = client.request_plain(account, f"guess {guess}", STRANGER)
                        asked[number] = account
                for _ in range(len(asked)):
                    reply = client.line()
                    if reply is None:
                        return
                    self.answered[asked[reply[1]]] += 1

    def locked(self, limit):
        return {name for name, answers in self.answered.items() if answers >= limit}


class Writer(threading.Thread):
    """Adds users with the command. Every other command is killed as well, at a time that chance
    chooses: such a user may be there or not, but not by half."""

    def __init__(self, scene, daemon):
        super().__init__(daemon=True)
        self.random, self.daemon = scene.random, daemon
        self.added, self.perhaps, self.trouble = [], [], []
        self._ends = threading.Event()

    def run(self):
        number = 0
        while not self._ends.is_set():
            name = f"new{number}@example.com"
            command = subprocess.Popen(
                [programs.need("saslatch"), "--config", self.daemon.config, "user", "add", name,
                 "--password-stdin", *CHEAP], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
            if number % 2:
                command.stdin.write(f"{PASSWORD}\n".encode())
                command.stdin.close()
                time.sleep(self.random.uniform(0, 0.03))
                command.send_signal(signal.SIGKILL)
                command.wait()
                (self.added if command.returncode == 0 else self.perhaps).append(name)
                command.stdout.close()
            else:
                said, _ = command.communicate(f"{PASSWORD}\n".encode())
                if command.returncode == 0:
                    self.added.append(name)
                else:
                    self.trouble.append(said.decode(errors="replace"))
            number += 1
            self._ends.wait(0.1)

    def stop(self):
        self._ends.set()
        if self.is_alive():
            self.join(30)


def integrity(path):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute("PRAGMA integrity_check").fetchone()[0]


def kill_nine(scene):
    """kill -9 of the daemon at 200 points under load: locks, users and logins"""
    # Their passwords cost nothing to check, so that there is much to lose in a short life.
    victims = scene.box.write("victims", "".join(
        f"victim{turn}-{n}@example.com:{{PLAIN}}{PASSWORD}\n"
        for turn in range(ROUNDS) for n in range(ACCOUNTS)))
    daemon = scene.daemon("[passdb.embedded]\ndriver = embedded\n[passdb.victims]\n"
                          f"driver = passwd-file\npath = {victims}\n", policy=LOCKS)
    owner = scene.owner(daemon, every=0.005)
    writer = Writer(scene, daemon)
    scene.box.cleanup(writer.stop)
    writer.start()
    locked, ends, lives, slowest_start = set(), {}, [], 0.0
    for turn in range(ROUNDS):
        if turn % 20 == 0:
            scene.say(f"kill {turn} of {ROUNDS}")
        attack = Attack(daemon.socket, [f"victim{turn}-{n}@example.com" for n in range(ACCOUNTS)])
        attack.start()
        lives.append(scene.random.uniform(0, LONGEST_LIFE))
        time.sleep(lives[-1])
        daemon.kill()
        attack.join()
        began = time.monotonic()
        daemon.start()
        slowest_start = max(slowest_start, time.monotonic() - began)
        if attempt(daemon.socket, ALICE, PASSWORD, STRANGER) != "OK":
            scene.must(False, "a login succeeds after each restart", f"kill {turn}")
        locked |= attack.locked(LIMIT)
        held = {lock["subject"].removeprefix("user:"): lock["until"]
                for lock in json.loads(daemon.cli(
                    "lock", "list", "--json", "--limit", 100_000))["locks"]}
        lost = locked - held.keys()
        if lost:
            scene.must(False, "no lock that was answered with is lost",
                       f"kill {turn} after {lives[-1] * 1000:.1f} ms: {sorted(lost)[:3]}")
            break
        moved = [name for name, until in held.items() if ends.setdefault(name, until) != until]
        if moved:
            scene.must(False, "no lock ends at another time after a kill", f"kill {turn}: {moved[0]}")
    writer.stop()
    scene.must(len(locked) >= ROUNDS, f"the attack had at least {ROUNDS} accounts locked", len(locked))
    scene.must(not locked - ends.keys(), "no lock that was answered with is lost")
    scene.must(set(owner.answers) <= {"OK", "hung up", "ConnectionRefusedError",
                                      "FileNotFoundError", "ConnectionResetError",
                                      "BrokenPipeError", "AssertionError"},
               "the owner was never told that her password is wrong", owner.answers)
    owner.stop()

    scene.must(not writer.trouble, "`user add` does not mind the daemon's end", writer.trouble[:1])
    there = {user["name"] for user in json.loads(daemon.cli("user", "list", "--json"))}
    scene.must(set(writer.added) <= there, "every user whose command said so is there",
               sorted(set(writer.added) - there)[:3])
    halves = [name for name in there - {ALICE} if attempt(
        daemon.socket, name, PASSWORD, "rip=203.0.113.77") != "OK"]
    scene.must(not halves, "every user who is there can log in", halves[:3])
    ghosts = there - set(writer.added) - set(writer.perhaps) - {ALICE}
    scene.must(not ghosts, "no user is there whom nobody added", sorted(ghosts)[:3])

    daemon.stop()
    for name in ("users.db", "state.db"):
        told = integrity(scene.box.path("state", name))
        scene.must(told == "ok", f"SQLite finds nothing wrong with {name}", told)
    torn = []
    for line in daemon.audit_log.read_bytes().splitlines():
        try:
            json.loads(line)
        except ValueError:
            torn.append(line[:80])
    scene.must(not torn, "every line of the audit log is whole", torn[:2])
    scene.must(not [entry for entry in os.listdir(scene.box.path("state")) if "damaged" in entry],
               "the state was never taken for damaged")
    scene.figure(kills=len(lives), lives_ms=f"0-{max(lives) * 1000:.0f}", locks=len(locked),
                 users_added=len(writer.added), adds_killed=len(writer.perhaps),
                 owner_logins=owner.answers.get("OK", 0),
                 slowest_start_ms=round(slowest_start * 1000))


SCENES = {"kill-nine": kill_nine}
