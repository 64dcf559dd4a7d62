"""Lock files that nobody uses are removed, and nobody else notices."""

import os
import threading

import pytest

pytest.importorskip("fcntl")

from lock_peers import HOLDER, OURS, WATCHDOG, Background, sleeps_for_a_lock, until

import lockutils
from lockutils.backends.file import sweep, syscalls
from lockutils.backends.file.directory import Directory
from lockutils.backends.file.queue import QueueRange

#: how a lock is asked for in each of its modes
HOW = [{}, {"shared": True}, {"slots": 2}, {"fair": True}]


@pytest.fixture
def remove(tmp_path):
    """Remove a file of the directory if it is free."""

    def remove(name):
        cell = []
        try:
            status = sweep.open_directory(cell, os.fsencode(tmp_path), own=False)
            return sweep.remove_if_free(cell[0], status, name)
        finally:
            syscalls.close(cell)

    return remove


@pytest.fixture
def stopped(monkeypatch, tmp_path, remove):
    """A thread that is about to remove the file ``name``, and does so when told."""
    reached, go = threading.Event(), threading.Event()
    real = os.unlink

    def unlink(*args, **options):
        reached.set()
        assert go.wait(WATCHDOG)
        real(*args, **options)

    (tmp_path / "name").touch()
    monkeypatch.setattr(sweep.os, "unlink", unlink)
    removal = Background(remove, "name")
    assert reached.wait(WATCHDOG)
    yield go
    go.set()
    assert removal.result()


def take(directory, name="name", **how):
    return lockutils.lock(name, external=True, lock_path=directory, **how)


class TestRemoval:
    def test_of_a_file_that_nobody_has(self, tmp_path, remove):
        (tmp_path / "name").touch()
        assert remove("name")
        assert not remove("name")
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("how", HOW, ids=str)
    def test_not_while_it_is_held(self, tmp_path, remove, how):
        with take(tmp_path, **how):
            assert not remove("name")
            assert (tmp_path / "name").exists()
        assert remove("name")

    @pytest.mark.parametrize("change", ["replaced", "written to", "given another name"])
    def test_not_if_it_has_changed_since_it_was_opened(self, tmp_path, remove, monkeypatch, change):
        file, real = tmp_path / "name", sweep._lock
        file.touch()

        def lock(*args):
            if change == "replaced":
                file.rename(tmp_path / "old")
                file.touch()
            elif change == "written to":
                file.write_text("1234")
            else:
                os.link(file, tmp_path / "other")
            return real(*args)

        monkeypatch.setattr(sweep, "_lock", lock)
        assert not remove("name")
        assert file.exists()

    @pytest.mark.parametrize("how", HOW, ids=str)
    def test_a_single_try_that_meets_it_waits_for_it(self, tmp_path, stopped, monkeypatch, how):
        """Nobody holds the lock, so that nobody is told that somebody does."""
        monkeypatch.setattr(sweep, "sched_yield", stopped.set)
        assert take(tmp_path, **how).acquire(blocking=False)

    def test_a_single_try_does_not_wait_for_one_that_was_stopped(
        self, tmp_path, stopped, monkeypatch
    ):
        monkeypatch.setattr(sweep, "_LOOKS", 3)
        assert not take(tmp_path).acquire(blocking=False)

    @pytest.mark.parametrize("how", HOW, ids=str)
    def test_a_waiter_that_meets_it_goes_on_with_a_new_file(self, tmp_path, stopped, peers, how):
        options = "".join(f", {name}={value}" for name, value in how.items())
        other = peers.python(HOLDER.format(OURS[:-1] + options + ")"), tmp_path)
        until(lambda: sleeps_for_a_lock(other.process.pid), "it waits")
        old = os.stat(tmp_path / "name").st_ino
        keeps_the_number = os.open(tmp_path / "name", os.O_RDONLY)
        stopped.set()
        assert other.hear() == "held"
        assert os.stat(tmp_path / "name").st_ino != old
        with open(tmp_path / "name") as file:
            assert not syscalls.flock_try(file.fileno())
        os.close(keeps_the_number)

    def test_is_no_use_of_another_number_of_slots(self, tmp_path, stopped):
        """A contender for a slot would take it for an exclusive holder."""
        assert QueueRange(os.fsencode(tmp_path / "name")).use() is None


class TestSurvey:
    @pytest.fixture
    def survey(self, tmp_path):
        def survey():
            directory = os.open(tmp_path, os.O_RDONLY)
            try:
                files, others = sweep.survey(directory, sorted(os.listdir(directory)))
                return list(files), others
            finally:
                os.close(directory)

        return survey

    def test_has_each_file_that_a_lock_can_make(self, tmp_path, survey):
        names = ["name", "a/b", "", ".", "..", ".hidden", "50%", "%41", "%~", "\n", "é", "n" * 999]
        for name in names:
            with take(tmp_path, name):
                pass
        files, others = survey()
        assert len(files) == len(names)
        assert others == []

    def test_tells_what_can_be_no_lock_file(self, tmp_path, survey):
        (tmp_path / "content").write_text("1234")
        (tmp_path / "directory").mkdir()
        (tmp_path / "link").symlink_to("name")
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "two names").touch()
        os.link(tmp_path / "two names", tmp_path / "other name")
        for name in (b"\xff", b"line\nbreak"):
            os.close(os.open(os.fsencode(tmp_path) + b"/" + name, os.O_CREAT))
        (tmp_path / ".lockutils-queue").touch()
        (tmp_path / "name").touch()
        files, others = survey()
        assert files == ["name"]
        assert len(others) == 8

    def test_has_nothing_that_is_removed_meanwhile(self, tmp_path, survey, monkeypatch):
        """Of a file that is removed just then, the kernel may say that it has no name any more."""
        (tmp_path / "name").touch()
        gone = os.open(tmp_path / "name", os.O_RDONLY)
        (tmp_path / "name").unlink()
        (tmp_path / "name").touch()
        monkeypatch.setattr(sweep.os, "stat", lambda *_, **__: os.fstat(gone))
        assert survey() == ([], [])
        os.close(gone)


class TestClean:
    @pytest.fixture(autouse=True)
    def often(self, monkeypatch):
        monkeypatch.setattr(sweep, "_KEPT", 8)
        monkeypatch.setattr(sweep, "_EVERY", 1)
        yield
        lockutils.set_defaults(clean=False)

    def use(self, directory, number=50):
        for name in range(number):
            with take(directory, f"{name}"):
                pass

    @pytest.mark.parametrize("is_link", [False, True])
    def test_a_directory_that_was_named_stays_small(self, tmp_path, is_link):
        directory = tmp_path / "locks"
        directory.mkdir()
        if is_link:
            (tmp_path / "link").symlink_to(directory)
        lockutils.set_defaults(clean=True)
        with take(directory, "held"):
            self.use(tmp_path / "link" if is_link else directory)
            assert len(os.listdir(directory)) <= 9
            assert (directory / "held").exists()

    def test_only_if_told(self, tmp_path):
        self.use(tmp_path / "before")
        lockutils.set_defaults(clean=True)
        lockutils.set_defaults(clean=False)
        self.use(tmp_path / "after")
        assert len(os.listdir(tmp_path / "before")) == len(os.listdir(tmp_path / "after")) == 50

    def test_leaves_the_other_settings(self, tmp_path):
        lockutils.set_defaults(tmp_path)
        lockutils.set_defaults(clean=True)
        assert lockutils.get_lock_path() == str(tmp_path)
        lockutils.set_defaults(None)
        assert Directory.swept

    @pytest.mark.parametrize("other", ["directory", "file"])
    def test_not_where_there_is_anything_else(self, tmp_path, other):
        """Somebody may have named ``/tmp``."""
        if other == "directory":
            (tmp_path / "other").mkdir()
        else:
            (tmp_path / "other").write_text("text")
        lockutils.set_defaults(clean=True)
        self.use(tmp_path)
        assert len(os.listdir(tmp_path)) == 51

    def test_not_the_directory_of_a_file_that_was_named(self, tmp_path):
        pytest.importorskip("fasteners")
        lockutils.set_defaults(clean=True)
        for number in range(50):
            with lockutils.InterProcessLock(tmp_path / f"{number}"):
                pass
        assert len(os.listdir(tmp_path)) == 50

    @pytest.mark.parametrize("value", [1, None, "yes", 0])
    def test_what_is_no_bool_is_named(self, value, tmp_path):
        with pytest.raises(TypeError, match="clean must be a bool") as refusal:
            lockutils.set_defaults(tmp_path, file_mode=0o600, clean=value)
        assert repr(value) in str(refusal.value)
        assert not Directory.swept
        assert lockutils.get_lock_path() != str(tmp_path)
