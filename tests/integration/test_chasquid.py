"""A real chasquid that asks saslatchd for passwords and for users."""

import unittest

from compatibility import ChasquidSide
from harness import clients
from harness.box import wait_until
from harness.case import IntegrationCase
from harness.setups import ALICE, PASSWORD
from harness.smtp import Smtp


class Chasquid(IntegrationCase):
    """The auth socket for logins, the userdb socket for recipients."""

    @classmethod
    def prepare(cls):
        cls.side = ChasquidSide(cls.box)
        cls.chasquid = cls.side.server
        cls.daemon = cls.side.daemon().start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.side.start()  # dials both sockets without a byte, and must find that well

    def test_an_authenticated_message_is_delivered(self):
        code, text = clients.swaks(self.chasquid.port, "PLAIN", ALICE, PASSWORD,
                                   "--from", ALICE, "--to", ALICE)
        self.assertEqual(code, "235", text)
        wait_until(self.chasquid.delivered, "the message at the delivery agent")

    def test_recipients_are_known_by_the_userdb(self):
        with Smtp(self.chasquid.port) as session:
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)
            session.say(f"MAIL FROM:<{ALICE}>")
            self.assertEqual(session.say(f"RCPT TO:<{ALICE}>"), 250)
            self.assertEqual(session.say("RCPT TO:<nobody-here@example.com>"), 550)

    def test_an_attempt_without_rip_is_audited(self):
        with Smtp(self.chasquid.port) as session:
            self.assertEqual(session.auth("PLAIN", ALICE, "wrong"), 535)
        event = self.daemon.wait_audit(outcome="fail", user=ALICE)
        self.assertEqual((event["listener"], event["service"]), ("chasquid", "smtp"))

    def test_a_restart_of_saslatchd_needs_nothing_of_chasquid(self):
        self.daemon.restart()
        with Smtp(self.chasquid.port) as session:
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)

    def test_no_saslatchd_is_a_temporary_failure(self):
        self.daemon.stop()
        self.addCleanup(self.daemon.start)
        with Smtp(self.chasquid.port) as session:
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 454)


if __name__ == "__main__":
    unittest.main()
