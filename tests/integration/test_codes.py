"""Authorization codes from their making to their end, through a real Postfix and over the socket."""

import json
import socket
import sqlite3
import threading
import time

from harness import clients, setups
from harness.auth import AuthClient
from harness.box import PATIENCE, wait_until
from harness.case import IntegrationCase
from harness.postfix import Postfix
from harness.saslatchd import QUIET_POLICY
from harness.setups import ALICE, PASSWORD
from harness.smtp import Smtp

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")
MANY_ERRORS = {"smtpd_error_sleep_time": "0", "smtpd_soft_error_limit": "1000",
               "smtpd_hard_error_limit": "1000"}


def expire(box, label):
    """What time does to a code: its end is a minute ago."""
    with sqlite3.connect(box.path("state") / "users.db", timeout=PATIENCE) as database:
        changed = database.execute("UPDATE codes SET expires = ? WHERE label = ?",
                                   (int(time.time()) - 60, label)).rowcount
    assert changed == 1, f"no code is called {label}"


class ThroughPostfix(IntegrationCase):
    @classmethod
    def prepare(cls):
        cls.postfix = Postfix(cls.box, MANY_ERRORS)
        cls.daemon = setups.for_postfix(cls.box, cls.postfix).start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.postfix.start()

    def reply(self, mechanism, password):
        with Smtp(self.postfix.port) as session:
            return session.auth(mechanism, ALICE, password)

    def test_swaks_sends_with_a_code_by_each_mechanism(self):
        made = self.daemon.add_code(ALICE, "swaks")
        for mechanism in MECHANISMS:
            with self.subTest(mechanism):
                code, text = clients.swaks(self.postfix.port, mechanism, ALICE, made["code"])
                self.assertEqual(code, "235", text)
                self.daemon.wait_audit(outcome="ok", mech=mechanism,
                                       credential=f"code:{made['id']} swaks")
        typed = made["code"].replace("-", " ").upper()
        self.assertEqual(clients.swaks(self.postfix.port, "PLAIN", ALICE, typed)[0], "235")

    def test_a_code_that_does_not_fit_is_refused_by_each_mechanism(self):
        add = lambda label, *options: self.daemon.add_code(ALICE, label, *options)
        codes = {"expired": add("expired", "--expires", "1d"), "revoked": add("revoked"),
                 "service": add("service", "--service", "imap"),
                 "network": add("network", "--from", "192.0.2.0/24")}
        expire(self.box, "expired")
        self.daemon.cli("code", "revoke", ALICE, codes["revoked"]["id"])
        for why, made in codes.items():
            for mechanism in MECHANISMS:
                with self.subTest(why=why, mechanism=mechanism):
                    code, text = clients.swaks(self.postfix.port, mechanism, ALICE, made["code"])
                    self.assertEqual(code, "535", text)
                    self.daemon.wait_audit(outcome="fail", why=why, mech=mechanism,
                                           credential=f"code:{made['id']} {why}")
        for why in ("expired", "revoked"):
            self.daemon.wait_audit(event="stale-credential", why=why, user=ALICE)
        self.assertEqual(self.daemon.audit(event="stale-credential", why="network"), [])
        self.assertIn("revoked code 'revoked' is still tried from 127.0.0.1",
                      self.daemon.cli("explain", f"user:{ALICE}"))

    def test_the_main_password_is_refused_where_only_codes_let_in(self):
        made = self.daemon.add_code(ALICE, "only")
        self.daemon.cli("user", "main-password", ALICE, "smtp:refused-if-codes")
        for mechanism in MECHANISMS:
            with self.subTest(mechanism):
                code, text = clients.swaks(self.postfix.port, mechanism, ALICE, PASSWORD)
                self.assertEqual(code, "535", text)
                self.assertEqual(self.reply(mechanism, made["code"]), 235)
        self.daemon.wait_audit(outcome="fail", why="main-password", credential="password")
        self.daemon.cli("user", "main-password", ALICE, "default")
        self.assertEqual(self.reply("PLAIN", PASSWORD), 235)


class OverTheSocket(IntegrationCase):
    """What needs no mail server."""

    POLICY = ("\n[policy]\npreset = none\nfailure-delay = 50ms\n"
              "[rule.guess]\ncount = failures\nby = user\nlimit = 3/10m\nthen = lock\nfor = 1h\n"
              "spare = familiar\n")

    @classmethod
    def prepare(cls):
        cls.daemon = setups.on_socket(
            cls.box, policy=cls.POLICY,
            listeners={"auth": "protocol = dovecot\n", "door": "protocol = codes\n"}).start()

    def user(self, name):
        self.daemon.add_user(name, PASSWORD)
        return name

    def login(self, user, password, rip="192.0.2.1"):
        with AuthClient(self.daemon.socket) as client:
            return client.plain(user, password, f"rip={rip}")[0]

    def door(self, *requests):
        """The replies of one connection to the door."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self.box.path("door")))
            for request in requests:
                connection.sendall(json.dumps(request).encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            return [json.loads(line) for line in connection.makefile()]

    def test_each_change_acts_on_the_very_next_attempt(self):
        user = self.user("next")
        first, second = (self.daemon.add_code(user, label) for label in ("one", "two"))
        steps = [
            (("code", "revoke", user, first["id"]), first["code"], "FAIL"),
            (("user", "disable", user), second["code"], "FAIL"),
            (("user", "enable", user), second["code"], "OK"),
            (("user", "passwd", user, "--password-stdin"), second["code"], "FAIL"),
        ]
        self.assertEqual(self.login(user, first["code"]), "OK")
        for command, password, expected in steps:
            with self.subTest(command=command):
                self.daemon.cli(*command, stdin="another\n")
                self.assertEqual(self.login(user, password), expected)
                self.daemon.cli("lock", "clear", f"user:{user}")
        self.daemon.wait_audit(event="admin", command="code revoke", target=f"{user} code:1 one")

    def test_a_device_that_was_here_before_is_spared_whatever_its_network(self):
        user = self.user("roaming")
        used, fresh = (self.daemon.add_code(user, label) for label in ("used", "fresh"))
        self.assertEqual(self.login(user, used["code"], "198.51.100.1"), "OK")
        wait_until(lambda: "198.51.100.1" in self.daemon.cli("code", "list", user),
                   "the last use of the code")
        for guess in range(3):
            self.login(user, f"guess {guess}", "203.0.113.9")
        self.daemon.wait_audit(event="lock", subject=f"user:{user}")
        self.assertEqual(self.login(user, PASSWORD, "192.0.2.99"), "FAIL")
        self.assertEqual(self.login(user, fresh["code"], "192.0.2.99"), "FAIL")
        self.assertEqual(self.login(user, used["code"], "192.0.2.99"), "OK")

    def test_no_success_begins_after_a_revocation_in_a_storm(self):
        user = self.user("storm")
        made = self.daemon.add_code(user, "storm")
        successes, stop = [], threading.Event()

        def storm():
            with AuthClient(self.daemon.socket) as client:
                while not stop.is_set():
                    begun = time.monotonic()
                    if client.plain(user, made["code"], "rip=192.0.2.1")[0] == "OK":
                        successes.append(begun)

        threads = [threading.Thread(target=storm) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(successes) > 200, "a storm of logins")
            self.daemon.cli("code", "revoke", user, made["id"])
            revoked = time.monotonic()
            wait_until(lambda: self.daemon.audit(user=user, why="revoked"), "a login that fails")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual([begun for begun in successes if begun > revoked], [])

    def test_a_user_manages_his_own_codes_at_the_door(self):
        user = self.user("portal")
        proof = {"command": "login", "user": user, "password": PASSWORD, "rip": "203.0.113.7"}
        replies = self.door({"command": "code list"}, proof,
                            {"command": "code add", "label": "Phone", "services": ["smtp"]},
                            {"command": "code list"}, {"command": "login", "user": "x"})
        self.assertEqual([reply["ok"] for reply in replies], [False, True, True, True, False])
        code = replies[2]["code"]
        self.assertEqual([c["label"] for c in replies[3]["codes"]], ["Phone"])
        self.assertEqual(self.login(user, code), "OK")
        # A code proves nobody there, and the main password does even where it is refused.
        self.daemon.cli("user", "main-password", user, "refused")
        self.assertFalse(self.door({**proof, "password": code})[0]["ok"])
        replies = self.door(proof, {"command": "code revoke", "id": replies[2]["id"]})
        self.assertEqual([reply["ok"] for reply in replies], [True, True])
        self.assertEqual(self.login(user, code), "FAIL")
        self.daemon.wait_audit(event="admin", command="code add", by=f"user {user}")
        self.daemon.wait_audit(event="auth", service="codes", user=user, outcome="fail")
