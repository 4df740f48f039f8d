"""A real Postfix of type cyrus: libsasl2, our plugin, saslatchd."""

import shutil
import unittest

from harness import programs, setups
from harness.auth import AuthClient
from harness.box import wait_until
from harness.case import IntegrationCase
from harness.postfix import CyrusPostfix
from harness.setups import ALICE, PASSWORD
from harness.smtp import Smtp, b64, plain

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")

# Sessions with many errors on purpose: Postfix would slow them down and hang up.
MANY_ERRORS = {"smtpd_error_sleep_time": "0", "smtpd_soft_error_limit": "1000",
               "smtpd_hard_error_limit": "1000"}


class Plugin(IntegrationCase):
    """One chrooted Postfix from conf-examples/postfix-cyrus, sessions of every kind."""

    @classmethod
    def prepare(cls):
        cls.postfix = CyrusPostfix(cls.box, MANY_ERRORS)
        cls.daemon = setups.for_postfix(cls.box, cls.postfix).start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.postfix.start()

    def session(self):
        session = Smtp(self.postfix.port)
        self.addCleanup(session.close)
        return session

    def test_mechanisms_are_announced_as_mech_list_says(self):
        self.assertEqual(self.session().mechanisms(), list(MECHANISMS))

    def test_right_and_wrong(self):
        for mechanism in MECHANISMS:
            with self.subTest(mechanism=mechanism):
                self.assertEqual(self.session().auth(mechanism, ALICE, "wrong"), 535)
                self.assertEqual(self.session().auth(mechanism, "nobody-here", PASSWORD), 535)
                self.assertEqual(self.session().auth(mechanism, ALICE, PASSWORD), 235)
        self.postfix.wait_log("SASL CRAM-MD5 authentication failed: authentication failure, "
                              f"sasl_username={ALICE}")

    def test_a_session_may_try_again(self):
        session = self.session()
        for _ in range(3):
            self.assertEqual(session.auth("PLAIN", ALICE, "wrong"), 535)
            self.assertEqual(session.auth("CRAM-MD5", ALICE, "wrong"), 535)
        self.assertEqual(session.auth("LOGIN", ALICE, PASSWORD), 235)

    def test_the_account_is_the_one_that_the_daemon_names(self):
        session = self.session()
        self.assertEqual(session.auth("PLAIN", ALICE.upper(), PASSWORD), 235)
        session.say(f"MAIL FROM:<{ALICE}>")
        session.say("RCPT TO:<postmaster@example.com>")
        self.postfix.wait_log(f"sasl_method=PLAIN, sasl_username={ALICE}")

    def test_prompts_and_initial_responses(self):
        session = self.session()
        self.assertEqual(session.say("AUTH PLAIN"), 334)
        self.assertEqual(session.say(plain(ALICE, "wrong")), 535)
        self.assertEqual(session.say(f"AUTH LOGIN {b64(ALICE)}"), 334)
        self.assertEqual(session.say(b64(PASSWORD)), 235)

    def test_nonsense_and_aborted_exchanges_leave_the_session_usable(self):
        session = self.session()
        for mechanism in MECHANISMS:
            self.assertEqual(session.say(f"AUTH {mechanism}"), 334)
            self.assertEqual(session.say("*"), 501)
        for response in (b64("no NUL"), b64("\0\0"), b64(f"\0{ALICE}\0"), "!!!!"):
            self.assertIn(session.say(f"AUTH PLAIN {response}").code, (501, 535))
        self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)

    def test_the_audit_log_has_address_service_and_tls(self):
        self.assertEqual(self.session().auth("LOGIN", ALICE, "audited"), 535)
        event = self.daemon.wait_audit(outcome="fail", mech="LOGIN", cause="bad-credential",
                                       user=ALICE)
        self.assertEqual((event["rip"], event["service"], event["listener"], event["secured"]),
                         ("127.0.0.1", "smtp", "postfix", True))

    def test_doctor_sees_what_libsasl2_sees(self):
        findings = self.postfix.doctor(self.daemon)
        self.assertIn("ok Postfix has CRAM-MD5 PLAIN LOGIN from us", findings)
        self.assertIn("ok saslatch_socket of Postfix is ours", findings)
        self.assertIn(f"ok Postfix, as user postfix, reaches {self.postfix.socket}", findings)
        self.assertEqual([f for f in findings if not f.startswith("ok ")], [])

    def test_no_secret_is_in_a_log(self):
        self.session().auth("PLAIN", ALICE, "never-in-a-log")
        self.session().auth("PLAIN", ALICE, PASSWORD)
        for secret in ("never-in-a-log", PASSWORD, b64(PASSWORD), plain(ALICE, PASSWORD)):
            self.assertNotIn(secret, self.postfix.log() + self.daemon.log())


class Outage(IntegrationCase):
    def test_one_session_through_all_of_it(self):
        box = self.own_box()
        postfix = CyrusPostfix(box, MANY_ERRORS).start()
        users = box.path("users")
        daemon = setups.for_postfix_with_file(box, postfix, users)
        with Smtp(postfix.port) as session:
            # No daemon yet.
            self.assertEqual(session.mechanisms(), list(MECHANISMS))
            for mechanism in MECHANISMS:
                self.assertEqual(session.auth(mechanism, ALICE, PASSWORD), 454)
            postfix.wait_log("saslatch: cannot connect to private/saslatch: No such file")
            self.assertIn(f"fail Postfix, as user postfix, cannot connect to {postfix.socket}: "
                          "No such file or directory", postfix.doctor(daemon))
            # A daemon that cannot read its accounts.
            daemon.start()
            for mechanism in MECHANISMS:
                self.assertEqual(session.auth(mechanism, ALICE, PASSWORD), 454)
            users.write_text(f"{ALICE}:{{PLAIN}}{PASSWORD}\n")
            wait_until(lambda: session.auth("CRAM-MD5", ALICE, "wrong") == 535,
                       "the passwd-file to be read")
            # Restarts between two logins, and in the midst of one.
            daemon.restart()
            self.assertEqual(session.auth("PLAIN", ALICE, "wrong"), 535)
            self.assertEqual(session.say("AUTH LOGIN"), 334)
            daemon.kill()
            self.assertEqual(session.say(b64(ALICE)), 454)
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 454)
            daemon.start()
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)


class OneLock(IntegrationCase):
    """Locks of one way in hold for the other: Postfix of type cyrus, and the Dovecot protocol."""

    @classmethod
    def prepare(cls):
        cls.postfix = CyrusPostfix(cls.box, MANY_ERRORS)
        cls.daemon = setups.for_postfix(cls.box, cls.postfix, extra="""
[policy]
preset = none
failure-delay = 50ms
[rule.guess]
count = failures
by = user
limit = 3/10m
then = lock
for = 10m
""").start()
        for user in ("postfix-first@example.com", "socket-first@example.com"):
            cls.daemon.add_user(user, PASSWORD)
        cls.postfix.start()

    def by_postfix(self, user, password):
        with Smtp(self.postfix.port) as session:
            return session.auth("PLAIN", user, password).code

    def by_socket(self, user, password):
        with AuthClient(self.postfix.socket) as client:
            return client.plain(user, password)[0]

    def test_set_through_the_plugin_it_holds_on_the_socket(self):
        user = "postfix-first@example.com"
        for number in range(3):
            self.assertEqual(self.by_postfix(user, f"guess {number}"), 535)
        self.assertEqual(self.by_socket(user, PASSWORD), "FAIL")
        self.assertEqual(self.by_postfix(user, PASSWORD), 535)
        self.daemon.wait_audit(outcome="refused", cause="locked", user=user)

    def test_set_on_the_socket_it_holds_through_the_plugin(self):
        user = "socket-first@example.com"
        for number in range(3):
            self.assertEqual(self.by_socket(user, f"guess {number}"), "FAIL")
        self.assertEqual(self.by_postfix(user, PASSWORD), 535)
        self.daemon.cli("lock", "clear", f"user:{user}")
        self.assertEqual(self.by_postfix(user, PASSWORD), 235)


class BesideDebiansPlugins(IntegrationCase):
    """libsasl2 loads Debian's PLAIN, LOGIN and CRAM-MD5, too; logins must come to us.

    tests/plugin/precedence_test.cc has both orders of folders without Postfix.
    """

    def try_path(self, path):
        self.box = box = self.own_box()
        postfix = CyrusPostfix(box, plugin_path=path(box))
        daemon = setups.for_postfix(box, postfix).start()
        daemon.add_user(ALICE, PASSWORD)
        postfix.start()
        for mechanism in MECHANISMS:
            with Smtp(postfix.port) as session:
                self.assertEqual(session.mechanisms(), list(MECHANISMS), "each announced once")
                self.assertEqual(session.auth(mechanism, ALICE, PASSWORD), 235)
            daemon.wait_audit(outcome="ok", mech=mechanism, user=ALICE)

    def test_ours_in_a_folder_behind_theirs(self):
        self.try_path(lambda _: f"{programs.system_plugin_folder()}:{programs.plugin_folder()}")

    def test_ours_in_the_same_folder(self):
        def folder(box):
            mixed = box.folder("sasl2")
            for library in programs.system_plugin_folder().glob("*.so"):
                shutil.copy(library, mixed)
            shutil.copy(programs.plugin_folder() / "libsaslatch.so", mixed)
            return mixed
        self.try_path(folder)


if __name__ == "__main__":
    unittest.main()
