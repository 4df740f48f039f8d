#!/usr/bin/env python3
"""Writes the log of a made-up month, and the truth about each attempt in it.

usage: generate.py [--seed N] [--accounts N] [--attacks N] [--days N] [--format F] --log FILE [--truth FILE]

--format  audit    saslatchd's audit log (default)
          dovecot  Dovecot with auth_verbose = yes and auth_verbose_passwords = sha1:8: the one kind of
                   log that tells passwords apart
          postfix  Postfix 3.9 and later;  postfix37  Postfix 3.7.0, whose failures name nobody
--truth   one JSON object an attempt, in the order of the log: "line" of the log that tells of it,
          "owner", "who", "ok"

The same seed and numbers give the same bytes. 2,000 accounts are some 0.6 million attempts, which
takes about 10 seconds.
"""

import argparse
import datetime
import json
import sys

from traffic import Site, password_hash


def stamp(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc)


class Audit:
    def __init__(self):
        self._seen = {}

    def lines(self, a):
        fail = "" if a.outcome == "ok" else f'"cause":"{a.outcome}",'
        repeat = False
        if a.outcome != "ok":
            key = (a.user, a.password)
            repeat = a.at - self._seen.get(key, -1e9) < 3600
            if len(self._seen) > 500_000:
                self._seen = {k: t for k, t in self._seen.items() if a.at - t < 3600}
            self._seen[key] = a.at
        credential = '"credential":"password",' if a.outcome == "ok" else ""
        yield (f'{{"ts":"{stamp(a.at):%Y-%m-%dT%H:%M:%S.%f}Z","event":"auth",'
               f'"outcome":"{"ok" if a.outcome == "ok" else "fail"}",{fail}"user":"{a.user}",'
               f'"rip":"{a.rip}","mech":"PLAIN","service":"smtp","secured":"tls",'
               f'"listener":"postfix",{credential}"repeat":{str(repeat).lower()},"took_us":14210}}')


class Dovecot:
    def __init__(self):
        self._number = 0

    def lines(self, a):
        self._number += 1
        head = f"{stamp(a.at):%Y-%m-%dT%H:%M:%S.%f}+00:00 mx dovecot: "
        if a.outcome == "ok":
            yield (f"{head}submission-login: Login: user=<{a.user}>, method=PLAIN, rip={a.rip}, "
                   f"lip=192.0.2.5, mpid=4711, TLS, session=<{self._number}>")
            return
        verdict = "unknown user" if a.outcome == "unknown-user" else "Password mismatch"
        yield (f"{head}auth: passwd-file({a.user},{a.rip},<{self._number}>): {verdict} "
               f"(SHA1 of given password: {password_hash(a.password)})")


class Postfix:
    def __init__(self, names):
        self._names, self._number = names, 0

    def lines(self, a):
        self._number += 1
        head = f"{stamp(a.at):%b %e %H:%M:%S} mx postfix/submission/smtpd[{self._number % 97 + 1000}]: "
        name = f", sasl_username={a.user}" if self._names else ""
        if a.outcome == "ok":
            yield (f"{head}{self._number:011X}: client=unknown[{a.rip}], sasl_method=PLAIN, "
                   f"sasl_username={a.user}")
            return
        yield f"{head}warning: unknown[{a.rip}]: SASL PLAIN authentication failed: (reason unavailable){name}"


FORMATS = {"audit": Audit, "dovecot": Dovecot, "postfix": lambda: Postfix(True),
           "postfix37": lambda: Postfix(False)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--attacks", type=int, help="attempts; default 150 an account")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--format", choices=FORMATS, default="audit")
    parser.add_argument("--log", required=True)
    parser.add_argument("--truth")
    options = parser.parse_args()
    site = Site(options.seed, options.accounts, options.attacks, length=options.days)
    writer = FORMATS[options.format]()
    number = 0
    with open(options.log, "w") as log, open(options.truth or "/dev/null", "w") as truth:
        for day in site.days():
            for attempt in day:
                for line in writer.lines(attempt):
                    log.write(line + "\n")
                    number += 1
                if options.truth:
                    truth.write(json.dumps({"line": number, "owner": attempt.is_owner,
                                            "who": attempt.who, "ok": attempt.outcome == "ok"}) + "\n")
    print(f"{number:,} lines", file=sys.stderr)


if __name__ == "__main__":
    main()
