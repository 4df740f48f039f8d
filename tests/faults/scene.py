"""What every fault has: a box, a seed, what must hold, figures, and an owner who logs in meanwhile."""

import base64
import contextlib
import hashlib
import os
import pathlib
import random
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness import setups  # noqa: E402  (the path comes first)
from harness.auth import AuthClient  # noqa: E402
from harness.box import PATIENCE, Box, wait_until  # noqa: E402

ALICE, PASSWORD = setups.ALICE, setups.PASSWORD
HOME, STRANGER = "rip=203.0.113.9", "rip=198.51.100.7"
CHEAP = ("--scheme", "CRAM-MD5")  # of `user add`: takes no time

MAX_HOLD = 4.5  # seconds: [policy] max-hold as shipped, inside which every answer must come
MAIL_SERVER_WAITS = 10.0  # seconds: then Postfix hangs up

# The shipped rules, with answers that come soon.
POLICY = "\n[policy]\nfailure-delay = 20ms\n"


class Broken(Exception):
    """Something that must hold did not."""


class Scene:
    """One run of one fault. close() ends what it started."""

    def __init__(self, name, seed, say=lambda line: None):
        self.name, self.seed, self.say = name, seed, say
        self.random = random.Random(f"{seed}/{name}")
        self.box = Box()
        self.held, self.broken, self.figures = [], [], {}

    def must(self, holds, sentence, detail=""):
        """Notes whether what the sentence says is so; the scene goes on either way."""
        if holds:
            self.held.append(sentence)
            return
        self.broken.append(sentence + (f": {detail}" if detail else ""))
        self.say(f"BROKEN  {self.broken[-1]}")

    def figure(self, **values):
        self.figures.update(values)

    def daemon(self, extra="", policy=POLICY, **options):
        """A started daemon with the embedded passdb, and in it alice."""
        daemon = setups.on_socket(self.box, extra, policy=policy, **options).start()
        self.add_cheap(daemon, ALICE)
        return daemon

    def add_cheap(self, daemon, *names):
        """Accounts with a digest that costs nothing to check, so that an unknown name costs nothing
        either: the faults are about the daemon, and a flood of Argon2id checks would be answered as
        the overload that it is."""
        digest = base64.b64encode(hashlib.sha256(PASSWORD.encode()).digest()).decode()
        users = self.box.write("import", "".join(f"{name}:{{SHA256}}{digest}\n" for name in names))
        daemon.cli("user", "import", users)

    def owner(self, daemon, **options):
        """alice at home: she has logged in once, so that her network is familiar, and goes on."""
        owner = Owner(daemon.socket, **options)
        self.box.cleanup(owner.stop)
        if owner.attempt() != "OK":
            raise Broken(f"the owner cannot log in before anything has happened: {owner.answers}")
        owner.start()
        return owner

    def must_have_served(self, owner, at_least=10, allowed=(), longest=MAX_HOLD):
        """Every login of the owner was let in (or ended as one of `allowed`), none of them late."""
        owner.stop()
        wrong = {answer: count for answer, count in owner.answers.items()
                 if answer != "OK" and answer not in allowed}
        self.must(not wrong, "every login of the owner was let in", f"{wrong} of {owner.answers}")
        self.must(owner.answers.get("OK", 0) >= at_least,
                  f"the owner logged in at least {at_least} times", owner.answers)
        self.must(owner.slowest <= longest, f"no answer took more than {longest:g} s",
                  f"{owner.slowest:.2f} s")
        self.figure(owner_logins=owner.answers.get("OK", 0),
                    owner_slowest_ms=round(owner.slowest * 1000))

    def must_run_on(self, daemon, pid):
        self.must(daemon.process.running() and daemon.process.pid == pid,
                  "the daemon is the same process as before", daemon.process.output()[-2000:])

    def must_be_back(self, daemon, before, megabytes):
        """Descriptors are what they were, resident memory within `megabytes` of it."""
        def is_back():
            return Usage.of(daemon).descriptors <= before.descriptors + DATABASES
        with contextlib.suppress(AssertionError):
            wait_until(is_back, "the descriptors to be closed")
        now = Usage.of(daemon)
        self.must(now.descriptors <= before.descriptors + DATABASES,
                  f"descriptors are back (within {DATABASES}: databases of busy workers)",
                  f"{before.descriptors} before, {now.descriptors} now")
        self.must(now.megabytes <= before.megabytes + megabytes,
                  f"resident memory is back within {megabytes} MB",
                  f"{before.megabytes:.1f} MB before, {now.megabytes:.1f} MB now")
        self.figure(mb_before=round(before.megabytes, 1), mb_after=round(now.megabytes, 1),
                    fds_before=before.descriptors, fds_after=now.descriptors)

    def close(self):
        self.box.close()


# As many lookups as ran at the same time have a database open each (two files), and keep it.
DATABASES = 8


class Usage:
    """What a process has of the machine at one moment."""

    def __init__(self, pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        self.megabytes = int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024
        self.data = int(re.search(r"VmData:\s+(\d+) kB", status).group(1)) * 1024
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))

    @classmethod
    def of(cls, daemon):
        return cls(daemon.process.pid)


def attempt(socket, user, password, *fields, timeout=MAIL_SERVER_WAITS):
    """One PLAIN login on a connection of its own: OK, FAIL, TEMP, or how it ended instead."""
    try:
        with AuthClient(socket, timeout=timeout) as client:
            return outcome(client.plain(user, password, *fields))
    except TimeoutError:
        return "timeout"
    except (OSError, AssertionError) as error:
        return type(error).__name__


def outcome(reply):
    if reply is None:
        return "hung up"  # a temporary failure, where on-temporary-failure = disconnect
    return "TEMP" if "temp" in reply else reply[0]


class Owner(threading.Thread):
    """Logs in again and again, on a connection that stays open (`kept`) or a new one each time.

    answers: how many logins ended how; slowest: the longest wait for an answer, in seconds.
    """

    def __init__(self, socket, user=ALICE, password=PASSWORD, kept=False, every=0.02, rip=HOME):
        super().__init__(daemon=True)
        self.socket, self.user, self.password, self.rip = socket, user, password, rip
        self.every, self.kept = every, kept
        self.answers, self.slowest, self.latencies = {}, 0.0, []
        self._client, self.ends = None, threading.Event()

    def attempt(self):
        began = time.monotonic()
        try:
            if self._client is None:
                self._client = AuthClient(self.socket, timeout=MAIL_SERVER_WAITS)
            answer = outcome(self._client.plain(self.user, self.password, self.rip))
        except TimeoutError:
            answer = "timeout"
        except (OSError, AssertionError) as error:
            answer = type(error).__name__
        took = time.monotonic() - began
        if not self.kept or answer not in ("OK", "FAIL", "TEMP"):
            self._leave()
        self.answers[answer] = self.answers.get(answer, 0) + 1
        self.slowest = max(self.slowest, took)
        self.latencies.append(took)
        return answer

    def _leave(self):
        if self._client:
            self._client.close()
            self._client = None

    def run(self):
        while not self.ends.wait(self.every):
            self.attempt()
        self._leave()

    def stop(self):
        self.ends.set()
        if self.is_alive():
            self.join(2 * MAIL_SERVER_WAITS)


class Guesser(threading.Thread):
    """Wrong logins, `pipelined` at a time on one connection, from addresses and at names (so many,
    or these) that its seed decides. Connects again whenever it is cut off. answered: FAILs that it was told."""

    def __init__(self, socket, random, pipelined=20, every=0.02, names=10_000):
        super().__init__(daemon=True)
        self.socket, self.random, self.pipelined, self.every = socket, random, pipelined, every
        self.names, self.answered, self.sent = names, 0, 0
        self.ends = threading.Event()

    def _round(self, client):
        for _ in range(self.pipelined):
            number = self.random.randrange(10_000_000)
            name = (f"user{number % self.names}@example.com" if isinstance(self.names, int)
                    else self.names[number % len(self.names)])
            client.request_plain(name, f"guess {self.random.random()}",
                                 f"rip=198.18.{number % 250}.{self.random.randrange(1, 250)}")
            self.sent += 1
        for _ in range(self.pipelined):
            if client.line() is None:
                return False
            self.answered += 1
        return True

    def run(self):
        while not self.ends.is_set():
            with contextlib.suppress(OSError, AssertionError):
                with AuthClient(self.socket, timeout=MAIL_SERVER_WAITS) as client:
                    while self._round(client) and not self.ends.wait(self.every):
                        pass
            self.ends.wait(self.every)

    def stop(self):
        self.ends.set()
        if self.is_alive():
            self.join(2 * MAIL_SERVER_WAITS)


def stop_all(threads):
    """Stops them side by side: each may still wait for an answer."""
    for thread in threads:
        thread.ends.set()
    for thread in threads:
        thread.stop()


@contextlib.contextmanager
def guessing(scene, daemon, threads=2, **options):
    """An attack for as long as the block lasts."""
    attackers = [Guesser(daemon.socket, random.Random(scene.random.random()), **options)
                 for _ in range(threads)]
    for attacker in attackers:
        scene.box.cleanup(attacker.stop)
        attacker.start()
    try:
        yield attackers
    finally:
        stop_all(attackers)
        scene.figure(guesses=sum(attacker.answered for attacker in attackers))


__all__ = ["ALICE", "PASSWORD", "HOME", "STRANGER", "CHEAP", "MAX_HOLD", "MAIL_SERVER_WAITS",
           "POLICY", "PATIENCE", "Broken", "Scene", "Usage", "Owner", "Guesser", "AuthClient",
           "attempt", "guessing", "outcome", "setups", "stop_all", "wait_until"]
