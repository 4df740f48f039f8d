"""The calendar steps under a running daemon."""

import datetime
import json
import os
import pathlib
import time
import unittest

from kills import LIMIT, LOCKS
from scene import (ALICE, HOME, PASSWORD, STRANGER, AuthClient, Usage, attempt, guessing, setups,
                   wait_until)

HOUR, DAY = 3600, 86400
FOR = 2 * HOUR  # of LOCKS
STEPS = (HOUR, -HOUR, -DAY, DAY, 10 * 365 * DAY, -10 * 365 * DAY, -400 * DAY, 400 * DAY)


def faketime():
    found = list(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise unittest.SkipTest("libfaketime is not installed (Debian package libfaketime)")
    return found[0]


class Calendar:
    """A file with the offset of the daemon's calendar; its monotonic clock stays true."""

    def __init__(self, scene, library):
        self.path = scene.box.path("calendar")
        self.set(0)
        self.environment = {**os.environ, "LD_PRELOAD": str(library), "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_TIMESTAMP_FILE": str(self.path),
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def set(self, offset):
        self.offset = offset
        fresh = self.path.with_name("calendar.new")
        fresh.write_text(f"{offset:+d}\n")
        fresh.rename(self.path)

    def shown_by(self, daemon):
        """Seconds by which the daemon's last audit event is away from the true time."""
        with AuthClient(daemon.socket) as client:
            client.plain(ALICE, PASSWORD, HOME)
        stamp = daemon.wait_audit(outcome="ok")["ts"]
        moment = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00"))
        return (moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def guess(daemon, name, times=LIMIT):
    with AuthClient(daemon.socket) as client:
        return [client.plain(name, f"guess {n}", STRANGER)[0] for n in range(times)]


def left(daemon):
    return {lock["subject"].removeprefix("user:"): lock["left_seconds"] for lock in
            json.loads(daemon.cli("lock", "list", "--json", "--limit", "100000"))["locks"]}


def clock_steps(scene):
    """the calendar steps by an hour, a day, ten years, both ways: locks, logins, restarts"""
    calendar = Calendar(scene, faketime())
    daemon = setups.on_socket(scene.box, policy=LOCKS)
    daemon.start(env=calendar.environment)
    scene.add_cheap(daemon, ALICE, "locked@example.com")
    calendar.set(HOUR)
    wait_until(lambda: abs(calendar.shown_by(daemon) - HOUR) < 60,
               "libfaketime to move the daemon's calendar")
    calendar.set(0)
    owner = scene.owner(daemon)
    pid, before = daemon.process.pid, Usage.of(daemon)
    guess(daemon, "locked@example.com")
    scene.must(attempt(daemon.socket, "locked@example.com", PASSWORD, STRANGER) == "FAIL",
               "a guessed-at account is locked")
    with guessing(scene, daemon):
        for number, step in enumerate(STEPS):
            scene.say(f"step of {step / HOUR:+g} h")
            calendar.set(calendar.offset + step)
            time.sleep(0.7)  # longer than the counters wait to be saved
            name = f"step{number}@example.com"
            guess(daemon, name)
            held = left(daemon)
            scene.must(name in held, f"step {number}: new locks are made", held)
            scene.must(max(held.values()) <= FOR, f"step {number}: no lock is longer than its `for`",
                       held)
            scene.must(attempt(daemon.socket, ALICE, PASSWORD, HOME) == "OK",
                       f"step {number}: the owner logs in")
    scene.must_have_served(owner)
    scene.must_run_on(daemon, pid)
    scene.must_be_back(daemon, before, megabytes=16)

    for name, step in (("back", -30 * DAY), ("on", HOUR)):
        guess(daemon, f"{name}@example.com")
        daemon.kill()
        calendar.set(calendar.offset + step)
        daemon.start(env=calendar.environment)
        held = left(daemon)
        scene.must(f"{name}@example.com" in held, f"killed, the calendar {name}: the lock holds", held)
        scene.must(max(held.values()) <= FOR,
                   f"killed, the calendar {name}: no lock is longer than its `for`", held)
        scene.must(attempt(daemon.socket, ALICE, PASSWORD, HOME) == "OK",
                   f"killed, the calendar {name}: the owner logs in")
    scene.figure(steps=len(STEPS) + 2)


SCENES = {"clock-steps": clock_steps}
