#!/usr/bin/env python3
"""Every test that docs/THREAT-MODEL.md names is there.

usage: check_threat_model.py SOURCE-TREE

The last column of each table under a heading "test" names tests in backquotes: `Suite.Name` of
GoogleTest, `test_file.Class.test_method` of the integration tests, `FOLDER/NAME.dialog` of
tests/dialogs, `fuzz.NAME.corpus`, `faults.NAME` of tests/faults/run.py, other names of ctest. Prints
each that is not found; exit 1.
"""

import pathlib
import re
import sys


def gtest_names(root):
    pattern = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.M)
    return {f"{suite}.{name}" for file in (root / "tests").rglob("*.cc")
            for suite, name in pattern.findall(file.read_text())}


def python_names(root):
    names = set()
    for file in (root / "tests" / "integration").glob("test_*.py"):
        current = ""
        for line in file.read_text().splitlines():
            if found := re.match(r"class (\w+)", line):
                current = found[1]
            elif found := re.match(r"    def (test_\w+)", line):
                names.add(f"{file.stem}.{current}.{found[1]}")
    return names


def fault_names(root):
    return {f"faults.{name}" for file in (root / "tests" / "faults").glob("*.py")
            for table in re.findall(r"^SCENES = \{(.*?)\}", file.read_text(), re.M | re.S)
            for name in re.findall(r'"([\w-]+)":', table)}


def ctest_names(root):
    return {name for file in (root / "tests").rglob("CMakeLists.txt")
            for name in re.findall(r"add_test\(NAME ([\w.-]+)", file.read_text())}


def other_names(root):
    tests = root / "tests"
    names = {file.relative_to(tests / "dialogs").as_posix()
             for file in (tests / "dialogs").rglob("*.dialog")}
    return names | {f"fuzz.{file.stem.removesuffix('_fuzz')}.corpus"
                    for file in (tests / "fuzz").glob("*_fuzz.cc")}


def named_tests(page):
    """(line number, name) of each backquoted name in a column headed `test`; the name is empty where
    a row has none."""
    in_table = False
    for number, line in enumerate(page.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            in_table = False
        elif cells[-1] == "test":
            in_table = True
        elif in_table and set(cells[-1]) != {"-"}:
            for name in re.findall(r"`([^`]+)`", cells[-1]) or [""]:
                yield number, name


def main():
    root = pathlib.Path(sys.argv[1])
    page = root / "docs" / "THREAT-MODEL.md"
    known = (gtest_names(root) | python_names(root) | fault_names(root) | ctest_names(root) |
             other_names(root))
    named = list(named_tests(page.read_text()))
    missing = [f"{page}:{line}: " + (f"there is no test {name}" if name else "names no test")
               for line, name in named if name not in known]
    print("\n".join(missing) if missing else f"{len(named)} tests named, all there")
    return 1 if missing or not named else 0


if __name__ == "__main__":
    sys.exit(main())
