#!/usr/bin/env python3
"""Holds policies to the truth about a made-up month: attacks let through, owners refused.

usage: evaluate.py --saslatch PROGRAM [--seed N] [--accounts N] [--attacks N] POLICY...

POLICY is a preset's name or a saslatch.conf. The month is written as Dovecot's log with hashed passwords,
the one log that hides nothing from a rule, and replayed; each decision is then held to what generate.py
knows of its attempt. "Attacks" are all attempts of attackers, those with stolen passwords too; "owners"
are the logins with the right password by the owner himself. Prints a table in Markdown.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
KINDS = ("single", "botnet", "slow", "spray", "stuffing", "stolen")


def evaluate(saslatch, policy, log, truth, folder):
    decisions = folder / "decisions.jsonl"
    subprocess.run([saslatch, "--quiet", "policy", "replay", "--policy", policy, "--format", "dovecot",
                    "--events", log, "--decisions", decisions], check=True, stdout=subprocess.DEVNULL)
    verdicts = {}
    with open(decisions) as lines:
        for line in lines:
            decision = json.loads(line)
            verdicts[decision["line"]] = decision["decision"] != "refuse"
    counts = collections.Counter()
    with open(truth) as lines:
        for line in lines:
            attempt = json.loads(line)
            allowed = verdicts.get(attempt["line"])
            if allowed is None:  # told with another: the same failure within a second
                continue
            if attempt["owner"]:
                if attempt["ok"]:
                    counts["owners"] += 1
                    counts["owners refused"] += not allowed
            else:
                counts["attacks"] += 1
                counts["attacks let"] += allowed
                counts[attempt["who"]] += 1
                counts[attempt["who"], "let"] += allowed
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saslatch", required=True)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--accounts", default="2000")
    parser.add_argument("--attacks")
    parser.add_argument("policies", nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        log, truth = folder / "month.log", folder / "truth.jsonl"
        more = ["--attacks", options.attacks] if options.attacks else []
        subprocess.run([sys.executable, HERE / "generate.py", "--seed", options.seed, "--accounts",
                        options.accounts, *more, "--format", "dovecot", "--log", log, "--truth", truth],
                       check=True)
        print("| policy | attacks let through | owners refused, of 10,000 |", " | ".join(KINDS), "|")
        print("| --- | ---: | ---: |", " | ".join("---:" for _ in KINDS), "|")
        for policy in options.policies:
            c = evaluate(options.saslatch, policy, log, truth, folder)
            shares = [f"{100 * c[kind, 'let'] / max(c[kind], 1):.0f} %" for kind in KINDS]
            print(f"| {pathlib.Path(policy).stem} | {100 * c['attacks let'] / c['attacks']:.1f} % | "
                  f"{1e4 * c['owners refused'] / c['owners']:.1f} |", " | ".join(shares), "|", flush=True)


if __name__ == "__main__":
    main()
