"""What the packages install beside the programs: units, profiles, log rules, manuals."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import unittest

from harness import programs, setups
from harness.auth import AuthClient
from harness.box import PATIENCE, wait_until
from harness.case import IntegrationCase
from harness.setups import ALICE, PASSWORD
from harness.smtp import plain

PACKAGING = programs.REPOSITORY / "packaging"
UNPACKED = programs.UNPACKED
# systemd-analyze's figure; Dovecot's own unit in Debian 12 has 8.7.
MOST_EXPOSURE = 2.0


def run(*argv, code=0, env=None, stdin=None):
    """Standard output and error of a program; any other exit code fails."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, input=stdin,
                          env={**os.environ, **(env or {})}, timeout=2 * PATIENCE)
    assert done.returncode == code, (
        f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Systemd(IntegrationCase):
    @classmethod
    def prepare(cls):
        cls.analyze = programs.need("systemd-analyze")
        daemon, command = programs.need("saslatchd", "saslatch")
        text = (PACKAGING / "systemd" / "saslatchd.service.in").read_text()
        for name, value in (("@CMAKE_INSTALL_FULL_SBINDIR@/saslatchd", daemon),
                            ("@CMAKE_INSTALL_FULL_BINDIR@/saslatch", command),
                            ("@SASLATCH_CONF_DIR@", cls.box.dir)):
            assert name in text, name
            text = text.replace(name, str(value))
        cls.service = cls.box.write("units/saslatchd.service", text)
        # The template that a socket with Accept=yes starts.
        worker = (PACKAGING / "systemd" / "saslatch-pam@.service.in").read_text()
        cls.worker = cls.box.write("units/saslatch-pam@.service", worker.replace(
            "@CMAKE_INSTALL_FULL_LIBEXECDIR@/saslatch/saslatch-pam-worker",
            str(programs.need("saslatch-pam-worker"))))
        cls.units = [cls.service, cls.worker]
        for unit in sorted((PACKAGING / "systemd").glob("*.socket")):
            cls.units.append(cls.box.write(f"units/{unit.name}", unit.read_text()))

    def test_the_units_are_what_systemd_understands(self):
        # Units that others install are not here; what it says of ours must be nothing.
        said = run(self.analyze, "verify", "--man=no", "--recursive-errors=no", *self.units)
        self.assertEqual([line for line in said.splitlines() if "saslatch" in line], [])

    def test_the_sandbox_is_tight(self):
        said = run(self.analyze, "security", "--offline=true", "--no-pager", self.service)
        exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said).group(1))
        self.assertLessEqual(exposure, MOST_EXPOSURE, said)

    def test_user_and_directories_are_made(self):
        programs.need_root()
        root = self.box.folder("root")
        for name in ("passwd", "group", "shadow", "gshadow"):
            self.box.write(f"root/etc/{name}", "")
        run(programs.need("systemd-sysusers"), f"--root={root}",
            PACKAGING / "systemd" / "saslatch.sysusers")
        self.assertIn("saslatch:x:", (root / "etc" / "passwd").read_text())
        configuration = self.box.folder("root", "usr", "lib", "tmpfiles.d") / "saslatch.conf"
        shutil.copy(PACKAGING / "systemd" / "saslatch.tmpfiles", configuration)
        run(programs.need("systemd-tmpfiles"), f"--root={root}", "--create", "saslatch.conf")
        modes = {name: (root / name / "saslatch").stat().st_mode & 0o777
                 for name in ("run", "var/lib", "var/log")}
        self.assertEqual(modes, {"run": 0o755, "var/lib": 0o700, "var/log": 0o750})


class Shipped(IntegrationCase):
    """The configuration of the packages, with the sockets that systemd would give."""

    def test_it_serves_both_sockets_of_the_units(self):
        box = self.own_box()
        text = (PACKAGING / "saslatch.conf").read_text()
        self.assertIn("log-target = journal", text)
        paths = (f"[daemon]\nstate-dir = {box.folder('state', mode=0o700)}\n"
                 f"run-dir = {box.folder('run')}\naudit-log = {box.folder('log')}/audit.jsonl\n")
        daemon = setups.on_socket(box)
        daemon.config.write_text(text.replace("[daemon]\n", paths).replace(
            "log-target = journal", "log-target = stderr"))
        given = [box.path("run", "auth"), box.path("private-saslatch")]
        with contextlib.ExitStack() as stack:
            listeners = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in given]
            for listener, path in zip(listeners, given):
                listener.bind(str(path))
                listener.listen(64)
            daemon.start_inheriting(listeners, names=["auth", "auth"])
            daemon.wait_log("serving logins")
            daemon.add_user(ALICE, PASSWORD)
            for path in given:
                with self.subTest(path=path), AuthClient(path) as client:
                    self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")
            self.assertIn(" ".join(map(str, given)), daemon.cli("status"))
            report = daemon.cli("doctor", exit_code=None)
            for path in given:
                self.assertIn(f"{path} offers PLAIN LOGIN CRAM-MD5", report)


class Logs(IntegrationCase):
    """Real lines of a real daemon."""

    @classmethod
    def prepare(cls):
        cls.daemon = setups.on_socket(
            cls.box, "[rule.own]\ncount = failures\nby = user\nlimit = 2/1h\nthen = lock\n"
            "for = 1h\n").start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.names = ("mallory", 'rip=203.0.113.99 mech=PLAIN', 'a" rip=203.0.113.98')
        with AuthClient(cls.daemon.socket) as client:
            def attempt(name, password, *fields):
                number = client.request("PLAIN", *fields, f"resp={plain(name, password)}")
                assert client.line()[1] == number
            attempt(ALICE, PASSWORD, "rip=198.51.100.1")
            for name in cls.names:
                attempt(name, "guess", "rip=198.51.100.7")
            attempt("mallory", "other", "rip=2001:db8::7")
            attempt("mallory", "third", "rip=198.51.100.7")
            client.request("NO-SUCH", "rip=198.51.100.50")
            client.line()
        cls.daemon.wait_audit(cause="mechanism")
        # A rule's lock is of `mallory`; what follows it is a refusal.
        cls.lines = cls.daemon.log()

    def fail2ban(self, log):
        unpacked = UNPACKED / "fail2ban"
        program = programs.need("fail2ban-regex")
        python = unpacked / "usr" / "lib" / "python3" / "dist-packages"
        configuration = unpacked / "etc" / "fail2ban"
        if not configuration.exists():
            python, configuration = "", "/etc/fail2ban"
        # Its common.conf is found beside the filter.
        folder = self.box.folder("filter.d")
        shutil.copy(f"{configuration}/filter.d/common.conf", folder)
        shutil.copy(PACKAGING / "fail2ban" / "saslatch.conf", folder)
        path = self.box.write("fail2ban.log", log)
        said = run("/usr/bin/python3", program, "-c", configuration, "-o", "ip", path,
                   folder / "saslatch.conf", env={"PYTHONPATH": str(python)})
        return [word for word in said.split() if re.fullmatch(r"[0-9a-f.:]+", word)]

    def test_fail2ban_sees_who_guesses_on_stderr(self):
        # Three malformed or unknown, one by IPv6, one refused; not the success, not the mechanism.
        self.assertEqual(sorted(self.fail2ban(self.lines)),
                         ["198.51.100.7"] * 4 + ["2001:db8::7"], self.lines)

    def test_fail2ban_sees_the_same_in_syslog(self):
        text = re.sub(r"(?m)^\S+ (?:info|warning|error) saslatchd: ",
                      "Nov 21 10:00:00 mail saslatchd[4711]: ", self.lines)
        self.assertEqual(sorted(self.fail2ban(text)), ["198.51.100.7"] * 4 + ["2001:db8::7"], text)

    def test_no_name_can_name_another_address(self):
        for name in self.names[1:]:
            forged = [line for line in self.lines.splitlines() if "203.0.113.9" in line]
            self.assertTrue(forged, name)
        self.assertFalse([ip for ip in self.fail2ban(self.lines) if ip.startswith("203.0.113")])


class Logrotate(IntegrationCase):
    def test_events_go_to_the_new_file(self):
        programs.need_root()
        logrotate = programs.need("logrotate")
        daemon = setups.on_socket(self.box).start()
        daemon.add_user(ALICE, PASSWORD)
        with AuthClient(daemon.socket) as client:
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")
            daemon.wait_audit(outcome="ok")
            text = (PACKAGING / "logrotate.conf").read_text()
            for old, new in (("/var/log/saslatch/audit.jsonl", daemon.audit_log),
                             ("su saslatch saslatch", "su root root"),
                             ("0640 saslatch saslatch", "0640 root root"),
                             ("saslatch --quiet",
                              f"{programs.need('saslatch')} --config {daemon.config} --quiet")):
                self.assertIn(old, text)
                text = text.replace(old, str(new))
            rules = self.box.write("logrotate.conf", text)
            run(logrotate, "--force", "--state", self.box.path("logrotate.state"), rules)
            rotated = daemon.audit_log.with_name("audit.jsonl.1")
            self.assertIn('"outcome":"ok"', rotated.read_text())
            before = rotated.read_text()
            self.assertEqual(client.plain(ALICE, "wrong")[0], "FAIL")
            wait_until(lambda: daemon.audit(outcome="fail"), "an event in the new file")
            self.assertEqual(rotated.read_text().count('"event":"auth"'),
                             before.count('"event":"auth"'))


class Profiles(unittest.TestCase):
    def test_apparmor_compiles_the_profile(self):
        parser = programs.need("apparmor_parser")
        base = UNPACKED / "apparmor" / "etc" / "apparmor.d"
        options = ["--base", base] if base.exists() else []
        run(parser, "--skip-kernel-load", "--skip-cache", *options,
            PACKAGING / "apparmor" / "usr.sbin.saslatchd")

    def test_the_completion_completes(self):
        for words, expected in (("saslatch lock ''", {"list", "add", "clear"}),
                                ("saslatchd --c", {"--config", "--check"})):
            program, *rest = words.split()
            script = (f"source {PACKAGING / 'completion' / program}.bash; COMP_WORDS=({words}); "
                      f"COMP_CWORD={len(rest)}; _{program}; echo ${{COMPREPLY[*]}}")
            self.assertEqual(set(run("bash", "-c", script).split()), expected)

    def test_the_completion_of_the_daemon_has_all_its_options(self):
        text = (PACKAGING / "completion" / "saslatchd.bash").read_text()
        for option in re.findall(r"--[a-z-]+", run(programs.need("saslatchd"), "--help")):
            self.assertIn(option, text)


class Manuals(unittest.TestCase):
    def test_every_page_is_without_fault(self):
        pages = sorted((programs.REPOSITORY / "docs" / "man").glob("*.[1-8]"))
        self.assertGreaterEqual(len(pages), 4)
        mandoc = programs.need("mandoc")
        for page in pages:
            with self.subTest(page=page.name):
                self.assertEqual(run(mandoc, "-T", "lint", "-W", "warning", page), "")
                if programs.find("groff"):
                    self.assertEqual(run("groff", "-mandoc", "-Tutf8", "-ww", "-z", page), "")

    def test_every_program_has_one(self):
        rules = (PACKAGING / "CMakeLists.txt").read_text()
        pages = programs.REPOSITORY / "docs" / "man"
        for program in re.findall(r"install\(TARGETS (saslatchd?) ", rules):
            self.assertTrue(list(pages.glob(f"{program}.8")), program)


if __name__ == "__main__":
    unittest.main()
