#!/usr/bin/env python3
"""What a PLAIN login costs a server that uses libsasl2, in one run by turns:

  plugin            our plugin and saslatchd
  sasldb            Cyrus SASL's own PLAIN with its database, in the server's own process
  saslauthd         Cyrus SASL's own PLAIN with its saslauthd, which asks the same database
  mux               Cyrus SASL's own PLAIN with saslatchd in saslauthd's place

The password is stored in the clear everywhere (sasldb has nothing else), so that no hash hides the
way there. Needs root (saslauthd knows /etc/sasldb2 only, and gets an /etc of its own), sasl2-bin
unpacked by packaging/install-deps.sh --tests, and libsasl2-modules-db.

usage: plugin_compare.py [--build DIR] [--rounds N] [--logins N]
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "integration"))

from harness import programs, setups  # noqa: E402  (found by the line above)
from harness.box import Box, accepts  # noqa: E402

USER, REALM, PASSWORD = "alice", "mail.example.org", "correct horse battery"


def start_saslatchd(box, build):
    os.environ["SASLATCH_BIN"] = str(build / "bin")
    users = box.write("users", f"{USER}:{{PLAIN}}{PASSWORD}\n{USER}@{REALM}:{{PLAIN}}{PASSWORD}\n")
    return setups.on_socket(
        box, f"[passdb.users]\ndriver = passwd-file\npath = {users}\n"
             "[mechanisms]\nplaintext-needs-tls = no\n",
        listeners={"auth": "protocol = dovecot\n", "mux": "protocol = saslauthd\n"},
        policy="").start()


def start_saslauthd(box):
    saslauthd, saslpasswd = programs.need("saslauthd", "saslpasswd2")
    etc = box.path("etc")
    shutil.copytree("/etc", etc, symlinks=True, ignore=shutil.ignore_patterns("sasldb2"))
    subprocess.run([saslpasswd, "-p", "-c", "-f", etc / "sasldb2", "-u", REALM, USER],
                   input=PASSWORD, text=True, check=True)
    run = box.folder("saslauthd")
    process = box.spawn("saslauthd", [
        "unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', etc,
        saslauthd, "-d", "-a", "sasldb", "-m", run, "-n", "5"])
    process.wait_ready(lambda: accepts(run / "mux"), "saslauthd's socket")
    return etc / "sasldb2", run / "mux"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=REPOSITORY / "build" / "release")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--logins", type=int, default=2000)
    options = parser.parse_args()
    build = options.build.resolve()
    programs.need_mount_namespace()
    theirs = programs.system_plugin_folder()

    box = Box()
    try:
        daemon = start_saslatchd(box, build)
        sasldb, mux = start_saslauthd(box)
        cases = {
            "plugin": (build / "sasl2", f"saslatch_socket: {daemon.sockets[0]}\n"),
            "sasldb": (theirs, f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
                               f"sasldb_path: {sasldb}\n"),
            "saslauthd": (theirs, f"pwcheck_method: saslauthd\nsaslauthd_path: {mux}\n"),
            "mux": (theirs, f"pwcheck_method: saslauthd\nsaslauthd_path: {daemon.sockets[1]}\n"),
        }
        rounds = {name: [] for name in cases}
        for _ in range(options.rounds):
            for name, (plugins, lines) in cases.items():
                folder = box.folder("conf", name)
                (folder / "bench.conf").write_text(f"mech_list: PLAIN\n{lines}")
                done = subprocess.run(
                    [build / "bin" / "sasl_login_bench", f"{USER}@{REALM}", PASSWORD,
                     str(options.logins)], check=True, capture_output=True, text=True,
                    env={"SASL_PATH": str(plugins), "SASL_CONF_PATH": str(folder)})
                rounds[name].append(json.loads(done.stdout))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}\n{error.stderr}\n{box.logs()}")
    finally:
        box.close()

    print(f"load average {' '.join(f'{x:.1f}' for x in os.getloadavg())}\n")
    print("| login by | p50 µs | p99 µs | CPU of the server µs |\n| --- | ---: | ---: | ---: |")
    for name, results in rounds.items():
        median = {key: statistics.median(r[key] for r in results) for key in results[0]}
        print(f"| {name} | {median['p50_us']:.0f} | {median['p99_us']:.0f} | "
              f"{median['cpu_us']:.0f} |")


if __name__ == "__main__":
    main()
