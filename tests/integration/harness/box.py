"""A box: a temporary directory, the processes started in it, and their end."""

import copy
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
PATIENCE = 20.0  # seconds: bound of every wait; a loaded two-core machine needs a few of them

_libc = ctypes.CDLL(None, use_errno=True)


class Timeout(AssertionError):
    """Something awaited did not happen within the bound."""


def wait_until(condition, what, seconds=PATIENCE):
    """Returns condition()'s first true value; Timeout, naming `what`, when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


def free_port():
    """A TCP port on 127.0.0.1 that the kernel says is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(address):
    """Whether a stream socket (host and port, or a path) accepts a connection."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as probe:
        probe.settimeout(PATIENCE)
        try:
            probe.connect(address if isinstance(address, tuple) else str(address))
        except OSError:
            return False
        return True


class Process:
    """A program in a session of its own, with its output in a file of the box.

    It dies with the test (unless it changes its user, which clears that), and stop() and kill()
    signal nothing but this process and, where it led one, its own group.
    """

    def __init__(self, name, argv, log, env=None, cwd=None, close_fds=True, before_exec=None):
        self.name, self.argv, self.log = name, [str(a) for a in argv], log
        parent = os.getpid()

        def prepare():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            if before_exec:
                before_exec()

        with open(log, "ab") as out:
            self._popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env=env, cwd=cwd, start_new_session=True, close_fds=close_fds, preexec_fn=prepare)
        self.pid = self._popen.pid

    def running(self):
        return self._popen.poll() is None

    def exit_code(self, seconds=PATIENCE):
        """The exit code; waits for the end."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Timeout(f"waited {seconds:g} s for the end of {self.name}") from None

    def signal(self, number):
        if self.running():
            self._popen.send_signal(number)

    def kill(self):
        """kill -9, and the end of it."""
        self.signal(signal.SIGKILL)
        self._popen.wait()

    def stop(self, seconds=PATIENCE):
        """SIGTERM, then SIGKILL for what is left of its group. Returns the exit code."""
        self.signal(signal.SIGTERM)
        try:
            code = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._popen.wait()
        if code is None:
            raise Timeout(f"{self.name} did not end {seconds:g} s after SIGTERM")
        return code

    def output(self):
        return pathlib.Path(self.log).read_text(errors="replace")

    def wait_ready(self, ready, what):
        """Waits for ready(); a process that ended instead fails at once with what it said."""
        def check():
            if not self.running():
                raise AssertionError(
                    f"{self.name} ended with code {self._popen.returncode}:\n{self.output()}")
            return ready()
        return wait_until(check, what)


class Box:
    """A temporary directory with its processes. close() ends and removes everything."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="saslatch-it-"))
        os.chmod(self.dir, 0o755)  # daemons drop to their own users and must reach their files
        self._cleanups = []
        self._logs = []

    def path(self, *parts):
        return self.dir.joinpath(*parts)

    def folder(self, *parts, mode=0o755, owner=None):
        path = self.path(*parts)
        path.mkdir(parents=True, exist_ok=True)
        os.chmod(path, mode)
        if owner:
            shutil.chown(path, owner)
        return path

    def inner(self, name):
        """A box inside this one, with its own paths; it ends with this one."""
        inner = copy.copy(self)
        inner.dir = self.folder(name)
        return inner

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.chmod(path, mode)
        return path

    def log_file(self, name):
        """A path for a log that is shown when a test fails."""
        path = self.path(name)
        path.touch()
        if path not in self._logs:
            self._logs.append(path)
        return path

    def spawn(self, name, argv, **options):
        process = Process(name, argv, self.log_file(f"{name}.log"), **options)
        self.cleanup(process.stop)
        return process

    def cleanup(self, function, *arguments):
        """Runs at close(), last added first; one that fails stops no other."""
        self._cleanups.append((function, arguments))

    def logs(self, last_lines=60):
        parts = []
        for path in self._logs:
            lines = path.read_text(errors="replace").splitlines()[-last_lines:]
            parts.append(f"--- {path.name}\n" + "\n".join(lines))
        return "\n".join(parts)

    def close(self):
        trouble = []
        while self._cleanups:
            function, arguments = self._cleanups.pop()
            try:
                function(*arguments)
            except Exception as error:  # the others must still run
                trouble.append(f"{getattr(function, '__qualname__', function)}: {error}")
        shutil.rmtree(self.dir, ignore_errors=True)
        if trouble:
            raise AssertionError("while cleaning up: " + "; ".join(trouble))
