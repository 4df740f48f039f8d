"""Clients that are slow, deaf, or talk nonsense."""

import contextlib
import random
import selectors
import socket
import time

from harness.smtp import b64, plain
from scene import ALICE, PASSWORD, Usage, wait_until

SLOW = 1000
GARBAGE, GARBAGE_SECONDS = 100, 15
HELLO = b"VERSION\t1\t2\nCPID\t1\n"


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(path))
    client.setblocking(False)
    return client


def slow_clients(scene):
    """500 connections that write a byte at a time, 500 that ask and do not read; the owner goes on"""
    daemon = scene.daemon()
    owner = scene.owner(daemon)
    pid, before = daemon.process.pid, Usage.of(daemon)
    login = HELLO + (f"AUTH\t1\tPLAIN\tservice=smtp\tsecured\trip=203.0.113.9\t"
                     f"resp={plain(ALICE, PASSWORD)}\n").encode()
    asks = (b"".join(b"CONT\t%d\tAAAA\n" % (n + 1) for n in range(200)))  # each is answered
    clients = [connect(daemon.socket) for _ in range(SLOW)]
    writers, deaf = clients[:SLOW // 2], clients[SLOW // 2:]
    for client in deaf:
        client.send(HELLO)
    written, begun, sent = dict.fromkeys(writers, 0), time.monotonic(), 0
    peak, full = before.megabytes, 0
    while any(at < len(login) for at in written.values()) and time.monotonic() < begun + 60:
        for client, at in written.items():
            if at < len(login):
                written[client] += client.send(login[at:at + 1])
        for client in deaf:
            try:
                sent += client.send(asks)
            except BlockingIOError:
                full += 1
        peak = max(peak, Usage.of(daemon).megabytes)
        time.sleep(0.05)
    ends = set()
    for client in writers:
        client.settimeout(10)
        said = b""
        with contextlib.suppress(TimeoutError):
            while b"\nOK\t" not in said and b"\nFAIL\t" not in said:
                more = client.recv(65536)
                if not more:
                    break
                said += more
        ends.add("OK" if b"\nOK\t" in said else said[-80:])
    scene.must(ends == {"OK"}, f"all {len(writers)} who wrote a byte at a time are let in", ends)
    scene.must(full > len(deaf), "who does not read is not read from", full)
    scene.must(peak < before.megabytes + 100, "a thousand of them take less than 100 MB",
               f"{peak:.0f} MB")
    for client in clients:
        client.close()
    scene.must_have_served(owner, at_least=100)
    scene.must_run_on(daemon, pid)
    scene.must_be_back(daemon, before, megabytes=32)
    scene.figure(connections=SLOW, seconds=round(time.monotonic() - begun),
                 mb_peak=round(peak, 1), asked_mb=round(sent / 1e6, 1))


def good_lines(random):
    """Lines that are well-formed, to be spoiled."""
    number = random.randrange(1, 50)
    return random.choice((
        HELLO,
        b"AUTH\t%d\tPLAIN\tservice=smtp\tsecured\tresp=%s\n" % (number, plain("a", "b").encode()),
        b"AUTH\t%d\tLOGIN\tservice=smtp\tsecured\n" % number,
        b"AUTH\t%d\tCRAM-MD5\tservice=smtp\trip=192.0.2.%d\n" % (number, random.randrange(256)),
        b"CONT\t%d\t%s\n" % (number, b64("x" * random.randrange(40)).encode()),
        b"CANCEL\t%d\n" % number))


def spoiled(random, data):
    """The same with some bytes changed, cut out, doubled, or with noise in between."""
    data = bytearray(data)
    for _ in range(random.randrange(1, 6)):
        at = random.randrange(len(data) + 1)
        kind = random.randrange(5)
        if kind == 0 and at < len(data):
            data[at] = random.randrange(256)
        elif kind == 1:
            del data[at:at + random.randrange(1, 10)]
        elif kind == 2:
            data[at:at] = data[:at][-random.randrange(1, 200):]
        elif kind == 3:
            data[at:at] = random.randbytes(random.randrange(1, 100))
        else:
            data[at:at] = random.choice((b"\t", b"\n", b"\0", b"\x01", b"=", b"resp=", b"\r\n"))
    return bytes(data)


def garbage(scene):
    """100 connections at a time send spoiled protocol, to every kind of socket; the owner goes on"""
    daemon = scene.daemon(listeners={
        "auth": "protocol = dovecot\n", "master": "protocol = dovecot-master\n",
        "mux": "protocol = saslauthd\n", "metrics": "protocol = metrics\n"})
    owner = scene.owner(daemon)
    pid, before = daemon.process.pid, Usage.of(daemon)
    places = [*daemon.sockets, daemon.sockets[0], scene.box.path("run", "control")]
    openings = {"master": b"VERSION\t1\t1\nUSER\t1\talice@example.com\tservice=smtp\n",
                "mux": b"\0\5alice\0\6secret\0\4smtp\0\0",
                "metrics": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                "control": b'{"command": "status"}\n'}
    selector = selectors.DefaultSelector()
    opened = sent = 0
    end = time.monotonic() + GARBAGE_SECONDS

    def another():
        nonlocal opened
        place = scene.random.choice(places)
        client = connect(place)
        own = random.Random(scene.random.random())
        selector.register(client, selectors.EVENT_READ | selectors.EVENT_WRITE, (own, place.name))
        opened += 1

    for _ in range(GARBAGE):
        another()
    while time.monotonic() < end:
        for key, events in selector.select(timeout=0.1):
            client, (own, place) = key.fileobj, key.data
            over = own.random() < 0.02
            try:
                if events & selectors.EVENT_READ and not client.recv(65536):
                    over = True
                if events & selectors.EVENT_WRITE and not over:
                    good = openings.get(place) or good_lines(own)
                    head = HELLO if place == "auth" and own.random() < 0.5 else b""
                    sent += client.send(head + (spoiled(own, good) if own.random() < 0.8 else good))
            except BlockingIOError:
                pass
            except OSError:
                over = True
            if over:
                selector.unregister(client)
                client.close()
                another()
        time.sleep(0.01)
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    selector.close()
    scene.must_have_served(owner, at_least=100)
    scene.must_run_on(daemon, pid)
    wait_until(lambda: Usage.of(daemon).descriptors <= before.descriptors + 8, "all to be closed")
    scene.must_be_back(daemon, before, megabytes=32)
    scene.must(daemon.log().count("protocol-error:") > GARBAGE, "protocol errors are logged")
    scene.figure(connections=opened, sent_kb=sent // 1000,
                 protocol_errors=daemon.log().count("protocol-error:"))


SCENES = {"slow-clients": slow_clients, "garbage": garbage}
