"""The policy of a running saslatchd: what an attacker meets, and what an administrator sees of it.

The scenarios themselves run in daemon_scenarios_test, where a day takes no time; here is what needs
a real process: kill -9, the command, the default delays.
"""

import json
import threading
import time
import unittest

from harness import setups
from harness.auth import AuthClient
from harness.box import wait_until
from harness.case import IntegrationCase

ALICE, PASSWORD = setups.ALICE, setups.PASSWORD
CHEAP = ("--scheme", "CRAM-MD5")
STRANGER, HOME = "rip=198.51.100.7", "rip=203.0.113.9"

LIMIT = 4
FOUR_GUESSES = f"""
[policy]
failure-delay = 0
[rule.guess-account]
count = failures
by    = user
limit = {LIMIT}/1h
then  = lock
for   = 30m
spare = familiar
"""


class KillNine(IntegrationCase):
    """What was answered holds, whenever the daemon is killed."""

    ROUNDS = 20

    def attack(self, accounts, answered):
        """Guesses at every account at once until the daemon is gone; notes each answered FAIL."""
        try:
            with AuthClient(self.daemon.socket) as client:
                asked = {}
                for guess in range(LIMIT + 2):
                    for account in accounts:
                        number = client.request_plain(account, f"guess {guess}", STRANGER)
                        asked[number] = account
                for _ in range(len(asked)):
                    reply = client.line()
                    if reply is None:
                        return
                    self.assertEqual(reply[0], "FAIL")
                    answered[asked[reply[1]]] += 1
        except OSError:
            pass  # killed while it was written to

    def test_every_lock_that_was_answered_with_holds_after_the_restart(self):
        box = self.own_box()
        users = box.write("users", f"{ALICE}:{{PLAIN}}{PASSWORD}\n")
        self.daemon = setups.on_socket(
            box, f"[passdb.users]\ndriver = passwd-file\npath = {users}\n",
            policy=FOUR_GUESSES).start()
        locked_in_all = 0
        for turn in range(self.ROUNDS):
            accounts = [f"user{turn}-{number}@example.com" for number in range(30)]
            answered = dict.fromkeys(accounts, 0)
            attacker = threading.Thread(target=self.attack, args=(accounts, answered))
            attacker.start()
            while sum(answered.values()) < (turn + 1) * 7 and attacker.is_alive():
                time.sleep(0.0001)  # each turn a little later in the attack
            self.daemon.kill()
            attacker.join()
            self.daemon.start()
            locks = json.loads(self.daemon.cli("lock", "list", "--json"))["locks"]
            held = {lock["subject"] for lock in locks}
            for account, answers in answered.items():
                if answers >= LIMIT:
                    locked_in_all += 1
                    self.assertIn(f"user:{account}", held, f"turn {turn}: {answers} answers")
        self.assertGreater(locked_in_all, 0, "no turn came far enough to lock anything")


class Administrator(IntegrationCase):
    """lock, explain and status of a living daemon, and the attempt that follows."""

    @classmethod
    def prepare(cls):
        cls.daemon = setups.on_socket(cls.box, policy=FOUR_GUESSES).start()

    def setUp(self):
        self.user = f"{self._testMethodName.lower()}@example.com"
        self.daemon.add_user(self.user, PASSWORD, *CHEAP)
        self.client = AuthClient(self.daemon.socket)
        self.addCleanup(self.client.close)

    def attempt(self, password, *fields):
        return self.client.plain(self.user, password, *fields)[0]

    def lock_by_guessing(self):
        for number in range(LIMIT):
            self.assertEqual(self.attempt(f"guess {number}", STRANGER), "FAIL")
        self.assertEqual(self.attempt(PASSWORD, STRANGER), "FAIL")

    def test_clear_takes_effect_on_the_very_next_attempt(self):
        self.lock_by_guessing()
        self.assertIn("cleared 1 lock", self.daemon.cli("lock", "clear", f"user:{self.user}"))
        self.assertEqual(self.attempt(PASSWORD, STRANGER), "OK")

    def test_add_takes_effect_on_the_very_next_attempt_and_spares_nobody(self):
        self.assertEqual(self.attempt(PASSWORD, HOME), "OK")
        self.daemon.cli("lock", "add", f"user:{self.user}", "--for", "1h", "--reason", "lost phone")
        self.assertEqual(self.attempt(PASSWORD, HOME), "FAIL")

    def test_the_owner_at_home_is_spared(self):
        self.assertEqual(self.attempt(PASSWORD, HOME), "OK")
        self.lock_by_guessing()
        self.assertEqual(self.attempt(PASSWORD, HOME), "OK")

    def test_explain_says_why_in_words(self):
        self.assertEqual(self.attempt(PASSWORD, HOME), "OK")
        self.lock_by_guessing()
        said = self.daemon.cli("explain", f"user:{self.user}")
        for part in ("refused", "guess-account", "203.0.113.0/24", "198.51.100.7",
                     "bad-credential", "locked"):
            self.assertIn(part, said)
        told = json.loads(self.daemon.cli("explain", f"user:{self.user}", "--json"))
        self.assertTrue(told["verdict"]["refused"])
        self.assertEqual([a["outcome"] for a in told["attempts"]],
                         ["locked"] + ["bad-credential"] * LIMIT + ["ok"])


class Delays(IntegrationCase):
    """With the shipped policy nobody can tell apart what the daemon knows."""

    def test_wrong_unknown_and_locked_are_the_same_bytes(self):
        box = self.own_box()
        daemon = setups.on_socket(box, policy="\n[policy]\nfailure-delay = 100ms\n").start()
        daemon.add_user(ALICE, PASSWORD, *CHEAP)
        daemon.add_user("bob@example.com", PASSWORD, *CHEAP)
        daemon.add_user("dora@example.com", PASSWORD, *CHEAP)
        daemon.cli("user", "disable", "dora@example.com")
        daemon.cli("lock", "add", "user:bob@example.com", "--for", "1h", "--reason", "a test")
        daemon.cli("lock", "add", "ip:192.0.2.99", "--for", "1h", "--reason", "a test")
        answers = {}
        with AuthClient(daemon.socket) as client:
            for case, user, password, rip in (
                    ("wrong password", ALICE, "wrong", "192.0.2.1"),
                    ("unknown user", "nobody@example.com", "wrong", "192.0.2.2"),
                    ("disabled account", "dora@example.com", PASSWORD, "192.0.2.3"),
                    ("locked account, wrong password", "bob@example.com", "wrong", "192.0.2.4"),
                    ("locked account, right password", "bob@example.com", PASSWORD, "192.0.2.5"),
                    ("locked address, right password", ALICE, PASSWORD, "192.0.2.99")):
                reply = client.plain(user, password, f"rip={rip}")
                answers[case] = "\t".join(reply).replace(reply[1], "N", 1).replace(user, "USER")
        self.assertEqual(set(answers.values()), {"FAIL\tN\tuser=USER"}, answers)
        wait_until(lambda: len(daemon.audit(event="auth")) == len(answers), "six audit events")
        causes = [event.get("cause") for event in daemon.audit(event="auth")]
        self.assertEqual(causes, ["bad-credential", "unknown-user", "disabled", "locked", "locked",
                                  "locked"])


if __name__ == "__main__":
    unittest.main()
