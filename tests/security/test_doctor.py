"""``lockutils doctor`` of a user whom others keep out, or who may be deceived."""

import os

import pytest
from doctors import AS_USER, MAIN, USER, WITH_PARENT, environment, examine, needs_users

QUEUE = ".lockutils-queue"


@needs_users
class TestOfAnotherUser:
    def test_a_directory_that_is_not_for_us(self, place):
        folder = place / "locks"
        folder.mkdir(0o755)
        report = examine(folder, before=AS_USER)
        assert report.wrong() == {"directory": "problem"}
        assert "no file can be made in it: Permission denied" in report.of("directory")
        assert report.status == 2
        os.chown(folder, USER, USER)
        assert examine(folder, before=AS_USER).wrong() == {}

    def test_a_directory_of_a_group_that_we_are_not_in(self, place):
        folder = place / "locks"
        folder.mkdir()
        folder.chmod(0o2770)
        env = environment(LOCKUTILS_FILE_MODE="660")
        report = examine(folder, before=AS_USER, env=env)
        assert report.wrong() == {"directory": "problem"}
        assert "with the mode 2770: join that group" in report.of("directory")

    def test_a_directory_that_we_cannot_make(self, place):
        report = examine(place / "a" / "b", before=AS_USER)
        assert report.wrong() == {"directory": "problem"}
        text = report.of("directory")
        assert f"{place}/a/b is missing and cannot be made: Permission denied" in text
        place.chmod(0o1777)
        assert examine(place / "a" / "b", before=AS_USER).wrong() == {}
        assert os.listdir(place) == []

    def test_a_queue_that_keeps_us_out(self, shared):
        env = environment(LOCKUTILS_FILE_MODE="666")
        (shared / QUEUE).touch(mode=0o644)
        report = examine(shared, before=AS_USER, env=env)
        assert report.wrong() == {"queue": "warning"}
        assert "Permission denied: this user cannot wait with fair=True" in report.of("queue")
        assert "have its owner chmod it" in report.of("queue")
        (shared / QUEUE).chmod(0o666)
        assert examine(shared, before=AS_USER, env=env).wrong() == {}


@needs_users
class TestDefaultDirectory:
    """Each is refused in the words of the lock itself."""

    def examine(self, parent):
        return examine(before=AS_USER, main=WITH_PARENT.format(str(parent)) + MAIN)

    @pytest.fixture
    def default(self, shared):
        folder = shared / f"lockutils-{USER}"
        folder.mkdir(0o700)
        os.chown(folder, USER, USER)
        return folder

    def test_of_ours(self, shared, default):
        report = self.examine(shared)
        assert report.wrong() == {}
        assert "for this user alone" in report.of("file mode")

    def test_of_somebody_else(self, shared, default):
        os.chown(default, 0, 0)
        report = self.examine(shared)
        assert report.wrong() == {"directory": "problem"}
        text = report.of("directory")
        assert f"{default} cannot be used: Lock directory belongs to user 0" in text

    def test_open_to_others(self, shared, default):
        default.chmod(0o770)
        report = self.examine(shared)
        assert report.wrong() == {"directory": "problem"}
        assert "writable by others (mode 770)" in report.of("directory")

    def test_a_link(self, shared, default):
        default.rename(shared / "other")
        default.symlink_to("other")
        report = self.examine(shared)
        assert report.wrong() == {"directory": "problem"}
        assert "Lock directory is not a directory" in report.of("directory")

    def test_that_anybody_can_replace(self, shared, default):
        shared.chmod(0o777)
        report = self.examine(shared)
        assert report.wrong() == {"directory": "problem"}
        assert "its parent is not sticky" in report.of("directory")


def test_names_cannot_forge_a_line(place):
    """Neither that of the directory nor those of files in it."""
    folder = place / "a\nok       \x1b[2J\u202e"
    folder.mkdir(0o755)
    (folder / "b\n\x07").write_text("x")
    report = examine(folder)
    for one in report.found:
        assert one["message"].isprintable()
        assert one["advice"].isprintable()
    assert report.wrong() == {}
