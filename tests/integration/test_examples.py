"""conf-examples/: what the tests of one mail server do not start, and that every file is started."""

import grp
import os
import pwd
import re
import smtplib
import ssl
import subprocess
import unittest

from harness import clients, programs, setups
from harness.auth import AuthClient
from harness.box import PATIENCE, wait_until
from harness.case import IntegrationCase
from harness.examples import example
from harness.postfix import Postfix
from harness.saslatchd import Saslatchd, private_paths
from harness.setups import ALICE, PASSWORD

BOB = "bob@example.org"
QUICK = "failure-delay = 50ms\n"
EXAMPLES = programs.REPOSITORY / "conf-examples"


def own_owner(text):
    """The example with its sockets owned by whoever runs the test: what is tested are the logins."""
    user = pwd.getpwuid(os.geteuid())
    text = re.sub(r"(?m)^owner .*$", f"owner = {user.pw_name}", text)
    return re.sub(r"(?m)^group .*$", f"group = {grp.getgrgid(user.pw_gid).gr_name}", text)


def daemon_of(box, folder, paths, sockets, policy=f"[policy]\n{QUICK}"):
    """The saslatchd of conf-examples/FOLDER/saslatch.conf; `paths` maps its paths to the box's."""
    text = own_owner(example(f"{folder}/saslatch.conf", {**paths, **sockets}))
    private = private_paths(box)
    lines = "".join(f"{key} = {value}\n" for key, value in (
        ("state-dir", private["/var/lib/saslatch"]), ("run-dir", private["/run/saslatch"]),
        ("audit-log", private["/var/log/saslatch/audit.jsonl"])))
    text = text.replace("[daemon]\n", f"[daemon]\n{lines}") if "[daemon]\n" in text else (
        f"[daemon]\n{lines}{text}")
    return Saslatchd(box, text + policy, list(sockets.values()))


class PostfixPorts(IntegrationCase):
    """The ports of conf-examples/postfix-dovecot that the other tests do not use."""

    def test_465_is_tls_from_the_first_byte_and_25_offers_no_login(self):
        postfix = Postfix(self.box)
        daemon = setups.for_postfix(self.box, postfix).start()
        daemon.add_user(ALICE, PASSWORD)
        postfix.start()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with smtplib.SMTP_SSL("127.0.0.1", postfix.smtps_port, context=context,
                              timeout=PATIENCE) as session:
            self.assertEqual(session.login(ALICE, PASSWORD)[0], 235)
        daemon.stop()
        with smtplib.SMTP("127.0.0.1", postfix.mx_port, timeout=PATIENCE) as session:
            session.starttls(context=context)
            session.ehlo()
            self.assertFalse(session.has_extn("auth"))
            # No login is needed for mail that comes in, nor the daemon.
            self.assertEqual(session.mail("someone@example.net")[0], 250)
            self.assertEqual(session.rcpt("postmaster@example.com")[0], 250)
            self.assertEqual(session.rcpt("someone@example.net")[0], 554)


class Domains(IntegrationCase):
    def test_each_domain_has_its_accounts(self):
        users = self.box.write("example.org.users", f"{BOB}:{{PLAIN}}{PASSWORD}\n")
        socket = self.box.path("saslatch")
        daemon = daemon_of(self.box, "domains", {"/etc/saslatch/example.org.users": users},
                           {"/var/spool/postfix/private/saslatch": socket}).start()
        daemon.add_user(ALICE, PASSWORD)
        with AuthClient(socket) as client:
            for name, account in ((ALICE, ALICE), ("alice", ALICE), (BOB, BOB)):
                with self.subTest(name=name):
                    reply = client.plain(name, PASSWORD)
                    self.assertEqual((reply[0], f"user={account}" in reply), ("OK", True), reply)
            self.assertEqual(client.plain("alice@example.org", PASSWORD)[0], "FAIL")


class DovecotImap(IntegrationCase):
    """A real Dovecot and saslatchd with one passwd-file."""

    def test_both_let_in_whom_the_file_lets_in(self):
        programs.need_root()
        dovecot = programs.need("dovecot")
        users = self.box.write("users", f"{ALICE}:{{PLAIN}}{PASSWORD}\n")
        socket = self.box.path("saslatch")
        daemon = daemon_of(self.box, "dovecot-imap", {"/etc/dovecot/users": users},
                           {"/var/spool/postfix/private/saslatch": socket}).start()
        run = self.box.folder("dovecot")
        # Without the package of its IMAP server; what is shared is the passdb.
        config = self.box.write("dovecot.conf", example("dovecot-imap/dovecot.conf", {
            "/run/dovecot": run, "/var/mail/vhosts": self.box.folder("mail"),
            "/var/log/dovecot.log": self.box.log_file("dovecot.log"), "/etc/dovecot/users": users,
            "protocols = imap": "protocols ="}))
        process = self.box.spawn("dovecot-master", [dovecot, "-F", "-c", config])
        process.wait_ready((run / "auth-client").exists, "Dovecot's auth socket")

        def dovecot_says(password):
            return clients.doveadm_auth_test(config, run / "auth-client", ALICE, password)[0]

        self.assertEqual(dovecot_says(PASSWORD), 0)
        with AuthClient(socket) as client:
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")
            changed = "another password"
            users.with_suffix(".new").write_text(f"{ALICE}:{{PLAIN}}{changed}\n")
            users.with_suffix(".new").rename(users)
            wait_until(lambda: client.plain(ALICE, changed)[0] == "OK", "the changed password")
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "FAIL")
        # Dovecot looks after its file every other second.
        wait_until(lambda: dovecot_says(changed) == 0, "the changed password in Dovecot")
        self.assertTrue(daemon.process.running())


class FromDovecot(IntegrationCase):
    def test_it_observes_and_asks_both(self):
        users = self.box.write("users", f"{BOB}:{{PLAIN}}{PASSWORD}\n")
        socket = self.box.path("auth")
        daemon = daemon_of(self.box, "from-dovecot", {
            "/etc/dovecot/users": users, "mode   = observe": f"mode   = observe\n{QUICK}"},
            {"/var/spool/postfix/private/auth": socket}, policy="")
        daemon.sockets = [socket]
        daemon.start()
        daemon.add_user(ALICE, PASSWORD)
        with AuthClient(socket) as client:
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")
            for number in range(12):
                self.assertEqual(client.plain(BOB, f"wrong {number}")[0], "FAIL")
            self.assertEqual(client.plain(BOB, PASSWORD)[0], "OK", "refused while observing")
        daemon.wait_audit(user=BOB, would="locked")


class FromSaslauthd(IntegrationCase):
    def test_a_sasldb_becomes_a_passwd_file_behind_saslauthds_socket(self):
        programs.need("testsaslauthd", "db5.3_dump")
        saslpasswd = programs.need("saslpasswd2")
        database = self.box.path("sasldb2")
        for name, password in (("alice", PASSWORD), ("carol", "with:colon, ümlaut")):
            subprocess.run([saslpasswd, "-p", "-c", "-f", database, "-u", "example.com", name],
                           input=password, text=True, check=True, timeout=PATIENCE)
        users = self.box.path("users")
        users.write_text(subprocess.run(
            [EXAMPLES / "from-saslauthd" / "sasldb-to-users", database], check=True,
            capture_output=True, text=True, timeout=PATIENCE).stdout)
        mux, postfix = self.box.path("mux"), self.box.path("saslatch")
        daemon = daemon_of(self.box, "from-saslauthd", {"/etc/saslatch/users": users},
                           {"/run/saslauthd/mux": mux,
                            "/var/spool/postfix/private/saslatch": postfix}).start()
        for name, password, code in (("alice", PASSWORD, 0), ("carol", "with:colon, ümlaut", 0),
                                     ("alice", "wrong", 255)):
            with self.subTest(name=name, password=password):
                done = clients.testsaslauthd(mux, name, password, realm="example.com")
                self.assertEqual(done[0], code, done[1])
        with AuthClient(postfix) as client:
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")
        self.assertIn("2", daemon.cli("user", "import", users))


class WithoutSystemd(IntegrationCase):
    """As root, without a service manager; the daemon becomes `nobody` here."""

    def prepared(self):
        programs.need_root()
        box = self.own_box()
        for folder in ("state", "log", "run"):
            box.folder(folder, mode=0o755, owner="nobody")
        socket = box.path("saslatch")
        daemon = daemon_of(box, "without-systemd", {"user       = saslatch": "user = nobody"},
                           {"/var/spool/postfix/private/saslatch": socket})
        daemon.box = box
        return daemon, {"/usr/sbin/saslatchd": daemon.binary,
                        "/etc/saslatch/saslatch.conf": daemon.config}

    def logs_in(self, daemon):
        with AuthClient(daemon.sockets[0]) as client:
            return client.plain(ALICE, PASSWORD)[0] == "OK"

    def test_the_run_script(self):
        daemon, paths = self.prepared()
        script = daemon.box.write("run-script", example("without-systemd/run", paths), mode=0o755)
        process = daemon.box.spawn("runit", [script])
        process.wait_ready(daemon.sockets[0].exists, "the socket")
        daemon.add_user(ALICE, PASSWORD)
        self.assertTrue(self.logs_in(daemon))
        self.assertEqual(process.stop(), 0)

    def test_the_init_script(self):
        daemon, paths = self.prepared()
        pidfile = daemon.box.path("saslatchd.pid")
        text = (programs.REPOSITORY / "packaging" / "saslatchd.init").read_text()
        for old, new in {**paths, "/run/saslatchd.pid": pidfile,
                         "/etc/default/saslatchd": daemon.box.path("none"),
                         "PATH=": f"PATH={daemon.binary.parent}:"}.items():
            self.assertIn(old, text)
            text = text.replace(old, str(new))
        script = daemon.box.write("init-script", text, mode=0o755)

        def service(action, code=0):
            with open(daemon.box.log_file("init.log"), "a+") as log:
                # Not a pipe: what it starts would keep it open.
                done = subprocess.run([script, action], stdin=subprocess.DEVNULL, stdout=log,
                                      stderr=log, timeout=2 * PATIENCE)
            self.assertEqual(done.returncode, code, f"{action}: {daemon.box.logs()}")

        self.addCleanup(service, "stop")
        service("status", 3)
        service("start")
        daemon.add_user(ALICE, PASSWORD)
        self.assertTrue(self.logs_in(daemon))
        service("status")
        first = pidfile.read_text()
        service("reload")
        self.assertEqual(pidfile.read_text(), first)
        service("restart")
        self.assertNotEqual(pidfile.read_text(), first)
        self.assertTrue(self.logs_in(daemon))
        service("stop")
        service("status", 3)
        # What is wrong is said, since the daemon in the background cannot.
        daemon.config.write_text("nonsense = 1\n")
        service("start", 1)
        self.assertIn("nonsense", daemon.box.path("init.log").read_text())


class Complete(unittest.TestCase):
    def test_every_file_is_named_by_a_test(self):
        tests = "\n".join(path.read_text() for path in
                          (programs.REPOSITORY / "tests").rglob("*.py"))
        for path in sorted(EXAMPLES.rglob("*")):
            name = path.relative_to(EXAMPLES)
            # The presets are held to the built-in ones by tests/daemon/config/presets_test.cc.
            if path.is_dir() or name.parts[0] == "policy":
                continue
            folder = re.search(rf"[\"/]{name.parts[0]}[\"/]", tests)
            self.assertTrue(folder and name.name in tests,
                            f"conf-examples/{name} is started by no test")


if __name__ == "__main__":
    unittest.main()
