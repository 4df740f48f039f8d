"""A machine short of things: descriptors, memory."""

import contextlib
import ctypes
import json
import resource
import time
import unittest

from kills import LIMIT, LOCKS, Attack
from scene import (ALICE, HOME, PASSWORD, POLICY, AuthClient, Usage, attempt, guessing, setups,
                   wait_until)

DESCRIPTORS, CROWD = 64, 300
SPARE_MEMORY = 128 << 20  # bytes of data (RLIMIT_DATA) beyond those of an idle daemon
SPARE_AT_LAST = 1 << 20
HUNGRY = 900  # connections of 16 KB each: more than that and what the daemon puts by


def limited(scene, what, limit, **options):
    daemon = setups.on_socket(scene.box, policy=POLICY, **options)
    daemon.start(before_exec=lambda: resource.setrlimit(what, (limit, limit)))
    return daemon


def descriptors(scene):
    """300 connections for 64 descriptors: who is in is served, accepting pauses and recovers"""
    daemon = limited(scene, resource.RLIMIT_NOFILE, DESCRIPTORS)
    scene.add_cheap(daemon, ALICE)
    kept = scene.owner(daemon, kept=True)
    pid, before = daemon.process.pid, Usage.of(daemon)
    rounds = 5
    for number in range(rounds):
        crowd = [AuthClient(daemon.socket, handshake=False) for _ in range(CROWD)]
        wait_until(lambda: daemon.log().count("accept-paused:") > number,
                   "accept-paused in the log")
        for client in crowd:  # those who are in guess, those who are not do not know it
            client.socket.setblocking(False)
            with contextlib.suppress(OSError):
                client.send("VERSION\t1\t2\nCPID\t1\n")
                client.request_plain(f"user{number}@example.com", "guess", "rip=198.51.100.77")
        time.sleep(0.5)
        for client in crowd:
            client.close()
        wait_until(lambda: attempt(daemon.socket, ALICE, PASSWORD, HOME) == "OK",
                   "a new connection to be served")
    lines = daemon.log().count("accept-paused:")
    scene.must(lines <= 2 * rounds,
               "accept-paused is logged once for each crowd, not for each connection", lines)
    scene.must("accept-resumed:" in daemon.log(), "accept-resumed is logged")
    scene.must_have_served(kept)
    scene.must_run_on(daemon, pid)
    scene.must_be_back(daemon, before, megabytes=8)
    scene.figure(connections=rounds * CROWD)


def costly_hash():
    """An Argon2id hash of PASSWORD that takes 256 MB to check, the most that is accepted."""
    sodium = ctypes.CDLL("libsodium.so.23")
    sodium.sodium_init()
    out = ctypes.create_string_buffer(128)
    failed = sodium.crypto_pwhash_str(
        out, PASSWORD.encode(), ctypes.c_ulonglong(len(PASSWORD.encode())),
        ctypes.c_ulonglong(1), ctypes.c_size_t(256 << 20))
    if failed:
        raise unittest.SkipTest("this machine lacks 256 MB for a hash")
    return out.value.decode()


def is_told(daemon, name, times):
    return daemon.log().count(name) >= times


def memory(scene):
    """no memory for a hash, then none at all: temporary answers, the rest goes on, nothing is lost"""
    idle = setups.on_socket(scene.box, policy=POLICY).start()
    # What most accounts cost is what an unknown name costs.
    scene.add_cheap(idle, ALICE, *(f"cheap{number}@example.com" for number in range(8)))
    size = Usage.of(idle).data
    users = scene.box.write("costly", f"costly@example.com:{{ARGON2ID}}{costly_hash()}\n")
    idle.cli("user", "import", users)
    idle.stop()

    daemon = limited(scene, resource.RLIMIT_DATA, size + SPARE_MEMORY,
                     daemon_section="max-subjects = 50000")
    owner = scene.owner(daemon)
    pid = daemon.process.pid
    crowd = [AuthClient(daemon.socket) for _ in range(500)]
    with guessing(scene, daemon, threads=3, every=0, names=10_000_000):
        for number in range(8):
            answer = attempt(daemon.socket, "costly@example.com", PASSWORD, HOME)
            scene.must(answer in ("hung up", "TEMP"),
                       "a password that cannot be checked is a temporary failure", answer)
            for client in crowd:  # half a line each
                with contextlib.suppress(OSError):
                    client.send("AUTH\t1\tPLAIN\tclient_id=" if number == 0 else "x" * 1500)
            time.sleep(0.5)
    for client in crowd:
        client.close()
    scene.must("no-memory:" in daemon.log(), "the log says what it lacks")
    scene.must_have_served(owner)
    scene.must_run_on(daemon, pid)
    scene.must(not [lock for lock in daemon.audit(event="lock")
                    if lock["subject"] == "user:costly@example.com"],
               "nobody was locked for our trouble")
    scene.figure(subjects=json.loads(daemon.cli("status", "--json"))["now"]["subjects"])
    daemon.stop()

    # With next to nothing: who does not fit is turned away. A kill -9 follows, so that what is found
    # afterwards is what was on disk.
    daemon.config.write_text(daemon.config.read_text().replace(POLICY, LOCKS))
    locked, unwritable, crowded, turned_away = set(), 0, 0, 0
    for turn in range(5):
        daemon.start()
        early = Attack(daemon.socket, [f"early{turn}-{m}@example.com" for m in range(40)])
        early.run()
        locked |= early.locked(LIMIT)
        rest = Usage.of(daemon).data + SPARE_AT_LAST
        resource.prlimit(daemon.process.pid, resource.RLIMIT_DATA, (rest, rest))
        attacks = [Attack(daemon.socket, [f"victim{turn}-{n}-{m}@example.com" for m in range(40)])
                   for n in range(3)]
        for attack in attacks:
            attack.start()
        crowd = []
        for _ in range(HUNGRY):
            with contextlib.suppress(OSError):
                crowd.append(AuthClient(daemon.socket, handshake=False))
                crowd[-1].send("VERSION\t1\t2\nCPID\t1\nAUTH\t1\tPLAIN\tclient_id=" + "x" * 15000)
        for attack in attacks:
            attack.join()
        wait_until(lambda: is_told(daemon, "out-of-memory:", turn + 1), "the lack to be logged")
        scene.must(daemon.process.running(), "a process without memory goes on",
                   daemon.process.output()[-2000:])
        crowded += len(crowd)
        # Where SQLite has no memory to write with, the state is in memory only, as on a full disk.
        if daemon.log().count("state-unwritable:") == unwritable:
            locked = locked.union(*(attack.locked(LIMIT) for attack in attacks))
        unwritable = daemon.log().count("state-unwritable:")
        for client in crowd:
            client.close()
        wait_until(lambda: attempt(daemon.socket, ALICE, PASSWORD, HOME) == "OK",
                   "the owner to be let in when the crowd has gone")
        turned_away += json.loads(daemon.cli("status", "--json"))["since_start"]["out_of_memory"]
        daemon.process.kill()
    daemon.start()
    lost = locked - {lock["subject"].removeprefix("user:") for lock in json.loads(
        daemon.cli("lock", "list", "--json", "--limit", "100000"))["locks"]}
    scene.must(not lost, "no lock that was answered with is lost", sorted(lost)[:3])
    scene.must(attempt(daemon.socket, ALICE, PASSWORD, HOME) == "OK", "the owner logs in again")
    scene.figure(locks=len(locked), hungry=crowded, turned_away=turned_away)


SCENES = {"descriptors": descriptors, "memory": memory}
