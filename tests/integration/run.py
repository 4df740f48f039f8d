#!/usr/bin/env python3
"""Runs test modules of this folder and says what was skipped and why.

usage: run.py [--bin DIR] [test_NAME[.Class[.test]]]…      without names: all of them

Exit code 0: all passed, 1: something failed, 77: all were skipped.
"""

import argparse
import os
import pathlib
import signal
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", help="the folder with saslatchd and saslatch")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.bin:
        os.environ["SASLATCH_BIN"] = str(pathlib.Path(options.bin).resolve())
    os.chdir(HERE)
    sys.path.insert(0, str(HERE))
    sys.dont_write_bytecode = True
    # An end from outside (ctest's time limit, Ctrl-C) must still run the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))

    names = options.names or sorted(path.stem for path in HERE.glob("test_*.py"))
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    for case, reason in result.skipped:
        print(f"skipped: {case.id()}: {reason}")
    failed = len(result.failures) + len(result.errors)
    passed = result.testsRun - failed - len(result.skipped)
    print(f"{max(passed, 0)} passed, {failed} failed, {len(result.skipped)} skipped")
    if failed or not result.wasSuccessful():
        return 1
    return SKIPPED if result.skipped and passed <= 0 else 0


if __name__ == "__main__":
    sys.exit(main())
