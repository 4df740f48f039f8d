#!/usr/bin/env python3
"""Holds every #include to the arrows of docs/ARCHITECTURE.md.

usage: check_arrows.py SOURCE-TREE [--self-test]

LAYERS names, for each folder, the folders it may include. LIBRARIES names, for each outside library
that belongs to some folders only, those folders. Prints each include that breaks a line; exit 1.
"""

import pathlib
import re
import sys

BASE = {"protocol/base"}
PROTOCOL = BASE | {"protocol/sasl", "protocol/dovecot", "protocol/saslauthd"}
EVENTS = {"daemon/audit", "daemon/metrics"}

LAYERS = {
    "protocol/base": set(),
    "protocol/base/crypto": BASE,
    "protocol/sasl": BASE,
    "protocol/dovecot": BASE,
    "protocol/saslauthd": BASE,
    "daemon/audit": BASE,
    "daemon/metrics": BASE | {"daemon/audit"},
    "daemon/policy": BASE | {"protocol/base/crypto"},
    "daemon/password": BASE | {"protocol/base/crypto"},
    "daemon/passdb/settings": BASE,
    "daemon/passdb": BASE | {"protocol/base/crypto", "daemon/passdb/settings", "daemon/password", "daemon/audit"},
    "daemon/passdb/ldap": BASE | {"daemon/passdb", "daemon/passdb/settings", "daemon/audit"},
    "daemon/passdb/pam": BASE | {"daemon/passdb", "daemon/passdb/settings", "daemon/audit"},
    "daemon/passdb/sasldb": BASE | {"daemon/passdb", "daemon/passdb/settings", "daemon/audit"},
    "daemon/passdb/sql": BASE | {"daemon/passdb", "daemon/passdb/settings", "daemon/password", "daemon/audit"},
    "daemon/passdb/pgsql": BASE | {"daemon/passdb", "daemon/passdb/settings", "daemon/passdb/sql"},
    "daemon/passdb/mysql": BASE | {"daemon/passdb", "daemon/passdb/settings", "daemon/passdb/sql"},
    "daemon/passdb/drivers": BASE | {"daemon/passdb", "daemon/passdb/sql", "daemon/passdb/settings", "daemon/audit"},
    "daemon/state": BASE | {"protocol/base/crypto", "daemon/policy", "daemon/audit"},
    "daemon/state/redis": BASE | EVENTS | {"protocol/base/crypto", "daemon/policy"},
    "daemon/config": BASE | {"protocol/sasl", "daemon/passdb/settings", "daemon/password", "daemon/audit", "daemon/policy"},
    "daemon/replay": BASE | {"daemon/audit", "daemon/policy"},
    "daemon/session": PROTOCOL | EVENTS | {"protocol/base/crypto", "daemon/policy", "daemon/passdb", "daemon/password"},
    "daemon/control": BASE | EVENTS | {"protocol/sasl", "daemon/session", "daemon/policy", "daemon/state",
                                       "daemon/passdb", "daemon/password"},
    "daemon/net": BASE | EVENTS | {"daemon/session", "daemon/control", "daemon/state/redis"},
    "daemon/cli": PROTOCOL | {"protocol/base/crypto", "daemon/config", "daemon/session", "daemon/control", "daemon/policy",
                              "daemon/state", "daemon/passdb", "daemon/passdb/drivers", "daemon/password", "daemon/audit",
                              "daemon/replay"},
    "plugin": PROTOCOL,
}

LIBRARIES = {
    r"openssl/": {"protocol/base/crypto", "daemon/net"},
    r"boost/asio": {"daemon/net"},
    r"boost/iostreams": {"daemon/replay"},
    r"boost/program_options": {"daemon/config", "daemon/cli"},
    r"sasl/": {"plugin"},
    r"sqlite3\.h": {"daemon/passdb", "daemon/state"},
    r"hiredis/": {"daemon/state/redis"},
    r"ldap\.h": {"daemon/passdb/ldap"},
    r"security/": {"daemon/passdb/pam"},
    r"db\.h": {"daemon/passdb/sasldb"},
    r"libpq": {"daemon/passdb/pgsql"},
    r"mysql": {"daemon/passdb/mysql"},
    r"sodium": {"daemon/password"},
    r"crypt\.h": {"daemon/password"},
    r"systemd/": {"daemon/net", "daemon/audit"},
    r"spdlog/": {"daemon/audit"},
    r"prometheus/": {"daemon/metrics"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.M)


def layer_of(path):
    """The longest folder of LAYERS that holds `path`; None for wiring and tests."""
    parts = path.split("/")[:-1]
    while parts:
        name = "/".join(parts)
        if name in LAYERS:
            return name
        parts.pop()
    return None


def broken_arrows(path, text):
    layer = layer_of(path)
    if layer is None:
        return
    for included in INCLUDE.findall(text):
        target = layer_of(included)
        if target is not None and target != layer and target not in LAYERS[layer]:
            yield f"{path}: {layer} must not include {included}"
        for library, homes in LIBRARIES.items():
            if re.match(library, included) and layer not in homes:
                yield f"{path}: <{included}> belongs to {', '.join(sorted(homes))} only"


def self_test():
    cases = [
        ("protocol/base/a.h", '#include "daemon/net/b.h"', 1),
        ("daemon/net/a.cc", '#include <boost/asio/io_context.hpp>', 0),
        ("daemon/session/a.cc", '#include <boost/asio.hpp>', 1),
        ("daemon/policy/a.cc", '  #  include <openssl/evp.h>', 1),
        ("daemon/session/a.cc", '#include "daemon/policy/engine.h"', 0),
        ("daemon/policy/a.cc", '#include "daemon/session/engine.h"', 1),
        ("daemon/saslatchd_main.cc", '#include "daemon/net/server.h"', 0),
    ]
    wrong = [c for c in cases if len(list(broken_arrows(c[0], c[1]))) != c[2]]
    for path, text, _ in wrong:
        print(f"self-test: {path}: {text}")
    return wrong


def main():
    root = pathlib.Path(sys.argv[1])
    found = [f"self-test failed: {w[0]}" for w in self_test()]
    sources = 0
    for top in ("protocol", "daemon", "plugin"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix in (".h", ".cc"):
                sources += 1
                found += broken_arrows(file.relative_to(root).as_posix(), file.read_text())
    print("\n".join(found) if found else f"{sources} files follow the arrows")
    return 1 if found or sources == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
