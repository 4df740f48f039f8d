"""An SMTP client for dialogs that no real client would hold: aborted, pipelined, overlong."""

import base64
import hashlib
import hmac
import re
import socket
import ssl

from .box import PATIENCE


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def plain(user, password, authzid=""):
    return b64(f"{authzid}\0{user}\0{password}")


def cram_md5(user, password, challenge_b64):
    digest = hmac.new(password.encode(), base64.b64decode(challenge_b64), hashlib.md5).hexdigest()
    return b64(f"{user} {digest}")


class Reply:
    """One SMTP reply; compares with its code."""

    def __init__(self, lines):
        self.code, self.text = int(lines[0][:3]), "\n".join(line[4:] for line in lines)

    def __eq__(self, other):
        return self.code == (other.code if isinstance(other, Reply) else other)

    def __repr__(self):
        return f"{self.code} {self.text}"


class Smtp:
    """A session: the greeting read, EHLO said, STARTTLS done unless `tls` is false."""

    def __init__(self, port, tls=True, ehlo=True):
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._buffer = b""
        self.greeting = self.reply()
        self.features = ""
        if ehlo:
            self.ehlo()
            if tls:
                self.starttls()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def ehlo(self):
        self.features = self.say("EHLO client.example.com").text

    def starttls(self):
        reply = self.say("STARTTLS")
        assert reply == 220, reply
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._socket = context.wrap_socket(self._socket)
        self.ehlo()

    def mechanisms(self):
        found = re.search(r"(?m)^AUTH (.*)$", self.features)
        return found.group(1).split() if found else []

    def send(self, text):
        self._socket.sendall(text.encode() if isinstance(text, str) else text)

    def line(self):
        while b"\n" not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return Reply(lines)

    def say(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def auth(self, mechanism, user, password):
        """A whole exchange; the last reply."""
        if mechanism == "PLAIN":
            return self.say(f"AUTH PLAIN {plain(user, password)}")
        reply = self.say(f"AUTH {mechanism}")
        if reply != 334:
            return reply
        if mechanism == "CRAM-MD5":
            return self.say(cram_md5(user, password, reply.text))
        reply = self.say(b64(user))
        return reply if reply != 334 else self.say(b64(password))
