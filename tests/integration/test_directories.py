"""Accounts in OpenLDAP, PAM and a sasldb, through a real Postfix."""

import json
import unittest

from harness import setups
from harness.auth import AuthClient
from harness.box import free_port, wait_until
from harness.case import IntegrationCase
from harness.certificate import Authority
from harness.directories import BASE, Directory, Pam, Sasldb
from harness.postfix import Postfix
from harness.programs import saslatch_bin
from harness.saslatchd import QUIET_POLICY
from harness.setups import PASSWORD
from harness.smtp import Smtp, plain

OLD, BOUND, COMPARED, BY_PAM = (f"{name}@example.com" for name in
                                ("otto", "bea", "cora", "paula"))
# A name that ends a filter, climbs in a tree or matches everybody, if it is let.
INJECTIONS = ("*", "b*", "bea*", "bea)(mail=*", "*)(objectclass=*", "bea)(|(mail=*", "x)(!(mail=x",
              "bea\\2a", "bea\\", "bea,ou=people", "bea+sn=bea", "cn=bea", "(bea)", "|", "&", "!",
              "bea\\00", "=", "=bea", "bea=", ",", "+", "*,*")
# Every name that can be sent is looked up; QUIET_POLICY's settings otherwise.
ANY_NAME = "\n[usernames]\nallowed-chars = abcdefghijklmnopqrstuvwxyz0123456789.-_@+*()|&!\\,=\n"


def modules():
    return saslatch_bin().parent / "passdb"


def with_passdbs(daemon, passdbs):
    """The daemon's configuration with these sections in place of the embedded database."""
    text = daemon.config.read_text()
    text = text.replace("[passdb.embedded]\ndriver = embedded\n", passdbs)
    text = text.replace("[daemon]\n", f"[daemon]\nmodule-dir = {modules()}\n")
    daemon.config.write_text(text)
    return daemon


class Chain(IntegrationCase):
    """One Postfix; behind it a sasldb, a directory to bind to, one to compare with, and PAM."""

    @classmethod
    def prepare(cls):
        box = cls.box
        cls.old = Sasldb(box)
        cls.old.add(OLD, PASSWORD)
        cls.directory = Directory(box)
        cls.directory.add("people", "bea", PASSWORD)
        cls.directory.add("people", "locked", PASSWORD, "pwdAccountLockedTime: 000001010000Z")
        cls.directory.add("people", "closed", PASSWORD, "employeeType: TRUE")
        cls.directory.add("people", "twin", PASSWORD)
        cls.directory.add("people", "twin2", PASSWORD, "mail: twin@example.com")
        cls.directory.add("hashes", "cora", PASSWORD)
        cls.directory.load().start()
        cls.pam = Pam(box, {"paula": PASSWORD, Pam.HANG: PASSWORD, Pam.CRASH: PASSWORD})
        cls.postfix = Postfix(box, {"smtpd_error_sleep_time": "0"})
        cls.daemon = with_passdbs(setups.for_postfix(box, cls.postfix, QUIET_POLICY + ANY_NAME), "".join((
            f"[passdb.old]\ndriver = sasldb\npath = {cls.old.path}\n",
            "[passdb.people]\ndriver = ldap\n", cls.directory.settings(
                f"base = ou=people,{BASE}", "filter = (mail=%u)", "timeout = 1s",
                "attributes = mail=user employeeType=nologin"),
            "[passdb.hashes]\ndriver = ldap\n", cls.directory.settings(
                f"base = ou=hashes,{BASE}", "filter = (&(mail=%u)(cn=%n))", "bind = no",
                "timeout = 1s"),
            "[passdb.pam]\ndriver = pam\n", cls.pam.settings("pam-user = %n", "timeout = 1s",
                                                             "connections = 2")))).start()
        cls.postfix.start()

    def auth(self, name, password=PASSWORD, mechanism="PLAIN"):
        """The code of a login by Postfix."""
        with Smtp(self.postfix.port) as session:
            return session.auth(mechanism, name, password).code

    def assert_all_answer(self):
        for name in (OLD, BOUND, COMPARED, BY_PAM):
            with self.subTest(name=name):
                self.assertEqual(self.auth(name), 235)

    def test_right_wrong_and_unknown(self):
        self.assert_all_answer()
        for name in (OLD, BOUND, COMPARED, BY_PAM, "nobody@example.com"):
            with self.subTest(name=name):
                self.assertEqual(self.auth(name, "wrong"), 535)
        causes = {event["user"]: event["cause"] for event in wait_until(
            lambda: len(self.daemon.audit(outcome="fail")) >= 5 and
            self.daemon.audit(outcome="fail"), "five failures")}
        self.assertEqual(causes["nobody@example.com"], "unknown-user")
        self.assertEqual({causes[name] for name in (OLD, BOUND, COMPARED, BY_PAM)},
                         {"bad-credential"})

    def test_cram_md5_where_the_password_is_shown(self):
        for name, code in ((OLD, 235), (COMPARED, 235), (BOUND, 535), (BY_PAM, 535)):
            with self.subTest(name=name):
                self.assertEqual(self.auth(name, mechanism="CRAM-MD5"), code)
                self.assertEqual(self.auth(name, "wrong", "CRAM-MD5"), 535)

    def test_an_empty_password_binds_nobody(self):
        for name in (BOUND, COMPARED, BY_PAM):
            self.assertEqual(self.auth(name, ""), 535)

    def test_accounts_that_their_directory_closes(self):
        for name in ("locked@example.com", "closed@example.com"):
            with self.subTest(name=name):
                self.assertEqual(self.auth(name), 535)
                self.daemon.wait_audit(user=name, cause="disabled")

    def test_two_entries_for_one_name_are_our_trouble(self):
        self.assertEqual(self.auth("twin@example.com"), 454)
        self.daemon.wait_log("more than one entry")

    def test_a_sasldb_that_changes(self):
        self.old.add("late@example.com", PASSWORD)
        self.assertEqual(self.auth("late@example.com"), 235)
        self.old.delete("late@example.com")
        self.assertEqual(self.auth("late@example.com"), 535)

    def test_a_sasldb_that_is_imported(self):
        self.daemon.cli("user", "import", "--format", "sasldb", self.old.path)
        shown = json.loads(self.daemon.cli("user", "show", OLD, "--json"))
        self.assertEqual(shown["schemes"], ["ARGON2ID", "CRAM-MD5"])
        said = self.daemon.cli("user", "import", "--format", "sasldb", self.old.path, exit_code=65)
        self.assertIn(f"{OLD}: there is such an account already", said)
        self.daemon.cli("user", "import", "--format", "sasldb", self.old.path, "--replace",
                        "--no-cram-md5")
        shown = json.loads(self.daemon.cli("user", "show", OLD, "--json"))
        self.assertEqual(shown["schemes"], ["ARGON2ID"])

    def test_no_name_gets_out_of_its_filter(self):
        with AuthClient(self.postfix.socket) as client:
            for name in INJECTIONS:
                for password in (PASSWORD, ""):
                    with self.subTest(name=name):
                        self.assertEqual(client.plain(name, password)[0], "FAIL")
            # Nor has any of them locked, changed or disturbed anything.
            self.assertEqual(client.plain(BOUND, PASSWORD)[0], "OK")

    def test_pam_is_told_where_a_login_comes_from(self):
        with AuthClient(self.postfix.socket) as client:
            client.plain(BY_PAM, PASSWORD)
        self.assertEqual(self.auth(BY_PAM), 235)
        self.assertIn("127.0.0.1", self.pam.rhosts.read_text().split("\n"))

    def test_a_module_of_pam_that_hangs_or_crashes(self):
        for name in (Pam.HANG, Pam.CRASH):
            with self.subTest(name=name):
                self.assertEqual(self.auth(f"{name}@example.com"), 454)
                # More than there are workers, one after the other: each was replaced.
                for _ in range(3):
                    self.assertEqual(self.auth(BY_PAM), 235)

    def test_the_answer_to_check_and_doctor(self):
        found = json.loads(self.daemon.cli("doctor", "--json", exit_code=None))
        answering = {finding["what"] for finding in found
                     if finding["check"] == "passdb" and finding["result"] == "ok"}
        self.assertEqual(len(answering), 4, found)


class Outage(IntegrationCase):
    """What becomes of logins while a directory is down, hangs, and comes back."""

    @classmethod
    def prepare(cls):
        cls.old = Sasldb(cls.box)
        cls.old.add(OLD, PASSWORD)
        cls.directory = Directory(cls.box)
        cls.directory.add("people", "bea", PASSWORD)
        cls.directory.load().start()
        cls.postfix = Postfix(cls.box, {"smtpd_error_sleep_time": "0"})
        cls.daemon = with_passdbs(setups.for_postfix(cls.box, cls.postfix), "".join((
            f"[passdb.old]\ndriver = sasldb\npath = {cls.old.path}\n",
            "[passdb.people]\ndriver = ldap\n", cls.directory.settings(
                f"user-dn = cn=%n,ou=people,{BASE}", "timeout = 1s", "cache = 30s",
                "connections = 1")))).start()
        cls.postfix.start()

    auth = Chain.auth

    def test_down_hanging_and_back(self):
        self.assertEqual(self.auth(BOUND), 235)
        self.assertEqual(self.auth(BOUND, "wrong"), 535)
        self.directory.freeze()
        self.addCleanup(self.directory.thaw)
        with Smtp(self.postfix.port) as slow:
            slow.send(f"AUTH PLAIN {plain(BOUND, 'another')}\r\n")
            # Those of the sasldb do not wait for it.
            for _ in range(5):
                self.assertEqual(self.auth(OLD), 235)
            self.assertEqual(slow.reply(), 454)
        self.assertEqual(self.auth(BOUND), 235, "it is remembered for as long as `cache` says")
        self.directory.thaw()
        wait_until(lambda: self.auth(BOUND, "wrong") == 535, "the directory to answer again")

        self.directory.stop()
        self.assertEqual(self.auth(BOUND, "wrong"), 454)
        self.assertEqual(self.auth("nobody@example.com"), 454)
        self.assertEqual(self.auth(OLD), 235)
        self.assertEqual(self.auth(OLD, "wrong"), 535)
        self.directory.start()
        wait_until(lambda: self.auth(BOUND, "wrong") == 535, "the directory to be found again")
        self.assertEqual(self.daemon.audit(user="nobody@example.com", outcome="fail"), [])


class Certificates(IntegrationCase):
    """Of ldaps:// and StartTLS: the right authority and the right name, or nobody is asked."""

    @classmethod
    def prepare(cls):
        cls.directory = Directory(cls.box)
        cls.directory.add("people", "bea", PASSWORD)
        cls.secure, cls.other_name = (f"ldaps://{address}:{free_port()}"
                                      for address in ("127.0.0.1", "127.0.0.2"))
        cls.directory.load().start(cls.secure, cls.other_name)
        cls.nobody = f"ldaps://127.0.0.1:{free_port()}"
        cls.nobody_at_all = f"ldap://127.0.0.1:{free_port()}"
        cls.other_authority = Authority(cls.box, "other").certificate

    def login(self, uri, ca=None):
        """The answer to a right password, and what the daemon logged."""
        box = self.own_box()
        daemon = with_passdbs(
            setups.on_socket(box, policy=QUIET_POLICY),
            "[passdb.people]\ndriver = ldap\n" + self.directory.settings(
                f"base = ou=people,{BASE}", "filter = (mail=%u)", uri=uri, ca=ca)).start()
        with AuthClient(daemon.socket) as client:
            reply = client.plain(BOUND, PASSWORD)
        daemon.stop()
        return reply and reply[0], daemon.log()

    def test_the_right_ones(self):
        for uri in (self.secure, self.directory.uri, f"{self.nobody} {self.secure}",
                    f"{self.nobody_at_all} {self.secure}"):
            with self.subTest(uri):
                answer, log = self.login(uri)
                self.assertEqual(answer, "OK", log)

    def test_another_authority_or_another_name(self):
        for uri, ca in ((self.secure, self.other_authority),
                        (self.directory.uri, self.other_authority), (self.other_name, None)):
            with self.subTest(uri, ca=ca):
                answer, log = self.login(uri, ca)
                self.assertIsNone(answer, "temporary: the client is hung up on")
                self.assertIn("certificate may not be good", log)
                self.assertNotIn(PASSWORD, log)


if __name__ == "__main__":
    unittest.main()
