#!/usr/bin/env python3
"""Holds policies to the truth about a made-up month: attacks let through, owners refused.

usage: evaluate.py --saslatch PROGRAM [--seed N] [--accounts N] [--attacks N] POLICY...

POLICY is a preset's name, a saslatch.conf, or one of these models of others:
  fail2ban         its defaults: five failures of an address in ten minutes, then ten minutes' ban
  account-lock     ten failures of an account in an hour, then 15 minutes' lock
  dovecot          Dovecot's auth_penalty, with clients that wait as long as it takes
  dovecot-postfix  the same behind Postfix, which hangs up after ten seconds

The month is written as Dovecot's log with hashed passwords, the one log that hides nothing from a rule,
and replayed; each decision is then held to what generate.py knows of its attempt. "Attacks" are all
attempts of attackers, those with stolen passwords too; "owners" are the logins with the right password by
the owner himself. "Let through" is verified. Prints a table in Markdown.
"""

import argparse
import collections
import heapq
import json
import pathlib
import subprocess
import sys
import tempfile

from traffic import Site

HERE = pathlib.Path(__file__).resolve().parent
KINDS = ("single", "botnet", "slow", "spray", "stuffing", "stolen")
MODELS = {
    "fail2ban": "[policy]\npreset = none\n[rule.fail2ban]\ncount = failures\nby = ip\n"
                "limit = 5/10m\nthen = lock\nfor = 10m\n",
    "account-lock": "[policy]\npreset = none\n[rule.account-lock]\ncount = failures\nby = user\n"
                    "limit = 10/1h\nthen = lock\nfor = 15m\n",
}


class Penalty:
    """Dovecot's auth_penalty (src/auth/auth-penalty.c, src/anvil/penalty.c of 2.3.19), one address each.

    A request is held before it is verified: not at all with a counter of 0, else 4, 8 or 15 s. A failure
    sets the counter to one more than the request found when it came (so requests that come together count
    as one), at most 4; the same user and password as one of the last ten leaves it as it was. A success
    sets it to 0, and so does a quiet quarter of a minute. An answer of failure takes 2 s more
    (auth_failure_delay). Whoever hangs up while he is held is not verified, and counts nothing.
    """

    FAILURE_DELAY = 2
    MOST = 4
    QUIET = 15

    def __init__(self, patience=None):
        self.patience = patience
        self.clients = {}    # address: [counter, since, last user-password pairs]
        self.verified = []   # requests that wait: (when, number, address, counter it found, pair, right)
        self.number = 0

    @staticmethod
    def hold(counter):
        return min(2 * 2 ** counter, 15) if counter else 0

    def attempt(self, at, rip, pair, right):
        """How long it is held; None: the client hung up first."""
        self.settle(at)
        counter, since, _ = self.clients.get(rip, (0, 0, ()))
        if at - since >= self.QUIET:
            counter = 0
        held = self.hold(counter)
        if self.patience and held > self.patience:
            return None
        self.number += 1
        heapq.heappush(self.verified, (at + held, self.number, rip, counter, pair, right))
        return held

    def settle(self, now):
        while self.verified and self.verified[0][0] <= now:
            at, _, rip, counter, pair, right = heapq.heappop(self.verified)
            client = self.clients.setdefault(rip, [0, 0, []])
            if right:
                client[:2] = 0, at
            elif pair in client[2]:
                client[0] = min(counter, self.MOST)
            else:
                client[2] = [pair, *client[2][:9]]
                client[:2] = min(counter + 1, self.MOST), at

    @classmethod
    def guesses_a_day(cls):
        """Of one address that waits for each answer."""
        model, at, many = cls(), 0.0, 0
        while at < 86400:
            at += model.attempt(at, "guesser", many, False) + cls.FAILURE_DELAY
            many += 1
        return many


def dovecot(site, patience):
    """The counts of evaluate(), and how long owners were held."""
    model, counts, held = Penalty(patience), collections.Counter(), []
    for day in site.days():
        for a in day:
            hold = model.attempt(a.at, a.rip, (a.user, a.password), a.outcome == "ok")
            if a.is_owner:
                if a.outcome == "ok":
                    counts["owners"] += 1
                    counts["owners refused"] += hold is None
                    counts["owners slowed"] += bool(hold)
                    if hold:
                        held.append(hold)
                continue
            counts["attacks"] += 1
            counts[a.who] += 1
            counts["attacks let"] += hold is not None
            counts[a.who, "let"] += hold is not None
    return counts, sorted(held)


def evaluate(saslatch, policy, log, truth, folder):
    decisions = folder / "decisions.jsonl"
    subprocess.run([saslatch, "--quiet", "policy", "replay", "--policy", policy, "--format", "dovecot",
                    "--events", log, "--decisions", decisions], check=True, stdout=subprocess.DEVNULL)
    verdicts = {}
    with open(decisions) as lines:
        for line in lines:
            decision = json.loads(line)
            verdicts[decision["line"]] = decision["decision"]
    counts = collections.Counter()
    with open(truth) as lines:
        for line in lines:
            attempt = json.loads(line)
            verdict = verdicts.get(attempt["line"])
            if verdict is None:  # told with another: the same failure within a second
                continue
            allowed = verdict != "refuse"
            if attempt["owner"]:
                if attempt["ok"]:
                    counts["owners"] += 1
                    counts["owners refused"] += not allowed
                    counts["owners slowed"] += verdict == "delay"
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
        print("| policy | attacks let through | owners refused, of 10,000 | owners slowed, of 10,000 |",
              " | ".join(KINDS), "|")
        print("| --- | ---: | ---: | ---: |", " | ".join("---:" for _ in KINDS), "|")
        notes = []
        for policy in options.policies:
            name = pathlib.Path(policy).stem
            if policy in ("dovecot", "dovecot-postfix"):
                site = Site(int(options.seed), int(options.accounts),
                            options.attacks and int(options.attacks))
                c, held = dovecot(site, 10 if policy == "dovecot-postfix" else None)
                if held:
                    notes.append(f"{name}: {len(held):,} logins of owners held, half of them "
                                 f"{held[len(held) // 2]} s or more, at most {held[-1]} s")
            else:
                if policy in MODELS:
                    conf = folder / f"{policy}.conf"
                    conf.write_text(MODELS[policy])
                    policy = str(conf)
                c = evaluate(options.saslatch, policy, log, truth, folder)
            shares = [f"{100 * c[kind, 'let'] / max(c[kind], 1):.0f} %" for kind in KINDS]
            print(f"| {name} | {100 * c['attacks let'] / c['attacks']:.1f} % | "
                  f"{1e4 * c['owners refused'] / c['owners']:.1f} | "
                  f"{1e4 * c['owners slowed'] / c['owners']:.1f} |", " | ".join(shares), "|", flush=True)
        print(f"\nA guesser who waits for each answer of Dovecot's: {Penalty.guesses_a_day():,} guesses a "
              "day from each address.")
        for note in notes:
            print(note)


if __name__ == "__main__":
    main()
