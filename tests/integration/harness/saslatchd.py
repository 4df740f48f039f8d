"""A private saslatchd, its administrator's command and what it logs."""

import json
import os
import signal
import subprocess

from . import programs
from .box import PATIENCE, accepts, wait_until

# For tests of anything but delays and limits: answers at once, and no test locks out the next.
QUIET_POLICY = "\n[policy]\npreset = none\nfailure-delay = 50ms\n"


def private_paths(box):
    """The directories every saslatch.conf of conf-examples names, as paths of the box."""
    return {
        "/var/lib/saslatch": box.folder("state", mode=0o700),
        "/run/saslatch": box.folder("run"),
        "/var/log/saslatch/audit.jsonl": box.folder("log") / "audit.jsonl",
    }


class Saslatchd:
    """One daemon with its configuration file. `sockets` are those it must accept on when ready.

    A box may hold several that share sockets, one after the other.
    """

    def __init__(self, box, config, sockets, name="saslatchd"):
        self.binary, self._saslatch = programs.need("saslatchd", "saslatch")
        self.box, self.name, self.sockets = box, name, list(sockets)
        self.config = box.write(f"{name}.conf", config)
        self.audit_log = box.folder("log") / "audit.jsonl"
        self.process = None

    # Running ------------------------------------------------------------------------------------

    def spawn(self, **options):
        """Starts it without waiting."""
        self.process = self.box.spawn(
            self.name, [self.binary, "--config", self.config], **options)
        return self

    def start(self, **options):
        self.spawn(**options)
        self.process.wait_ready(lambda: all(accepts(s) for s in self.sockets),
                                f"{self.name} to accept on {', '.join(map(str, self.sockets))}")
        return self

    def start_inheriting(self, listeners, names=None, **options):
        """Starts it as systemd would with socket activation: `listeners` become fd 3, 4, …"""
        def hand_over():
            copies = [os.dup(s.fileno()) for s in listeners]
            copies = [os.dup(c) if c < 3 + len(copies) else c for c in copies]
            for number, copy in enumerate(copies, start=3):
                os.dup2(copy, number, inheritable=True)
        environment = {**os.environ, "LISTEN_FDS": str(len(listeners))}
        if names:
            environment["LISTEN_FDNAMES"] = ":".join(names)
        # LISTEN_PID is the daemon's own pid, which the shell has and keeps through exec.
        argv = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh",
                self.binary, "--config", self.config]
        self.process = self.box.spawn(self.name, argv, env=environment, close_fds=False,
                                      before_exec=hand_over, **options)
        return self

    def stop(self):
        return self.process.stop()

    def kill(self):
        self.process.kill()

    def reload(self):
        self.process.signal(signal.SIGHUP)

    def restart(self):
        self.stop()
        return self.start()

    def log(self):
        return self.process.output()

    def wait_log(self, text):
        return wait_until(lambda: text in self.log(), f"{text!r} in the log of {self.name}")

    # Administration -----------------------------------------------------------------------------

    def cli(self, *arguments, stdin="", exit_code=0, **environment):
        """Runs `saslatch`; its standard output. Any other exit code than the given one fails."""
        done = subprocess.run([self._saslatch, "--config", self.config, *map(str, arguments)],
                              input=stdin, capture_output=True, text=True, timeout=PATIENCE,
                              env={**os.environ, **environment})
        assert exit_code is None or done.returncode == exit_code, (
            f"saslatch {' '.join(map(str, arguments))} ended with {done.returncode}, "
            f"not {exit_code}:\n{done.stdout}{done.stderr}")
        return done.stdout if exit_code == 0 else done.stdout + done.stderr

    def add_user(self, name, password, *options):
        self.cli("user", "add", name, "--password-stdin", *options, stdin=password + "\n")

    def add_code(self, user, label, *options):
        """What `saslatch code add --json` says of the new code: its id, the code itself."""
        return json.loads(self.cli("code", "add", user, "--label", label, "--json", *options))

    # Audit --------------------------------------------------------------------------------------

    def audit(self, **wanted):
        """The events of the audit log whose fields have the wanted values, oldest first."""
        try:
            lines = self.audit_log.read_text().splitlines()
        except FileNotFoundError:
            return []
        events = [json.loads(line) for line in lines if line]
        return [e for e in events if all(e.get(k) == v for k, v in wanted.items())]

    def wait_audit(self, **wanted):
        """The last such event; waits for the first."""
        return wait_until(lambda: self.audit(**wanted), f"an audit event with {wanted}")[-1]
