"""The command-line clients, each reduced to what the server answered last."""

import re
import subprocess

from . import programs
from .box import PATIENCE

NOT_OFFERED = "not offered"


def _run(argv, stdin=""):
    done = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, text=True,
                          errors="replace", timeout=3 * PATIENCE)
    return done.returncode, done.stdout + done.stderr


def swaks(port, mechanism, user, password, *more):
    """(SMTP code of AUTH's last reply, transcript). `more` are further options of swaks."""
    _, text = _run([programs.need("swaks"), "--server", "127.0.0.1", "--port", port, "--tls",
                    "--auth", mechanism, "--auth-user", user, "--auth-password", password,
                    *(more or ("--quit-after", "AUTH"))])
    exchange = re.split(r"(?m)^ ~> AUTH ", text)
    if len(exchange) == 1:
        assert "requested type not available" in text, text
        return NOT_OFFERED, text
    return _last_code(re.findall(r"(?m)^<~.? *(\d{3}) ", 
                                 re.split(" ~> (?:QUIT|MAIL)", exchange[-1])[0]), text), text


def gsasl(port, mechanism, user, password, certificate):
    """(SMTP code of AUTH's last reply, transcript). Checks the server's certificate, too."""
    _, text = _run([programs.need("gsasl"), "--smtp", "--connect", f"127.0.0.1:{port}",
                    "--mechanism", mechanism, "--authentication-id", user,
                    "--authorization-id", "", "--password", password,
                    "--x509-ca-file", certificate])
    assert "The certificate is trusted" in text, text
    exchange = re.split(r"(?m)^AUTH ", text)
    if len(exchange) == 1:
        return NOT_OFFERED, text
    return _last_code(re.findall(r"(?m)^(\d{3}) ", exchange[-1].split("QUIT")[0]), text), text


def _last_code(codes, text):
    assert codes, f"no reply to AUTH in:\n{text}"
    return codes[-1]


def doveadm_auth_test(config, socket, user, password, *fields):
    """(exit code, text) of `doveadm auth test`: 0 in, 77 refused, 75 temporary."""
    extra = [part for field in fields for part in ("-x", field)]
    return _run([programs.need("doveadm"), "-c", config, "auth", "test", "-a", socket, *extra,
                 user, password])


def doveadm_user(config, socket, *names):
    """(exit code, text) of `doveadm user` over a userdb socket."""
    return _run([programs.need("doveadm"), "-c", config, "user", "-a", socket, *names])


def doveadm_config(box):
    """A configuration for a doveadm that talks to our sockets only."""
    return box.write("doveadm.conf", f"base_dir = {box.path('no-dovecot')}\n"
                                     "log_path = /dev/stderr\nssl = no\nprotocols =\n")


def doveadm_pw(config, scheme, password):
    """A stored password as the real Dovecot makes it."""
    code, text = _run([programs.need("doveadm"), "-c", config, "pw", "-s", scheme, "-p", password])
    assert code == 0, text
    return text.strip()


def testsaslauthd(socket, user, password, service="smtp", realm=""):
    """(exit code, text) of testsaslauthd."""
    return _run([programs.need("testsaslauthd"), "-f", socket, "-u", user, "-p", password,
                 "-s", service, "-r", realm])
