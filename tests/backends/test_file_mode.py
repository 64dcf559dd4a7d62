"""Files of exactly the mode that the user wants, from the moment they have a name."""

import errno
import os
import signal
import stat

import pytest
from lock_peers import until_waited_for

import lockutils
from lockutils.backends.file import file_mode, opening, syscalls
from lockutils.backends.file.queue import QueueRange
from lockutils.backends.file.tickets import QueueEntry
from lockutils.errors import LockPathError
from lockutils.front import settings

QUEUE = ".lockutils-queue"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch):
    monkeypatch.delenv("LOCKUTILS_FILE_MODE", raising=False)
    yield
    lockutils.set_defaults(file_mode=None)


@pytest.fixture
def umask():
    previous = os.umask(0o022)
    yield os.umask
    os.umask(previous)


@pytest.fixture(params=["at once", "no O_TMPFILE", "no /proc"])
def system(request, monkeypatch):
    """What the system knows."""
    if request.param == "no O_TMPFILE":
        monkeypatch.setattr(opening, "_TMPFILE", 0)
    elif request.param == "no /proc":

        def link(*_, **__):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

        monkeypatch.setattr(os, "link", link)
    return request.param


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def take(folder, name="name"):
    with lockutils.lock(name, external=True, lock_path=folder):
        pass


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777], ids=oct)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660, 0o666, 0o777], ids=oct)
def test_a_lock_file_has_it_whatever_the_umask(system, tmp_path, umask, mode, mask):
    lockutils.set_defaults(file_mode=mode)
    umask(mask)

    take(tmp_path)

    assert os.listdir(tmp_path) == ["name"]
    assert mode_of(tmp_path / "name") == mode
    assert (tmp_path / "name").stat().st_nlink == 1


def test_the_queue_has_it_too(peers, tmp_path, umask):
    umask(0o077)
    source = (
        "import sys, lockutils\n"
        "lockutils.set_defaults(sys.argv[1], file_mode=0o660)\n"
        "lockutils.lock('name', external=True).acquire(); print('held')"
    )
    with lockutils.lock("name", external=True, lock_path=tmp_path):
        waiter = peers.python(source, tmp_path)
        until_waited_for(tmp_path / "name")
    assert waiter.hear() == "held"
    assert mode_of(tmp_path / QUEUE) == 0o660


def test_the_directory_may_be_a_link_or_missing(system, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    lockutils.set_defaults(file_mode=0o660)

    for folder in (tmp_path / "link", tmp_path / "one" / "two"):
        take(folder)
        assert mode_of(folder / "name") == 0o660


def test_a_file_that_is_there_is_left_as_it_is(tmp_path):
    (tmp_path / "name").touch(0o600)
    lockutils.set_defaults(file_mode=0o666)

    take(tmp_path)

    assert mode_of(tmp_path / "name") == 0o600


def test_nobody_meets_it_with_another_mode(tmp_path, umask, monkeypatch):
    real, seen = os.fchmod, []

    def fchmod(fd, mode):
        seen.append((os.listdir(tmp_path), os.fstat(fd).st_mode & 0o777 & ~mode))
        real(fd, mode)

    monkeypatch.setattr(os, "fchmod", fchmod)
    lockutils.set_defaults(file_mode=0o640)
    umask(0)
    (tmp_path / "link").symlink_to(tmp_path)

    take(tmp_path / "link")

    assert seen == [(["link"], 0)]


@pytest.mark.parametrize("call", ["fchmod", "link"])
def test_a_process_that_is_killed_meanwhile_leaves_no_file(peers, tmp_path, call):
    victim = peers.python(
        "import os, signal, sys, lockutils\n"
        f"os.{call} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "lockutils.set_defaults(sys.argv[1], file_mode=0o660)\n"
        "lockutils.lock('name', external=True).acquire()",
        tmp_path,
    )
    assert victim.end() == -signal.SIGKILL
    assert os.listdir(tmp_path) == []


def test_two_that_make_it_at_once_have_one_file(system, tmp_path, monkeypatch):
    real = syscalls.open_into

    def open_into(fd_box, path, flags, *mode):
        if flags & (os.O_CREAT | opening._TMPFILE) and not (tmp_path / "name").exists():
            (tmp_path / "name").touch(0o600)  # by another one
            inodes.append((tmp_path / "name").stat().st_ino)
        real(fd_box, path, flags, *mode)

    inodes = []
    monkeypatch.setattr(syscalls, "open_into", open_into)
    lockutils.set_defaults(file_mode=0o660)

    take(tmp_path)

    assert inodes == [(tmp_path / "name").stat().st_ino]
    assert mode_of(tmp_path / "name") == 0o600


class TestBeingMade:
    """Where a file has its name first, others meet it without its mode."""

    @pytest.fixture
    def path(self, monkeypatch, tmp_path):
        """A new file, which can be opened as soon as it has its mode."""
        path, real = tmp_path / "name", syscalls.open_into
        path.touch(0o600)

        def open_into(fd_box, file, flags, *mode):
            if mode_of(path) != 0o660 and flags & os.O_RDWR:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            real(fd_box, file, flags, *mode)

        monkeypatch.setattr(syscalls, "open_into", open_into)
        monkeypatch.setattr(opening, "sleep", lambda _: path.chmod(0o660))
        return path

    def is_writable(self, path):
        box = []
        try:
            return opening.open_file(box, os.fsencode(path))[0]
        finally:
            syscalls.close(box)

    def test_is_waited_for(self, path):
        lockutils.set_defaults(file_mode=0o660)
        assert self.is_writable(path)

    def test_is_over_after_a_moment(self, path, monkeypatch):
        lockutils.set_defaults(file_mode=0o660)
        now = path.stat().st_ctime + 1
        monkeypatch.setattr(opening, "time", lambda: now)
        assert not self.is_writable(path)

    def test_is_nothing_without_the_setting(self, path):
        assert not self.is_writable(path)


def test_the_default_directory_stays_as_it_is(tmp_path, umask, monkeypatch):
    tmp_path.chmod(0o1777)
    monkeypatch.setattr(settings, "default_parent", lambda: str(tmp_path))
    monkeypatch.setattr(settings, "_defaults", {})
    monkeypatch.delenv("LOCKUTILS_LOCK_PATH", raising=False)
    monkeypatch.delenv("OSLO_LOCK_PATH", raising=False)
    monkeypatch.setenv("LOCKUTILS_FILE_MODE", "no mode")
    with lockutils.lock("name", external=True):
        folder = tmp_path / f"lockutils-{os.geteuid()}"
        assert (folder / "name").stat().st_mode & 0o7777 == 0o1600
        entry = QueueEntry(QueueRange(os.fsencode(folder / "name"), os.geteuid()), strict=True)
        try:
            entry.take()
        finally:
            entry.give_back()
        assert mode_of(folder / QUEUE) == 0o644


class TestVariable:
    @pytest.mark.parametrize("text", ["660", "0660", "0o660", ""])
    def test_is_octal(self, monkeypatch, tmp_path, umask, text):
        monkeypatch.setenv("LOCKUTILS_FILE_MODE", text)
        take(tmp_path)
        assert mode_of(tmp_path / "name") == (0o660 if text else 0o644)

    def test_comes_after_the_setting(self, monkeypatch, tmp_path):
        monkeypatch.setenv("LOCKUTILS_FILE_MODE", "no mode")
        lockutils.set_defaults(file_mode=0o666)
        take(tmp_path)
        assert mode_of(tmp_path / "name") == 0o666

    @pytest.mark.parametrize(
        "text", ["no mode", "8", "0x1ff", "-660", "6_60", "1660", "460", "0o", "6" * 5000, "٦٦٠"]
    )
    @pytest.mark.parametrize("name", ["name", 200 * "n"], ids=len)
    def test_that_says_none_is_told_before_anything_is_made(
        self, monkeypatch, tmp_path, text, name
    ):
        monkeypatch.setenv("LOCKUTILS_FILE_MODE", text)
        for fair in (False, True):
            with pytest.raises(LockPathError) as refusal:
                lockutils.lock(
                    name, external=True, lock_path=tmp_path / "folder", fair=fair
                ).acquire()
            assert "$LOCKUTILS_FILE_MODE must be a mode " in str(refusal.value)
            assert repr(text) in str(refusal.value)
        assert os.listdir(tmp_path) == []
        monkeypatch.delenv("LOCKUTILS_FILE_MODE")
        take(tmp_path / "folder", name)


class TestSetting:
    @pytest.mark.parametrize(
        ("mode", "kind"),
        [
            *(("660", TypeError), (True, TypeError), (432.0, TypeError), (b"660", TypeError)),
            *((-1, ValueError), (0, ValueError), (0o1660, ValueError), (660, ValueError)),
            *((0o400, ValueError), (0o266, ValueError)),
        ],
    )
    def test_that_is_no_mode_is_named(self, mode, kind, tmp_path):
        lockutils.set_defaults(tmp_path / "before", file_mode=0o660)

        with pytest.raises(kind, match="file_mode") as refusal:
            lockutils.set_defaults(tmp_path, file_mode=mode)

        assert repr(mode) in str(refusal.value)
        assert file_mode.setting == 0o660
        assert lockutils.get_lock_path() == str(tmp_path / "before")
        lockutils.set_defaults(None)

    def test_leaves_the_other(self, tmp_path):
        lockutils.set_defaults(tmp_path)
        lockutils.set_defaults(file_mode=0o660)
        assert lockutils.get_lock_path() == str(tmp_path)
        with pytest.raises(ValueError, match="lock_path"):
            lockutils.set_defaults("", file_mode=0o666)
        assert file_mode.setting == 0o660
        lockutils.set_defaults(None)
        assert settings.setting() is None
        assert file_mode.setting == 0o660
        lockutils.set_defaults(lock_path=tmp_path, file_mode=None)
        assert settings.setting() == str(tmp_path)
        assert file_mode.setting is None
        lockutils.set_defaults(None)
