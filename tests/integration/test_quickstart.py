"""packaging/quickstart.sh, with the programs that are built already."""

import pathlib
import re
import signal
import unittest

from harness import programs
from harness.box import PATIENCE, wait_until
from harness.case import IntegrationCase


class Quickstart(IntegrationCase):
    @classmethod
    def prepare(cls):
        programs.need_root()
        programs.need("postfix", "swaks", "openssl")
        cls.script = programs.REPOSITORY / "packaging" / "quickstart.sh"

    def spawn(self, *options):
        return self.own_box().spawn("quickstart", [
            self.script, "--bin", programs.need("saslatchd").parent, *options])

    def assert_nothing_left(self, said):
        folder = re.search(r"/tmp/saslatch-quickstart\.\w+", said).group()
        self.assertFalse(pathlib.Path(folder).exists(), folder)
        for command_line in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.assertNotIn(folder, command_line.read_text(errors="replace"))
            except (FileNotFoundError, ProcessLookupError):
                pass

    def test_the_demonstration(self):
        process = self.spawn("--exit")
        code, said = process.exit_code(10 * PATIENCE), process.output()
        self.assertEqual(code, 0, said)
        for text in ("[7/7]", "AUTH PLAIN     235", "AUTH LOGIN     235", "AUTH CRAM-MD5  235",
                     "AUTH PLAIN     535", "(Authenticated sender: alice@example.com)",
                     '"outcome":"ok"', '"cause":"bad-credential"',
                     "postconf -e smtpd_sasl_type=dovecot smtpd_sasl_path=private/saslatch"):
            self.assertIn(text, said)
        self.assert_nothing_left(said)

    def test_it_stays_up_until_ctrl_c(self):
        process = self.spawn()
        wait_until(lambda: "until Ctrl-C" in process.output() or not process.running(),
                   "the end of the demonstration", 10 * PATIENCE)
        self.assertTrue(process.running(), process.output())
        process.signal(signal.SIGINT)
        self.assertEqual(process.exit_code(), 130)
        self.assert_nothing_left(process.output())

    def test_an_unknown_option_is_usage(self):
        self.assertEqual(self.spawn("--frobnicate").exit_code(), 64)


if __name__ == "__main__":
    unittest.main()
