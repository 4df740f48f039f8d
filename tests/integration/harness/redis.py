"""Private Redis servers, sentinels, and a proxy that delays."""

import asyncio
import os
import pathlib
import signal
import socket
import struct
import threading
import time
import unittest

from . import programs
from .box import PATIENCE


def _program(box, name):
    """redis-tools has the server under another name; what it is, it reads from its own name."""
    link = box.path(name)
    if not link.exists():
        found = programs.find(name) or programs.need("redis-check-rdb")
        link.symlink_to(pathlib.Path(found).resolve())
    return link


class RedisError(Exception):
    """An error that a server answered with."""


def call(path, *words, timeout=PATIENCE):
    """One command over a Unix socket; the answer as Python's types, RedisError for an error."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        parts = [str(word).encode() for word in words]
        connection.sendall(b"*%d\r\n" % len(parts) +
                           b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        with connection.makefile("rb") as answer:
            return _read(answer)


def _read(answer):
    line = answer.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server closed the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise RedisError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else answer.read(int(rest) + 2)[:-2].decode(errors="replace")
    if kind == b"*":
        return [_read(answer) for _ in range(max(int(rest), 0))]
    return rest.decode()


class Calendar:
    """The clock on the wall of a program that is started with its `environment`: `offset` seconds
    beside the true one."""

    def __init__(self, box):
        library = programs.saslatch_bin().parent / "test-modules" / "turned_clock.so"
        if not library.exists():
            raise unittest.SkipTest(f"{library} is not built")
        self.path = box.path("calendar")
        self.path.write_bytes(bytes(8))
        self.offset = 0
        self.environment = {**os.environ, "LD_PRELOAD": str(library),
                            "TURNED_CLOCK": str(self.path)}

    def set(self, offset):
        self.offset = offset
        with self.path.open("r+b") as shown:  # in place: the program has it mapped
            shown.write(struct.pack("=q", offset))

    def now(self):
        return time.time() + self.offset


class RedisServer:
    """One server on a host, by TCP and by a Unix socket of the box, by which tests ask it.

    It keeps nothing over a restart unless `aof`. `lines` are further lines of its configuration. Its
    clock is the `calendar`'s, if there is one.
    """

    program = "redis-server"

    def __init__(self, box, host, name="redis", port=6379, aof=False, lines="", tls=False,
                 calendar=None):
        self.box, self.host, self.name = box, host, name
        self.environment = calendar.environment if calendar else None
        self.port = host.port(port)
        self.socket = box.path(f"{name}.sock")
        self.process = None
        folder = box.folder(name)
        plain, secure = (0, self.port) if tls else (self.port, 0)
        self.config = box.write(f"{name}/redis.conf", f"""\
bind {host.address}
port {plain}
tls-port {secure}
unixsocket {self.socket}
protected-mode no
dir {folder}
save ""
appendonly {"yes" if aof else "no"}
appendfsync always
maxmemory-policy noeviction
replica-announce-ip {host.address}
repl-diskless-sync-delay 0
{lines}
""")

    @property
    def address(self):
        """As [state] servers wants it."""
        return f"{self.host.address}:{self.port}"

    def start(self):
        self.process = self.box.spawn(self.name, [_program(self.box, self.program), self.config],
                                      before_exec=self.host.enter, env=self.environment)
        self.process.wait_ready(self._answers, f"{self.name} to answer")
        return self

    def _answers(self):
        try:
            return self.call("PING") == "PONG"
        except (OSError, RedisError) as error:
            return str(error).startswith("NOAUTH")

    def call(self, *words):
        return call(self.socket, *words)

    def info(self, section):
        lines = self.call("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()

    def restart(self):
        self.stop()
        return self.start()

    def freeze(self):
        """It answers nothing, and nothing tells that it will not."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self):
        self.process.signal(signal.SIGCONT)


class Sentinel(RedisServer):
    """A sentinel that watches `master` under the name `main`, one of three."""

    program = "redis-sentinel"
    environment = None

    def __init__(self, box, host, name, port, master, quorum=2):
        self.box, self.host, self.name = box, host, name
        self.port = host.port(port)
        self.socket = box.path(f"{name}.sock")
        self.process = None
        self.config = box.write(f"{name}/sentinel.conf", f"""\
bind {host.address}
port {self.port}
unixsocket {self.socket}
protected-mode no
dir {box.folder(name)}
sentinel monitor main {master.host.address} {master.port} {quorum}
sentinel down-after-milliseconds main 700
sentinel failover-timeout main 4000
""")


class DelayProxy(threading.Thread):
    """A TCP port in front of a server. `delay`: how long each piece takes each way, in seconds."""

    def __init__(self, host, port, target):
        """Listens on `host`; `target` is (address, port) as seen from there."""
        super().__init__(daemon=True)
        self.host, self.port, self.target = host, host.port(port), target
        self.delay = 0.0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._writers = set()
        self._refuses = False
        self.start()
        assert self._ready.wait(PATIENCE), "the proxy did not start"

    @property
    def address(self):
        return f"{self.host.address}:{self.port}"

    def run(self):
        self.host.enter()  # of this thread alone
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(
            asyncio.start_server(self._serve, self.host.address, self.port))
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()

    async def _serve(self, reader, writer):
        if self._refuses:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(back)
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        self._writers -= {writer, back}

    async def _pump(self, reader, writer):
        pieces = asyncio.Queue(1024)

        async def deliver():
            while True:
                due, data = await pieces.get()
                await asyncio.sleep(max(0, due - self._loop.time()))
                if not data or writer.is_closing():
                    break
                writer.write(data)
            writer.close()

        delivering = self._loop.create_task(deliver())
        data = b"?"
        while data:
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            await pieces.put((self._loop.time() + self.delay, data))
        await delivering

    def cut(self):
        """Resets every connection, and each new one."""
        self._refuses = True
        self._loop.call_soon_threadsafe(self._reset)

    def _reset(self):
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def mend(self):
        self._refuses = False

    def close(self):
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.join(PATIENCE)
