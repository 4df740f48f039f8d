"""saslatchd with clients that vanish, flood, idle and lie, and with a machine short of things."""

import contextlib
import os
import re
import resource
import signal
import socket
import threading
import unittest

from harness import setups
from harness.auth import AuthClient
from harness.box import accepts, wait_until
from harness.case import IntegrationCase
from harness.saslatchd import QUIET_POLICY
from harness.setups import ALICE, PASSWORD
from harness.smtp import plain

IDLE_CONNECTIONS = 10_000
IDLE_MEGABYTES = 150


# A scheme that costs nothing: these tests are about the daemon, and a flood of Argon2 checks would be
# answered as the overload that it is.
CHEAP = ("--scheme", "CRAM-MD5")


def rss_megabytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) / 1024


def sockets(pid):
    """How many sockets a process has open. Its databases are not counted: as many lookups as ran at
    the same time have one open each, and keep it."""
    count = 0
    for entry in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed since the listing
            count += os.readlink(f"/proc/{pid}/fd/{entry}").startswith("socket:")
    return count


class Clients(IntegrationCase):
    """One daemon that must have served everybody else when all of these are gone."""

    @classmethod
    def prepare(cls):
        cls.daemon = setups.on_socket(cls.box).start()
        cls.daemon.add_user(ALICE, PASSWORD, *CHEAP)

    def client(self, **options):
        client = AuthClient(self.daemon.socket, **options)
        self.addCleanup(client.close)
        return client

    def tearDown(self):
        self.assertTrue(self.daemon.process.running())
        self.assertEqual(self.client().plain(ALICE, PASSWORD)[0], "OK")

    def assert_hung_up(self, client):
        try:
            while client.line() is not None:
                pass
        except ConnectionError:
            pass  # closed with our bytes unread

    def test_the_handshake_is_one_write_before_the_client_speaks(self):
        client = self.client(handshake=False)
        first = client.socket.recv(65536)
        self.assertLess(len(first), 1024)
        self.assertTrue(first.endswith(b"DONE\n"), first)
        self.assertEqual([line.split(b"\t")[0] for line in first.splitlines()],
                         [b"VERSION", b"MECH", b"MECH", b"MECH", b"SPID", b"CUID", b"COOKIE",
                          b"DONE"])

    def test_a_client_that_connects_and_leaves(self):
        for _ in range(100):
            self.client(handshake=False).close()

    def test_clients_that_vanish_take_their_work_with_them(self):
        before = sockets(self.daemon.process.pid)
        for number in range(60):
            client = AuthClient(self.daemon.socket)
            for _ in range(number % 4):
                client.request_plain(ALICE, "wrong")
            client.request("LOGIN")
            client.request("CRAM-MD5")
            client.send("AUTH\t99\tPLA")
            client.close()
        wait_until(lambda: sockets(self.daemon.process.pid) <= before,
                   "the sockets of vanished clients to be closed")

    def test_many_requests_at_once_on_one_connection(self):
        client = self.client()
        expected = {}
        for number in range(40):
            right = number % 3 == 0
            expected[client.request_plain(ALICE, PASSWORD if right else f"no {number % 5}")] = (
                "OK" if right else "FAIL")
        seen = {}
        for _ in expected:
            reply = client.line()
            seen[reply[1]] = reply[0]
        self.assertEqual(seen, expected)

    def test_finished_answers_are_written_after_the_client_shut_down_its_side(self):
        client = self.client()
        numbers = [client.request_plain(ALICE, PASSWORD, "session=leaving") for _ in range(3)]
        client.request("LOGIN")  # unfinished: dropped
        wait_until(lambda: len(self.daemon.audit(outcome="ok", session="leaving")) == 3,
                   "three logins in the audit log")
        client.socket.shutdown(socket.SHUT_WR)
        replies = []
        while (reply := client.line()) is not None:
            replies.append(reply)
        self.assertEqual({reply[1] for reply in replies if reply[0] == "OK"}, set(numbers))

    def test_a_cancelled_request_is_never_answered(self):
        client = self.client()
        number = client.request("LOGIN")
        self.assertEqual(client.line()[:2], ["CONT", number])
        client.send(f"CANCEL\t{number}\n")
        client.send(f"AUTH\t{number}\tPLAIN\tservice=smtp\tsecured\tresp={plain(ALICE, PASSWORD)}\n")
        self.assertEqual(client.line()[:2], ["OK", number])

    def test_garbage_closes_that_connection_only(self):
        bystander = self.client()
        for name, data in (
                ("random bytes", os.urandom(4096)),
                ("an HTTP request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
                ("a TLS hello", bytes.fromhex("16030100c8010000c403030000") + b"\0" * 20000),
                ("another major version", b"VERSION\t2\t0\nCPID\t1\n"),
                ("CPID 0", b"VERSION\t1\t2\nCPID\t0\n"),
                ("no VERSION", b"CPID\t1\n"),
                ("an unknown command", b"VERSION\t1\t2\nCPID\t1\nSUDO\t1\n"),
                ("id 0", b"VERSION\t1\t2\nCPID\t1\nAUTH\t0\tPLAIN\tservice=smtp\n"),
                ("an id above 32 bits",
                 b"VERSION\t1\t2\nCPID\t1\nAUTH\t4294967296\tPLAIN\tservice=smtp\n"),
                ("no service", b"VERSION\t1\t2\nCPID\t1\nAUTH\t1\tPLAIN\n"),
                ("a field after resp",
                 b"VERSION\t1\t2\nCPID\t1\nAUTH\t1\tPLAIN\tservice=smtp\tresp=AA==\tx=y\n"),
                ("a live id twice", b"VERSION\t1\t2\nCPID\t1\n" +
                 b"AUTH\t1\tLOGIN\tservice=smtp\tsecured\n" * 2),
                ("a line of 16385 bytes", b"VERSION\t1\t2\nCPID\t1\n" + b"x" * 16384 + b"\n"),
                ("a line without end", b"VERSION\t1\t2\nCPID\t1\n" + b"x" * 60000)):
            with self.subTest(name):
                client = self.client(handshake=False)
                try:
                    client.send(data)
                except ConnectionError:
                    pass  # it hung up before it had everything
                self.assert_hung_up(client)
        self.assertEqual(bystander.plain(ALICE, PASSWORD)[0], "OK")
        self.assertNotIn("SUDO", self.daemon.log(), "the log quotes what a client sent")

    def test_a_line_of_16384_bytes_is_read(self):
        client = self.client()
        head = "AUTH\t77\tPLAIN\tservice=smtp\tsecured\tclient_id="
        tail = f"\tresp={plain(ALICE, PASSWORD)}\n"
        client.send(head + "x" * (16384 - len(head) - len(tail)) + tail)
        self.assertEqual(client.line()[:2], ["OK", "77"])

    def test_a_name_cannot_forge_a_log_line(self):
        client = self.client()
        forged = "eve\n2026-01-01 00:00:00 [error] forged"
        self.assertEqual(client.request("PLAIN", f"resp={plain(forged, 'x')}"), "1")
        self.assertEqual(client.line()[0], "FAIL")
        self.daemon.wait_audit(outcome="fail", cause="malformed")
        self.assertFalse([line for line in self.daemon.log().splitlines()
                          if line.startswith("2026-01-01 00:00:00 [error] forged")])

    def test_a_client_that_does_not_read_is_not_read_from(self):
        deaf = self.client()
        deaf.socket.setblocking(False)
        before = rss_megabytes(self.daemon.process.pid)
        request = "CONT\t1\tAAAA\n".encode() * 500  # each is answered: unknown id
        sent = 0
        try:
            while sent < 200_000_000:
                sent += deaf.socket.send(request)
                if sent % (1 << 20) < len(request):
                    # Give the daemon the chance to take it: another client is served meanwhile.
                    self.assertEqual(self.client().plain(ALICE, PASSWORD)[0], "OK")
        except BlockingIOError:
            pass
        self.assertLess(sent, 200_000_000, "all was read although no answer was")
        self.assertLess(rss_megabytes(self.daemon.process.pid) - before, 50)


class Many(IntegrationCase):
    def test_ten_thousand_idle_connections(self):
        needed = IDLE_CONNECTIONS + 500
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < needed:
            self.skipTest(f"ulimit -Hn is {hard}; {needed} descriptors are needed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        daemon = setups.on_socket(self.box, policy=QUIET_POLICY).start()
        daemon.add_user(ALICE, PASSWORD, *CHEAP)
        clients = []
        self.addCleanup(lambda: [client.close() for client in clients])
        for _ in range(IDLE_CONNECTIONS):
            clients.append(AuthClient(daemon.socket))
        used = rss_megabytes(daemon.process.pid)
        print(f"{IDLE_CONNECTIONS} idle connections: {used:.0f} MB resident", flush=True)
        self.assertLess(used, IDLE_MEGABYTES)
        for client in (clients[0], clients[IDLE_CONNECTIONS // 2], clients[-1]):
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")


class Descriptors(IntegrationCase):
    LIMIT = 64

    def test_without_descriptors_accept_pauses_and_recovers(self):
        daemon = setups.on_socket(self.box).start(
            before_exec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                                   (self.LIMIT, self.LIMIT)))
        daemon.add_user(ALICE, PASSWORD, *CHEAP)
        first = AuthClient(daemon.socket)
        self.addCleanup(first.close)
        crowd = [AuthClient(daemon.socket, handshake=False) for _ in range(2 * self.LIMIT)]
        self.addCleanup(lambda: [client.close() for client in crowd])
        log = wait_until(lambda: [line for line in daemon.log().splitlines()
                                  if "descriptor" in line or "open files" in line],
                         "a log line about the missing descriptors")
        self.assertEqual(first.plain(ALICE, PASSWORD)[0], "OK", "who is in is served on")
        for client in crowd:
            client.close()
        late = AuthClient(daemon.socket)
        self.addCleanup(late.close)
        self.assertEqual(late.plain(ALICE, PASSWORD)[0], "OK")
        log = [line for line in daemon.log().splitlines()
               if "descriptor" in line or "open files" in line]
        self.assertLessEqual(len(log), 4, "it logs the matter, not each attempt:\n"
                             + "\n".join(log))


class Ends(IntegrationCase):
    """SIGTERM, second daemons, inherited sockets, reload."""

    def test_sigterm_finishes_what_is_in_flight(self):
        daemon = setups.on_socket(self.own_box()).start()
        daemon.add_user(ALICE, PASSWORD, *CHEAP)
        with AuthClient(daemon.socket) as client:
            numbers = ["1", "2", "3", "4"]
            client.send("".join(
                f"AUTH\t{number}\tPLAIN\tservice=smtp\tsecured\tresp={plain(ALICE, PASSWORD)}\n"
                for number in numbers))
            first = client.line()  # it has read them: they came at once
            daemon.process.signal(signal.SIGTERM)
            replies = [first] + [client.line() for _ in range(3)]
            self.assertEqual(sorted(reply[1] for reply in replies), numbers)
            self.assertEqual({reply[0] for reply in replies}, {"OK"})
            self.assertIsNone(client.line())
        self.assertEqual(daemon.process.exit_code(), 0)

    def test_sigterm_does_not_wait_for_clients_that_say_nothing(self):
        daemon = setups.on_socket(self.own_box()).start()
        with AuthClient(daemon.socket) as idle, AuthClient(daemon.socket) as waiting:
            waiting.request("LOGIN")
            self.assertEqual(waiting.line()[0], "CONT")
            self.assertEqual(daemon.stop(), 0)
            self.assertIsNone(idle.line())

    def test_the_socket_is_gone_after_a_clean_end(self):
        daemon = setups.on_socket(self.own_box()).start()
        daemon.stop()
        self.assertFalse(daemon.socket.exists())

    def test_a_socket_file_left_by_kill_9_is_replaced(self):
        daemon = setups.on_socket(self.own_box()).start()
        daemon.kill()
        self.assertTrue(daemon.socket.exists())
        daemon.start()

    def test_a_second_daemon_on_the_same_state_exits_75(self):
        box = self.own_box()
        first = setups.on_socket(box).start()
        second = setups.on_socket(box, name="second", listeners={"other": "protocol = dovecot\n"})
        second.spawn()
        self.assertEqual(second.process.exit_code(), 75)
        self.assertIn(str(box.path("state")), second.log())
        self.assertTrue(accepts(first.socket), "the first one is unharmed")

    def test_an_inherited_socket_is_kept_over_restarts(self):
        box = self.own_box()
        path = box.path("auth")
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(path))
        listener.listen(100)
        daemon = setups.on_socket(box)
        daemon.start_inheriting([listener])
        daemon.add_user(ALICE, PASSWORD, *CHEAP)
        with AuthClient(path) as client:
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")
        for end in (daemon.stop, daemon.kill):
            end()
            self.assertTrue(path.exists(), "it was not ours to unlink")
            client = AuthClient(path, handshake=False)  # waits in the backlog
            self.addCleanup(client.close)
            daemon.start_inheriting([listener])
            client.send("VERSION\t1\t2\nCPID\t1\n")
            client.read_handshake()
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")

    def test_a_named_inherited_socket_belongs_to_the_listener_of_that_name(self):
        box = self.own_box()
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(box.path("elsewhere")))
        listener.listen(10)
        daemon = setups.on_socket(box)
        daemon.start_inheriting([listener], names=["auth"])
        with AuthClient(box.path("elsewhere")) as client:
            self.assertEqual(client.mechanisms, ["PLAIN", "LOGIN", "CRAM-MD5"])

    def test_reload_takes_a_good_configuration(self):
        daemon = setups.on_socket(self.own_box(), "\n[mechanisms]\noffer = PLAIN LOGIN\n").start()
        text = daemon.config.read_text()
        daemon.config.write_text(text.replace("offer = PLAIN LOGIN", "offer = CRAM-MD5"))
        daemon.reload()

        def offered():
            with AuthClient(daemon.socket) as client:
                return client.mechanisms == ["CRAM-MD5"]
        wait_until(offered, "the new mechanisms on new connections")

    def test_reload_of_a_wrong_configuration_keeps_the_old_one(self):
        daemon = setups.on_socket(self.own_box()).start()
        daemon.add_user(ALICE, PASSWORD, *CHEAP)
        with AuthClient(daemon.socket) as client:
            daemon.config.write_text(daemon.config.read_text()
                                     + "\n[mechanisms]\noffer = KERBEROS\n[nonsense]\nx = y\n")
            daemon.reload()
            daemon.wait_log("KERBEROS")
            daemon.wait_log("nonsense")
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")
        with AuthClient(daemon.socket) as client:
            self.assertEqual(client.mechanisms, ["PLAIN", "LOGIN", "CRAM-MD5"])
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")

    def test_a_socket_gets_its_mode_owner_and_group(self):
        box = self.own_box()
        daemon = setups.on_socket(box, listeners={
            "auth": "protocol = dovecot\nmode = 0620\nowner = nobody\ngroup = mail\n"})
        if os.geteuid() != 0:
            self.skipTest("needs root")
        daemon.start()
        status = os.stat(daemon.socket)
        self.assertEqual(status.st_mode & 0o777, 0o620)
        self.assertEqual((status.st_uid, status.st_gid), (65534, 8))

    def test_started_by_root_it_drops_to_its_user(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        box = self.own_box()
        for folder in ("state", "run", "log"):
            box.folder(folder, mode=0o700, owner="nobody")
        daemon = setups.on_socket(box, daemon_section="user = nobody")
        os.chmod(box.path("state"), 0o700)
        daemon.start()
        self.assertEqual(os.stat(f"/proc/{daemon.process.pid}").st_uid, 65534)
        daemon.add_user(ALICE, PASSWORD)  # by root, for the daemon that is not
        with AuthClient(daemon.socket) as client:
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")
        daemon.restart()
        with AuthClient(daemon.socket) as client:
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")


class Temporary(IntegrationCase):
    """on-temporary-failure, seen on the wire."""

    def down(self, listener):
        box = self.own_box()
        return setups.on_socket(
            box, f"[passdb.users]\ndriver = passwd-file\npath = {box.path('missing')}\n",
            listeners={"auth": "protocol = dovecot\n" + listener}).start()

    def test_disconnect_closes_after_answering_what_else_is_finished(self):
        daemon = self.down("")
        with AuthClient(daemon.socket) as client:
            prompt = client.request("LOGIN")
            self.assertEqual(client.line()[:2], ["CONT", prompt])
            self.assertIsNone(client.plain(ALICE, PASSWORD))

    def test_reply_says_temporary_in_both_dialects(self):
        daemon = self.down("on-temporary-failure = reply\n")
        with AuthClient(daemon.socket) as client:
            reply = client.plain(ALICE, PASSWORD)
            self.assertEqual(reply[0], "FAIL")
            self.assertIn("code=temp_fail", reply)
            self.assertIn("temp", reply)


class Recovery(IntegrationCase):
    def test_kill_9_while_users_are_written(self):
        daemon = setups.on_socket(self.own_box()).start()
        added = []

        def add():
            for number in range(12):
                daemon.add_user(f"user{number}@example.com", PASSWORD, *CHEAP)
                added.append(number)
        writer = threading.Thread(target=add)
        writer.start()
        for _ in range(3):
            daemon.kill()
            daemon.start()
        writer.join()
        self.assertEqual(len(added), 12)
        with AuthClient(daemon.socket) as client:
            for number in added:
                self.assertEqual(client.plain(f"user{number}@example.com", PASSWORD)[0], "OK")


if __name__ == "__main__":
    unittest.main()
