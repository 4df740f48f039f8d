"""A site: daemons on hosts of their own that count together in one Redis, and its owners."""

import collections
import functools
import json
import threading
import time

from . import setups
from .auth import AuthClient
from .box import wait_until
from .network import Network
from .redis import DelayProxy

HOME, STRANGER = "rip=203.0.113.9", "rip=198.51.100.7"
PATIENCE_OF_POSTFIX = 10  # seconds
TRIES = 5
PASSWORD = "correct horse battery"
KEY = "c2hhcmVkIGtleSBvZiB0aGUgdGVzdCBzaXRlLCAzMisgYnl0ZXM="
SHARED, ALONE = "shared-state-up", "shared-state-down"


class Site:
    """`hosts` daemons. `servers`: of [state], or a function of the host. `proxied`: each reaches
    (address, port) through a proxy of its own, self.proxies[number]."""

    def __init__(self, box, users, policy, hosts=3, network=None, budget="1s", state=""):
        self.box = box
        self.network = network or Network(box, hosts)
        self.hub = self.network.hub
        self.key = box.write("cluster.key", KEY + "\n", mode=0o640)
        self.users = box.write("users", "".join(f"{u}:{{PLAIN}}{PASSWORD}\n" for u in users))
        self.policy, self.budget, self.state = policy, budget, state
        self.daemons, self.proxies = [], []

    def proxy_each(self, target):
        for number, _ in enumerate(self.network.hosts):
            proxy = DelayProxy(self.hub, 7000 + number, target)
            self.box.cleanup(proxy.close)
            self.proxies.append(proxy)
        return self

    def start(self, servers=None):
        for number, host in enumerate(self.network.hosts):
            self.daemons.append(
                self.daemon(host, servers or self.proxies[number].address).start(
                    before_exec=host.enter))
        self.wait_shared()
        return self

    def daemon(self, host, servers, name=None, state=None):
        name = name or host.name
        extra = (f"[passdb.users]\ndriver = passwd-file\npath = {self.users}\n"
                 f"[state]\nbackend = redis\nservers = {servers}\nkey-file = {self.key}\n"
                 f"budget = {self.budget}\n{self.state if state is None else state}\n")
        daemon = setups.on_socket(self.box.inner(name), extra, policy=self.policy,
                                  name=f"saslatchd-{name}")
        daemon.host = host
        return daemon

    # What the daemons say ------------------------------------------------------------------------

    @staticmethod
    def shares(daemon):
        return status(daemon)["shared"]["healthy"]

    def wait_shared(self, daemons=None):
        for daemon in daemons or self.daemons:
            wait_until(lambda: self.shares(daemon), f"{daemon.name} to count with the others")

    def wait_alone(self, daemons=None):
        for daemon in daemons or self.daemons:
            wait_until(lambda: not self.shares(daemon), f"{daemon.name} to notice")

    def wait_lock(self, user, daemons=None):
        """Every daemon lists the lock; their entries."""
        return [wait_until(lambda: lock_on(daemon, user), f"{daemon.name} to know of the lock")
                for daemon in daemons or self.daemons]

    def wait_no_lock(self, user, daemons=None):
        for daemon in daemons or self.daemons:
            wait_until(lambda: not lock_on(daemon, user), f"{daemon.name} to forget the lock")

    def decided_alone(self):
        """How many attempts were decided without Redis, for whatever reason."""
        return sum(status(daemon)["since_start"]["shared_unanswered"] for daemon in self.daemons)

    def together(self, check):
        """Runs check(number). Once more, with another number, where it fails and some attempt was
        decided without Redis meanwhile: the machine had so much else to do that an answer came later
        than the budget, and each host rightly counted by itself."""
        for number in range(TRIES):
            self.wait_shared()
            before = self.decided_alone()
            try:
                return check(number)
            except AssertionError:
                if number + 1 == TRIES or self.decided_alone() == before:
                    raise
                print("an answer of Redis came too late: once more", flush=True)

    def verified(self, user, daemons=None):
        """How many different wrong passwords were checked, on all of them."""
        return sum(len([event for event in daemon.audit(event="auth", user=user, outcome="fail")
                        if event["cause"] in ("bad-credential", "unknown-user")
                        and not event.get("repeat")]) for daemon in daemons or self.daemons)

    @staticmethod
    def explained(daemon, subject):
        """What all hosts have counted for the first rule of the subject, as a daemon says."""
        told = json.loads(daemon.cli("explain", subject, "--json"))
        return told["rules"][0].get("counted_together")

    def decided(self, user, daemons=None):
        """The outcomes of all attempts at a name."""
        return collections.Counter(event["outcome"] for daemon in daemons or self.daemons
                                   for event in daemon.audit(event="auth", user=user))


def together(test):
    """A test whose self.user is another one, and its self.rip, each time that it must be tried."""
    name = test.__name__.split("test_")[1]

    @functools.wraps(test)
    def run(self):
        def check(number):
            self.user, self.rip = f"{number}{name}@example.com", f"rip=192.0.2.{number + 1}"
            test(self)
        self.site.together(check)
    run.users = [f"{number}{name}@example.com" for number in range(TRIES)]
    return run


def status(daemon):
    return json.loads(daemon.cli("status", "--json"))


def lock_on(daemon, user):
    locks = json.loads(daemon.cli("lock", "list", "--json"))["locks"]
    return next((lock for lock in locks if lock["subject"] == f"user:{user}"), None)


def attempt(daemon, user, password, *fields):
    """One login on a connection of its own: "OK", "FAIL", or how else it ended."""
    with AuthClient(daemon.socket) as client:
        return outcome(client.plain(user, password, *fields))


def outcome(reply):
    if reply is None:
        return "hung up"
    return "TEMP" if "temp" in reply else reply[0]


def guess(daemon, user, count, start=0, rip=STRANGER):
    """Different wrong passwords, one after the other; the answers."""
    with AuthClient(daemon.socket) as client:
        return [outcome(client.plain(user, f"wrong {start + number}", rip))
                for number in range(count)]


def guess_together(daemons, user, count, connections=5):
    """`count` different wrong passwords, all in flight at the same time; the answers."""
    clients = [AuthClient(daemon.socket) for _ in range(connections) for daemon in daemons]
    asked = collections.Counter()
    for number in range(count):
        client = number % len(clients)
        clients[client].request_plain(user, f"wrong {number}", f"rip=198.51.{number % 200}.7")
        asked[client] += 1
    answers = [outcome(clients[client].line())
               for client, requests in asked.items() for _ in range(requests)]
    for client in clients:
        client.close()
    return collections.Counter(answers)


class Owners:
    """Somebody at each daemon who logs in again and again from home, and must always get in."""

    def __init__(self, daemons, users, every=0.02):
        self._every, self._ends = every, threading.Event()
        self.answers, self.slowest = collections.Counter(), 0.0
        self._threads = [threading.Thread(target=self._run, args=(daemon, user), daemon=True)
                         for daemon, user in zip(daemons, users)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _run(self, daemon, user):
        client = None
        while not self._ends.wait(self._every):
            began = time.monotonic()
            try:
                client = client or AuthClient(daemon.socket)
                answer = outcome(client.plain(user, PASSWORD, HOME))
            except (OSError, AssertionError) as error:
                answer, client = type(error).__name__, None
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.answers[f"{answer}" if answer == "OK" else f"{answer} at {daemon.name}"] += 1

    def wait_for(self, more):
        """Until so many more logins are done."""
        goal = sum(self.answers.values()) + more
        wait_until(lambda: sum(self.answers.values()) >= goal, f"{more} more logins")

    def trouble(self):
        """What went wrong in words; empty if every login was let in, and in time."""
        wrong = {answer: count for answer, count in self.answers.items() if answer != "OK"}
        if wrong or self.slowest > PATIENCE_OF_POSTFIX:
            return f"{wrong} of {dict(self.answers)}, the slowest after {self.slowest:.2f} s"
        return ""
