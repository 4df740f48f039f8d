"""A mail site's logins, owners' and attackers', made up from a seed, with the truth about each.

Nothing here knows of any policy: every attempt is made whatever became of the one before, as in the
logs of a site that refuses nobody. Names are in example.com. Addresses are the benchmarking network's
(RFC 2544, 198.18.0.0/15) for owners and class E (240.0.0.0/4) for attackers, so that a log of these
can be mistaken for nobody's.

What it is made of, for a site of `accounts` accounts (per month of 30 days; docs/REPLAY.md tells where
the numbers come from and which are estimates):

owners
  5 logins an account and day with a stored password, by the hour of day and the day of week
  25 % of the accounts also log in by webmail, from the server's own address, once a day
  1 % of the logins of webmail are typed wrong, once, twice or three times with other mistakes
  2 % of the accounts change their password; one device in two keeps the old one and tries it every
      15 minutes for a day and a half, and after the first success of the owner's other device
  homes keep their network for the month (85 %) or get another of their provider's eight a day (15 %)
  a third is on the road one day in five, behind one of 12 networks of a mobile provider that many share
  10 % sit in offices of 40 behind one address

attackers, by share of their attempts
  single   15 %  one address, one to five accounts, a guess every few seconds, 100 to 2,000 in all
  botnet   45 %  names from a list, half of them the 6 % of the site's accounts that are in old leaks,
                 half a hundred that nobody has; a guess or two from each of thousands of addresses,
                 spread over the month
  slow     10 %  one address and account, a guess every 20 to 40 minutes, the whole month
  spray    15 %  the same dozen passwords at every account, from 200 addresses, one account each minute
  stuffing 15 %  pairs from leaks, one try each, from some thousand addresses; 1 in 2,000 is right, and
                 then the account is used from 20 addresses, 15 logins each
"""

import bisect
import hashlib
import random
from dataclasses import dataclass

DAY = 86400

# Share of a day's logins by hour: what mail servers of offices and homes show, night to night.
HOURS = [1, 1, 1, 1, 1, 2, 4, 7, 9, 9, 8, 7, 6, 7, 7, 7, 6, 6, 5, 5, 4, 3, 2, 1]
WEEKDAYS = [1.0, 1.05, 1.05, 1.0, 0.95, 0.45, 0.4]  # Monday first


@dataclass(slots=True)
class Attempt:
    at: float       # seconds since 1970
    user: str
    rip: str
    password: str   # a name for it, not the password
    outcome: str    # ok, bad-credential, unknown-user
    who: str        # owner, stale, single, botnet, slow, spray, stuffing, stolen

    @property
    def is_owner(self):
        return self.who in ("owner", "stale")


def address(first, number):
    return f"{first}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Site:
    """The accounts, where their owners are, and who attacks them. `days()` gives a month day by day."""

    def __init__(self, seed, accounts=2000, attacks=None, start=1_919_721_600, length=30):
        self.random = random.Random(seed)
        self.start, self.length = start, length       # Friday, 1 November 2030, 00:00 UTC
        self.names = [f"user{i:05d}@example.com" for i in range(accounts)]
        self.attacks = accounts * 150 if attacks is None else attacks
        total = sum(HOURS)
        self._hours, share = [], 0.0
        for hour in HOURS:
            share += hour / total
            self._hours.append(share)
        rnd = self.random
        self.homes = [rnd.randrange(1 << 16) for _ in self.names]
        self.moving = [rnd.random() < 0.15 for _ in self.names]
        self.roaming = [rnd.random() < 1 / 3 for _ in self.names]
        self.webmail = [rnd.random() < 0.25 for _ in self.names]
        self.office = [i // 40 if rnd.random() < 0.1 else None for i in range(accounts)]
        # account -> the moment its password was changed, with a device that does not know
        self.changes = {i: start + rnd.random() * length * DAY
                        for i in rnd.sample(range(accounts), accounts // 50)}
        self.stale = {i for i in self.changes if rnd.random() < 0.5}
        self.leaked = rnd.sample(range(accounts), max(accounts * 6 // 100, 1))
        self.stolen = set()
        self._campaigns = self._plan()

    # Owners -----------------------------------------------------------------------------------------

    def _moment(self, day):
        rnd = self.random
        hour = bisect.bisect(self._hours, rnd.random())
        return self.start + day * DAY + min(hour, 23) * 3600 + rnd.random() * 3600

    def _place(self, account, day):
        rnd = self.random
        if self.roaming[account] and rnd.random() < 0.2:
            return address(198, 19 << 16 | rnd.randrange(12) << 8 | rnd.randrange(256))
        if self.office[account] is not None and rnd.random() < 0.6:
            return address(198, 18 << 16 | 255 << 8 | self.office[account] % 256)
        home = self.homes[account]
        if self.moving[account]:  # another address of the provider's, in one of its 8 networks
            home = home & 0xF8FF | (home + day * 5) % 8 << 8
        return address(198, 18 << 16 | home)

    def _owners(self, day):
        rnd = self.random
        weekday = (day + 4) % 7
        for account, name in enumerate(self.names):
            right = f"right-{account}"
            many = rnd.random() * 10 * WEEKDAYS[weekday]
            for _ in range(int(many + rnd.random())):
                yield Attempt(self._moment(day), name, self._place(account, day), right, "ok", "owner")
            if self.webmail[account] and rnd.random() < WEEKDAYS[weekday]:
                at = self._moment(day)
                if rnd.random() < 0.01:
                    for _ in range(rnd.randint(1, 3)):
                        yield Attempt(at, name, "127.0.0.1", f"typo-{rnd.random()}",
                                      "bad-credential", "owner")
                        at += 5 + rnd.random() * 20
                yield Attempt(at, name, "127.0.0.1", right, "ok", "owner")
            if account in self.stale:
                yield from self._stale(account, day)

    def _stale(self, account, day):
        began = self.changes[account]
        first = max(began, self.start + day * DAY)
        last = min(began + 1.5 * DAY, self.start + (day + 1) * DAY)
        place = self._place(account, int((began - self.start) // DAY))
        at = first + self.random.random() * 900
        while at < last:
            yield Attempt(at, self.names[account], place, f"old-{account}", "bad-credential", "stale")
            at += 900 + self.random.random() * 30

    # Attackers --------------------------------------------------------------------------------------

    def _stranger(self):
        return address(240 + self.random.randrange(8), self.random.randrange(1 << 24))

    def _name(self, known):
        """A name from an attacker's list: one of the site's with probability `known`, else nobody's."""
        if self.random.random() < known:
            return self.names[self.random.choice(self.leaked)], "bad-credential"
        return f"{self.random.choice(WORDS)}{self.random.randrange(4) or ''}@example.com", "unknown-user"

    def _plan(self):
        rnd, campaigns = self.random, []
        end = self.length * DAY

        def moments(begin, step, many):
            at = begin
            for _ in range(many):
                at += step * (0.5 + rnd.random())
                if at < end:
                    yield at

        left = int(self.attacks * 0.15)
        while left > 0:
            many = min(left, int(100 * 20 ** rnd.random()))
            left -= many
            campaigns.append(("single", rnd.random() * end, rnd.uniform(1.5, 15), many,
                              self._stranger(), rnd.randint(1, 5)))
        botnet = [self._stranger() for _ in range(max(self.attacks // 8, 10))]
        campaigns.append(("botnet", 0, end / (self.attacks * 0.45), int(self.attacks * 0.45), botnet, 0))
        for _ in range(max(int(self.attacks * 0.10 / (end / 1800)), 1)):
            campaigns.append(("slow", 0, 1800, int(end / 1800), self._stranger(), 1))
        sprayers = [self._stranger() for _ in range(200)]
        many = int(self.attacks * 0.15)
        campaigns.append(("spray", 0, end / many, many, sprayers, 0))
        stuffers = [self._stranger() for _ in range(max(self.attacks // 50, 10))]
        many = int(self.attacks * 0.15)
        campaigns.append(("stuffing", 0, end / many, many, stuffers, 0))
        return [[kind, moments(begin, step, many), None, source, spread]
                for kind, begin, step, many, source, spread in campaigns]

    def _attacks(self, day):
        """The attempts of a day; each campaign goes on where it stopped the day before."""
        end = (day + 1) * DAY
        for campaign in self._campaigns:
            kind, moments, ahead, source, spread = campaign
            if spread and isinstance(spread, int):
                campaign[4] = spread = [self._name(0.7) for _ in range(spread)]
            number = 0
            while True:
                at = ahead if ahead is not None else next(moments, None)
                if at is None or at >= end:
                    campaign[2] = at
                    break
                ahead = None
                number += 1
                yield from self._attempt(kind, self.start + at, source, spread, number)

    def _attempt(self, kind, at, source, spread, number):
        rnd = self.random
        if kind in ("single", "slow"):
            name, outcome = spread[number % len(spread)]
            yield Attempt(at, name, source, f"list-{rnd.randrange(100_000)}", outcome, kind)
        elif kind == "botnet":
            name, outcome = self._name(0.5)
            yield Attempt(at, name, rnd.choice(source), f"list-{rnd.randrange(10_000)}", outcome, kind)
        elif kind == "spray":
            name, outcome = rnd.choice(self.names), "bad-credential"
            yield Attempt(at, name, rnd.choice(source), f"spray-{int(at // (DAY * 2.5)) % 12}", outcome,
                          kind)
        else:
            name, outcome = self._name(0.5)
            if outcome != "unknown-user" and rnd.random() < 1 / 1000 and name not in self.stolen:
                self.stolen.add(name)
                yield Attempt(at, name, rnd.choice(source), "stolen", "ok", "stolen")
                for place in [self._stranger() for _ in range(20)]:
                    for _ in range(15):
                        yield Attempt(at + rnd.random() * 3 * 3600, name, place, "stolen", "ok", "stolen")
            else:
                yield Attempt(at, name, rnd.choice(source), f"leak-{rnd.random()}", outcome, kind)

    def days(self):
        """The attempts, a list a day, in order of time."""
        ahead = []
        for day in range(self.length):
            attempts = ahead + list(self._owners(day)) + list(self._attacks(day))
            attempts.sort(key=lambda a: a.at)
            end = self.start + (day + 1) * DAY
            cut = bisect.bisect_left(attempts, end, key=lambda a: a.at)
            ahead = attempts[cut:] if day + 1 < self.length else []
            yield attempts[:cut]


WORDS = ("admin info test office sales support contact mail webmaster postmaster user scan printer "
         "backup service noreply hr accounting marketing billing helpdesk it root guest demo").split()


def password_hash(password):
    """As Dovecot's auth_verbose_passwords = sha1:8 logs it."""
    return hashlib.sha1(password.encode()).hexdigest()[:8]
