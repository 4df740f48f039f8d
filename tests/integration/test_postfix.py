"""A real Postfix in front of saslatchd."""

import os
import socket
import threading
import unittest

from harness import clients, setups
from harness.box import accepts, wait_until
from harness.case import IntegrationCase
from harness.postfix import Postfix
from harness.setups import ALICE, PASSWORD
from harness.smtp import Smtp, b64, plain

# Sessions with many errors on purpose: Postfix would slow them down and hang up.
MANY_ERRORS = {"smtpd_error_sleep_time": "0", "smtpd_soft_error_limit": "1000",
               "smtpd_hard_error_limit": "1000"}


class Sessions(IntegrationCase):
    """One Postfix, one saslatchd, sessions of every kind."""

    @classmethod
    def prepare(cls):
        cls.postfix = Postfix(cls.box, MANY_ERRORS)
        cls.daemon = setups.for_postfix(cls.box, cls.postfix).start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.postfix.start()

    def session(self):
        session = Smtp(self.postfix.port)
        self.addCleanup(session.close)
        return session

    def test_an_authenticated_message_is_delivered(self):
        sender = ["--from", ALICE, "--to", "postmaster@example.com"]
        code, text = clients.swaks(self.postfix.port, "CRAM-MD5", ALICE, PASSWORD, *sender)
        self.assertEqual(code, "235", text)
        messages = wait_until(self.postfix.delivered, "the message in the mailbox")
        self.assertIn(f"(Authenticated sender: {ALICE})", messages[0])
        self.postfix.wait_log(f"sasl_method=CRAM-MD5, sasl_username={ALICE}")

    def test_only_who_logged_in_may_relay(self):
        session = self.session()
        session.say(f"MAIL FROM:<{ALICE}>")
        self.assertEqual(session.say("RCPT TO:<somebody@elsewhere.example>"), 554)
        session.say("RSET")
        self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)
        session.say(f"MAIL FROM:<{ALICE}>")
        self.assertEqual(session.say("RCPT TO:<somebody@elsewhere.example>"), 250)

    def test_mechanisms_are_announced_in_the_order_of_offer(self):
        self.assertEqual(self.session().mechanisms(), ["PLAIN", "LOGIN", "CRAM-MD5"])

    def test_nothing_is_announced_before_tls(self):
        with Smtp(self.postfix.port, tls=False) as session:
            self.assertEqual(session.mechanisms(), [])

    def test_mechanism_names_match_in_any_case(self):
        self.assertEqual(self.session().say(f"auth plain {plain(ALICE, PASSWORD)}"), 235)

    def test_names_match_in_any_case(self):
        self.assertEqual(self.session().auth("PLAIN", ALICE.upper(), PASSWORD), 235)

    def test_plain_without_initial_response(self):
        session = self.session()
        self.assertEqual(session.say("AUTH PLAIN"), 334)
        self.assertEqual(session.say(plain(ALICE, PASSWORD)), 235)

    def test_plain_with_the_own_name_as_authzid(self):
        self.assertEqual(self.session().say(f"AUTH PLAIN {plain(ALICE, PASSWORD, ALICE)}"), 235)

    def test_plain_for_somebody_else_is_refused(self):
        reply = self.session().say(f"AUTH PLAIN {plain(ALICE, PASSWORD, 'bob@example.com')}")
        self.assertEqual(reply, 535)

    def test_login_with_initial_response(self):
        session = self.session()
        self.assertEqual(session.say(f"AUTH LOGIN {b64(ALICE)}"), 334)
        self.assertEqual(session.say(b64(PASSWORD)), 235)

    def test_an_aborted_exchange_leaves_the_session_usable(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            with self.subTest(mechanism=mechanism):
                session = self.session()
                self.assertEqual(session.say(f"AUTH {mechanism}"), 334)
                self.assertEqual(session.say("*"), 501)
                self.assertEqual(session.say("AUTH LOGIN"), 334)
                self.assertEqual(session.say(b64(ALICE)), 334)
                self.assertEqual(session.say("*"), 501)
                self.assertEqual(session.auth(mechanism, ALICE, PASSWORD), 235)

    def test_an_empty_initial_response_is_no_login(self):
        session = self.session()
        self.assertEqual(session.say("AUTH PLAIN ="), 535)
        self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)

    def test_malformed_responses_are_refused_and_the_session_goes_on(self):
        session = self.session()
        for response in ("abc", "A===", b64("no NUL"), b64("a\0b"), b64("\0\0"), b64(f"\0{ALICE}\0"),
                         b64(f"\0\0{PASSWORD}"), b64(f"\0{ALICE}\0{PASSWORD}\0x"), "!!!!"):
            with self.subTest(response=response):
                self.assertEqual(session.say(f"AUTH PLAIN {response}"), 535)
        self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)

    def test_a_cram_md5_response_must_have_its_form(self):
        session = self.session()
        for response in ("", ALICE, f"{ALICE} ", f"{ALICE} {'0' * 31}", f"{ALICE} {'g' * 32}",
                         f"{ALICE} {'0' * 33}"):
            with self.subTest(response=response):
                self.assertEqual(session.say("AUTH CRAM-MD5"), 334)
                self.assertEqual(session.say(b64(response)), 535)
        self.assertEqual(session.auth("CRAM-MD5", ALICE, PASSWORD), 235)

    def test_pipelined_attempts_are_answered_in_order(self):
        session = self.session()
        wrong = f"AUTH PLAIN {plain(ALICE, 'wrong')}\r\n"
        right = f"AUTH PLAIN {plain(ALICE, PASSWORD)}\r\n"
        session.send(wrong * 5 + right + "NOOP\r\n")
        codes = [session.reply().code for _ in range(7)]
        self.assertEqual(codes, [535] * 5 + [235, 250])

    def test_an_unknown_mechanism_is_refused(self):
        session = self.session()
        self.assertEqual(session.say("AUTH XOAUTH2 abcd"), 535)
        self.assertEqual(session.auth("LOGIN", ALICE, PASSWORD), 235)

    def test_long_names_and_passwords(self):
        session = self.session()
        for length in (255, 1000, 1100):
            for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
                with self.subTest(length=length, mechanism=mechanism):
                    name = "n" * (length - len("@example.com")) + "@example.com"
                    self.assertEqual(session.auth(mechanism, name, "wrong"), 535)
        for length in (255, 1000):
            with self.subTest(password_length=length):
                self.assertEqual(session.auth("LOGIN", ALICE, "p" * length), 535)
        # As much as Postfix takes of a response (smtpd_sasl_response_limit).
        self.assertEqual(session.say("AUTH PLAIN"), 334)
        self.assertEqual(session.say(plain(ALICE, "p" * 8900)), 535)
        self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)

    def test_names_outside_the_allowed_characters_are_refused(self):
        session = self.session()
        for name in ("alice example", "älice@example.com", "alice\t@example.com",
                     "alice\n@example.com", "alice'--", "\x01@example.com"):
            with self.subTest(name=name):
                self.assertEqual(session.auth("PLAIN", name, PASSWORD), 535)
        self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)

    def test_sessions_at_once(self):
        sessions = [self.session() for _ in range(8)]
        for number, session in enumerate(sessions):
            password = PASSWORD if number % 2 else "wrong"
            session.send(f"AUTH PLAIN {plain(ALICE, password)}\r\n")
        codes = [session.reply().code for session in sessions]
        self.assertEqual(codes, [535, 235] * 4)

    def test_the_audit_log_has_what_happened(self):
        session = self.session()
        self.assertEqual(session.auth("LOGIN", ALICE, "audited"), 535)
        event = self.daemon.wait_audit(event="auth", outcome="fail", mech="LOGIN",
                                       cause="bad-credential", user=ALICE)
        self.assertEqual((event["rip"], event["service"], event["listener"], event["secured"]),
                         ("127.0.0.1", "smtp", "postfix", True))
        self.assertEqual(session.auth("PLAIN", "audited@example.com", "wrong"), 535)
        self.daemon.wait_audit(outcome="fail", cause="unknown-user", user="audited@example.com")
        self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)
        event = self.daemon.wait_audit(outcome="ok", mech="PLAIN", user=ALICE)
        self.assertNotIn("cause", event)
        written = self.daemon.audit_log.read_text() + self.daemon.log()
        for secret in ("audited\"", PASSWORD, plain(ALICE, PASSWORD), b64(PASSWORD)):
            self.assertNotIn(secret, written)

    def test_postfix_logs_the_name_of_a_failed_login(self):
        self.session().auth("PLAIN", "logged@example.com", "wrong")
        self.postfix.wait_log("SASL PLAIN authentication failed: (reason unavailable), "
                              "sasl_username=logged@example.com")


class WithoutTls(IntegrationCase):
    """smtpd_tls_auth_only = no: AUTH is announced in clear, and saslatchd decides."""

    @classmethod
    def prepare(cls):
        cls.postfix = Postfix(cls.box, {**MANY_ERRORS, "smtpd_tls_auth_only": "no"})
        cls.daemon = setups.for_postfix(cls.box, cls.postfix).start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.postfix.start()

    def test_plaintext_needs_tls_and_is_refused_before_a_prompt(self):
        with Smtp(self.postfix.port, tls=False) as session:
            self.assertEqual(session.say(f"AUTH PLAIN {plain(ALICE, PASSWORD)}"), 535)
            self.assertEqual(session.say("AUTH PLAIN"), 535)
            self.assertEqual(session.say("AUTH LOGIN"), 535)
            self.daemon.wait_audit(cause="needs-tls", mech="LOGIN")
            session.starttls()
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)

    def test_cram_md5_needs_no_tls(self):
        with Smtp(self.postfix.port, tls=False) as session:
            self.assertEqual(session.auth("CRAM-MD5", ALICE, PASSWORD), 235)


class Chrooted(IntegrationCase):
    """A chrooted smtpd finds the socket by the same relative path."""

    @classmethod
    def prepare(cls):
        cls.postfix = Postfix(cls.box, chroot=True)
        cls.daemon = setups.for_postfix(cls.box, cls.postfix).start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.postfix.start()

    def test_login(self):
        with Smtp(self.postfix.port) as session:
            self.assertEqual(session.auth("PLAIN", ALICE, "wrong"), 535)
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)


class ShippedPolicy(IntegrationCase):
    """The example's file as it is, with the delays and limits it ships."""

    @classmethod
    def prepare(cls):
        cls.postfix = Postfix(cls.box, MANY_ERRORS)
        cls.daemon = setups.for_postfix(cls.box, cls.postfix, extra="").start()
        cls.daemon.add_user(ALICE, PASSWORD)
        cls.postfix.start()

    def test_failures_are_535_and_never_make_postfix_give_up(self):
        # Postfix makes 454 of whatever is not answered within its 10 s, and hangs up.
        with Smtp(self.postfix.port) as session:
            for attempt in range(3):
                with self.subTest(attempt=attempt):
                    self.assertEqual(session.auth("PLAIN", ALICE, f"wrong {attempt}"), 535)
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)

    def test_guessing_at_one_account_is_stopped(self):
        with Smtp(self.postfix.port) as session:
            guesses = "".join(f"AUTH PLAIN {plain('victim@example.com', f'guess {n}')}\r\n"
                              for n in range(12))
            session.send(guesses)
            self.assertEqual([session.reply().code for _ in range(12)], [535] * 12)
        self.daemon.wait_audit(outcome="refused", user="victim@example.com")


class Trouble(IntegrationCase):
    """What Postfix says while saslatchd or its passdb is away, and that it needs no restart."""

    def set_up(self, settings=None):
        self.box = self.own_box()
        self.postfix = Postfix(self.box, {**MANY_ERRORS, **(settings or {})})

    def with_embedded(self):
        self.set_up()
        self.daemon = setups.for_postfix(self.box, self.postfix).start()
        self.daemon.add_user(ALICE, PASSWORD)
        self.postfix.start()

    def with_users_file(self, settings=None):
        self.set_up(settings)
        users = self.box.path("users")
        self.daemon = setups.for_postfix_with_file(self.box, self.postfix, users).start()
        self.postfix.start()
        return users

    def login(self):
        with Smtp(self.postfix.port) as session:
            return session.auth("PLAIN", ALICE, PASSWORD)

    def test_454_while_the_passdb_is_down_and_235_once_it_is_back(self):
        users = self.with_users_file()
        with Smtp(self.postfix.port) as session:
            for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "PLAIN"):
                with self.subTest(mechanism=mechanism):
                    self.assertEqual(session.auth(mechanism, ALICE, PASSWORD), 454)
            self.daemon.wait_audit(outcome="temporary", cause="passdb-down", user=ALICE)
            users.write_text(f"{ALICE}:{{PLAIN}}{PASSWORD}\n")
            wait_until(lambda: session.auth("PLAIN", ALICE, PASSWORD) == 235,
                       "a login in the same session after the passdb came back")
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            with Smtp(self.postfix.port) as session:
                self.assertEqual(session.auth(mechanism, ALICE, PASSWORD), 235)

    def test_postfix_greets_while_the_passdb_is_down(self):
        # AUTH before TLS makes smtpd connect before its 220.
        self.with_users_file({"smtpd_tls_auth_only": "no"})
        with Smtp(self.postfix.port) as session:
            self.assertEqual(session.greeting, 220)
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 454)

    def test_a_restart_between_two_sessions_fails_no_login(self):
        self.with_embedded()
        for _ in range(3):
            self.assertEqual(self.login(), 235)
            self.daemon.restart()
            self.assertEqual(self.login(), 235)
        self.assertNotIn("fatal:", self.postfix.log())

    def test_a_restart_within_a_session_fails_no_login(self):
        self.with_embedded()
        with Smtp(self.postfix.port) as session:
            self.assertEqual(session.auth("PLAIN", ALICE, "wrong"), 535)
            self.daemon.restart()
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)

    def test_kill_9_is_454_until_it_runs_again(self):
        self.with_embedded()
        with Smtp(self.postfix.port) as session:
            self.assertEqual(session.auth("PLAIN", ALICE, "wrong"), 535)
            self.daemon.kill()
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 454)
            self.assertEqual(session.say("NOOP"), 250)
            self.daemon.start()  # over the socket file that the killed one left
            self.assertEqual(session.auth("PLAIN", ALICE, PASSWORD), 235)

    def test_kill_9_in_the_middle_of_an_exchange(self):
        self.with_embedded()
        with Smtp(self.postfix.port) as session:
            self.assertEqual(session.say("AUTH LOGIN"), 334)
            self.daemon.kill()
            self.assertEqual(session.say(b64(ALICE)), 454)
            self.daemon.start()
            self.assertEqual(session.auth("LOGIN", ALICE, PASSWORD), 235)

    def test_with_an_inherited_socket_no_session_sees_the_restart(self):
        self.set_up({"smtpd_tls_auth_only": "no"})
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.postfix.socket))
        os.chmod(self.postfix.socket, 0o666)
        listener.listen(100)
        self.daemon = setups.for_postfix(self.box, self.postfix)
        self.daemon.start_inheriting([listener])
        self.daemon.add_user(ALICE, PASSWORD)
        self.postfix.start()
        self.assertEqual(self.login(), 235)
        self.daemon.stop()
        # smtpd connects before its 220; nobody accepts, but the socket is there.
        replies = []
        thread = threading.Thread(target=lambda: replies.append(self.login()))
        thread.start()
        self.daemon.start_inheriting([listener])
        thread.join()
        self.assertEqual(replies, [235])
        self.assertTrue(accepts(self.postfix.socket))
        self.assertNotIn("fatal:", self.postfix.log())


if __name__ == "__main__":
    unittest.main()
