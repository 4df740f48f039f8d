"""The test case every integration test derives from."""

import sys
import unittest

from .box import Box


class IntegrationCase(unittest.TestCase):
    """prepare() fills one box for a class; own_box() is one more, for a test that breaks things.

    When a test fails, the logs of its boxes are shown.
    """

    box: Box

    @classmethod
    def prepare(cls):
        """Starts what the tests of the class share."""

    @classmethod
    def setUpClass(cls):
        cls.box = Box()
        cls.addClassCleanup(cls.box.close)
        try:
            cls.prepare()
        except unittest.SkipTest:
            raise
        except Exception as error:
            raise AssertionError(f"{error}\n{cls.box.logs()}") from error

    def own_box(self):
        box = Box()
        self._boxes.append(box)
        return box

    def run(self, result=None):
        result = result if result is not None else self.defaultTestResult()
        self._boxes = []
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            for box in dict.fromkeys((self.box, *self._boxes)):
                print(f"\n===== logs of {self.id()}\n{box.logs()}", flush=True)
        for box in self._boxes:
            try:
                box.close()
            except AssertionError:
                result.addError(self, sys.exc_info())
        return result
