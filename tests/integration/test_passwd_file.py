"""A passwd-file that the real doveadm made: every scheme lets the right password in, no other."""

import ctypes
import os
import time
import unittest

from harness import clients, programs, setups
from harness.auth import AuthClient
from harness.box import wait_until
from harness.case import IntegrationCase
from harness.setups import PASSWORD
from harness.smtp import cram_md5

# Every scheme of Dovecot 2.3's `doveadm pw -l` that is a stored hash and that saslatchd verifies.
SCHEMES = ("PLAIN", "CLEARTEXT", "CRAM-MD5", "SHA", "SSHA", "SHA256", "SSHA256", "SHA512",
           "SSHA512", "LDAP-MD5", "SMD5", "PLAIN-MD5", "MD5-CRYPT", "CRYPT", "SHA256-CRYPT",
           "SHA512-CRYPT", "BLF-CRYPT", "ARGON2I", "ARGON2ID", "PBKDF2", "SCRAM-SHA-1",
           "SCRAM-SHA-256")
ENCODED = ("SHA.hex", "SSHA256.hex", "SSHA512.b64", "PLAIN.b64", "PLAIN.hex", "CRAM-MD5.b64",
           "PLAIN-MD5.base64")
# Those that can answer the challenge: the password itself, or its context.
CRAM_MD5 = ("PLAIN", "CLEARTEXT", "CRAM-MD5", "PLAIN.b64", "PLAIN.hex", "CRAM-MD5.b64")
YESCRYPT = "yescrypt"  # a form of CRYPT that doveadm does not make; libcrypt does


def yescrypt(password):
    libcrypt = ctypes.CDLL("libcrypt.so.1")
    libcrypt.crypt.restype = ctypes.c_char_p
    return "{CRYPT}" + libcrypt.crypt(password.encode(), b"$y$j9T$saltsaltsaltsalt$").decode()


def name_of(scheme):
    return scheme.lower().replace(".", "_") + "@example.com"


class Schemes(IntegrationCase):
    @classmethod
    def prepare(cls):
        programs.need("doveadm")
        config = clients.doveadm_config(cls.box)
        lines = [f"{name_of(s)}:{clients.doveadm_pw(config, s, PASSWORD)}\n"
                 for s in SCHEMES + ENCODED]
        lines.append(f"{name_of(YESCRYPT)}:{yescrypt(PASSWORD)}\n")
        cls.users = cls.box.write("users", "".join(lines))
        cls.daemon = setups.on_socket(
            cls.box, f"[passdb.users]\ndriver = passwd-file\npath = {cls.users}\n").start()
        wait_until(cls.loaded, "the passwd-file to be loaded")

    @classmethod
    def loaded(cls):
        with AuthClient(cls.daemon.socket) as client:
            reply = client.plain(name_of("PLAIN"), PASSWORD)
            return reply is not None and reply[0] == "OK"

    def test_right_in_and_wrong_out(self):
        with AuthClient(self.daemon.socket) as client:
            for scheme in (*SCHEMES, *ENCODED, YESCRYPT):
                with self.subTest(scheme=scheme):
                    name = name_of(scheme)
                    self.assertEqual(client.plain(name, PASSWORD)[::2], ["OK", f"user={name}"])
                    for wrong in (PASSWORD + "x", PASSWORD[:-1], PASSWORD.upper()):
                        self.assertEqual(client.plain(name, wrong)[::2], ["FAIL", f"user={name}"])

    def test_cram_md5_where_the_scheme_can_serve_it(self):
        with AuthClient(self.daemon.socket) as client:
            for scheme in (*SCHEMES, *ENCODED):
                with self.subTest(scheme=scheme):
                    for password in (PASSWORD, "wrong"):
                        name = name_of(scheme)
                        number = client.request("CRAM-MD5")
                        challenge = client.line()
                        self.assertEqual(challenge[:2], ["CONT", number])
                        client.send(f"CONT\t{number}\t{cram_md5(name, password, challenge[2])}\n")
                        let_in = password == PASSWORD and scheme in CRAM_MD5
                        self.assertEqual(client.line()[::2],
                                         ["OK" if let_in else "FAIL", f"user={name}"])

    def test_an_unknown_user_looks_like_a_wrong_password(self):
        with AuthClient(self.daemon.socket) as client:
            self.assertEqual(client.plain("nobody-here@example.com", PASSWORD)[::2],
                             ["FAIL", "user=nobody-here@example.com"])


class Changes(IntegrationCase):
    """What is written to the file is in force without a reload."""

    @classmethod
    def prepare(cls):
        cls.users = cls.box.write("users", "alice:{PLAIN}one\n")
        cls.daemon = setups.on_socket(
            cls.box, f"[passdb.users]\ndriver = passwd-file\npath = {cls.users}\n").start()

    def answer(self, password, user="alice"):
        with AuthClient(self.daemon.socket) as client:
            reply = client.plain(user, password)
            return reply and reply[0]

    def wait(self, password, answer, what):
        wait_until(lambda: self.answer(password) == answer, what)

    def replace(self, text):
        new = self.users.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.users)

    def test_a_day_in_the_life_of_a_passwd_file(self):
        self.wait("one", "OK", "the first contents")
        self.replace("alice:{PLAIN}two\n")
        self.wait("two", "OK", "a replaced file")
        self.assertEqual(self.answer("one"), "FAIL")
        self.users.write_text("alice:{PLAIN}three\n")
        self.wait("three", "OK", "a file rewritten in place")
        self.users.unlink()
        self.daemon.wait_log(str(self.users))
        self.assertEqual(self.answer("three"), "OK", "the last good contents stay in force")
        self.replace("alice:{PLAIN}four\n")
        self.wait("four", "OK", "the file that came back")

    def test_zz_a_half_written_file_never_replaces_a_good_one(self):
        self.replace("alice:{PLAIN}whole\n")
        self.wait("whole", "OK", "the whole file")
        with open(self.users, "w") as half:
            half.write("zoe:{PLAIN}")
            half.flush()
            end = time.monotonic() + 1.5  # a whole change would be in force within a second
            while time.monotonic() < end:
                self.assertEqual(self.answer("whole"), "OK")
            half.write("x\nalice:{PLAIN}finished\n")
        self.wait("finished", "OK", "the finished file")


if __name__ == "__main__":
    unittest.main()
