#!/usr/bin/env python3
"""Breaks what saslatchd stands on, with real processes, and sees that it holds.

usage: run.py [--bin DIR] [--seed N] [--json] [--list] [--only NAME]…

Each fault says what must hold: nothing that was answered is lost, no crash, memory and descriptors
back where they were, the owner's logins go on wherever they can. What chance decides comes from the
seed, which is printed. Everything is on unix sockets and loopback, in temporary folders, bounded in
number and time; about six minutes in all. Faults of disks need root and a mount name space of their
own, else they are skipped.

Exit code 0: all held, 1: something did not, 77: all were skipped.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import sys
import time
import traceback
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="\n".join(__doc__.splitlines()[4:]),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", help="the folder with saslatchd and saslatch (default build/dev/bin)")
    parser.add_argument("--seed", type=int, help="what chance decides (default: a new one)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--list", action="store_true", help="list the faults")
    parser.add_argument("--only", action="append", metavar="NAME", default=[], help="this fault")
    return parser.parse_args()


def run_one(name, fault, seed, show):
    from scene import Scene

    def say(line):
        show(f"{name:18} {line}")
    began = time.monotonic()
    result = {"name": name, "seed": seed, "result": "held"}
    say("begins")
    scene = Scene(name, seed, say)
    try:
        fault(scene)
    except unittest.SkipTest as reason:
        result.update(result="skipped", reason=str(reason))
    except Exception as error:
        scene.must(False, f"{type(error).__name__}: {error}",
                   "" if isinstance(error, AssertionError) else traceback.format_exc())
    if scene.broken:
        result["result"] = "BROKEN"
        show(scene.box.logs())
    try:
        scene.close()
    except AssertionError as error:
        result["result"] = "BROKEN"
        scene.broken.append(str(error))
    result.update(seconds=round(time.monotonic() - began, 1), held=scene.held,
                  broken=scene.broken, figures=scene.figures)
    say(f"{result['result']}, {result['seconds']} s" +
        (f": {result['reason']}" if "reason" in result else ""))
    return result


def table(results):
    lines = [f"{'fault':18} {'result':8} {'s':>6}  {'held':>4}  figures"]
    for result in results:
        figures = "  ".join(f"{key}={value}" for key, value in result["figures"].items())
        lines.append(f"{result['name']:18} {result['result']:8} {result['seconds']:6.1f}  "
                     f"{len(result['held']):4}  {figures}{result.get('reason', '')}")
        lines += [f"{'':18} broken: {sentence}" for sentence in result["broken"]]
    return "\n".join(lines)


def main():
    options = parse()
    if options.bin:
        os.environ["SASLATCH_BIN"] = str(pathlib.Path(options.bin).resolve())
    sys.path.insert(0, str(HERE))
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    import faults
    if options.list:
        for name, fault in faults.ALL.items():
            print(f"{name:18} {fault.__doc__.splitlines()[0]}")
        return 0
    unknown = [name for name in options.only if name not in faults.ALL]
    if unknown:
        sys.exit(f"run.py: no fault {unknown[0]}; accepted: {' '.join(faults.ALL)}")
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)

    def show(line):
        print(line, file=sys.stderr, flush=True)
    faults.own_mounts()
    show(f"seed {seed}; the same again: run.py --seed {seed}")
    results = [run_one(name, fault, seed, show) for name, fault in faults.ALL.items()
               if not options.only or name in options.only]
    print(json.dumps(results, indent=2) if options.json else "\n" + table(results))
    if any(result["result"] == "BROKEN" for result in results):
        return 1
    return SKIPPED if all(result["result"] == "skipped" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
