"""The lock directory: made where it is missing, left as it is, refused where it is not safe."""

import os
import stat

import pytest

import lockutils
from lockutils.backends.file.directory import DefaultDirectory, Directory, default_parent
from lockutils.errors import LockPathError
from lockutils.front import settings

NOBODY = 65534
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def umask():
    """Set the umask for the test."""
    previous = os.umask(0o022)
    yield os.umask
    os.umask(previous)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


class TestDirectoryOfTheUsers:
    def test_is_made_with_its_parents_as_the_umask_allows(self, tmp_path, umask):
        umask(0o002)
        path = tmp_path / "one" / "two"

        Directory(os.fsencode(path)).make()

        assert mode_of(path) == 0o775

    def test_is_left_as_it_is(self, tmp_path, umask):
        path = tmp_path / "locks"
        path.mkdir()
        path.chmod(0o3771)

        with lockutils.lock("name", external=True, lock_path=path):
            pass

        assert mode_of(path) == 0o3771
        assert os.listdir(path) == ["name"]

    def test_may_be_writable_for_others_and_reached_by_a_symlink(self, tmp_path):
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared").chmod(0o1777)
        (tmp_path / "link").symlink_to("shared")

        with lockutils.lock("name", external=True, lock_path=tmp_path / "link"):
            assert os.listdir(tmp_path / "shared") == ["name"]

    def test_has_files_as_the_umask_allows(self, tmp_path, umask):
        umask(0o007)

        with lockutils.lock("name", external=True, lock_path=tmp_path):
            pass

        assert mode_of(tmp_path / "name") == 0o660

    @pytest.mark.parametrize("name", ["short", "l" + 200 * "o" + "ng"])
    @pytest.mark.parametrize("place", ["file", "file/below", "dangling", "loop", 300 * "x"])
    def test_that_cannot_be_one_is_named(self, tmp_path, name, place):
        (tmp_path / "file").touch()
        (tmp_path / "dangling").symlink_to("/proc/none/such")
        (tmp_path / "loop").symlink_to("loop")
        path = tmp_path / place

        with pytest.raises(LockPathError) as refusal:
            lockutils.lock(name, external=True, lock_path=path).acquire()

        assert refusal.value.filename.startswith(str(path))
        assert refusal.value.errno
        assert refusal.value.strerror

    @pytest.mark.parametrize("name", ["short", "l" + 200 * "o" + "ng"])
    def test_that_is_missing_is_made_for_any_name(self, tmp_path, name):
        with lockutils.lock(name, external=True, lock_path=tmp_path / "locks"):
            assert os.listdir(tmp_path / "locks") == [name]

    def test_in_a_working_directory_that_is_gone_cannot_be_made(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        tmp_path.rmdir()
        try:
            with pytest.raises(LockPathError):
                Directory(b"one/two").make()
        finally:
            tmp_path.mkdir()

    def test_has_a_file_for_each_of_many_names(self, tmp_path):
        directory = Directory(os.fsencode(tmp_path))

        files = [directory.file_of(str(number)) for number in range(1000)]

        assert len(set(files)) == 1000
        assert files == [directory.file_of(str(number)) for number in range(1000)]
        assert files[17] == os.fsencode(tmp_path / "17")


@pytest.fixture
def default(monkeypatch, tmp_path):
    """Where the default directory would be; nothing is there yet."""
    tmp_path.chmod(0o1777)
    monkeypatch.delenv("LOCKUTILS_LOCK_PATH", raising=False)
    monkeypatch.delenv("OSLO_LOCK_PATH", raising=False)
    monkeypatch.setattr(settings, "default_parent", lambda: str(tmp_path))
    monkeypatch.setattr(settings, "_defaults", {})
    lockutils.set_defaults(lock_path=None)
    return tmp_path / f"lockutils-{os.geteuid()}"


def take_lock():
    with lockutils.lock("name", external=True):
        pass


class TestDefaultDirectory:
    @pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o007])
    def test_is_made_for_its_user_alone(self, default, umask, mask):
        umask(mask)

        take_lock()

        assert mode_of(default) == 0o700
        assert default.stat().st_uid == os.geteuid()
        assert os.listdir(default) == ["name"]

    @pytest.mark.parametrize("mode", [0o700, 0o755, 0o1700])
    def test_of_ours_is_used_again(self, default, mode):
        default.mkdir()
        default.chmod(mode)

        take_lock()

        assert mode_of(default) == mode

    def test_is_made_again_if_it_was_removed(self, default):
        take_lock()
        (default / "name").unlink()
        default.rmdir()

        take_lock()

        assert mode_of(default) == 0o700

    @pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o702, 0o720])
    def test_that_others_can_write_in_is_refused(self, default, mode):
        default.mkdir()
        default.chmod(mode)

        self.assert_refused(default, f"writable by others (mode {mode:o})")

        assert mode_of(default) == mode

    def test_of_another_user_is_refused(self, default, monkeypatch):
        default.mkdir(0o700)
        if IS_ROOT:
            os.chown(default, NOBODY, NOBODY)
        else:  # we cannot make one of another user's, but we can be another user than its
            monkeypatch.setattr(os, "geteuid", lambda: default.stat().st_uid + 1)
            default.rename(default.with_name(f"lockutils-{os.geteuid()}"))
            default = default.with_name(f"lockutils-{os.geteuid()}")

        self.assert_refused(default, "belongs to user")

    @pytest.mark.parametrize("target", ["directory of ours", "nothing", "file", "itself"])
    def test_that_is_a_symlink_is_refused(self, default, target):
        place = default.with_name("target")
        if target == "directory of ours":
            place.mkdir(0o700)
        elif target == "file":
            place.touch()
        default.symlink_to(default if target == "itself" else place)

        self.assert_refused(default, "not a directory")

        assert default.is_symlink()
        assert not place.is_dir() or not os.listdir(place)

    @pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.touch()])
    def test_that_is_no_directory_is_refused(self, default, make):
        make(default)

        self.assert_refused(default, "not a directory")

    def test_that_cannot_be_made_is_named(self, default, monkeypatch):
        monkeypatch.setattr(settings, "default_parent", lambda: str(default / "missing"))

        self.assert_refused(default / "missing" / default.name, "No such file")

    @pytest.mark.parametrize("plant", ["dangling symlink", "symlink", "directory for all"])
    def test_that_was_replaced_since_is_refused(self, default, plant):
        """A cleaner removed it, and somebody else was faster to make it again."""
        take_lock()
        (default / "name").unlink()
        default.rmdir()
        if plant == "directory for all":
            default.mkdir()
            default.chmod(0o777)
        else:
            default.symlink_to(default.with_name("target"))
        if plant == "symlink":
            default.with_name("target").mkdir()

        self.assert_refused(default, "")

    def test_of_the_user_alone_is_swept(self):
        assert DefaultDirectory.swept
        assert not Directory.swept

    @staticmethod
    def assert_refused(path, reason):
        for _ in range(2):  # and is not taken for checked then
            with pytest.raises(LockPathError) as refusal:
                take_lock()
            assert str(path) in str(refusal.value)
            assert reason in str(refusal.value)


class TestDefaultParent:
    def test_is_where_everybody_may_make_a_directory_and_nobody_may_remove_anothers(self):
        mode = os.stat(default_parent()).st_mode

        assert mode & stat.S_ISVTX
        assert mode & stat.S_IWOTH

    def test_does_not_depend_on_the_environment(self, monkeypatch, tmp_path):
        expected = default_parent()
        for variable in ("HOME", "TMPDIR", "TEMP", "TMP", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
            monkeypatch.setenv(variable, str(tmp_path))

        assert default_parent() == expected
