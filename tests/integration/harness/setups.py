"""saslatchd as the tests of one protocol want it: the example files with private paths."""

from .examples import example
from .saslatchd import QUIET_POLICY, Saslatchd, private_paths

ALICE, PASSWORD = "alice@example.com", "correct horse battery"


def for_postfix(box, postfix, extra=QUIET_POLICY, name="saslatchd"):
    """The daemon of the examples that `postfix`, in the same box, is made from."""
    config = example(f"{postfix.examples}/saslatch.conf", {
        **private_paths(box), "/var/spool/postfix/private/saslatch": postfix.socket})
    return Saslatchd(box, config + extra, [postfix.socket], name)


def for_postfix_with_file(box, postfix, users, extra=QUIET_POLICY):
    """The same with a passwd-file, which need not be there, in place of the embedded database."""
    daemon = for_postfix(box, postfix, extra)
    embedded = "[passdb.embedded]\ndriver = embedded\n"
    text = daemon.config.read_text()
    assert embedded in text, "the example has no embedded passdb to replace"
    daemon.config.write_text(text.replace(
        embedded, f"[passdb.users]\ndriver = passwd-file\npath = {users}\n"))
    return daemon


def on_socket(box, extra="", listeners=None, daemon_section="", policy=QUIET_POLICY,
              name="saslatchd"):
    """A daemon without a mail server: `listeners` maps a name to further lines of [listen.NAME].

    Its sockets are BOX/NAME; .socket is the first one. The default is one dovecot listener `auth`.
    """
    listeners = listeners or {"auth": "protocol = dovecot\n"}
    text = (f"[daemon]\nstate-dir = {box.folder('state', mode=0o700)}\n"
            f"run-dir = {box.folder('run')}\naudit-log = {box.folder('log') / 'audit.jsonl'}\n"
            f"{daemon_section}\n")
    sockets = [box.path(listener) for listener in listeners]
    for listener, lines in listeners.items():
        text += f"[listen.{listener}]\nsocket = {box.path(listener)}\n{lines}\n"
    if "[passdb." not in extra:
        text += "[passdb.embedded]\ndriver = embedded\n"
    daemon = Saslatchd(box, text + policy + extra, sockets, name)
    daemon.socket = sockets[0]
    return daemon
