"""Three saslatchds, each in a network name space of its own, that count together in one Redis."""

import json
import re
import unittest

from harness import programs
from harness.box import wait_until
from harness.case import IntegrationCase
from harness.certificate import Authority
from harness.redis import RedisServer
from harness.shared import (HOME, PASSWORD, STRANGER, TRIES, Site, attempt, guess, guess_together,
                            status, together)

LIMIT = 5
POLICY = f"""
[policy]
failure-delay = 0
[rule.guess-account]
count = failures
by    = user
limit = {LIMIT}/1h
then  = lock
for   = 30m
spare = familiar
[rule.spray-from-address]
count = distinct-users
by    = ip
limit = 12/1h
then  = lock
for   = 30m
"""
GROWING = """
[policy]
failure-delay = 0
[rule.guess-account]
count = failures
by    = user
limit = 2/1h
then  = lock
for   = 1s
growing = x60 up to 1h
"""


def account(name):
    return f"{name}@example.com"


class Together(IntegrationCase):
    """What one host counts, all hosts count."""

    @classmethod
    def prepare(cls):
        tests = [getattr(cls, name) for name in dir(cls) if name.startswith("test_")]
        cls.site = Site(cls.box, sum((test.users for test in tests), []), POLICY)
        cls.redis = RedisServer(cls.box, cls.site.hub).start()
        cls.site.start(cls.redis.address)
        cls.a, cls.b, cls.c = cls.site.daemons

    @together
    def test_of_300_parallel_guesses_no_more_than_the_limit_are_verified(self):
        answers = guess_together(self.site.daemons, self.user, 300)
        self.assertEqual(answers, {"FAIL": 300})
        wait_until(lambda: self.site.decided(self.user).total() == 300, "300 audit events")
        self.assertEqual(self.site.decided(self.user), {"fail": LIMIT, "refused": 300 - LIMIT})
        self.assertEqual(self.site.verified(self.user), LIMIT)
        hosts = [self.site.decided(self.user, [daemon]).total() for daemon in self.site.daemons]
        self.assertEqual(hosts, [100, 100, 100])

    @together
    def test_a_lock_refuses_at_once_everywhere_and_is_cleared_everywhere(self):
        self.assertEqual(guess(self.a, self.user, LIMIT), ["FAIL"] * LIMIT)
        for daemon in (self.b, self.c, self.a):
            self.assertEqual(attempt(daemon, self.user, PASSWORD, STRANGER), "FAIL")
        for entry in self.site.wait_lock(self.user):
            self.assertEqual(entry["rule"], "guess-account")
        self.assertIn("cleared 1 lock", self.b.cli("lock", "clear", f"user:{self.user}"))
        self.site.wait_no_lock(self.user)
        for daemon in self.site.daemons:
            self.assertEqual(attempt(daemon, self.user, PASSWORD, STRANGER), "OK", daemon.name)

    @together
    def test_an_administrators_lock_holds_everywhere(self):
        self.c.cli("lock", "add", f"user:{self.user}", "--for", "1h", "--reason", "lost phone")
        self.site.wait_lock(self.user)
        for daemon in self.site.daemons:
            self.assertEqual(attempt(daemon, self.user, PASSWORD, STRANGER), "FAIL", daemon.name)

    @together
    def test_a_network_that_became_familiar_on_one_host_is_spared_by_another(self):
        self.assertEqual(attempt(self.a, self.user, PASSWORD, HOME), "OK")

        def familiar_on(daemon):
            told = json.loads(daemon.cli("explain", f"user:{self.user}", "--json"))
            return [entry["network"] for entry in told["familiar"]]
        for daemon in self.site.daemons:
            wait_until(lambda: familiar_on(daemon) == ["203.0.113.0/24"],
                       f"{daemon.name} to know the network")
        guess(self.c, self.user, LIMIT)
        self.assertEqual(attempt(self.b, self.user, PASSWORD, STRANGER), "FAIL")
        self.assertEqual(attempt(self.b, self.user, PASSWORD, HOME), "OK")

    @together
    def test_a_spray_is_seen_though_each_host_sees_a_third(self):
        for number in range(12):
            daemon = self.site.daemons[number % 3]
            self.assertEqual(attempt(daemon, f"{number}{self.user}", "x", self.rip), "FAIL")
        for daemon in self.site.daemons:
            self.assertEqual(attempt(daemon, self.user, PASSWORD, self.rip), "FAIL", daemon.name)
            self.assertEqual(attempt(daemon, self.user, PASSWORD, HOME), "OK", daemon.name)

    @together
    def test_a_repeated_wrong_password_counts_once_for_all_hosts(self):
        for daemon in self.site.daemons * 3:
            self.assertEqual(attempt(daemon, self.user, "old password", STRANGER), "FAIL")
        self.assertEqual(attempt(self.b, self.user, PASSWORD, STRANGER), "OK")

    @together
    def test_a_success_gives_the_failures_back_on_every_host(self):
        self.assertEqual(guess(self.a, self.user, LIMIT - 1), ["FAIL"] * (LIMIT - 1))
        self.assertEqual(attempt(self.b, self.user, PASSWORD, STRANGER), "OK")
        self.assertEqual(guess(self.c, self.user, LIMIT - 1, start=100), ["FAIL"] * (LIMIT - 1))
        self.assertEqual(attempt(self.a, self.user, PASSWORD, STRANGER), "OK")

    @together
    def test_what_redis_holds_shows_no_password_and_no_key(self):
        guess(self.a, self.user, 2)
        keys = self.redis.call("KEYS", "*")
        self.assertTrue(keys and all(key.startswith("saslatch:") for key in keys), keys)
        dump = self.redis.box.path("dump")
        dump.write_text(repr([self.redis.call("DUMP", key) for key in keys]))
        for secret in ("wrong 0", PASSWORD, self.site.key.read_text().strip()):
            self.assertNotIn(secret, dump.read_text())

    @together
    def test_every_subjects_keys_have_an_end(self):
        guess(self.a, self.user, 2)
        for key in self.redis.call("KEYS", "saslatch:{*"):
            self.assertNotEqual(self.redis.call("PTTL", key), -1, key)

    @together
    def test_explain_shows_what_all_hosts_have_counted(self):
        for number, daemon in enumerate(self.site.daemons):
            guess(daemon, self.user, 1, start=number)
        wait_until(lambda: self.site.explained(self.a, f"user:{self.user}") == 3,
                   "all three to be told of")
        told = json.loads(self.a.cli("explain", f"user:{self.user}", "--json"))
        self.assertEqual(told["rules"][0]["counted"], 1)
        self.assertIn("all hosts", told["notes"][0])
        table = self.a.cli("explain", f"user:{self.user}")
        self.assertRegex(table, rf"guess-account +failures +user:{self.user} +3 +{LIMIT} in 1h")

class Growth(IntegrationCase):
    def test_the_second_lock_is_longer_though_another_host_sets_it(self):
        self.site = Site(self.box, [f"{number}bob@example.com" for number in range(TRIES)], GROWING)
        self.site.start(RedisServer(self.box, self.site.hub).start().address)
        self.site.together(lambda number: self.grows(f"{number}bob@example.com"))

    def grows(self, user):
        a, b, c = self.site.daemons
        guess(a, user, 2)
        wait_until(lambda: any(daemon.audit(event="lock", subject=f"user:{user}")
                               for daemon in self.site.daemons), "the first lock")
        wait_until(lambda: attempt(c, user, PASSWORD, STRANGER) == "OK", "the first lock's end")
        guess(b, user, 2, start=100)
        for entry in self.site.wait_lock(user):
            self.assertEqual(entry["level"], 2)
            self.assertGreater(entry["left_seconds"], 30)


class Doors(IntegrationCase):
    """TLS, certificates, users and passwords: what is right, and what each mistake looks like."""

    RIGHT = {"user": "saslatch", "password-file": "right.password", "tls-ca-file": "ca/ca.pem",
             "tls-cert-file": "ca/host1.pem", "tls-key-file": "ca/host1.key"}
    MISTAKES = {  # what is different, and what the daemon says then
        "password": ({"password-file": "wrong.password"}, "WRONGPASS"),
        "authority": ({"tls-ca-file": "other/ca.pem"}, "its certificate is not accepted"),
        "no certificate": ({"tls-cert-file": "", "tls-key-file": ""},
                           "it may demand a certificate of this host"),
    }

    @classmethod
    def prepare(cls):
        cls.site = Site(cls.box, [account("alice")], POLICY, hosts=1)
        hub = cls.site.hub
        authority = Authority(cls.box)
        Authority(cls.box, "other")
        cert, key = authority.issue("redis", f"IP:{hub.address}")
        authority.issue("host1")
        cls.box.write("right.password", "open-sesame\n", mode=0o640)
        cls.box.write("wrong.password", "open-barley\n", mode=0o640)
        page = (programs.REPOSITORY / "docs" / "SCALING.md").read_text()
        user, = re.findall(r"(?m)^ *(user saslatch on .*)$", page)
        cls.redis = RedisServer(cls.box, hub, tls=True, lines=(
            f"tls-cert-file {cert}\ntls-key-file {key}\n"
            f"tls-ca-cert-file {authority.certificate}\ntls-auth-clients yes\n"
            "user default off\n" + user.replace("PASSWORD", "open-sesame"))).start()

    def daemon(self, name, changes):
        host = self.site.network.hosts[0]
        keys = {key: value if key == "user" or not value else self.box.path(value)
                for key, value in {**self.RIGHT, **changes}.items()}
        lines = "tls = yes\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        return self.site.daemon(host, self.redis.address, name.replace(" ", "-"),
                                state=lines).start(before_exec=host.enter)

    def test_the_documented_user_may_do_what_is_needed(self):
        daemon = self.daemon("right", {})
        self.site.wait_shared([daemon])
        user = account("alice")
        guess(daemon, user, LIMIT)
        self.assertEqual(attempt(daemon, user, PASSWORD, STRANGER), "FAIL")
        daemon.cli("lock", "clear", f"user:{user}")
        self.assertEqual(attempt(daemon, user, PASSWORD, HOME), "OK")
        self.assertTrue(self.site.shares(daemon), daemon.log())
        self.assertNotIn("NOPERM", daemon.log())

    def test_with_a_mistake_the_host_says_why_and_goes_on_alone(self):
        for name, (changes, why) in self.MISTAKES.items():
            with self.subTest(name):
                daemon = self.daemon(name, changes)
                user = account("alice")
                daemon.wait_log("shared-state-down")
                wait_until(lambda: why in status(daemon)["shared"]["trouble"], f"{why!r} in status")
                self.assertIn(why, daemon.log())
                self.assertNotIn("open-", daemon.log())
                self.assertEqual(attempt(daemon, user, PASSWORD, HOME), "OK")
                told = json.loads(daemon.cli("explain", f"user:{user}", "--json"))
                self.assertIn("does not answer", told["notes"][0])
                guess(daemon, user, LIMIT + 3)
                wait_until(lambda: self.site.decided(user, [daemon]).total() == LIMIT + 4, "events")
                self.assertEqual(self.site.verified(user, [daemon]), LIMIT)
                daemon.stop()


if __name__ == "__main__":
    unittest.main()
