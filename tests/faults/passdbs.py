"""Places where accounts live, slow or gone."""

import ctypes
import time

from scene import (ALICE, HOME, MAX_HOLD, PASSWORD, POLICY, Guesser, Usage, attempt, guessing, setups,
                   stop_all, wait_until)

SLOW_SECONDS = 2.0  # at least so long takes the slow account's check, measured before
BOB = "bob@example.com"


def slow_hash():
    """A hash of PASSWORD whose check takes SLOW_SECONDS or, at the most that is accepted, less;
    and the seconds that making it took."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    for rounds in (100_000, 200_000, 400_000, 700_000, 1_000_000):
        began = time.monotonic()
        made = crypt(PASSWORD.encode(), f"$6$rounds={rounds}$saltsaltsaltsalt".encode()).decode()
        took = time.monotonic() - began
        if took >= SLOW_SECONDS:
            break
    return made, took


def slow_passdb(scene):
    """hashes of 2 s on every core, 40 guessers: cheap logins go on, slow ones never wait too long"""
    made, took = slow_hash()
    slow = [f"slow{n}@example.com" for n in range(20)]
    users = scene.box.write("users", "".join(f"{name}:{made}\n" for name in slow))
    cheap = scene.box.write("cheap", f"{ALICE}:{{PLAIN}}{PASSWORD}\n")
    daemon = setups.on_socket(
        scene.box, f"[passdb.cheap]\ndriver = passwd-file\npath = {cheap}\n"
        f"[passdb.slow]\ndriver = passwd-file\npath = {users}\n", policy=POLICY).start()
    owner = scene.owner(daemon)
    known = scene.owner(daemon, user=slow[0], every=0.5)  # her network is familiar: she goes first
    pid, before = daemon.process.pid, Usage.of(daemon)
    answers, slowest = {}, 0.0
    guessers = [Guesser(daemon.socket, scene.random, pipelined=1, every=0.2, names=slow[1:])
                for _ in range(40)]
    for guesser in guessers:
        scene.box.cleanup(guesser.stop)
        guesser.start()
    end = time.monotonic() + 15
    while time.monotonic() < end:
        began = time.monotonic()
        answer = attempt(daemon.socket, scene.random.choice(slow[1:]), PASSWORD,
                         "rip=192.0.2.77")
        slowest = max(slowest, time.monotonic() - began)
        answers[answer] = answers.get(answer, 0) + 1
        time.sleep(0.1)
    stop_all(guessers)
    # A check that has begun is not broken off: max-hold, and one check's time.
    scene.must(slowest <= MAX_HOLD + took + 1,
               "no slow login waits longer than max-hold and its own check", f"{slowest:.2f} s")
    scene.must(set(answers) <= {"OK", "FAIL", "hung up", "TEMP"}, "every slow login is answered",
               answers)
    known.stop()
    scene.must(known.answers.get("OK", 0) >= 2 and "FAIL" not in known.answers,
               "who is familiar is let in meanwhile, slow hash or not", known.answers)
    scene.must_have_served(owner, at_least=100)
    scene.must_run_on(daemon, pid)
    events = daemon.audit(event="auth")
    overload = [event for event in events if event.get("cause") == "overload"]
    scene.must(overload, "what cannot be checked in time is called overload")
    scene.must_be_back(daemon, before, megabytes=16)
    scene.figure(check_ms=round(took * 1000), slow_answers=answers, overload=len(overload),
                 slow_slowest_ms=round(slowest * 1000), known_answers=known.answers)


def gone_passdb(scene):
    """a passwd-file removed, emptied, made a folder, cut, and back, under load: never a 535"""
    good = f"{BOB}:{{PLAIN}}{PASSWORD}\n"
    users = scene.box.write("users", good)
    daemon = scene.daemon(f"[passdb.users]\ndriver = passwd-file\npath = {users}\n"
                          "[passdb.embedded]\ndriver = embedded\n")
    owner, bob = scene.owner(daemon), scene.owner(daemon, user=BOB)
    pid, before = daemon.process.pid, Usage.of(daemon)

    def put(text):
        fresh = users.with_name("users.new")
        fresh.write_text(text)
        fresh.rename(users)

    def empty():
        users.write_text("")

    def folder():
        users.unlink()
        users.mkdir()

    def cut():
        put(good[:len(good) // 2])

    def binary():
        users.write_bytes(scene.random.randbytes(5000))

    with guessing(scene, daemon):
        for kind, undo in ((users.unlink, None), (empty, None), (folder, users.rmdir),
                           (cut, None), (binary, None)):
            name = getattr(kind, "__name__")
            kind()
            time.sleep(2.5)  # a changed file is picked up within a second
            answer = attempt(daemon.socket, BOB, PASSWORD, HOME)
            scene.must(answer == "OK", f"{name}: the last good contents stay in force", answer)
            if undo:
                undo()
            put(good)
            time.sleep(1.2)
    scene.must_have_served(bob)

    # A daemon that starts without it has no last good contents.
    users.unlink()
    daemon.restart()
    pid = daemon.process.pid
    scene.must(attempt(daemon.socket, BOB, PASSWORD, HOME) not in ("OK", "FAIL"),
               "started without it: a name nobody else knows is a temporary failure")
    scene.must(attempt(daemon.socket, ALICE, PASSWORD, HOME) == "OK",
               "started without it: those of other passdbs log in")
    put(good)
    wait_until(lambda: attempt(daemon.socket, BOB, PASSWORD, HOME) == "OK", "the file to be read")
    scene.must_have_served(owner, allowed=(
        "hung up", "ConnectionRefusedError", "FileNotFoundError", "ConnectionResetError",
        "BrokenPipeError"))
    scene.must_run_on(daemon, pid)
    scene.must_be_back(daemon, before, megabytes=16)
    scene.must(not [lock for lock in daemon.audit(event="lock")
                    if lock["subject"] in (f"user:{BOB}", f"user:{ALICE}")],
               "neither owner was locked")


SCENES = {"slow-passdb": slow_passdb, "gone-passdb": gone_passdb}
