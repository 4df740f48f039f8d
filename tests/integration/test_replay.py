"""`saslatch policy replay` beside what it speaks of: the live daemon, and the real Postfix's log."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

from harness import programs, setups
from harness.auth import AuthClient
from harness.case import IntegrationCase
from harness.postfix import Postfix
from harness.setups import ALICE, PASSWORD
from harness.smtp import Smtp, plain

RULES = """
[policy]
failure-delay = 0
[rule.account]
count = failures
by = user
limit = 4/10m
then = lock
for = 1h
spare = familiar
[rule.pair]
count = failures
by = user+network
limit = 3/10m
then = lock
for = 1h
[rule.spray]
count = distinct-users
by = network
limit = 3/10m
then = lock
for = 1h
spare = familiar
[rule.rate]
count = attempts
by = ip
limit = 12/10m
then = refuse
"""


def replay(box, *arguments):
    """The document of --json, and the decisions."""
    saslatch = programs.need("saslatch")
    decisions = box.path("decisions.jsonl")
    done = subprocess.run([saslatch, "--json", "policy", "replay", "--decisions", decisions,
                           *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout), [json.loads(line) for line in decisions.read_text().splitlines()]


class LiveAndReplayed(IntegrationCase):
    """The daemon answers some hundred logins; its audit log is replayed with its own policy."""

    @classmethod
    def prepare(cls):
        cls.users = [f"user{i}@example.com" for i in range(8)]
        users = cls.box.write("users", "".join(f"{u}:{{PLAIN}}right\n" for u in cls.users))
        cls.daemon = setups.on_socket(
            cls.box, f"[passdb.users]\ndriver = passwd-file\npath = {users}\n", policy=RULES).start()

    def test_the_verdicts_are_the_same(self):
        choose = random.Random(3)
        wrong = {}
        with AuthClient(self.daemon.socket) as client:
            for number in range(400):
                user = choose.choice([*self.users, "nobody@example.com", "ghost@example.com"])
                password = "right"
                # The audit log tells that a wrong password is a repetition, not of which: here it is
                # always of the last one.
                if user not in self.users or choose.random() < 0.5:
                    if user not in wrong or choose.random() < 0.6:
                        wrong[user] = f"wrong{number}"
                    password = wrong[user]
                client.plain(user, password, f"rip=192.0.{choose.randrange(6)}.{choose.randrange(3)}")
        self.daemon.wait_audit()
        self.daemon.stop()  # writes what is left of the audit log
        live = self.daemon.audit(event="auth")
        self.assertEqual(len(live), 400)
        document, decisions = replay(self.box, "--policy", self.daemon.config,
                                     "--events", self.daemon.audit_log)
        self.assertEqual(document["attempts"], 400)
        seen = [(e["outcome"] == "refused", e.get("rule"), e.get("subject")) for e in live]
        told = [(d["decision"] == "refuse", d.get("rule"), d.get("subject")) for d in decisions]
        self.assertEqual(seen, told)
        for rule in ("account", "pair", "spray", "rate"):
            self.assertIn(rule, {e.get("rule") for e in live}, f"{rule} never struck: no test of it")


class Outputs(IntegrationCase):
    """What --report and --decisions write, and where."""

    @classmethod
    def prepare(cls):
        cls.log = cls.box.write("audit.jsonl", '{"ts":"2030-11-01T00:00:00Z","event":"auth",'
                                '"outcome":"ok","user":"alice","rip":"192.0.2.1","mech":"PLAIN"}\n')

    def test_a_report_is_whole_or_not_there(self):
        report = self.box.path("report.html")
        replay(self.box, "--policy", "small-site", "--events", self.log, "--report", report)
        self.assertTrue(report.read_text().endswith("</html>\n"))
        self.assertEqual([p.name for p in self.box.dir.glob("report.html*")], ["report.html"])

    def test_a_pipe_is_written_to_and_not_replaced(self):
        pipe = self.box.path("pipe")
        os.mkfifo(pipe)
        saslatch = programs.need("saslatch")
        with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
            subprocess.run([saslatch, "policy", "replay", "--policy", "none", "--events", self.log,
                            "--decisions", pipe], stdout=subprocess.DEVNULL, check=True, timeout=60)
            self.assertTrue(pipe.is_fifo())
            self.assertEqual(json.loads(reader.communicate(timeout=60)[0])["decision"], "allow")


class Suggested(IntegrationCase):
    """Limits from a made-up week and a half, tried on it again."""

    def test_the_suggested_limits_refuse_no_owner(self):
        saslatch, saslatchd = programs.need("saslatch"), programs.need("saslatchd")
        log, conf = self.box.path("week.jsonl"), self.box.path("new.conf")
        generate = pathlib.Path(__file__).resolve().parents[1] / "traffic" / "generate.py"
        subprocess.run([sys.executable, generate, "--accounts", "60", "--attacks", "4000", "--days", "10",
                        "--log", log], check=True, capture_output=True, timeout=60)

        def suggested(*arguments):
            return subprocess.run([saslatch, *arguments, "policy", "suggest", "--events", log],
                                  check=True, capture_output=True, text=True, timeout=60).stdout

        conf.write_text(suggested())
        subprocess.run([saslatchd, "--check", "--config", conf], check=True, stdout=subprocess.DEVNULL)
        after, _ = replay(self.box, "--policy", conf, "--events", log)
        before, _ = replay(self.box, "--policy", "small-site", "--events", log)
        self.assertGreater(before["logins_refused"], 0, "no test of it")
        self.assertEqual(after["logins_refused"], 0)
        document = json.loads(suggested("--json"))
        self.assertEqual(document["config"], conf.read_text(), "another run, another result")
        self.assertEqual(document["together"]["guesses_let_through"], after["guesses_let_through"])
        self.assertEqual(document["as_it_is"]["logins_refused"], before["logins_refused"])


class PostfixVersions(IntegrationCase):
    """The same sessions as several versions log them (logs/README.md)."""

    def replayed(self, version):
        log = self.box.path("mail.log")
        shutil.copy(pathlib.Path(__file__).parent / "logs" / f"postfix-{version}.log", log)
        os.utime(log, (1_922_313_600, 1_922_313_600))                        # 1 December 2030
        document, decisions = replay(self.box, "--policy", self.box.write("rules.conf", RULES),
                                     "--events", log)
        self.assertEqual(document["first"], "2030-11-21T07:00:01Z")
        self.assertEqual(document["attempts"], 10)
        self.assertEqual(document["logins"], 4)
        self.assertEqual(document["guesses"], 6)
        self.assertEqual(document["told_more_than_once"], 1)                 # two mails, one login
        left = {kind["kind"]: kind["lines"] for kind in document["not_used"]}
        self.assertEqual(left, {"not-verified": 6, "no-attempt": 4, "other-program": 1})
        return document, [d.get("rule", d["decision"]) for d in decisions]

    def test_failures_without_names_are_counted_by_address_only(self):
        document, decided = self.replayed("3.7.0")
        self.assertEqual(document["unnamed"], 7)                             # and the silent login
        self.assertEqual(decided, ["allow"] * 10)

    def test_failures_with_names(self):
        for version in ("3.9.14", "3.11.0"):
            with self.subTest(version):
                document, decided = self.replayed(version)
                self.assertEqual(document["unnamed"], 1)
                self.assertEqual(decided, ["allow"] * 5 + ["pair"] * 3 + ["allow"] * 2)
                self.assertEqual({a["account"]: a["guesses"] for a in document["accounts"]},
                                 {"alice@example.com": 6})


class PostfixLog(IntegrationCase):
    """Sessions with the real Postfix; its log tells what each came to."""

    @classmethod
    def prepare(cls):
        cls.postfix = Postfix(cls.box, {"smtpd_error_sleep_time": "0"})
        cls.daemon = setups.for_postfix(cls.box, cls.postfix).start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.postfix.start()

    def send_mail(self, session):
        for line in (f"MAIL FROM:<{ALICE}>", "RCPT TO:<postmaster@example.com>", "DATA"):
            session.say(line)
        self.assertEqual(session.say("Subject: x\r\n\r\nx\r\n."), 250)

    def test_a_log_of_every_kind_of_session(self):
        with Smtp(self.postfix.port) as session:
            self.assertEqual(session.auth("PLAIN", ALICE, "wrong"), 535)
            self.assertEqual(session.auth("LOGIN", "mallory@example.com", "wrong"), 535)
            self.assertEqual(session.auth("CRAM-MD5", ALICE, "wrong"), 535)
            self.assertEqual(session.say("AUTH PLAIN AGFsaWNlAHg"), 535)     # no padding
            self.assertEqual(session.say("AUTH LOGIN"), 334)
            self.assertEqual(session.say("*"), 501)
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)
            self.send_mail(session)
            self.send_mail(session)
            session.say("QUIT")
        with Smtp(self.postfix.port) as session:                             # logs in, sends nothing
            self.assertEqual(session.say(f"AUTH PLAIN {plain(ALICE, PASSWORD)}"), 235)
            session.say("QUIT")
        self.daemon.stop()
        with Smtp(self.postfix.port) as session:                             # nobody to ask
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 454)
            session.say("QUIT")
        with Smtp(self.postfix.port, tls=False) as session:
            session.say("QUIT")
        self.postfix.wait_log("disconnect from unknown[127.0.0.1] ehlo=1 quit=1 commands=2")
        document, decisions = replay(self.box, "--policy", "small-site",
                                     "--events", self.postfix._log)
        left = {kind["kind"]: kind for kind in document["not_used"]}
        self.assertEqual(document["attempts"], 5, self.postfix.log())
        self.assertEqual(document["logins"], 2)
        self.assertEqual(document["unnamed"], 1)
        self.assertEqual(left["not-verified"]["lines"], 3)
        self.assertEqual({k for k in left if not left[k]["ordinary"]}, set())
        self.assertEqual([d["decision"] for d in decisions], ["allow"] * 5)
        self.assertEqual(document["told_more_than_once"], 1)                 # two mails, one login
        self.assertEqual({a["account"] for a in document["accounts"]}, {"mallory@example.com"})
