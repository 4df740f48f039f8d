"""A self-signed certificate for STARTTLS."""

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
