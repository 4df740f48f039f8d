#!/usr/bin/env python3
"""Holds the names of log lines in the sources to their table in docs/OPERATIONS.md.

usage: check_log_lines.py SOURCE-TREE

Each name that the daemon logs under has a row "| `name` | level | meaning | mend |", and each row a
place in the sources. Prints what is missing; exit 1.
"""

import pathlib
import re
import sys

CALL = re.compile(
    r'(?:\b(?:debug|info|warning|error|warn|set_trouble)\(|\bLogLevel::k\w+,)\s*"([a-z][a-z0-9]*(?:-[a-z0-9]+)*)",')
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (?:debug|info|warning|error) \|", re.M)
# These write to a terminal, not to the log.
NOT_LOGGING = {"cli", "config"}


def self_test():
    text = 'log.info(\n    "one-two", "x"); write(LogLevel::kError, "three", y); error("no name: x", 3);'
    assert CALL.findall(text) == ["one-two", "three"], CALL.findall(text)


def main():
    self_test()
    root = pathlib.Path(sys.argv[1])
    logged = {}
    for file in sorted((root / "daemon").rglob("*.cc")):
        if file.relative_to(root).parts[1] in NOT_LOGGING:
            continue
        for name in CALL.findall(file.read_text()):
            logged.setdefault(name, file.relative_to(root).as_posix())
    table = ROW.findall((root / "docs/OPERATIONS.md").read_text())
    found = [f"{logged[name]}: `{name}` has no row in docs/OPERATIONS.md, \"Log lines\""
             for name in logged if name not in table]
    found += [f"docs/OPERATIONS.md: no source logs `{name}`" for name in table if name not in logged]
    found += [f"docs/OPERATIONS.md: `{name}` is there twice" for name in set(table) if table.count(name) > 1]
    print("\n".join(found) if found else f"{len(logged)} names of log lines are explained")
    return 1 if found or not logged else 0


if __name__ == "__main__":
    sys.exit(main())
