"""What is on disk: full, read-only, damaged."""

import contextlib
import json
import os
import shutil
import subprocess
import time
import unittest

from scene import (ALICE, CHEAP, HOME, PASSWORD, STRANGER, AuthClient, Usage, attempt, guessing,
                   wait_until)

LIMIT = 4
LOCKS = f"""
[policy]
failure-delay = 0
[rule.guess-account]
count = failures
by    = user
limit = {LIMIT}/1h
then  = lock
for   = 2h
spare = familiar
"""
may_mount = False  # told by faults.own_mounts()
OTHER = "olga@example.com"  # in a passwd-file, beside the embedded database


def mount(scene, *arguments):
    if not may_mount:
        raise unittest.SkipTest("needs root and a mount name space of its own")
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise unittest.SkipTest(f"mount: {done.stderr.strip()}")
    scene.box.cleanup(lambda: subprocess.run(["umount", "--lazy", str(arguments[-1])],
                                             capture_output=True))


def lock_out(daemon, *names):
    """Guesses at each name until it is locked. Returns those that can still be guessed at."""
    with AuthClient(daemon.socket) as client:
        for name in names:
            for number in range(LIMIT):
                client.plain(name, f"guess {number}", STRANGER)
    return [name for name in names if attempt(daemon.socket, name, PASSWORD, STRANGER) == "OK"]


def locks_held(daemon):
    listed = json.loads(daemon.cli("lock", "list", "--json", "--limit", "100000"))["locks"]
    return {lock["subject"].removeprefix("user:") for lock in listed}


def fill(folder):
    """Takes the last byte of a small file system; the file that does."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filler


def full_disk(scene):
    """state and audit log on full disks: logins and locks go on, all is written afterwards"""
    for name in ("state", "log"):
        mount(scene, "-t", "tmpfs", "-o", "size=2m,mode=0700", "saslatch-test",
              scene.box.folder(name))
    daemon = scene.daemon(policy=LOCKS)
    early, late = [[f"{when}{n}@example.com" for n in range(20)] for when in ("early", "late")]
    scene.add_cheap(daemon, *early[:3], *late[:3])
    owner = scene.owner(daemon)
    pid = daemon.process.pid
    scene.must(not lock_out(daemon, *early), "guessed-at accounts are locked")
    daemon.wait_audit(user=early[-1], outcome="refused")
    before = Usage.of(daemon)

    fillers = [fill(scene.box.path(name)) for name in ("state", "log")]
    scene.say("both disks are full")
    scene.must(not lock_out(daemon, *late), "locks are made and hold without a disk")
    for name in ("state-unwritable", "audit-unwritable"):
        daemon.wait_log(name)
    status = json.loads(daemon.cli("status", "--json"))
    scene.must(not status["healthy"] and not status["state"]["healthy"] and
               not status["audit"]["healthy"], "`status` says that nothing can be saved", status)
    said = daemon.cli("user", "add", "nowhere@example.com", "--password-stdin", *CHEAP,
                      stdin=PASSWORD + "\n", exit_code=None)
    scene.must(attempt(daemon.socket, "nowhere@example.com", PASSWORD) != "OK" and
               "full" in said, "`user add` says that the disk is full, and adds nobody", said)
    time.sleep(2)
    for name in ("state-unwritable", "audit-unwritable"):
        count = daemon.log().count(f" {name}:") + daemon.log().count(f"saslatchd: {name}")
        scene.must(1 <= count <= 2, f"{name} is logged once a minute, not once a try", count)

    for filler in fillers:
        filler.unlink()
    scene.say("there is room again")
    for name in ("state-writable", "audit-writable"):
        daemon.wait_log(name)
    scene.must_have_served(owner)
    scene.must_run_on(daemon, pid)
    guesses = {(name, cause) for name in late for cause in ("unknown-user", "bad-credential")}
    wait_until(lambda: daemon.audit(user=late[-1], outcome="refused"), "the events of meanwhile")
    told = {(event["user"], event.get("cause")) for event in daemon.audit(event="auth")} & guesses
    scene.must({name for name, _ in told} == set(late),
               "every account guessed at meanwhile is in the audit log",
               sorted(set(late) - {name for name, _ in told})[:3])
    scene.must_be_back(daemon, before, megabytes=16)
    daemon.kill()
    daemon.start()
    scene.must(set(early) | set(late) <= locks_held(daemon),
               "kill -9 afterwards loses no lock, those of meanwhile included")
    scene.must(attempt(daemon.socket, ALICE, PASSWORD, HOME) == "OK", "the owner logs in")


def read_only(scene):
    """started on a read-only state directory: what is in it counts, what comes is in memory"""
    daemon = scene.daemon(policy=LOCKS)
    old, new = "old@example.com", "new@example.com"
    scene.add_cheap(daemon, old, new)
    scene.must(attempt(daemon.socket, ALICE, PASSWORD, HOME) == "OK", "the owner logs in")
    scene.must(not lock_out(daemon, old), "guessed-at accounts are locked")
    daemon.stop()
    state = scene.box.path("state")
    kept = {entry.name: entry.read_bytes() for entry in state.iterdir()
            if not entry.name.endswith("-shm")}
    mount(scene, "--bind", state, state)
    mount(scene, "-o", "remount,bind,ro", state)
    daemon.start()
    owner = scene.owner(daemon)
    pid = daemon.process.pid
    daemon.wait_log("state-unwritable")
    scene.must(attempt(daemon.socket, old, PASSWORD, STRANGER) == "FAIL",
               "a lock of before holds")
    scene.must(attempt(daemon.socket, new, PASSWORD, HOME) == "OK", "others log in")
    with guessing(scene, daemon):
        scene.must(not lock_out(daemon, new), "new locks are made and hold")
        time.sleep(1.5)
    scene.must(not json.loads(daemon.cli("status", "--json"))["state"]["healthy"],
               "`status` says that the state cannot be saved")
    said = daemon.cli("user", "disable", ALICE, exit_code=None)
    scene.must("read-only" in said, "a command that writes users says that it cannot", said)
    scene.must_have_served(owner)
    scene.must_run_on(daemon, pid)
    daemon.stop()
    subprocess.run(["umount", str(state)], check=True)
    now = {name: (state / name).read_bytes() for name in kept if (state / name).exists()}
    scene.must(now == kept, "nothing in the directory was changed",
               sorted(name for name in kept if kept[name] != now.get(name)))
    daemon.start()
    scene.must(old in locks_held(daemon), "writable again, the old lock still holds")


# Each takes the random source and what is in the file, and returns what is left of it.
def _noise(random, size):
    return random.randbytes(size)


DAMAGES = {
    "header": lambda random, data: _noise(random, 100) + data[100:],
    "first-page": lambda random, data: data[:100] + _noise(random, 3996) + data[4096:],
    "later-pages": lambda random, data: data[:4096] + _noise(random, len(data) - 4096),
    "cut": lambda random, data: data[:max(1, random.randrange(len(data)))],
    "noise": lambda random, data: _noise(random, len(data)),
    "text": lambda random, data: b"# moved to the other server\n",
    "nothing": lambda random, data: b"",
}


def damage(scene, path, kind):
    """Leaves a damaged file in place of `path`, and nothing of its write-ahead log."""
    data = DAMAGES[kind](scene.random, path.read_bytes())
    for more in ("-wal", "-shm"):
        path.with_name(path.name + more).unlink(missing_ok=True)
    path.write_bytes(data)


def damaged_state(scene):
    """state.db damaged in seven ways, before a start and under the running daemon"""
    daemon = scene.daemon(policy=LOCKS)
    for n in range(60):
        daemon.cli("lock", "add", f"user:filler{n}@example.com", "--for", "1h", "--reason", "bulk")
    daemon.stop()
    state = scene.box.path("state", "state.db")
    good = state.read_bytes()
    for kind in DAMAGES:
        state.write_bytes(good)
        damage(scene, state, kind)
        daemon.start()
        pid = daemon.process.pid
        owner = scene.owner(daemon, every=0.005)
        name = f"{kind}@example.com"
        scene.must(not lock_out(daemon, name), f"{kind}: locks are made")
        scene.must_have_served(owner, at_least=1)
        scene.must_run_on(daemon, pid)
        said = "state-damaged" in daemon.log()
        scene.must(said or kind in ("nothing", "cut", "later-pages", "first-page"),
                   f"{kind}: state-damaged is logged", daemon.log())
        daemon.kill()
        daemon.start()
        scene.must(name in locks_held(daemon), f"{kind}: the new lock survives kill -9")
        scene.must(attempt(daemon.socket, ALICE, PASSWORD, HOME) == "OK",
                   f"{kind}: the owner logs in after it")
        scene.box.log_file("saslatchd.log").write_text("")
        daemon.stop()
        _clear_aside(state)

    # Under the running daemon: overwritten in place, as a failing disk or a wrong `cp` does.
    state.write_bytes(good)
    daemon.start()
    pid = daemon.process.pid
    owner = scene.owner(daemon)
    with guessing(scene, daemon):
        for turn in range(5):
            with open(state, "r+b") as file:
                file.write(_noise(scene.random, 65536))
            scene.must(not lock_out(daemon, f"running{turn}@example.com"),
                       "under the running daemon: locks are made and hold")
            time.sleep(0.5)
    scene.must_have_served(owner)
    scene.must_run_on(daemon, pid)
    scene.must(lock_out(daemon, "last@example.com") == [], "locks are made in the end")
    daemon.stop()
    daemon.start()
    scene.must({f"running{turn}@example.com" for turn in range(5)} | {"last@example.com"}
               <= locks_held(daemon), "what was in memory is in the new file",
               sorted(locks_held(daemon))[:70])


def _clear_aside(path):
    for entry in path.parent.glob(path.name + ".damaged-*"):
        entry.unlink()


def damaged_users(scene):
    """users.db damaged in seven ways under the running daemon, and its key lost: never a 535"""
    users = scene.box.write("users", f"{OTHER}:{{PLAIN}}{PASSWORD}\n")
    daemon = scene.daemon("[passdb.users]\ndriver = passwd-file\n"
                          f"path = {users}\n[passdb.embedded]\ndriver = embedded\n")
    scene.add_cheap(daemon, *(f"more{n}@example.com" for n in range(40)))
    daemon.add_user("sealed@example.com", PASSWORD, *CHEAP)
    owner = scene.owner(daemon, user=OTHER)
    path = scene.box.path("state", "users.db")
    saved = scene.box.path("saved")
    # A copy that is whole: the write-ahead log goes in first.
    subprocess.run(["python3", "-c", "import sqlite3, sys\n"
                    "a, b = sqlite3.connect(sys.argv[1]), sqlite3.connect(sys.argv[2])\n"
                    "a.backup(b)", path, saved], check=True)
    asked = 0

    def put_back():
        for more in ("-wal", "-shm"):
            path.with_name(path.name + more).unlink(missing_ok=True)
        fresh = scene.box.path("state", "fresh")
        shutil.copy(saved, fresh)
        os.chmod(fresh, 0o600)
        os.rename(fresh, path)

    for kind in DAMAGES:
        put_back()
        # Another file in its place, as a restore that went wrong leaves it.
        broken = scene.box.path("state", "broken")
        broken.write_bytes(DAMAGES[kind](scene.random, saved.read_bytes()))
        os.chmod(broken, 0o600)
        for more in ("-wal", "-shm"):
            path.with_name(path.name + more).unlink(missing_ok=True)
        os.rename(broken, path)
        # From an address of its own each time: a lock would answer FAIL, too.
        answers = [attempt(daemon.socket, ALICE, PASSWORD, HOME),
                   attempt(daemon.socket, "more7@example.com", PASSWORD, HOME)]
        asked += len(answers)
        scene.must("FAIL" not in answers, f"{kind}: a right password is never called wrong", answers)
        said = daemon.cli("user", "list", exit_code=None)
        scene.must("OK" in answers or str(path) in said or "users.db" in said,
                   f"{kind}: `user list` names the file", said)
        daemon.restart()
        answer = attempt(daemon.socket, ALICE, PASSWORD, HOME)
        scene.must(answer != "FAIL", f"{kind}: nor after a restart", answer)
        put_back()
        scene.must(attempt(daemon.socket, ALICE, PASSWORD, HOME) == "OK",
                   f"{kind}: with a good copy in place she logs in, without a restart")
    key = scene.box.path("state", "secret.key")
    hidden = key.rename(key.with_name("hidden"))
    daemon.restart()
    scene.must(attempt(daemon.socket, "sealed@example.com", PASSWORD, HOME) not in ("OK", "FAIL"),
               "without the key a sealed credential is a temporary failure")
    scene.must(attempt(daemon.socket, ALICE, PASSWORD, HOME) == "OK", "others log in without it")
    hidden.rename(key)
    scene.must(attempt(daemon.socket, "sealed@example.com", PASSWORD, HOME) == "OK",
               "with the key back it lets in")
    scene.must_have_served(owner, allowed=("hung up", "ConnectionRefusedError", "FileNotFoundError",
                                           "ConnectionResetError", "BrokenPipeError"))
    scene.must(daemon.process.running(), "the daemon runs")
    scene.must(not daemon.audit(event="lock"), "nobody was locked for our trouble")
    scene.figure(asked=asked)


SCENES = {"full-disk": full_disk, "read-only": read_only, "damaged-state": damaged_state,
          "damaged-users": damaged_users}
