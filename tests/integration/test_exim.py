"""A real Exim with driver = dovecot in front of saslatchd."""

import unittest

from compatibility import EximSide
from harness import clients
from harness.box import wait_until
from harness.case import IntegrationCase
from harness.setups import ALICE, PASSWORD
from harness.smtp import Smtp, b64, plain


class Exim(IntegrationCase):
    """One connection per AUTH command, `resp=` always there, empty where SMTP had none."""

    @classmethod
    def prepare(cls):
        cls.side = EximSide(cls.box)
        cls.exim = cls.side.server
        cls.daemon = cls.side.daemon().start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.side.start()

    def session(self, **options):
        session = Smtp(self.exim.port, **options)
        self.addCleanup(session.close)
        return session

    def test_an_authenticated_message_is_accepted(self):
        for mechanism, authenticator in (("PLAIN", "saslatch_plain"), ("LOGIN", "saslatch_login"),
                                         ("CRAM-MD5", "saslatch_cram_md5")):
            with self.subTest(mechanism=mechanism):
                code, text = clients.swaks(self.exim.port, mechanism, ALICE, PASSWORD,
                                           "--from", ALICE, "--to", "postmaster@example.com")
                self.assertEqual(code, "235", text)
                wait_until(lambda: f"A={authenticator}:{ALICE}" in self.exim.main_log(),
                           f"a message with A={authenticator} in Exim's log")

    def test_plain_and_login_without_initial_response(self):
        # Exim's `resp=` is then empty and means absent.
        session = self.session()
        self.assertEqual(session.say("AUTH PLAIN"), 334)
        self.assertEqual(session.say(plain(ALICE, PASSWORD)), 235)
        session = self.session()
        reply = session.say("AUTH LOGIN")
        self.assertEqual((reply.code, reply.text), (334, b64("Username:")))

    def test_an_aborted_exchange_leaves_the_session_usable(self):
        session = self.session()
        self.assertEqual(session.say("AUTH CRAM-MD5"), 334)
        self.assertEqual(session.say("*"), 501)
        self.assertEqual(session.auth("CRAM-MD5", ALICE, PASSWORD), 235)

    def test_only_cram_md5_is_announced_before_tls(self):
        session = self.session(tls=False)
        self.assertEqual(session.mechanisms(), ["CRAM-MD5"])
        self.assertEqual(session.auth("CRAM-MD5", ALICE, PASSWORD), 235)

    def test_a_restart_of_saslatchd_needs_nothing_of_exim(self):
        self.daemon.restart()
        self.assertEqual(self.session().auth("PLAIN", ALICE, PASSWORD), 235)

    def test_no_saslatchd_is_a_temporary_failure(self):
        self.daemon.stop()
        self.addCleanup(self.daemon.start)
        self.assertEqual(self.session().auth("PLAIN", ALICE, PASSWORD), 435)


if __name__ == "__main__":
    unittest.main()
