"""What became of each test of a run, for programs that run the tests of others."""

import unittest


class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        #: test -> "ok", "skipped: " and why, or what went wrong
        self.outcomes = {}

    def startTest(self, test):
        super().startTest(test)
        self.outcomes[self.name_of(test)] = "ok"

    def addError(self, test, err):
        super().addError(test, err)
        self.outcomes[self.name_of(test)] = self.errors[-1][1]

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.outcomes[self.name_of(test)] = self.failures[-1][1]

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcomes[self.name_of(test)] = f"skipped: {reason}"

    def name_of(self, test):
        return test.id()
