#!/usr/bin/env python3
"""Holds the table of docs/POLICY.md to what the scenarios come to now.

usage: check_policy_table.py SOURCE-TREE POLICY_SCENARIOS_TABLE

Each line that the program prints must begin a line of the document, whose further columns are
measured by hand (tests/bench/policy_peer.py). Prints each that does not; exit 1.
"""

import pathlib
import subprocess
import sys


def main():
    tree, program = pathlib.Path(sys.argv[1]), sys.argv[2]
    document = (tree / "docs/POLICY.md").read_text().splitlines()
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    missing = [line for line in printed if not any(row.startswith(line) for row in document)]
    for line in missing:
        print(f"docs/POLICY.md: no row begins with\n  {line}")
    print(f"{len(printed)} rows, {len(missing)} not as they are in the document")
    return 1 if missing or not printed else 0


if __name__ == "__main__":
    sys.exit(main())
