"""Fixtures for tests, as oslo.concurrency has them; they need the package ``fixtures``."""

from __future__ import annotations

import fixtures

import lockutils
from lockutils.front import settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ExternalLockFixture", "LockFixture"]

_OPTION = ("lock_path", "oslo_concurrency")


class LockFixture(fixtures.Fixture):  # type: ignore[misc]
    """Holds an external lock during a test, its clean-ups included.

    Use it before the others, so that it is cleaned up after them.

    :ivar lock: the handle, once it is set up
    """

    def __init__(self, name: str, lock_file_prefix: str | None = None) -> None:
        self._name, self._prefix = name, lock_file_prefix

    def _setUp(self) -> None:
        self.lock = lockutils.lock(self._name, self._prefix, external=True)
        self.lock.__enter__()
        self.addCleanup(self.lock.release)


class ExternalLockFixture(fixtures.Fixture):  # type: ignore[misc]
    """Puts the lock files of this process into a new directory, which goes with the fixture.

    Also those of oslo.concurrency, where it is loaded.

    :ivar path: the directory, once it is set up
    """

    def _setUp(self) -> None:
        self.path: str = self.useFixture(fixtures.TempDir()).path
        self.addCleanup(lockutils.set_defaults, settings.setting())
        lockutils.set_defaults(self.path)
        # what is set there comes before our own setting
        conf = settings.global_conf()
        if settings.is_registered(conf, _OPTION[0]):
            self._override(conf)

    def _override(self, conf: Any) -> None:
        before = conf.get_location(*_OPTION)
        option, group = _OPTION
        if before is not None and before.location.name == "set_override":
            self.addCleanup(conf.set_override, option, conf[group][option], group)
        else:
            self.addCleanup(conf.clear_override, option, group)
        conf.set_override(option, self.path, group)
