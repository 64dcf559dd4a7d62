"""Fixtures for tests: a lock, and a lock directory, as long as a test runs."""

import os

import fixtures
import pytest
from lock_peers import is_free, run_python

import lockutils
from lockutils.front import settings
from lockutils.oslo.fixture import ExternalLockFixture, LockFixture


@pytest.fixture
def setting(tmp_path):
    """A lock directory that was set before."""
    before = settings.setting()
    lockutils.set_defaults(tmp_path)
    yield tmp_path
    lockutils.set_defaults(before)


def test_a_lock_is_held_until_after_the_other_clean_ups(setting):
    seen = []

    class Test(fixtures.Fixture):
        def _setUp(self):
            self.locked = self.useFixture(LockFixture("name", "app"))
            self.addCleanup(lambda: seen.append(is_free("name", "app", external=True)))

    with Test() as test:
        assert test.locked.lock.name == "name"
        assert not is_free("name", "app", external=True)
        assert os.listdir(setting) == ["app-name"]
    assert seen == [False]
    assert is_free("name", "app", external=True)


def test_a_lock_fixture_can_be_used_again(setting):
    fixture = LockFixture("name")
    for _ in range(2):
        with fixture:
            assert not is_free("name", external=True)
        assert is_free("name", external=True)


def test_a_lock_directory_of_its_own_and_then_the_one_before(setting):
    with ExternalLockFixture() as fixture:
        assert lockutils.get_lock_path() == fixture.path != str(setting)
        with ExternalLockFixture() as inner, lockutils.lock("name", external=True):
            assert os.listdir(inner.path) == ["name"]
        assert not os.path.exists(inner.path)
        assert lockutils.get_lock_path() == fixture.path
        assert os.listdir(fixture.path) == []
    assert not os.path.exists(fixture.path)
    assert lockutils.get_lock_path() == str(setting)


def test_nothing_set_before_is_nothing_set_afterwards(setting):
    lockutils.set_defaults(None)
    with ExternalLockFixture():
        pass
    assert settings.setting() is None


def test_the_directory_holds_for_oslos_configuration_too():
    printed = run_python("""
import warnings
warnings.simplefilter("ignore")
from oslo_concurrency import lockutils as theirs
from oslo_config.cfg import CONF
import lockutils
from lockutils.oslo.fixture import ExternalLockFixture

def paths():
    return {lockutils.get_lock_path(), theirs.get_lock_path(CONF)}

for before in ("/override", None):
    if before:
        CONF.set_override("lock_path", before, "oslo_concurrency")
    else:
        CONF.clear_override("lock_path", "oslo_concurrency")
        theirs.set_defaults("/default")
    with ExternalLockFixture() as outer:
        assert paths() == {outer.path}
        with ExternalLockFixture() as inner:
            assert paths() == {inner.path}
        assert paths() == {outer.path}
    print(*paths())
""")
    assert printed.split() == ["/override", "/default"]
