"""Where the lock files are: argument, setting, environment, default; asked at each call."""

import os
import pickle
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

import lockutils
from lockutils.front import settings

OURS, OSLOS = "LOCKUTILS_LOCK_PATH", "OSLO_LOCK_PATH"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch, tmp_path):
    """No setting, no environment, and a default directory below ``tmp_path``."""
    monkeypatch.delenv(OURS, raising=False)
    monkeypatch.delenv(OSLOS, raising=False)
    monkeypatch.setattr(settings, "default_parent", lambda: str(tmp_path))
    monkeypatch.setattr(settings, "_defaults", {})
    lockutils.set_defaults(lock_path=None)
    yield
    lockutils.set_defaults(lock_path=None)


def directory_used(**options):
    """Where a lock that is taken now puts its file."""
    name = uuid.uuid4().hex
    with lockutils.lock(name, external=True, **options):
        path = os.readlink(f"/proc/self/fd/{descriptor_of(name)}")
    return Path(path).parent


def descriptor_of(name):
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{number}").endswith(name):
                return number
        except FileNotFoundError:
            pass
    raise AssertionError("the lock has no file")


class TestPrecedence:
    # from the last to the first
    def test_default(self, tmp_path):
        assert directory_used() == tmp_path / f"lockutils-{os.geteuid()}"

    def test_oslos_variable_before_the_default(self, monkeypatch, tmp_path):
        monkeypatch.setenv(OSLOS, str(tmp_path / "oslo"))

        assert directory_used() == tmp_path / "oslo"

    def test_our_variable_before_oslos(self, monkeypatch, tmp_path):
        monkeypatch.setenv(OSLOS, str(tmp_path / "oslo"))
        monkeypatch.setenv(OURS, str(tmp_path / "ours"))

        assert directory_used() == tmp_path / "ours"

    def test_setting_before_the_variables(self, monkeypatch, tmp_path):
        monkeypatch.setenv(OSLOS, str(tmp_path / "oslo"))
        monkeypatch.setenv(OURS, str(tmp_path / "ours"))
        lockutils.set_defaults(lock_path=str(tmp_path / "set"))

        assert directory_used() == tmp_path / "set"

    def test_argument_before_all(self, monkeypatch, tmp_path):
        monkeypatch.setenv(OSLOS, str(tmp_path / "oslo"))
        monkeypatch.setenv(OURS, str(tmp_path / "ours"))
        lockutils.set_defaults(lock_path=str(tmp_path / "set"))

        assert directory_used(lock_path=str(tmp_path / "argument")) == tmp_path / "argument"

    @pytest.mark.parametrize("variable", [OURS, OSLOS])
    def test_an_empty_variable_is_as_none(self, monkeypatch, tmp_path, variable):
        monkeypatch.setenv(variable, "")

        assert directory_used() == tmp_path / f"lockutils-{os.geteuid()}"

    def test_our_empty_variable_leaves_oslos(self, monkeypatch, tmp_path):
        monkeypatch.setenv(OURS, "")
        monkeypatch.setenv(OSLOS, str(tmp_path / "oslo"))

        assert directory_used() == tmp_path / "oslo"


class TestEachCall:
    def test_looks_at_the_environment(self, monkeypatch, tmp_path):
        for name in ("one", "two"):
            monkeypatch.setenv(OURS, str(tmp_path / name))
            assert directory_used() == tmp_path / name
        monkeypatch.delenv(OURS)
        assert directory_used() == tmp_path / f"lockutils-{os.geteuid()}"

    def test_looks_at_the_setting(self, tmp_path):
        for name in ("one", "two"):
            lockutils.set_defaults(lock_path=tmp_path / name)
            assert directory_used() == tmp_path / name
        lockutils.set_defaults(lock_path=None)
        assert directory_used() == tmp_path / f"lockutils-{os.geteuid()}"

    def test_makes_a_handle_that_stays_where_it_is(self, tmp_path):
        lockutils.set_defaults(lock_path=tmp_path / "one")
        lock = lockutils.lock("name", external=True)
        lockutils.set_defaults(lock_path=tmp_path / "two")

        with lock:
            pass

        assert os.listdir(tmp_path) == ["one"]

    def test_has_get_lock_path_say_where(self, monkeypatch, tmp_path):
        assert lockutils.get_lock_path() == str(tmp_path / f"lockutils-{os.geteuid()}")
        monkeypatch.setenv(OSLOS, str(tmp_path / "oslo"))
        assert lockutils.get_lock_path() == str(tmp_path / "oslo")
        monkeypatch.setenv(OURS, str(tmp_path / "ours"))
        assert lockutils.get_lock_path() == str(tmp_path / "ours")
        lockutils.set_defaults(lock_path=tmp_path / "set")
        assert lockutils.get_lock_path() == str(tmp_path / "set")

    def test_of_an_internal_lock_touches_no_directory(self, tmp_path):
        with lockutils.lock("name"):
            pass

        assert not os.listdir(tmp_path)


class TestRelativePath:
    def test_as_argument_is_relative_to_where_we_are(self, monkeypatch, tmp_path):
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            monkeypatch.chdir(tmp_path / name)
            assert directory_used(lock_path="locks") == tmp_path / name / "locks"

    def test_in_the_environment_is_relative_to_where_we_are(self, monkeypatch, tmp_path):
        monkeypatch.setenv(OURS, "locks")
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            monkeypatch.chdir(tmp_path / name)
            assert directory_used() == tmp_path / name / "locks"

    def test_as_setting_is_relative_to_where_it_was_set(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        lockutils.set_defaults(lock_path="locks")
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")

        assert directory_used() == tmp_path / "locks"
        assert lockutils.get_lock_path() == str(tmp_path / "locks")

    def test_of_a_handle_does_not_move_with_us(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        lock = lockutils.lock("name", external=True, lock_path="locks")
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")

        with lock:
            assert os.listdir(tmp_path / "locks") == ["name"]

    def test_is_the_same_lock_as_the_absolute_one(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        with lockutils.lock("name", external=True, lock_path="./x/../locks/"):
            other = lockutils.lock(
                "name",
                external=True,
                lock_path=tmp_path / "locks",
                semaphores=lockutils.Semaphores(),
            )
            assert not other.acquire(blocking=False)


class BytesPath:
    def __fspath__(self):
        return b"locks"

    def __repr__(self):
        return "BytesPath()"


BAD_PATHS = [
    ("", ValueError),
    ("a\0b", ValueError),
    (5, TypeError),
    (b"locks", TypeError),
    (BytesPath(), TypeError),
    (["locks"], TypeError),
    (True, TypeError),
]


@pytest.mark.parametrize(("path", "kind"), BAD_PATHS)
class TestBadPath:
    def test_as_argument(self, path, kind):
        with pytest.raises(kind) as refusal:
            lockutils.lock("name", external=True, lock_path=path)
        assert repr(path) in str(refusal.value)
        assert "lock_path" in str(refusal.value)

    def test_as_setting(self, path, kind, tmp_path):
        lockutils.set_defaults(lock_path=tmp_path / "before")

        with pytest.raises(kind) as refusal:
            lockutils.set_defaults(lock_path=path)

        assert repr(path) in str(refusal.value)
        assert "lock_path" in str(refusal.value)
        assert lockutils.get_lock_path() == str(tmp_path / "before")


def test_a_path_object_will_do(tmp_path):
    assert directory_used(lock_path=tmp_path / "locks") == tmp_path / "locks"


def test_a_path_in_the_environment_that_is_no_directory_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv(OURS, str(tmp_path / "file"))

    with pytest.raises(lockutils.LockPathError, match=str(tmp_path / "file")):
        lockutils.lock("name", external=True).acquire()


class TestErrorSaysWhatNamesTheDirectory:
    """All name the same path, which is a file."""

    @pytest.fixture
    def path(self, monkeypatch, tmp_path):
        path = tmp_path / "file"
        path.touch()
        monkeypatch.setenv(OSLOS, str(path))
        return path

    def source_of(self, **call):
        seen = set()
        for take in (
            lambda: lockutils.lock("name", external=True, **call).acquire(),
            lambda: lockutils.lock("name", external=True, fair=True, **call).acquire(),
            lambda: lockutils.lock(200 * "n", external=True, **call).acquire(),
            lambda: lockutils.external_lock("name", **call).acquire(),
        ):
            for _ in range(2):  # the second time, the directory is known
                with pytest.raises(lockutils.LockPathError) as refusal:
                    take()
                error = refusal.value
                assert str(error).endswith(f"' (by {error.source})")
                assert pickle.loads(pickle.dumps(error)).source == error.source
                seen.add(error.source)
        (source,) = seen
        return source

    def test_in_any_order(self, monkeypatch, path):
        assert self.source_of() == f"${OSLOS}"
        assert self.source_of(lock_path=path) == "lock_path"
        assert self.source_of(lock_path=str(path)) == "lock_path"
        monkeypatch.setenv(OURS, str(path))
        assert self.source_of() == f"${OURS}"
        lockutils.set_defaults(path)
        assert self.source_of() == "set_defaults"
        assert self.source_of(lock_path=str(path)) == "lock_path"
        handle = lockutils.lock("name", external=True)
        lockutils.set_defaults(None)
        with pytest.raises(lockutils.LockPathError, match="by set_defaults"):
            handle.acquire()
        assert self.source_of() == f"${OURS}"

    def test_of_the_default(self, monkeypatch, tmp_path):
        (tmp_path / f"lockutils-{os.geteuid()}").touch()
        assert self.source_of() == "default"
        (tmp_path / f"lockutils-{os.geteuid()}").unlink()
        monkeypatch.setattr(settings, "default_parent", lambda: str(tmp_path / "none"))
        assert self.source_of() == "default"

    def test_unless_the_path_of_the_file_is_given(self, path):
        with pytest.raises(lockutils.LockPathError) as refusal:
            lockutils.InterProcessLock(path / "file").acquire()
        assert refusal.value.source == ""
        assert "(by" not in str(refusal.value)


def test_hundreds_of_lock_directories_stay_apart(tmp_path):
    for number in range(300):
        assert directory_used(lock_path=tmp_path / str(number)) == tmp_path / str(number)
    for number in (0, 150, 299):
        assert directory_used(lock_path=str(tmp_path / str(number))) == tmp_path / str(number)


class TestDefaultInAnyEnvironment:
    HOLDER = """
import sys
import lockutils
lock = lockutils.lock(sys.argv[1], external=True)
print("held" if lock.acquire(blocking=False) else "busy", flush=True)
print(lockutils.get_lock_path(), flush=True)
sys.stdin.readline()
"""

    def start(self, name, environment):
        process = subprocess.Popen(
            [sys.executable, "-c", self.HOLDER, name],
            env={**environment, "PYTHONPATH": str(Path(lockutils.__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return process, process.stdout.readline().strip(), process.stdout.readline().strip()

    def test_two_processes_of_a_user_exclude_each_other(self, tmp_path):
        name = f"lockutils-test-{uuid.uuid4()}"
        shell = {**os.environ, "HOME": "/root", "TMPDIR": str(tmp_path), "LC_ALL": "C.UTF-8"}
        cron = {
            "HOME": str(tmp_path),
            "XDG_RUNTIME_DIR": str(tmp_path / "run"),
            "TMPDIR": "/var/tmp",
            "TEMP": "/tmp",
            "LOGNAME": "somebody",
            "USER": "somebody",
            "LC_ALL": "C",
        }
        first, outcome, path = self.start(name, shell)
        try:
            second, other_outcome, other_path = self.start(name, cron)
            second.communicate()
        finally:
            first.communicate()
            if path:
                Path(path, name).unlink(missing_ok=True)

        assert outcome == "held"
        assert other_outcome == "busy"
        assert path == other_path
        assert not os.listdir(tmp_path)
