"""Reloads with broken files, under load."""

import json
import time

from scene import ALICE, HOME, PASSWORD, Usage, attempt, guessing

SECONDS = 12
BOB = "bob@example.com"
BREAKINGS = (
    lambda text: text + "\n[nonsense]\nx = y\n",
    lambda text: text.replace("protocol = dovecot", "protocol = pigeon"),
    lambda text: text[:text.index("driver = embedded") + len("driver = emb")],
    lambda text: text + "\n[rule.bad]\nlimit = ten\n",
    lambda text: text + "\n[mechanisms]\noffer = KERBEROS\n",
    lambda text: "\0" * 200,
    lambda text: text + "\n[passdb.more]\ndriver = passwd-file\n",
    lambda text: text.replace("[passdb.users]", "[passdb.users"),
)


def broken_reload(scene):
    """reloads every 50 ms, half of them of broken files, under load: the old one stays in force"""
    users = scene.box.write("users", f"{BOB}:{{PLAIN}}{PASSWORD}\n")
    daemon = scene.daemon(f"[passdb.users]\ndriver = passwd-file\npath = {users}\n"
                          "[passdb.embedded]\ndriver = embedded\n")
    owner, bob = scene.owner(daemon), scene.owner(daemon, user=BOB, kept=True)
    pid, before = daemon.process.pid, Usage.of(daemon)
    good = daemon.config.read_text()
    reloads, asked, wrong = 0, 0, []
    with guessing(scene, daemon):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            broken = reloads % 2 == 0
            text = scene.random.choice(BREAKINGS)(good) if broken else good
            daemon.config.write_text(text)
            if reloads % 6 < 2:  # asked and answered; else a signal, of which several may become one
                said = daemon.cli("reload", exit_code=78 if broken else 0)
                asked += 1
                if ("the new configuration is in force" in said) == broken:
                    wrong.append((text[-80:], said))
            else:
                daemon.reload()
            reloads += 1
            time.sleep(0.05)
        daemon.config.write_text(good)
        daemon.cli("reload")
    scene.must(not wrong, "`reload` says of each file whether it is in force", wrong[:1])
    scene.must_have_served(owner, at_least=100)
    scene.must_have_served(bob, at_least=100)
    scene.must_run_on(daemon, pid)
    status = json.loads(daemon.cli("status", "--json"))["since_start"]
    scene.must(status["reloads"] > 5 and status["reloads_failed"] > 5, "both kinds were met", status)
    for name in (ALICE, BOB):
        scene.must(attempt(daemon.socket, name, PASSWORD, HOME) == "OK", f"{name} logs in afterwards")
    scene.must_be_back(daemon, before, megabytes=16)
    scene.figure(reloads=status["reloads"], refused=status["reloads_failed"], asked=asked)


SCENES = {"broken-reload": broken_reload}
