"""A private chasquid from conf-examples/chasquid."""

from . import programs
from .box import accepts, free_port
from .certificate import certificate
from .examples import example

DOMAIN = "example.com"


class Chasquid:
    """conf-examples/chasquid/chasquid.conf; delivers with a script into files of the box."""

    def __init__(self, box):
        self._chasquid = programs.need("chasquid")
        self.box = box
        self.port = free_port()
        self.socket = box.path("auth-chasquid-client")
        self.userdb = box.path("auth-chasquid-userdb")
        self.mail = box.folder("mail")
        cert, key, _ = certificate(box)
        certs = box.folder("chasquid", "certs", "mail.example.com")
        (certs / "fullchain.pem").write_text(cert.read_text())
        (certs / "privkey.pem").write_text(key.read_text())
        box.folder("chasquid", "domains", DOMAIN)
        # The agent gets `-f FROM -d USER` and the message; it writes under another name first.
        agent = box.write("deliver", f'#!/bin/sh\ncat > "{self.mail}/.$$" && '
                                     f'mv "{self.mail}/.$$" "{self.mail}/$4.$$"\n', mode=0o755)
        box.write("chasquid/chasquid.conf", example("chasquid/chasquid.conf", {
            ":587": f"127.0.0.1:{self.port}",
            "/var/lib/chasquid": box.folder("chasquid-data"),
            "/usr/bin/maildrop": agent,
            "<syslog>": "<stdout>",
            "/run/saslatch/auth-chasquid-client": self.socket,
            "/run/saslatch/auth-chasquid-userdb": self.userdb,
        }))

    def start(self):
        process = self.box.spawn(
            "chasquid", [self._chasquid, f"-config_dir={self.box.path('chasquid')}"])
        process.wait_ready(lambda: accepts(("127.0.0.1", self.port)), "chasquid's port")
        return self

    def delivered(self):
        return [p.read_text() for p in sorted(self.mail.glob("[!.]*"))]
