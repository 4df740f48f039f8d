"""saslatch as an administrator uses it, with and without a running daemon."""

import json
import os
import unittest

from harness import programs, setups
from harness.auth import AuthClient
from harness.case import IntegrationCase
from harness.setups import ALICE, PASSWORD

EX_OK, EX_USAGE, EX_UNAVAILABLE, EX_CONFIG = 0, 64, 69, 78


class Users(IntegrationCase):
    """`saslatch user` changes the database; the running daemon sees it at the next login."""

    @classmethod
    def prepare(cls):
        cls.daemon = setups.on_socket(cls.box).start()
        cls.cli = cls.daemon.cli

    def answer(self, user, password):
        with AuthClient(self.daemon.socket) as client:
            return client.plain(user, password)[0]

    def names(self):
        return {user["name"] for user in json.loads(self.cli("--json", "user", "list"))}

    def test_the_life_of_an_account(self):
        name = "life@example.com"
        self.assertEqual(self.answer(name, "one"), "FAIL")
        self.daemon.add_user(name, "one")
        self.assertIn(name, self.names())
        self.assertIn(name, self.cli("user", "list"))
        self.assertEqual(self.answer(name, "one"), "OK")
        self.cli("user", "passwd", name, "--password-stdin", stdin="two\n")
        self.assertEqual(self.answer(name, "one"), "FAIL")
        self.assertEqual(self.answer(name, "two"), "OK")
        self.cli("user", "disable", name)
        self.assertEqual(self.answer(name, "two"), "FAIL")
        self.daemon.wait_audit(user=name, cause="disabled")
        self.cli("user", "enable", name)
        self.assertEqual(self.answer(name, "two"), "OK")
        self.cli("user", "delete", name)
        self.assertEqual(self.answer(name, "two"), "FAIL")
        self.assertNotIn(name, self.names())

    def test_names_are_stored_as_they_are_looked_up(self):
        self.daemon.add_user("Mixed.Case@Example.COM", PASSWORD)
        self.assertIn("mixed.case@example.com", self.names())
        self.assertEqual(self.answer("MIXED.case@example.com", PASSWORD), "OK")

    def test_show_tells_schemes_and_no_secret(self):
        self.daemon.add_user("show@example.com", PASSWORD)
        text = self.cli("user", "show", "show@example.com")
        self.assertIn("ARGON2ID", text)
        self.assertNotIn("$argon2id$", text)
        json.loads(self.cli("--json", "user", "show", "show@example.com"))

    def test_schemes(self):
        for scheme in ("ARGON2ID", "SHA512-CRYPT", "BLF-CRYPT", "SCRAM-SHA-256"):
            with self.subTest(scheme=scheme):
                name = f"{scheme.lower()}@example.com"
                self.daemon.add_user(name, PASSWORD, "--scheme", scheme)
                self.assertEqual(self.answer(name, PASSWORD), "OK")
                self.assertEqual(self.answer(name, "wrong"), "FAIL")

    def test_a_passwd_file_is_imported(self):
        users = self.box.write("import", "imported@example.com:{PLAIN}one\nother:{PLAIN}two\n")
        self.cli("user", "import", users)
        self.assertEqual(self.answer("imported@example.com", "one"), "OK")

    def test_what_is_refused(self):
        self.daemon.add_user("there@example.com", PASSWORD)
        for name, arguments, stdin in (
                ("it is there", ("add", "there@example.com", "--password-stdin"), "x\n"),
                ("it is not there", ("delete", "not-there@example.com"), ""),
                ("an empty password", ("add", "new@example.com", "--password-stdin"), "\n"),
                ("a forbidden name", ("add", "sp ace@example.com", "--password-stdin"), "x\n"),
                ("an unknown scheme",
                 ("add", "new@example.com", "--scheme", "ROT13", "--password-stdin"), "x\n")):
            with self.subTest(name):
                said = self.cli("user", *arguments, stdin=stdin, exit_code=None)
                self.assertTrue(said.strip(), "it says why")
                self.assertNotIn("new@example.com", self.names())

    def test_usage(self):
        self.cli("user", "frobnicate", exit_code=EX_USAGE)
        self.cli("nonsense", exit_code=EX_USAGE)


class WithoutDaemon(IntegrationCase):
    @classmethod
    def prepare(cls):
        cls.daemon = setups.on_socket(cls.box)

    def test_users_need_no_daemon_and_live_state_does(self):
        self.daemon.add_user(ALICE, PASSWORD)
        self.assertIn(ALICE, self.daemon.cli("user", "list"))
        self.daemon.cli("status", exit_code=EX_UNAVAILABLE)
        self.daemon.cli("reload", exit_code=EX_UNAVAILABLE)


class Live(IntegrationCase):
    """Commands that talk to the running daemon."""

    @classmethod
    def prepare(cls):
        cls.daemon = setups.on_socket(cls.box).start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.cli = cls.daemon.cli

    def test_test_makes_a_real_exchange(self):
        self.cli("test", ALICE, "--password-stdin", stdin=PASSWORD + "\n")
        self.daemon.wait_audit(outcome="ok", user=ALICE, secured=True)
        said = self.cli("test", ALICE, "--password-stdin", stdin="wrong\n", exit_code=None)
        self.assertTrue(said.strip())
        self.daemon.wait_audit(outcome="fail", user=ALICE)

    def test_test_takes_each_mechanism(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            with self.subTest(mechanism=mechanism):
                self.cli("test", ALICE, "--mechanism", mechanism, "--password-stdin",
                         stdin=PASSWORD + "\n")
                self.daemon.wait_audit(outcome="ok", mech=mechanism)

    def test_status(self):
        self.assertTrue(self.cli("status").strip())
        json.loads(self.cli("--json", "status"))

    def test_reload(self):
        self.cli("reload")

    def test_reload_shows_every_error_and_keeps_the_old_configuration(self):
        box = self.own_box()
        daemon = setups.on_socket(box).start()
        daemon.add_user(ALICE, PASSWORD)
        good = daemon.config.read_text()
        daemon.config.write_text(good + "\n[mechanisms]\noffer = KERBEROS\n[nonsense]\nx = y\n")
        # The command itself needs only the run directory, which that file still names.
        said = daemon.cli("reload", exit_code=None)
        self.assertIn("KERBEROS", said)
        self.assertIn("nonsense", said)
        with AuthClient(daemon.socket) as client:
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")

    def test_doctor_is_content_where_all_is_well(self):
        box = self.own_box()
        daemon = setups.on_socket(
            box, listeners={"auth": "protocol = dovecot\nmode = 0666\n"}).start()
        said = daemon.cli("doctor", exit_code=None)
        lines = said.splitlines()
        self.assertTrue([line for line in lines if line.startswith("ok")], said)
        self.assertFalse([line for line in lines if line.startswith("fail")], said)
        json.loads(daemon.cli("--json", "doctor", exit_code=None))

    def test_doctor_finds_a_socket_that_the_mail_server_cannot_reach(self):
        programs.need("postfix")
        box = self.own_box()
        daemon = setups.on_socket(
            box, listeners={"auth": "protocol = dovecot\nmode = 0600\n"}).start()
        said = daemon.cli("doctor", exit_code=None)
        self.assertRegex(said, r"warn +socket +user postfix cannot connect")  # a guess

    def test_doctor_finds_a_socket_that_its_owner_cannot_reach(self):
        programs.need_root()
        box = self.own_box()
        daemon = setups.on_socket(
            box, listeners={"auth": "protocol = dovecot\nowner = nobody\n"}).start()
        os.chmod(box.dir, 0o700)
        said = daemon.cli("doctor", exit_code=78)
        self.assertRegex(said, r"fail +socket +user nobody cannot connect")

    def test_doctor_finds_what_is_wrong(self):
        box = self.own_box()
        daemon = setups.on_socket(box, "\n[passdb.users]\ndriver = passwd-file\n"
                                       f"path = {box.path('missing')}\n")
        said = daemon.cli("doctor", exit_code=None)
        self.assertIn("fail", said)
        self.assertIn(str(box.path("missing")), said)


class Check(IntegrationCase):
    """saslatchd --check, --dump-config, --version."""

    @classmethod
    def prepare(cls):
        cls.daemon = setups.on_socket(cls.box)

    def run_daemon(self, *arguments):
        process = self.own_box().spawn("saslatchd", [self.daemon.binary, *arguments])
        return process.exit_code(), process.output()

    def test_check_is_content_with_a_good_file(self):
        code, said = self.run_daemon("--config", self.daemon.config, "--check")
        self.assertEqual(code, EX_OK, said)

    def test_check_reports_all_errors_and_exits_78(self):
        broken = self.box.write("broken.conf", "[daemon]\nthreads = many\n[mechanisms]\n"
                                               "offer = KERBEROS\n[listen.x]\nprotocol = pop3\n")
        code, said = self.run_daemon("--config", broken, "--check")
        self.assertEqual(code, EX_CONFIG, said)
        for word in ("threads", "KERBEROS", "pop3", "broken.conf"):
            self.assertIn(word, said)

    def test_dump_config_is_a_configuration(self):
        code, said = self.run_daemon("--config", self.daemon.config, "--dump-config")
        self.assertEqual(code, EX_OK, said)
        self.assertIn("state-dir", said)
        dumped = self.box.write("dumped.conf", said)
        code, again = self.run_daemon("--config", dumped, "--dump-config")
        self.assertEqual((code, again), (EX_OK, said))

    def test_version(self):
        code, said = self.run_daemon("--version")
        self.assertEqual(code, EX_OK)
        self.assertRegex(said, r"saslatchd \d+\.\d+")

    def test_a_missing_configuration_file(self):
        code, said = self.run_daemon("--config", "/nonexistent/saslatch.conf")
        self.assertEqual(code, EX_CONFIG, said)
        self.assertIn("/nonexistent/saslatch.conf", said)


if __name__ == "__main__":
    unittest.main()
