"""Each client × mechanism × case: what is seen, what must be, and what docs/COMPATIBILITY.md says."""

import unittest

import compatibility


class Compatibility(unittest.TestCase):
    maxDiff = None

    def hold(self, side):
        seen = compatibility.observe(side)
        for key, cells in seen.items():
            with self.subTest(row=" / ".join(key)):
                self.assertEqual(cells, compatibility.contract(side, key[2]), "against the contract")
        written = {key: cells for key, cells in compatibility.committed().items()
                   if key[0] == side.name}
        self.assertEqual(written, seen, "docs/COMPATIBILITY.md differs from what was seen; "
                                        "tests/integration/compatibility.py --write renews it")

    def test_postfix(self):
        self.hold(compatibility.PostfixSide)

    def test_postfix_with_replies_for_temporary_failures(self):
        self.hold(compatibility.PostfixReplySide)

    def test_postfix_of_type_cyrus(self):
        self.hold(compatibility.CyrusPostfixSide)

    def test_sendmail(self):
        self.hold(compatibility.SendmailSide)

    def test_exim(self):
        self.hold(compatibility.EximSide)

    def test_chasquid(self):
        self.hold(compatibility.ChasquidSide)

    def test_doveadm(self):
        self.hold(compatibility.DoveadmSide)

    def test_saslauthd_protocol(self):
        self.hold(compatibility.SaslauthdSide)

    def test_the_document_has_no_other_rows(self):
        names = {side.name for side in compatibility.SIDES}
        self.assertEqual({key[0] for key in compatibility.committed()} - names, set())


if __name__ == "__main__":
    unittest.main()
