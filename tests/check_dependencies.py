#!/usr/bin/env python3
"""Holds docs/dependencies.md to the CMake files: both name the same packages.

usage: check_dependencies.py SOURCE-TREE

What CMake looks for (find_package, pkg_check_modules) must stand in backquotes in the third column
of one of the page's tables, and the other way round. Prints what differs; exit 1.
"""

import pathlib
import re
import sys

LOOKED_FOR = re.compile(r"^\s*(?:find_package|pkg_check_modules)\(\s*([\w-]+)", re.M)
# Tools of the build itself, not libraries of the program.
TOOLS = {"PkgConfig"}


def looked_for(root):
    files = [root / "CMakeLists.txt"]
    for top in ("cmake", "protocol", "daemon", "plugin", "tests"):
        files += sorted((root / top).rglob("CMakeLists.txt")) + sorted((root / top).rglob("*.cmake"))
    names = set()
    for file in files:
        names |= set(LOOKED_FOR.findall(file.read_text()))
    return names - TOOLS


def described(page):
    return set(re.findall(r"^\|[^|]+\|[^|]+\| `([\w-]+)` \|", page, re.M))


def main():
    root = pathlib.Path(sys.argv[1])
    page = root / "docs" / "dependencies.md"
    cmake, text = looked_for(root), described(page.read_text())
    wrong = [f"{page}: CMake looks for {name}, which the page does not name" for name in
             sorted(cmake - text)]
    wrong += [f"{page}: the page names {name}, which CMake does not look for" for name in
              sorted(text - cmake)]
    print("\n".join(wrong) if wrong else f"{len(cmake)} libraries, all described")
    return 1 if wrong or not cmake else 0


if __name__ == "__main__":
    sys.exit(main())
