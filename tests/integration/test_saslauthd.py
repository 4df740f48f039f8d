"""The saslauthd protocol: testsaslauthd, and requests it would not make."""

import socket
import struct
import unittest

from harness import clients, programs, setups
from harness.box import PATIENCE
from harness.case import IntegrationCase
from harness.setups import ALICE, PASSWORD

NAME, REALM = ALICE.split("@")


def field(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">H", len(data)) + data


def request(login, password, service="smtp", realm="", *more):
    return b"".join(map(field, (login, password, service, realm, *more)))


class Saslauthd(IntegrationCase):
    @classmethod
    def prepare(cls):
        cls.daemon = setups.on_socket(cls.box, listeners={"mux": "protocol = saslauthd\n"}).start()
        cls.daemon.add_user(ALICE, PASSWORD)

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(PATIENCE)
        client.connect(str(self.daemon.socket))
        return client

    def read(self, client):
        """The reply's first two letters; "" when the daemon closed without one."""
        data = b""
        while True:
            more = client.recv(4096)
            if not more:
                break
            data += more
        if not data:
            return ""
        self.assertEqual(len(data) - 2, struct.unpack(">H", data[:2])[0])
        return data[2:4].decode()

    def ask(self, data):
        client = self.connect()
        client.sendall(data)
        return self.read(client)

    def test_testsaslauthd(self):
        programs.need("testsaslauthd")
        for user, password, realm, answer in (
                (NAME, PASSWORD, REALM, 'OK "'), (ALICE, PASSWORD, "", 'OK "'),
                (NAME, "wrong", REALM, 'NO "'), ("nobody-here", PASSWORD, REALM, 'NO "')):
            with self.subTest(user=user, realm=realm, answer=answer):
                _, text = clients.testsaslauthd(self.daemon.socket, user, password, realm=realm)
                self.assertIn(answer, text)

    def test_a_code_lets_in_until_it_is_revoked(self):
        made = self.daemon.add_code(ALICE, "office")
        self.assertEqual(self.ask(request(NAME, made["code"], "smtp", REALM)), "OK")
        self.daemon.wait_audit(outcome="ok", credential=f"code:{made['id']} office")
        self.daemon.cli("code", "revoke", ALICE, made["id"])
        self.assertEqual(self.ask(request(NAME, made["code"], "smtp", REALM)), "NO")

    def test_four_fields(self):
        self.assertEqual(self.ask(request(NAME, PASSWORD, "smtp", REALM)), "OK")
        self.assertEqual(self.ask(request(NAME, "wrong", "smtp", REALM)), "NO")

    def test_a_fifth_field_is_the_remote_address(self):
        self.assertEqual(self.ask(request(NAME, "fifth", "imap", REALM, "192.0.2.7;40123")), "NO")
        event = self.daemon.wait_audit(outcome="fail", service="imap", user=ALICE)
        self.assertEqual(event["rip"], "192.0.2.7")

    def test_a_fifth_field_that_is_no_address_does_no_harm(self):
        self.assertEqual(self.ask(request(NAME, PASSWORD, "smtp", REALM, "not an address")), "OK")

    def test_a_request_in_single_bytes(self):
        client = self.connect()
        for byte in request(NAME, PASSWORD, "smtp", REALM):
            client.sendall(bytes([byte]))
        self.assertEqual(self.read(client), "OK")

    def test_long_fields(self):
        self.assertEqual(self.ask(request(NAME, "p" * 1024, "smtp", REALM)), "NO")

    def test_broken_requests_are_never_let_in_and_the_next_one_is(self):
        for name, data in (
                ("an empty login", request("", PASSWORD)),
                ("an empty password", request(ALICE, "")),
                ("a field too long", request(ALICE, "p" * 1025)),
                ("a NUL", request(ALICE + "\0", PASSWORD)),
                ("bytes after the fifth", request(ALICE, PASSWORD, "smtp", "", "x") + b"yz"),
                ("garbage", b"\xff" * 4096)):
            with self.subTest(name):
                try:
                    self.assertIn(self.ask(data), ("NO", ""))
                except ConnectionError:
                    pass  # closed with our bytes unread
        self.assertEqual(self.ask(request(ALICE, PASSWORD)), "OK")

    def test_a_client_that_ends_in_the_middle(self):
        client = self.connect()
        client.sendall(request(ALICE, PASSWORD)[:9])
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(self.read(client), "")
        self.assertEqual(self.ask(request(ALICE, PASSWORD)), "OK")

    def test_a_temporary_failure_closes_without_an_answer(self):
        box = self.own_box()
        daemon = setups.on_socket(
            box, f"[passdb.users]\ndriver = passwd-file\npath = {box.path('missing')}\n",
            listeners={"mux": "protocol = saslauthd\n"}).start()
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(PATIENCE)
        client.connect(str(daemon.socket))
        client.sendall(request(ALICE, PASSWORD))
        self.assertEqual(self.read(client), "")


if __name__ == "__main__":
    unittest.main()
