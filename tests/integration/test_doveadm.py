"""The real doveadm against our sockets: Dovecot's own client of both protocols."""

import os
import socket
import unittest

from harness import clients, programs, setups
from harness.case import IntegrationCase
from harness.setups import ALICE, PASSWORD

BOB = "bob@example.com"


class Doveadm(IntegrationCase):
    @classmethod
    def prepare(cls):
        programs.need("doveadm")
        cls.config = clients.doveadm_config(cls.box)
        cls.daemon = setups.on_socket(cls.box, listeners={
            "auth": "protocol = dovecot\n", "userdb": "protocol = dovecot-master\n"}).start()
        cls.auth, cls.userdb = cls.daemon.sockets
        for user in (ALICE, BOB):
            cls.daemon.add_user(user, PASSWORD)

    def test_auth_test_says_who_was_let_in(self):
        code, text = clients.doveadm_auth_test(self.config, self.auth, ALICE, PASSWORD, "secured")
        self.assertEqual(code, 0, text)
        self.assertIn("auth succeeded", text)
        self.assertIn(f"user={ALICE}", text)

    def test_auth_test_in_clear_is_refused(self):
        code, text = clients.doveadm_auth_test(self.config, self.auth, ALICE, PASSWORD)
        self.assertEqual(code, 77, text)
        self.daemon.wait_audit(cause="needs-tls", service="doveadm")

    def test_auth_test_passes_the_address_on(self):
        clients.doveadm_auth_test(self.config, self.auth, ALICE, "wrong", "secured", "service=imap",
                                  "rip=2001:db8::1", "session=abc")
        self.daemon.wait_audit(outcome="fail", rip="2001:db8::1", service="imap", session="abc")

    def test_user_finds_who_is_there(self):
        code, text = clients.doveadm_user(self.config, self.userdb, ALICE)
        self.assertEqual(code, 0, text)
        fields = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
        self.assertEqual((fields["uid"], fields["gid"]), ("65534", "65534"))

    def test_user_does_not_find_who_is_not(self):
        code, text = clients.doveadm_user(self.config, self.userdb, "nobody-here@example.com")
        self.assertEqual(code, 67, text)

    def test_user_lists_by_mask(self):
        for mask, names in (("*", [ALICE, BOB]), ("a*", [ALICE]), ("B?B@*", [BOB]), ("x*", [])):
            with self.subTest(mask=mask):
                _, text = clients.doveadm_user(self.config, self.userdb, mask)
                self.assertEqual(sorted(w for w in text.split() if "@" in w and "*" not in w),
                                 names, text)

    def test_a_userdb_socket_open_to_all_tells_strangers_of_themselves_only(self):
        box = self.own_box()
        os.chmod(box.path("."), 0o755)
        daemon = setups.on_socket(box, listeners={
            "userdb": "protocol = dovecot-master\nmode = 0666\n"}).start()
        daemon.add_user(ALICE, PASSWORD)

        def ask(*lines, uid=None):
            """The answer of each line, to root or to a process of that uid."""
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                if uid is not None:
                    os.setresgid(-1, uid, -1)
                    os.setresuid(-1, uid, -1)
                try:
                    client.connect(str(daemon.socket))
                finally:
                    if uid is not None:
                        os.setresuid(-1, 0, -1)
                        os.setresgid(-1, 0, -1)
                stream = client.makefile("rw", newline="\n")
                while not stream.readline().startswith("SPID"):
                    pass
                stream.write("VERSION\t1\t0\n" + "".join(lines))
                stream.flush()
                return [stream.readline().rstrip("\n") for _ in lines]

        user = f"USER\t1\t{ALICE}\tservice=doveadm\n"
        listing = "LIST\t2\tservice=doveadm\n"
        self.assertTrue(ask(user)[0].startswith("USER\t1\t" + ALICE))
        if os.geteuid() != 0:
            self.skipTest("only root can be somebody else")
        self.assertEqual(ask(user, uid=12345), ["FAIL\t1"])
        self.assertEqual(ask(listing, uid=12345), ["DONE\t2\tfail"])
        self.assertTrue(ask(user, uid=65534)[0].startswith("USER\t1\t" + ALICE))
        self.assertIn("userdb-restricted", daemon.log())


if __name__ == "__main__":
    unittest.main()
