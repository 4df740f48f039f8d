"""Servers that know libsasl2 only, with our plugin: OpenLDAP, Cyrus IMAP, Sendmail, Cyrus SASL's own."""

import unittest

from harness import cyrus, programs, setups
from harness.box import wait_until
from harness.case import IntegrationCase
from harness.postfix import CyrusPostfix
from harness.setups import ALICE, PASSWORD
from harness.smtp import Smtp

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")


class OpenLdap(IntegrationCase):
    INVALID_CREDENTIALS = 49

    @classmethod
    def prepare(cls):
        cls.slapd = cyrus.Slapd(cls.box)
        cls.daemon = cls.slapd.daemon().start()
        cls.daemon.add_user("alice", PASSWORD)
        cls.slapd.start()

    def bind(self, mechanism, password, *more):
        return self.slapd.whoami("-Y", mechanism, "-U", "alice", "-w", password, *more)

    def test_sasl_bind(self):
        for mechanism, tls in (("PLAIN", "-ZZ"), ("CRAM-MD5", "-ZZ"), ("CRAM-MD5", "-Q")):
            with self.subTest(mechanism=mechanism, tls=tls):
                code, text = self.bind(mechanism, PASSWORD, tls)
                self.assertEqual(code, 0, text)
                self.assertIn("dn:uid=alice,ou=people,dc=example,dc=com", text)
                code, text = self.bind(mechanism, "wrong", tls)
                self.assertEqual(code, self.INVALID_CREDENTIALS, text)
        event = self.daemon.wait_audit(outcome="ok", mech="PLAIN", user="alice")
        self.assertEqual((event["rip"], event["service"], event["secured"]),
                         ("127.0.0.1", "ldap", True))

    def test_a_code_lets_in_until_it_is_revoked(self):
        made = self.daemon.add_code("alice", "address book")
        for mechanism in ("PLAIN", "CRAM-MD5"):
            with self.subTest(mechanism=mechanism):
                code, text = self.bind(mechanism, made["code"], "-ZZ")
                self.assertEqual(code, 0, text)
        self.daemon.cli("code", "revoke", "alice", made["id"])
        for mechanism in ("PLAIN", "CRAM-MD5"):
            with self.subTest(mechanism=mechanism, code="revoked"):
                code, text = self.bind(mechanism, made["code"], "-ZZ")
                self.assertEqual(code, self.INVALID_CREDENTIALS, text)

    def test_plain_without_tls_is_not_offered(self):
        code, text = self.bind("PLAIN", PASSWORD)
        self.assertNotEqual(code, 0, text)
        self.assertEqual(self.daemon.audit(outcome="ok", mech="PLAIN", secured=False), [])

    def test_simple_bind_by_pass_through(self):
        dn = ("-x", "-D", "cn=alice,dc=example,dc=com")
        code, text = self.slapd.whoami(*dn, "-w", PASSWORD)
        self.assertEqual(code, 0, text)
        self.assertEqual(self.slapd.whoami(*dn, "-w", "wrong")[0], self.INVALID_CREDENTIALS)

    def test_without_a_daemon_it_is_no_wrong_password(self):
        self.daemon.stop()
        try:
            code, text = self.bind("CRAM-MD5", PASSWORD)
            self.assertNotIn(code, (0, self.INVALID_CREDENTIALS), text)
            self.assertNotIn(str(self.box.dir), text)
        finally:
            self.daemon.start()
        self.assertEqual(self.bind("CRAM-MD5", PASSWORD)[0], 0)


class CyrusImap(IntegrationCase):
    @classmethod
    def prepare(cls):
        cls.imap = cyrus.CyrusImap(cls.box)
        cls.daemon = cls.imap.daemon().start()
        cls.daemon.add_user("alice", PASSWORD)
        cls.imap.start()

    def test_authenticate(self):
        for mechanism in ("PLAIN", "CRAM-MD5"):
            with self.subTest(mechanism=mechanism):
                text = self.imap.imtest(mechanism, "alice", PASSWORD)
                self.assertIn("Authenticated.", text)
                self.assertIn("Security strength factor:", text)
                text = self.imap.imtest(mechanism, "alice", "wrong")
                self.assertIn("Authentication failed.", text)
        event = self.daemon.wait_audit(outcome="ok", mech="CRAM-MD5", user="alice")
        self.assertEqual((event["rip"], event["service"], event["secured"]),
                         ("127.0.0.1", "imap", True))

    def test_the_command_login_by_the_saslauthd_protocol(self):
        self.assertIn("Authenticated.", self.imap.imtest("LOGIN", "alice", PASSWORD))
        self.assertIn("Authentication failed.", self.imap.imtest("LOGIN", "alice", "wrong"))
        self.daemon.wait_audit(outcome="ok", listener="saslauthd", user="alice")

    def test_smtptest_and_postfix(self):
        box = self.own_box()
        postfix = CyrusPostfix(box)
        daemon = setups.for_postfix(box, postfix).start()
        daemon.add_user(ALICE, PASSWORD)
        postfix.start()
        for mechanism in ("PLAIN", "CRAM-MD5"):
            for password, word in ((PASSWORD, "Authenticated."), ("wrong", "Authentication failed.")):
                with self.subTest(mechanism=mechanism, password=password):
                    _, text = self.imap.client(
                        [self.imap.smtptest, "-p", postfix.port, "-m", mechanism, "-a", ALICE,
                         "-u", ALICE, "-w", password, "-t", "", "127.0.0.1"], stdin="QUIT\n")
                    self.assertIn(word, text)


class Sendmail(IntegrationCase):
    @classmethod
    def prepare(cls):
        cls.sendmail = cyrus.Sendmail(cls.box)
        cls.daemon = cls.sendmail.daemon().start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.sendmail.start()

    def test_right_and_wrong(self):
        for mechanism in MECHANISMS:
            with self.subTest(mechanism=mechanism), Smtp(self.sendmail.port) as session:
                self.assertEqual(session.auth(mechanism, ALICE, "wrong"), 535)
                self.assertEqual(session.auth(mechanism, ALICE, PASSWORD), 235)
        event = self.daemon.wait_audit(outcome="ok", mech="PLAIN", user=ALICE)
        self.assertEqual((event["rip"], event["service"], event["secured"]),
                         ("127.0.0.1", "smtp", True))

    def test_before_starttls_there_is_cram_md5_only(self):
        with Smtp(self.sendmail.port, tls=False) as session:
            self.assertEqual(session.mechanisms(), ["CRAM-MD5"])
            self.assertEqual(session.auth("CRAM-MD5", ALICE, PASSWORD), 235)


class SampleServer(IntegrationCase):
    """Debian's own plugins are loaded first; no daemon of theirs has our accounts."""

    @classmethod
    def prepare(cls):
        cls.sample = cyrus.SampleServer(cls.box)
        cls.daemon = setups.on_socket(cls.box, policy="\n[mechanisms]\nplaintext-needs-tls = no\n"
                                      + setups.QUIET_POLICY).start()
        cls.daemon.add_user("alice", PASSWORD)

    def test_right_wrong_and_without_a_daemon(self):
        for mechanism in MECHANISMS:
            with self.subTest(mechanism=mechanism):
                text = self.sample.login(mechanism, "alice", PASSWORD)
                self.assertIn("Username: alice", text)
                text = self.sample.login(mechanism, "alice", "wrong")
                self.assertIn("authentication failure", text)
        event = self.daemon.wait_audit(outcome="ok", mech="CRAM-MD5", user="alice")
        self.assertEqual(event["rip"], "198.51.100.9")
        self.daemon.stop()
        text = self.sample.login("CRAM-MD5", "alice", PASSWORD)
        self.assertIn("remote authentication server unavailable", text)


if __name__ == "__main__":
    unittest.main()
