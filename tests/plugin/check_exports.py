#!/usr/bin/env python3
"""Holds libsaslatch.so to its border: it exports one function, and needs no symbol of the
application or of libsasl2, which hands everything over by pointers.

usage: check_exports.py NM LIBRARY
"""

import subprocess
import sys

ENTRY = "sasl_server_plug_init"


def symbols(nm, library, option):
    lines = subprocess.run([nm, "-D", option, library], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


def main():
    nm, library = sys.argv[1:]
    exported = symbols(nm, library, "--defined-only")
    needed = {s for s in symbols(nm, library, "--undefined-only") if s.startswith(("sasl_", "_sasl"))}
    if exported != {ENTRY}:
        print(f"{library} exports {sorted(exported)}, not {ENTRY} alone")
    if needed:
        print(f"{library} needs {sorted(needed)} of whoever loads it")
    return 1 if exported != {ENTRY} or needed else 0


if __name__ == "__main__":
    sys.exit(main())
