#!/usr/bin/env python3
"""Runs saslatch-bench against floor_server, which accepts every login, and checks what it reports.

usage: bench_test.py SASLATCH-BENCH FLOOR-SERVER
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from compare import Floor

BENCH, FLOOR = sys.argv.pop(1), sys.argv.pop(1)


class AgainstTheFloor(unittest.TestCase):
    def load(self, protocol, *options):
        with tempfile.TemporaryDirectory() as folder:
            with Floor(FLOOR, pathlib.Path(folder), protocol) as server:
                return subprocess.run(
                    [BENCH, "--socket", server.socket, "--protocol", protocol, "--user", "tim",
                     "--password-stdin", "--json", *options],
                    input="secret\n", capture_output=True, text=True, timeout=60)

    def test_every_way_to_log_in_is_counted(self):
        for protocol, *options in (
                ("dovecot", "--mechanism", "PLAIN"),
                ("dovecot", "--mechanism", "LOGIN"),
                ("dovecot", "--mechanism", "CRAM-MD5", "--outstanding", "7"),
                ("dovecot", "--mechanism", "PLAIN", "--reconnect"),
                ("saslauthd",)):
            with self.subTest(protocol=protocol, options=options):
                run = self.load(protocol, "--count", "500", "--connections", "10", *options)
                self.assertEqual(run.returncode, 0, run.stderr)
                report = json.loads(run.stdout)
                self.assertEqual(report["ok"], 500)
                self.assertEqual(report["lost"], 0)
                self.assertGreater(report["logins_per_second"], 0)
                latency = report["latency_ms"]
                self.assertLessEqual(latency["p50"], latency["p99"])
                self.assertLessEqual(latency["p99"], latency["max"])

    def test_a_wrong_password_that_is_accepted_is_unexpected(self):
        run = self.load("dovecot", "--count", "500", "--wrong-percent", "10")
        self.assertEqual(run.returncode, 65, run.stderr)
        self.assertEqual(json.loads(run.stdout)["unexpected"], 50)

    def test_a_run_ends_with_its_time(self):
        run = self.load("dovecot", "--duration", "300ms")
        self.assertEqual(run.returncode, 0, run.stderr)
        wall = json.loads(run.stdout)["wall_seconds"]
        self.assertTrue(0.3 <= wall < 10, wall)

    def test_no_server_is_said(self):
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run([BENCH, "--socket", folder + "/none", "--user", "tim",
                                  "--password-stdin"], input="secret\n", capture_output=True,
                                 text=True, timeout=60)
        self.assertEqual(run.returncode, 69)
        self.assertIn("cannot connect", run.stderr)


if __name__ == "__main__":
    unittest.main()
