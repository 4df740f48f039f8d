"""A client of the Dovecot auth protocol that says whatever a test wants said."""

import itertools
import socket

from .box import PATIENCE
from .smtp import b64, plain


class AuthClient:
    """One connection. Unless `handshake` is false, the whole handshake is done."""

    def __init__(self, path, minor=2, handshake=True, timeout=PATIENCE):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self._buffer = b""
        self._ids = itertools.count(1)
        self.mechanisms = []
        if handshake:
            self.send(f"VERSION\t1\t{minor}\nCPID\t4711\n")
            self.read_handshake()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """The next line, as its fields; None at the end of the stream."""
        while b"\n" not in self._buffer:
            data = self.socket.recv(65536)
            if not data:
                assert not self._buffer, f"half a line before the end: {self._buffer!r}"
                return None
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode(errors="replace").split("\t")

    def read_handshake(self):
        lines = []
        while not lines or lines[-1] != ["DONE"]:
            line = self.line()
            assert line is not None, f"the handshake ended after {lines}"
            lines.append(line)
        self.mechanisms = [line[1] for line in lines if line[0] == "MECH"]
        return lines

    def request(self, mechanism, *fields, service="smtp", secured=True):
        """Sends an AUTH; its id."""
        number = next(self._ids)
        parts = ["AUTH", str(number), mechanism, f"service={service}"]
        if secured:
            parts.append("secured")
        self.send("\t".join([*parts, *fields]) + "\n")
        return str(number)

    def request_plain(self, user, password, *fields, **options):
        return self.request("PLAIN", *fields, f"resp={plain(user, password)}", **options)

    def plain(self, user, password, *fields, **options):
        """A PLAIN login, answered: the reply's fields, None when the daemon hung up."""
        number = self.request_plain(user, password, *fields, **options)
        reply = self.line()
        assert reply is None or reply[1] == number, reply
        return reply

    def login(self, user, password):
        """A LOGIN exchange, both prompts answered."""
        number = self.request("LOGIN")
        for answer in (user, password):
            challenge = self.line()
            if challenge is None or challenge[0] != "CONT":
                return challenge
            self.send(f"CONT\t{number}\t{b64(answer)}\n")
        return self.line()
