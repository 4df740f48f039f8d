#!/usr/bin/env python3
"""The table of docs/COMPATIBILITY.md: what each client's user sees, for each mechanism and case.

Every cell is an exchange between real programs. CONTRACT says what each must be; the document is
what was seen. test_compatibility.py holds all three equal.

usage: compatibility.py [--write]     runs every row; --write renews docs/COMPATIBILITY.md
"""

import sys
import unittest

from harness import clients, programs
from harness.box import Box
from harness.chasquid import Chasquid
from harness.examples import example
from harness.exim import Exim
from harness.cyrus import Sendmail
from harness.postfix import CyrusPostfix, Postfix
from harness.saslatchd import QUIET_POLICY, Saslatchd, private_paths

DOCUMENT = programs.REPOSITORY / "docs" / "COMPATIBILITY.md"
CASES = ("right", "wrong", "unknown user", "disabled", "temporary failure")
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")
NO_MECHANISM = "–"  # where the protocol knows passwords only

ALICE, DISABLED, UNKNOWN = "alice@example.com", "disabled@example.com", "unknown@example.com"
PASSWORD = "correct horse battery"  # with spaces: quoting on the way would show

TRIES = {  # case -> (user, password)
    "right": (ALICE, PASSWORD),
    "wrong": (ALICE, "incorrect horse"),
    "unknown user": (UNKNOWN, PASSWORD),
    "disabled": (DISABLED, PASSWORD),
    "temporary failure": (ALICE, PASSWORD),
}


class Side:
    """One server (or client without one) with the saslatchd it asks."""

    name = ""
    conf = ""  # the saslatch.conf of conf-examples
    mechanisms = MECHANISMS
    contract: dict = {}  # mechanism or "" for all -> a cell for each of CASES

    def __init__(self, box):
        self.box = box

    def config(self, passdb_down):
        """The example's text with private paths, its passdb replaced by a missing file if down."""
        text = example(self.conf, {**private_paths(self.box), **self.replacements()})
        if passdb_down:
            missing = self.box.path("no-such-users")
            text = text.replace("[passdb.embedded]\ndriver = embedded",
                                f"[passdb.users]\ndriver = passwd-file\npath = {missing}")
            assert str(missing) in text, f"{self.conf} has no embedded passdb to replace"
        return text + QUIET_POLICY

    def daemon(self, passdb_down=False):
        return Saslatchd(self.box, self.config(passdb_down), self.sockets(),
                         "saslatchd-down" if passdb_down else "saslatchd")

    def replacements(self):
        raise NotImplementedError

    def sockets(self):
        raise NotImplementedError

    def start(self):
        """Starts the server; saslatchd runs already."""

    def clients(self):
        """Client name -> a function (mechanism, user, password) -> cell."""
        raise NotImplementedError


class SmtpSide(Side):
    """A mail server: the cells are SMTP codes."""

    def __init__(self, box, server):
        super().__init__(box)
        self.server = server

    def sockets(self):
        return [self.server.socket]

    def start(self):
        self.server.start()

    def clients(self):
        return {"swaks": self._swaks, "gsasl": self._gsasl}

    def _swaks(self, mechanism, user, password):
        return clients.swaks(self.server.port, mechanism, user, password)[0]

    def _gsasl(self, mechanism, user, password):
        certificate = self.box.path("tls", "cert.pem")
        return clients.gsasl(self.server.port, mechanism, user, password, certificate)[0]


class PostfixSide(SmtpSide):
    name = "Postfix"
    conf = "postfix-dovecot/saslatch.conf"
    contract = {"": ("235", "535", "535", "535", "454")}

    def __init__(self, box):
        # The many failures of one client must not make smtpd slow it down.
        super().__init__(box, Postfix(box, {"smtpd_error_sleep_time": "0"}))

    def replacements(self):
        return {"/var/spool/postfix/private/saslatch": self.server.socket}


class PostfixReplySide(PostfixSide):
    name = "Postfix, `on-temporary-failure = reply`"
    contract = {"": ("235", "535", "535", "535", "535")}

    def replacements(self):
        return {**super().replacements(),
                "on-temporary-failure = disconnect": "on-temporary-failure = reply"}

    def clients(self):
        return {"swaks": self._swaks}


class CyrusPostfixSide(PostfixSide):
    name = "Postfix, `smtpd_sasl_type = cyrus`"
    conf = "postfix-cyrus/saslatch.conf"

    def __init__(self, box):
        SmtpSide.__init__(self, box, CyrusPostfix(box, {"smtpd_error_sleep_time": "0"}))

    def clients(self):
        return {"swaks": self._swaks}


class SendmailSide(SmtpSide):
    name = "Sendmail"
    conf = "sendmail/saslatch.conf"
    contract = {"": ("235", "535", "535", "535", "535")}

    def __init__(self, box):
        super().__init__(box, Sendmail(box))

    def replacements(self):
        return {"/run/saslatch/auth-sendmail": self.server.socket}

    def clients(self):
        return {"swaks": self._swaks}


class EximSide(SmtpSide):
    name = "Exim"
    conf = "exim/saslatch.conf"
    contract = {"": ("235", "535", "535", "535", "435")}

    def __init__(self, box):
        super().__init__(box, Exim(box))

    def replacements(self):
        return {"/run/saslatch/auth-exim": self.server.socket,
                "owner    = Debian-exim": "owner    = nobody",
                "group    = Debian-exim": "group    = nogroup"}


class ChasquidSide(SmtpSide):
    name = "chasquid"
    conf = "chasquid/saslatch.conf"
    mechanisms = ("PLAIN",)
    contract = {"": ("235", "535", "535", "535", "454")}

    def __init__(self, box):
        super().__init__(box, Chasquid(box))

    def sockets(self):
        return [self.server.socket, self.server.userdb]

    def replacements(self):
        return {"/run/saslatch/auth-chasquid-client": self.server.socket,
                "/run/saslatch/auth-chasquid-userdb": self.server.userdb,
                "owner    = chasquid": "owner    = nobody",
                "group    = chasquid": "group    = nogroup"}


class DoveadmSide(Side):
    name = "`doveadm auth test`"
    conf = "postfix-dovecot/saslatch.conf"
    mechanisms = ("PLAIN",)
    contract = {"": ("exit 0", "exit 77", "exit 77", "exit 77", "exit 75")}

    def __init__(self, box):
        super().__init__(box)
        programs.need("doveadm")
        self._config = clients.doveadm_config(box)
        self._socket = box.path("auth")

    def sockets(self):
        return [self._socket]

    def replacements(self):
        return {"/var/spool/postfix/private/saslatch": self._socket,
                "owner    = postfix\ngroup    = postfix\n": ""}

    def clients(self):
        def login(_, user, password):
            code, _ = clients.doveadm_auth_test(self._config, self._socket, user, password,
                                                "service=smtp", "secured")
            return f"exit {code}"
        return {"doveadm": login}


class SaslauthdSide(DoveadmSide):
    name = "saslauthd protocol"
    mechanisms = (NO_MECHANISM,)
    contract = {"": ("OK", "NO", "NO", "NO", "no answer")}

    def replacements(self):
        return {**super().replacements(), "protocol = dovecot": "protocol = saslauthd"}

    def clients(self):
        programs.need("testsaslauthd")

        def login(_, user, password):
            name, _, realm = user.partition("@")
            code, text = clients.testsaslauthd(self._socket, name, password, realm=realm)
            if code == 0:
                return "OK"
            return "NO" if 'NO "' in text and 'NO ""' not in text else "no answer"
        return {"testsaslauthd": login}


SIDES = (PostfixSide, PostfixReplySide, CyrusPostfixSide, SendmailSide, EximSide, ChasquidSide,
         DoveadmSide, SaslauthdSide)


def observe(side_class):
    """Runs every exchange of one side; {(server, client, mechanism): (cell for each of CASES)}."""
    box = Box()
    try:
        side = side_class(box)
        rows = {(client, mechanism): {} for client in side.clients()
                for mechanism in side.mechanisms}

        def run(cases):
            for client, login in side.clients().items():
                for mechanism in side.mechanisms:
                    for case in cases:
                        rows[client, mechanism][case] = login(mechanism, *TRIES[case])

        daemon = side.daemon().start()
        for user in (ALICE, DISABLED):
            daemon.add_user(user, PASSWORD)
        daemon.cli("user", "disable", DISABLED)
        side.start()
        run([case for case in CASES if case != "temporary failure"])
        daemon.stop()
        side.daemon(passdb_down=True).start()
        run(["temporary failure"])
        return {(side.name, client, mechanism): tuple(cells[case] for case in CASES)
                for (client, mechanism), cells in rows.items()}
    except unittest.SkipTest:
        raise
    except Exception as error:
        raise AssertionError(f"{error}\n{box.logs()}") from error
    finally:
        box.close()


def contract(side_class, mechanism):
    """The cells the row must have."""
    return side_class.contract.get(mechanism) or side_class.contract[""]


HEAD = """\
# What works with what

Each cell was seen by a test, between the programs of Debian 12 and saslatchd with the files of
`conf-examples/`: the last SMTP code of the login, or what the client ended with. *Temporary
failure* is a passdb that cannot be read. `tests/integration/compatibility.py --write` makes this
page; `test_compatibility.py` fails when it differs from what it sees.

| server | client | mechanism | """ + " | ".join(CASES) + """ |
|---|---|---|""" + "---|" * len(CASES) + "\n"

TAIL = """
- Postfix turns every FAIL into 535, a temporary one too, and a mail program that sees 535 asks its
  user for a new password. Hence `on-temporary-failure = disconnect`, the default: saslatchd closes
  that connection and Postfix answers 454. The rows with `reply` show the other choice.
- Postfix of type cyrus, and Sendmail, ask libsasl2 and so our plugin, saslatch-plugin(7). Postfix
  asks it whether a failure is temporary; Sendmail does not, and answers 535 to all.
- chasquid offers PLAIN only, and `doveadm auth test` of Dovecot 2.3 tries PLAIN only.
- The saslauthd protocol knows no mechanisms: its client has seen the password already. It has no
  word for a temporary failure either; saslatchd closes without an answer, and Cyrus SASL makes a
  temporary error of that.
- A disabled account looks like a wrong password to the remote side. The audit log tells them apart.
"""


def table(rows):
    return "".join(f"| {' | '.join((*key, *cells))} |\n" for key, cells in rows.items())


def document(rows):
    return HEAD + table(rows) + TAIL


def committed():
    """The rows of the committed document, as observe() gives them."""
    rows = {}
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 + len(CASES) and cells[2] in (
                *MECHANISMS, NO_MECHANISM):
            rows[tuple(cells[:3])] = tuple(cells[3:])
    return rows


def main():
    rows = {}
    for side in SIDES:
        print(f"{side.name} …", file=sys.stderr, flush=True)
        rows.update(observe(side))
    if sys.argv[1:] == ["--write"]:
        DOCUMENT.write_text(document(rows))
    else:
        print(table(rows), end="")


if __name__ == "__main__":
    main()
