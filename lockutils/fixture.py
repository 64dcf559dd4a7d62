"""The public name of ``lockutils.oslo.fixture``, as oslo.concurrency has it."""

from lockutils.oslo.fixture import ExternalLockFixture, LockFixture

__all__ = ["ExternalLockFixture", "LockFixture"]
