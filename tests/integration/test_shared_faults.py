"""Three saslatchds that count together, and a Redis that stops, hangs, crawls, forgets, fails over,
is behind a cable that was pulled, or whose clock leaps: under the steady logins of owners, of whom
none may be turned away.
"""

import unittest

from harness.box import wait_until
from harness.case import IntegrationCase
from harness.redis import Calendar, RedisServer, Sentinel
from harness.shared import (PASSWORD, STRANGER, Owners, Site, attempt, guess, guess_together,
                            lock_on)

LIMIT = 5
POLICY = f"""
[policy]
failure-delay = 0
[rule.guess-account]
count = failures
by    = user
limit = {LIMIT}/1h
then  = lock
for   = 30m
spare = familiar
[rule.guess-from-network]
count = failures
by    = user+network
limit = 100/1h
then  = lock
for   = 30m
"""
OWNERS = ["owner1@example.com", "owner2@example.com", "owner3@example.com"]


def account(case, suffix=""):
    return f"{case._testMethodName.split('test_')[1]}{suffix}@example.com"


class Trouble(IntegrationCase):
    """What all the troubles have in common."""

    def while_alone(self, site, daemons, breaks, mends, user):
        """Breaks Redis for `daemons` under load, looks that each holds the limit by itself, mends it,
        and looks that all hosts know of the locks that were made meanwhile."""
        with Owners(site.daemons, OWNERS) as owners:
            owners.wait_for(30)
            self.addCleanup(mends)  # for the tests after one that failed
            breaks()
            owners.wait_for(30)
            site.wait_alone(daemons)
            for number, daemon in enumerate(daemons):
                name = f"{number}{user}"
                guess_together([daemon], name, 3 * LIMIT)
                wait_until(lambda: site.decided(name).total() == 3 * LIMIT, "the audit events")
                self.assertEqual(site.verified(name, [daemon]), LIMIT)
            owners.wait_for(30)
            mends()
            site.wait_shared(daemons)
            for number, _ in enumerate(daemons):
                site.wait_lock(f"{number}{user}")
                for daemon in site.daemons:
                    self.assertEqual(attempt(daemon, f"{number}{user}", "x", STRANGER), "FAIL")
                self.assertEqual(site.verified(f"{number}{user}"), LIMIT)
            owners.wait_for(30)
        self.assertEqual(owners.trouble(), "")

    def shared_limit_holds(self, site, user):
        def check(number):
            name = f"{number}{user}"
            guess_together(site.daemons, name, 6 * LIMIT)
            wait_until(lambda: site.decided(name).total() == 6 * LIMIT, "the audit events")
            self.assertEqual(site.verified(name), LIMIT)
            site.wait_lock(name)
            return name
        return site.together(check)


class OneServer(Trouble):
    @classmethod
    def prepare(cls):
        cls.site = Site(cls.box, OWNERS, POLICY, budget="300ms")
        cls.redis = RedisServer(cls.box, cls.site.hub).start()
        hub = cls.site.hub
        cls.site.proxy_each((hub.address, cls.redis.port)).start()

    def test_stopped_and_started_empty(self):
        user = account(self)
        guess(self.site.daemons[0], "before" + user, LIMIT)
        self.site.wait_lock("before" + user)
        self.while_alone(self.site, self.site.daemons, self.redis.stop, self.start_redis, user)
        # What was there before is there again, and no host lost it.
        self.site.wait_lock("before" + user)
        self.shared_limit_holds(self.site, "after" + user)

    def start_redis(self):
        if not self.redis.process.running():
            self.redis.start()

    def test_frozen(self):
        self.while_alone(self.site, self.site.daemons[:1], self.redis.freeze, self.redis.thaw,
                         account(self))
        self.shared_limit_holds(self.site, "after" + account(self))

    def test_slower_than_the_budget(self):
        def slow(seconds):
            for proxy in self.site.proxies:
                proxy.delay = seconds
        self.while_alone(self.site, self.site.daemons[:1], lambda: slow(0.4), lambda: slow(0.0),
                         account(self))
        self.shared_limit_holds(self.site, "after" + account(self))

    def test_out_of_reach_of_one_host(self):
        away, near, _ = self.site.daemons
        proxy = self.site.proxies[0]
        user = account(self)

        def cut():
            proxy.cut()
            guess(near, "near" + user, LIMIT)
        self.while_alone(self.site, [away], cut, proxy.mend, user)
        # What the others locked meanwhile it learns.
        self.site.wait_lock("near" + user)
        self.assertEqual(attempt(away, "near" + user, "x", STRANGER), "FAIL")
        self.assertEqual(self.site.verified("near" + user), LIMIT)

    def test_a_restarted_host_learns_what_was_locked_while_it_was_dead(self):
        user = account(self)
        dead, living, _ = self.site.daemons
        dead.kill()
        guess(living, user, LIMIT)
        dead.start(before_exec=dead.host.enter)
        self.site.wait_shared([dead])
        self.site.wait_lock(user, [dead])
        self.assertEqual(attempt(dead, user, "x", STRANGER), "FAIL")
        self.assertEqual(self.site.verified(user), LIMIT)

    def test_a_lock_that_was_cleared_while_a_host_was_dead_stays_cleared(self):
        user = account(self)
        dead, living, _ = self.site.daemons
        guess(living, user, LIMIT)
        self.site.wait_lock(user)
        dead.kill()
        living.cli("lock", "clear", f"user:{user}")
        dead.start(before_exec=dead.host.enter)
        self.site.wait_shared([dead])
        self.site.wait_no_lock(user)
        for daemon in self.site.daemons:
            self.assertIsNone(lock_on(daemon, user), daemon.name)

    def test_what_a_killed_host_has_told_still_counts(self):
        self.site.together(lambda number: self.dies_and_counts(f"{number}{account(self)}"))

    def dies_and_counts(self, user):
        dead, living, _ = self.site.daemons
        before = self.scripts()
        guess(dead, user, LIMIT - 1)
        # Asked and told, and on paper.
        wait_until(lambda: self.scripts() >= before + 2 * (LIMIT - 1), "all to be told")
        wait_until(lambda: self.site.verified(user) == LIMIT - 1, "the audit events")
        dead.kill()
        try:
            self.assertEqual(guess(living, user, 3, start=50), ["FAIL"] * 3)
            wait_until(lambda: self.site.decided(user).total() == LIMIT + 2, "the audit events")
        finally:
            dead.start(before_exec=dead.host.enter)
        self.assertEqual(self.site.verified(user), LIMIT)
        self.site.wait_shared()

    def scripts(self):
        """How many scripts Redis has run."""
        said = self.redis.info("commandstats").get("cmdstat_evalsha", "calls=0,")
        return int(said.split("calls=")[1].split(",")[0])


class Cable(Trouble):
    def test_pulled_and_plugged_in_again(self):
        site = Site(self.box, OWNERS, POLICY, budget="300ms")
        if site.network.why_not:
            self.skipTest(f"there is no cable to pull: {site.network.why_not}")
        site.start(RedisServer(self.box, site.hub).start().address)
        host = site.network.hosts[0]
        self.while_alone(site, site.daemons[:1], lambda: site.network.pull_cable(host),
                         lambda: site.network.plug_in(host), account(self))
        # Redis on the small side: two hosts are cut off from it, and from each other.
        others = site.network.hosts[1:]
        self.while_alone(site, site.daemons[1:],
                         lambda: [site.network.pull_cable(host) for host in others],
                         lambda: [site.network.plug_in(host) for host in others],
                         "split" + account(self))
        self.shared_limit_holds(site, "after" + account(self))


class Clock(Trouble):
    HOUR = 3600

    def test_of_redis_leaps_back_and_ahead(self):
        site = Site(self.box, OWNERS, POLICY)
        calendar = Calendar(self.box)
        redis = RedisServer(self.box, site.hub, calendar=calendar).start()
        site.start(redis.address)
        locked = self.shared_limit_holds(site, "before" + account(self))
        with Owners(site.daemons, OWNERS) as owners:
            owners.wait_for(30)
            self.leap(site, redis, calendar, -self.HOUR)
            # It has forgotten nothing: what was counted before counts.
            site.together(lambda number: self.counts_on(
                site, f"{number}{account(self)}",
                lambda: self.leap(site, redis, calendar, calendar.offset - self.HOUR)))
            owners.wait_for(30)
            self.leap(site, redis, calendar, 2 * self.HOUR)
            self.shared_limit_holds(site, "ahead" + account(self))
            owners.wait_for(30)
        self.assertEqual(owners.trouble(), "")
        # And no host has lost a lock, or has a longer one.
        for entry in site.wait_lock(locked):
            self.assertLessEqual(entry["left_seconds"], 1800)

    def counts_on(self, site, user, leap):
        first, second, _ = site.daemons
        guess(first, user, LIMIT - 2)
        wait_until(lambda: site.explained(second, f"user:{user}") == LIMIT - 2, "all to be told")
        leap()
        guess(second, user, LIMIT, start=50)
        wait_until(lambda: site.decided(user).total() == 2 * LIMIT - 2, "the audit events")
        self.assertEqual(site.verified(user), LIMIT)

    @staticmethod
    def leap(site, redis, calendar, offset):
        calendar.set(offset)
        wait_until(lambda: abs(int(redis.call("TIME")[0]) - calendar.now()) < 60, "the leap")
        site.wait_shared()


class FailOver(Trouble):
    def test_by_sentinels_when_the_master_dies(self):
        site = Site(self.box, OWNERS, POLICY, budget="300ms", state="sentinel-master = main")
        hub = site.hub
        master = RedisServer(self.box, hub).start()
        replica = RedisServer(self.box, hub, "replica", 6380,
                              lines=f"replicaof {hub.address} {master.port}").start()
        sentinels = [Sentinel(self.box, hub, f"sentinel{number}", 26379 + number, master).start()
                     for number in range(3)]
        for sentinel in sentinels:
            wait_until(lambda: len(sentinel.call("SENTINEL", "SENTINELS", "main")) == 2 and
                       len(sentinel.call("SENTINEL", "REPLICAS", "main")) == 1,
                       f"{sentinel.name} to know the others")
        wait_until(lambda: replica.info("replication")["master_link_status"] == "up", "the replica")
        site.start(" ".join(sentinel.address for sentinel in sentinels))
        locked = self.shared_limit_holds(site, "before" + account(self))
        with Owners(site.daemons, OWNERS) as owners:
            owners.wait_for(30)
            master.kill()
            site.wait_alone()
            # Somebody guesses at each host until the hosts are together again.
            for daemon in site.daemons:
                guess(daemon, account(self), LIMIT + 2)
            site.wait_shared()
            self.assertEqual(replica.call("ROLE")[0], "master")
            site.wait_lock(account(self))
            owners.wait_for(30)
        self.assertEqual(owners.trouble(), "")
        for daemon in site.daemons:
            self.assertLessEqual(site.verified(account(self), [daemon]), LIMIT)
            self.assertEqual(attempt(daemon, OWNERS[0], PASSWORD, STRANGER), "OK")
        site.wait_lock(locked)
        self.shared_limit_holds(site, "after" + account(self))


if __name__ == "__main__":
    unittest.main()
