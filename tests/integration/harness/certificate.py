"""Certificates: a self-signed one for STARTTLS, and an authority that issues some."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from . import programs

_made = {}


def certificate(box):
    """(certificate, key, both in one file), as paths of the box, valid for a day."""
    folder = box.folder("tls")
    if not _made:
        with tempfile.TemporaryDirectory() as temporary:
            key, cert = pathlib.Path(temporary, "key.pem"), pathlib.Path(temporary, "cert.pem")
            subprocess.run(
                [programs.need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days",
                 "1", "-subj", "/CN=mail.example.com", "-addext",
                 "subjectAltName=DNS:mail.example.com,DNS:localhost,IP:127.0.0.1"],
                check=True, capture_output=True)
            _made.update(cert=cert.read_text(), key=key.read_text())
    cert, key, both = folder / "cert.pem", folder / "key.pem", folder / "both.pem"
    cert.write_text(_made["cert"])
    key.write_text(_made["key"])
    both.write_text(_made["key"] + _made["cert"])
    for secret in (key, both):
        os.chmod(secret, 0o600)
    return cert, key, both


def readable_by(path, user):
    shutil.chown(path, user)
    return path


class Authority:
    """A certificate authority of its own. `certificate` is what its clients trust."""

    def __init__(self, box, name="ca"):
        self._folder = box.folder(name)
        self.certificate, self._key = self._folder / "ca.pem", self._folder / "ca.key"
        self._openssl("req", "-x509", "-days", "2", "-subj", f"/CN={name}", "-out",
                      self.certificate, *self._new_key(self._key))

    def issue(self, name, alternatives="IP:127.0.0.1"):
        """(certificate, key) for these names: "DNS:a.example.com,IP:192.0.2.1"."""
        cert, key, request = (self._folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        names = self._folder / f"{name}.names"
        names.write_text(f"subjectAltName={alternatives}\n")
        self._openssl("req", "-subj", f"/CN={name}", "-out", request, *self._new_key(key))
        self._openssl("x509", "-req", "-in", request, "-out", cert, "-days", "2", "-CA",
                      self.certificate, "-CAkey", self._key, "-CAcreateserial", "-extfile", names)
        os.chmod(key, 0o600)
        return cert, key

    @staticmethod
    def _new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                path]

    @staticmethod
    def _openssl(*arguments):
        subprocess.run([programs.need("openssl"), *arguments], check=True, capture_output=True)
