"""conf-examples/monitoring: what saslatchd exposes, and what Prometheus and Grafana do with it."""

import json
import re
import subprocess
import unittest
import urllib.request

from harness import programs
from harness.auth import AuthClient
from harness.box import PATIENCE, free_port, wait_until
from harness.case import IntegrationCase
from harness.examples import example
from harness.saslatchd import QUIET_POLICY, Saslatchd, private_paths
from harness.setups import ALICE, PASSWORD

FOLDER = programs.REPOSITORY / "conf-examples" / "monitoring"
OPENMETRICS = "application/openmetrics-text"
PARSER = """
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
print(json.dumps({family.name: family.type for family in parse(sys.stdin.read())}))
"""


def promtool(*arguments, stdin=None, cwd=None):
    done = subprocess.run([programs.need("promtool"), *map(str, arguments)], input=stdin, cwd=cwd,
                          capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


def named_in(text):
    """The series that PromQL expressions name."""
    return set(re.findall(r"\bsaslatch_[a-z_]+", text))


class Exposition(IntegrationCase):
    @classmethod
    def prepare(cls):
        cls.port, socket = free_port(), cls.box.path("auth")
        private = private_paths(cls.box)
        text = example("monitoring/saslatch.conf", {
            "127.0.0.1:9397\n": f"127.0.0.1:{cls.port}\n", "/run/saslatch/auth": socket})
        cls.daemon = Saslatchd(cls.box, (
            f"[daemon]\nstate-dir = {private['/var/lib/saslatch']}\n"
            f"run-dir = {private['/run/saslatch']}\n"
            f"audit-log = {private['/var/log/saslatch/audit.jsonl']}\n" + text +
            QUIET_POLICY + "[rule.own]\ncount = failures\nby = user\nlimit = 2/1h\nthen = lock\n"
            "for = 1h\n"), [socket, ("127.0.0.1", cls.port)]).start()
        cls.daemon.add_user(ALICE, PASSWORD)
        with AuthClient(socket) as client:
            client.plain(ALICE, PASSWORD)
            for number in range(3):
                client.plain("mallory@example.com", f"guess {number}")
            client.request("NO-SUCH-MECHANISM")
            client.line()
        cls.daemon.wait_audit(cause="mechanism")
        # Gauges follow once a second.
        wait_until(lambda: 'rule_locks{rule="own"} 1' in cls.figures(), "the lock in the figures")

    @classmethod
    def figures(cls, accept=""):
        request = urllib.request.Request(f"http://127.0.0.1:{cls.port}/metrics",
                                         headers={"Accept": accept} if accept else {})
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            cls.media_type = response.headers["Content-Type"]
            return response.read().decode()

    def test_it_tells_what_happened(self):
        text = self.figures()
        for line in ('saslatch_attempts_total{outcome="ok",cause=""} 1',
                     'saslatch_attempts_total{outcome="fail",cause="unknown-user"} 2',
                     'saslatch_attempts_total{outcome="refused",cause="locked"} 1',
                     'saslatch_mechanism_attempts_total{mechanism="other",outcome="fail"} 1',
                     'saslatch_listener_attempts_total{listener="auth",outcome="ok"} 1',
                     'saslatch_passdb_up{passdb="embedded"} 1', "saslatch_state_writable 1",
                     "saslatch_check_duration_seconds_count 3"):
            self.assertIn(line + "\n", text)
        resident = float(re.search(r"(?m)^saslatch_resident_memory_bytes (\S+)", text).group(1))
        self.assertGreater(resident, 1_000_000)
        for secret in (ALICE, "mallory", "NO-SUCH-MECHANISM"):
            self.assertNotIn(secret, text, "a label that a client chose")

    def test_promtool_finds_nothing_to_blame(self):
        self.assertEqual(promtool("check", "metrics", stdin=self.figures()), (0, ""))

    def test_openmetrics_is_what_its_own_parser_reads(self):
        text = self.figures(f"{OPENMETRICS}; version=1.0.0")
        self.assertTrue(self.media_type.startswith(OPENMETRICS), self.media_type)
        # The Python that has Debian's modules, whichever runs this.
        done = subprocess.run(["/usr/bin/python3", "-c", PARSER], input=text, capture_output=True,
                              text=True, timeout=PATIENCE)
        if "No module named 'prometheus_client'" in done.stderr:
            self.skipTest("python3-prometheus-client is not installed")
        self.assertEqual(done.returncode, 0, done.stderr)
        families = json.loads(done.stdout)
        self.assertEqual(families["saslatch_attempts"], "counter")
        self.assertEqual(families["saslatch_check_wait_seconds"], "histogram")

    def test_the_dashboard_and_the_alerts_name_what_there_is(self):
        text = self.figures()
        there = set(re.findall(r"(?m)^(saslatch_\w+)", text))
        dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text())
        expressions = [target["expr"] for panel in dashboard["panels"]
                       for target in panel["targets"]]
        self.assertGreater(len(expressions), 20)
        alerts = (FOLDER / "saslatch-alerts.yml").read_text()
        wanted = named_in("\n".join(expressions)) | {
            name for line in re.findall(r"(?ms)expr:(.*?)^\s+(?:for|labels):", alerts)
            for name in named_in(line)}
        self.assertGreater(len(wanted), 15)
        self.assertEqual(wanted - there, set())


class Alerts(unittest.TestCase):
    def test_prometheus_takes_configuration_and_rules(self):
        for kind, name in (("config", "prometheus.yml"), ("rules", "saslatch-alerts.yml")):
            code, text = promtool("check", kind, FOLDER / name)
            self.assertEqual(code, 0, text)

    def test_the_rules_fire_when_they_should(self):
        code, text = promtool("test", "rules", programs.REPOSITORY / "tests" / "integration" /
                              "alerts_test.yml")
        self.assertEqual(code, 0, text)


if __name__ == "__main__":
    unittest.main()
