"""File systems with one kind of lock, or two that are one: played by the system calls."""

import contextlib
import errno
import os
import re
import signal
import threading

import pytest

fcntl = pytest.importorskip("fcntl")

from conformance import forever  # noqa: E402
from lock_peers import Background, until_waited_for  # noqa: E402

from lockutils.backends.file import lock_kinds, sweep, syscalls  # noqa: E402
from lockutils.backends.file.directory import Directory  # noqa: E402
from lockutils.backends.file.opening import open_file  # noqa: E402
from lockutils.backends.file.request import FileRequest, SharedRequest  # noqa: E402
from lockutils.backends.file.slots import SlotRequest  # noqa: E402
from lockutils.errors import LockPathError  # noqa: E402
from lockutils.oslo.interprocess import InterProcessLock  # noqa: E402
from lockutils.parking import sleeper  # noqa: E402

if syscalls._SETLK is None:
    pytest.skip("no open file description locks on this platform", allow_module_level=True)

real_flock, real_fcntl = syscalls.flock, syscalls._fcntl
SETLK, SETLKW = syscalls._SETLK, sleeper.SETLKW


def wait_or_try(request, method):
    return request.block(forever()) if method == "block" else request.try_now()


def failing(error_number):
    def call(*_):
        raise OSError(error_number, os.strerror(error_number))

    return call


class OneLockForBoth:
    """As on NFS: each kind meets the other, also on one and the same descriptor."""

    def flock(self, descriptor, operation):
        if not operation & fcntl.LOCK_UN:
            with second_open_of(descriptor) as other:
                at_once = operation & fcntl.LOCK_NB
                what = syscalls.WHOLE_SHARED if operation & fcntl.LOCK_SH else syscalls.WHOLE
                real_fcntl(other, SETLK if at_once else SETLKW, what)
        real_flock(descriptor, operation)

    def fcntl(self, descriptor, command, lock):
        kind = syscalls._struct_flock.unpack(lock)[0]
        if kind != syscalls.UNLOCK and command in (SETLK, SETLKW):
            way = fcntl.LOCK_SH if kind == syscalls.READ else fcntl.LOCK_EX
            with second_open_of(descriptor) as other:
                real_flock(other, way | (fcntl.LOCK_NB if command == SETLK else 0))
        return real_fcntl(descriptor, command, lock)


@contextlib.contextmanager
def second_open_of(descriptor):
    other = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)
    try:
        yield other
    finally:
        os.close(other)


@pytest.fixture
def _sleeps_in_python(monkeypatch):
    """A wait is Python's own call, which the test replaces; no call of the C library."""
    monkeypatch.setattr(sleeper, "load", lambda: None)
    monkeypatch.setattr(sleeper, "flock", lambda *args: syscalls.flock(*args))  # noqa: PLW0108
    monkeypatch.setattr(sleeper, "fcntl", lambda *args: syscalls._fcntl(*args))  # noqa: PLW0108


@pytest.fixture
def probes(monkeypatch, _sleeps_in_python):
    """A process that knows of no file system yet; the list grows with each that it tries."""
    monkeypatch.setattr(lock_kinds, "_of_device", {})
    works, tried = lock_kinds._works, []

    def note(lock, descriptor):
        inode = os.fstat(descriptor).st_ino
        if inode not in tried:
            tried.append(inode)
        return works(lock, descriptor)

    monkeypatch.setattr(lock_kinds, "_works", note)
    return tried


def both_kinds(monkeypatch):
    pass


def one_lock_for_both(monkeypatch):
    system = OneLockForBoth()
    monkeypatch.setattr(syscalls, "flock", system.flock)
    monkeypatch.setattr(syscalls, "_fcntl", system.fcntl)


def no_record_lock(monkeypatch):
    monkeypatch.setattr(syscalls, "_fcntl", failing(errno.EINVAL))


def no_record_lock_in_this_python(monkeypatch):
    monkeypatch.setattr(syscalls, "_SETLK", None)


def no_flock(monkeypatch):
    monkeypatch.setattr(syscalls, "flock", failing(errno.ENOSYS))


@pytest.fixture
def new_request(tmp_path):
    requests = []

    def new_request(key="key", kind=FileRequest, *slots):
        requests.append(kind(key, Directory(os.fsencode(tmp_path)), False, *slots))
        return requests[-1]

    yield new_request
    for contender in requests:
        contender.cancel()


@pytest.mark.parametrize(
    "system",
    [both_kinds, one_lock_for_both, no_record_lock, no_record_lock_in_this_python, no_flock],
)
class TestAnyFileSystem:
    @pytest.fixture(autouse=True)
    def _file_system(self, probes, monkeypatch, system):
        system(monkeypatch)

    def test_claims_exclude_each_other(self, new_request):
        first, second = new_request(), new_request()

        assert first.try_now()
        assert not second.try_now()
        first.cancel()
        assert second.try_now()
        assert not first.try_now()

    def test_readers_share_and_exclude_writers(self, new_request):
        one, other, writer = (
            new_request("key", SharedRequest),
            new_request("key", SharedRequest),
            new_request(),
        )

        assert one.try_now()
        assert other.try_now()
        assert not writer.try_now()
        one.cancel()
        other.cancel()
        assert writer.try_now()
        assert not one.try_now()
        waiting = Background(one.block, forever())
        until_waited_for(writer.path)
        writer.cancel()
        assert waiting.result()

    def test_slots_need_record_locks(self, new_request, system):
        requests = [new_request("key", SlotRequest, 2) for _ in range(3)]
        if system in (no_record_lock, no_record_lock_in_this_python):
            with pytest.raises(LockPathError):
                requests[0].try_now()
            return
        assert requests[0].try_now()
        assert requests[1].try_now()
        assert not requests[2].try_now()
        requests[0].cancel()
        assert requests[2].try_now()

    @pytest.mark.parametrize("kind", [FileRequest, SharedRequest])
    @pytest.mark.parametrize("known", [False, True])
    def test_a_file_is_removed_unless_it_is_locked(self, new_request, tmp_path, kind, known):
        if known:
            assert new_request("other").try_now()
        holder, cell = new_request("key", kind), []
        assert holder.try_now()
        if not known:
            lock_kinds._of_device.clear()
        status = sweep.open_directory(cell, os.fsencode(tmp_path), own=False)
        assert not sweep.remove_if_free(cell[0], status, "key")
        holder.cancel()
        assert sweep.remove_if_free(cell[0], status, "key")
        assert not (tmp_path / "key").exists()
        syscalls.close(cell)

    def test_an_interprocess_lock_and_a_claim_exclude_each_other(self, new_request, tmp_path):
        lock, contender = InterProcessLock(tmp_path / "key"), new_request()

        for _ in range(2):
            assert lock.acquire(blocking=False)
            assert not contender.try_now()
            assert not InterProcessLock(tmp_path / "key").acquire(blocking=False)
            lock.release()
            assert contender.try_now()
            assert not lock.acquire(blocking=False)
            contender.cancel()

    def test_a_wait_ends_with_the_release(self, new_request):
        holder, waiter = new_request(), new_request()
        assert holder.try_now()
        waiting = Background(waiter.block, forever())
        until_waited_for(waiter.path)

        holder.cancel()

        waiting.result()
        assert not new_request().try_now()

    def test_a_wait_is_what_finds_it_out(self, new_request):
        contender = new_request()

        Background(contender.block, forever()).result()

        assert not new_request().try_now()

    @pytest.mark.parametrize("method", ["try_now", "block"])
    def test_a_claim_that_is_older_than_the_knowledge(self, new_request, tmp_path, method):
        """It opened its file when nothing was known, and goes on when another one knows."""
        contender = new_request()
        with open(tmp_path / "key", "w") as foreign:
            try:
                syscalls.flock(foreign.fileno(), fcntl.LOCK_EX)
            except OSError:
                assert syscalls.span_try(foreign.fileno(), syscalls.WHOLE)
            assert not contender.try_now()
            assert new_request("other").try_now()
            try:
                syscalls.flock(foreign.fileno(), fcntl.LOCK_UN)
            except OSError:
                syscalls.record_unlock(foreign.fileno())

        assert Background(wait_or_try, contender, method).result()

        assert not new_request().try_now()

    def test_is_found_out_once(self, new_request, probes, tmp_path):
        for key in ("one", "two", "one"):
            holder, loser = new_request(key), new_request(key)
            assert holder.try_now()
            assert not loser.try_now()
            holder.cancel()

        assert len(probes) <= 1
        assert sorted(os.listdir(tmp_path)) == ["one", "two"]

    def test_two_threads_that_find_it_out_at_once(self, new_request, monkeypatch):
        """The second thread comes while the first is in the middle of it."""
        works, second = lock_kinds._works, []

        def while_the_other_comes(lock, descriptor):
            if not second:
                second.append(None)  # not again within the other's own
                second[0] = Background(new_request("two").try_now)
                second[0].join(1)  # it may wait until we are through
            return works(lock, descriptor)

        monkeypatch.setattr(lock_kinds, "_works", while_the_other_comes)

        assert new_request("one").try_now()

        assert not second or second[0].result()


@pytest.mark.parametrize("error_number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_no_file_is_removed(probes, monkeypatch, tmp_path, error_number):
    monkeypatch.setattr(syscalls, "flock", failing(error_number))
    monkeypatch.setattr(syscalls, "_fcntl", failing(error_number))
    (tmp_path / "key").touch()
    cell = []
    status = sweep.open_directory(cell, os.fsencode(tmp_path), own=False)
    with pytest.raises(OSError, match=re.escape(os.strerror(error_number))):
        sweep.remove_if_free(cell[0], status, "key")
    assert (tmp_path / "key").exists()
    syscalls.close(cell)


@pytest.mark.parametrize("error_number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_no_lock_at_all_is_an_error_each_time(
    probes, monkeypatch, new_request, tmp_path, error_number
):
    monkeypatch.setattr(syscalls, "flock", failing(error_number))
    monkeypatch.setattr(syscalls, "_fcntl", failing(error_number))

    for method in ("try_now", "block", "try_now"):
        with pytest.raises(LockPathError) as refusal:
            wait_or_try(new_request(), method)
        assert refusal.value.errno == error_number
        with pytest.raises(threading.ThreadError, match=os.strerror(error_number)):
            InterProcessLock(tmp_path / "key").acquire()


@pytest.mark.parametrize("method", ["try_now", "block"])
def test_a_lack_of_locks_that_passes_is_not_remembered(
    probes, monkeypatch, new_request, tmp_path, method
):
    """ENOLCK is also what a kernel says that is out of memory for locks at the moment."""
    with monkeypatch.context() as lack:
        lack.setattr(syscalls, "_fcntl", failing(errno.ENOLCK))
        try:
            wait_or_try(new_request(), method)
        except LockPathError:
            pass

    assert new_request("other").try_now()

    # what was found out then must not keep us from excluding lockf now
    with open(tmp_path / "other", "rb+") as file, pytest.raises((BlockingIOError, PermissionError)):
        real_fcntl(file, SETLK, syscalls.WHOLE)


def test_an_ordinary_file_system_is_not_probed(probes, new_request):
    holder, loser = new_request(), new_request()
    assert holder.try_now()
    assert not loser.try_now()  # it runs into flock first

    assert not probes


def test_a_foreign_record_lock_is_no_reason_to_give_up_a_kind(probes, new_request, peers, tmp_path):
    (tmp_path / "key").touch()
    peer = peers.python(
        "import fcntl, sys\n"
        "file = open(sys.argv[1], 'rb+')\n"
        "fcntl.lockf(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.readline()\n",
        tmp_path / "key",
    )
    assert peer.hear() == "held"
    assert not new_request().try_now()
    assert not new_request().try_now()
    assert len(probes) == 1

    peer.end()

    assert new_request().try_now()
    with open(tmp_path / "key", "rb+") as file:
        for lock in (fcntl.flock, fcntl.lockf):
            with pytest.raises((BlockingIOError, PermissionError)):
                lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_process_that_is_killed_meanwhile_leaves_no_file(peers, tmp_path):
    victim = peers.python(
        "import os, signal, sys\n"
        "from lockutils.backends.file import lock_kinds, opening\n"
        "def die(*_):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "lock_kinds._works = die\n"
        "cell = []\n"
        "opening.open_file(cell, os.fsencode(sys.argv[1]) + b'/key')\n"
        "lock_kinds.find_out(cell[0], os.fsencode(sys.argv[1]))\n",
        tmp_path,
    )

    assert victim.end() == -signal.SIGKILL

    assert os.listdir(tmp_path) == ["key"]


def test_a_file_system_without_nameless_files_can_be_probed(probes, monkeypatch, tmp_path):
    monkeypatch.setattr(lock_kinds, "_TMPFILE", os.O_DIRECTORY)  # an error on a file to write to
    cell = []
    open_file(cell, os.fsencode(tmp_path) + b"/key")
    try:
        lock_kinds.find_out(cell[0], os.fsencode(tmp_path))
    finally:
        syscalls.close(cell)

    assert len(probes) == 1
    assert os.listdir(tmp_path) == ["key"]


@pytest.mark.parametrize(("kind", "most"), [(FileRequest, 1), (SharedRequest, 2)])
def test_a_file_that_can_only_be_read_needs_flock(
    kind, most, probes, monkeypatch, only_to_read, new_request, tmp_path
):
    """A read lock alone lets in every other reader, which is right for readers alone."""
    (tmp_path / "key").touch()
    monkeypatch.setattr(syscalls, "flock", failing(errno.ENOSYS))
    only_to_read()
    holders = 0
    for _ in range(2):
        try:
            holders += new_request("key", kind).try_now()
        except LockPathError:
            pass

    assert holders <= most
    assert kind is FileRequest or holders == most
