"""The names that oslo.concurrency has besides ``lock`` and ``synchronized``, and what they mean."""

import inspect
import logging
import os
import subprocess
import sys

import fasteners
import pytest
from lock_peers import WATCHDOG, Background, run_python, sleeps_for_a_lock, until

import lockutils
from lockutils import lock as lock_module
from lockutils import reader_writer

# --- the names

NAMES = """
    AcquireLockFailedException FairLocks InterProcessLock ReaderWriterLock Semaphores external_lock
    get_lock_path internal_fair_lock internal_lock lock lock_with_prefix main
    remove_external_lock_file remove_external_lock_file_with_prefix set_defaults synchronized
    synchronized_with_prefix
""".split()


def test_all_of_them_are_there():
    printed = run_python("""
import lockutils
listed = set(dir(lockutils))
for name in lockutils.__all__:
    assert name in listed, name
    getattr(lockutils, name)
from lockutils import *
print(*lockutils.__all__)
""")
    assert set(NAMES) <= set(printed.split())


def test_theirs_are_all_here_with_their_parameters():
    """Ours may have more of them, after theirs; ``conf`` need not be given."""
    printed = run_python(f"""
import inspect, warnings
warnings.simplefilter("ignore")
from oslo_concurrency import lockutils as theirs
import lockutils as ours
for name in {NAMES!r}:
    def parameters(module):
        found = getattr(module, name)
        while isinstance(found, type):
            found = found.__init__
        return [
            (parameter.name, parameter.default)
            for parameter in inspect.signature(found).parameters.values()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
    mine, other = parameters(ours), parameters(theirs)
    if name == "get_lock_path":
        mine = [(parameter, inspect.Parameter.empty) for parameter, _ in mine]
    if name not in ("set_defaults", "AcquireLockFailedException"):
        assert mine[:len(other)] == other, (name, mine, other)
    assert [parameter for parameter, _ in mine][:len(other)] == [
        parameter for parameter, _ in other
    ], name
public = {{
    name for name, found in vars(theirs).items()
    if getattr(found, "__module__", "").startswith("oslo_concurrency")
    and not name.startswith("_") and not name.endswith("Protocol")
}}
print(*public - set(ours.__all__))
""")
    assert printed.split() == []


@pytest.mark.parametrize("name", ["lock_with_prefix", "internal_lock", "remove_external_lock_file"])
def test_what_needs_no_fasteners_does_not_import_it(name):
    printed = run_python(f"""
import sys
import lockutils
before = [name for name in sys.modules if name in ("fasteners", "logging", "lockutils.oslo")]
assert before == [], before
lockutils.{name}
print("fasteners" in sys.modules)
lockutils.FairLocks
print("fasteners" in sys.modules)
""")
    assert printed.split() == ["False", "True"]


def test_no_other_name_is_invented():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = lockutils.no_such_name


def test_fasteners_classes_are_known_by_isinstance(tmp_path):
    assert isinstance(lockutils.ReaderWriterLock(), fasteners.ReaderWriterLock)
    assert isinstance(lockutils.FairLocks().get("name"), lockutils.ReaderWriterLock)
    assert isinstance(lockutils.internal_fair_lock("name"), lockutils.ReaderWriterLock)
    lock = lockutils.external_lock("name", lock_path=tmp_path)
    assert isinstance(lock, lockutils.InterProcessLock)
    assert isinstance(lock, fasteners.InterProcessLock)


# --- internal_lock, and the partial ones


def is_free(name, **options):
    lock = lockutils.lock(name, **options)
    if not lock.acquire(blocking=False):
        return False
    lock.release()
    return True


def test_an_internal_lock_is_the_lock_of_that_name():
    with lockutils.internal_lock("name"):
        assert not is_free("name")
        assert is_free("name", semaphores=lockutils.Semaphores())
    assert is_free("name")


def test_an_internal_lock_of_other_semaphores_is_theirs():
    semaphores = lockutils.Semaphores()
    with lockutils.internal_lock("name", semaphores):
        assert is_free("name")
        assert not is_free("name", semaphores=semaphores)


def test_an_internal_lock_without_blocking_raises():
    lock = lockutils.internal_lock("name", blocking=False)
    with lock, pytest.raises(lockutils.AcquireLockFailedException):
        lockutils.internal_lock("name", blocking=False).__enter__()


def test_lock_with_prefix(tmp_path):
    lock = lockutils.lock_with_prefix("app")
    with lock("name", external=True, lock_path=tmp_path):
        assert not is_free("name", lock_file_prefix="app")
        assert is_free("name")
    assert os.listdir(tmp_path) == ["app-name"]


def test_synchronized_with_prefix(tmp_path):
    synchronized = lockutils.synchronized_with_prefix("app-")

    @synchronized("name", external=True, lock_path=tmp_path)
    def work(number):
        """Works."""
        assert not is_free("name", lock_file_prefix="app")
        return number

    assert (work(7), work.__doc__) == (7, "Works.")
    assert os.listdir(tmp_path) == ["app-name"]


# --- the removal of a lock file


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, logger="lockutils")
    return lambda: [record.getMessage() for record in caplog.records]


def make_file(directory, *args, **options):
    with lockutils.lock(*args, external=True, lock_path=directory, **options):
        pass


@pytest.mark.parametrize("name", ["name", "a/b", ".dot", "", 300 * "n"])
def test_the_file_is_removed(name, tmp_path, warnings):
    make_file(tmp_path, name, "app")
    assert len(os.listdir(tmp_path)) == 1

    lockutils.remove_external_lock_file(name, "app", tmp_path)

    assert os.listdir(tmp_path) == []
    assert warnings() == []


def test_the_file_of_a_prefix_is_removed(tmp_path):
    make_file(tmp_path, "name", "app")
    make_file(tmp_path, "name")

    lockutils.remove_external_lock_file_with_prefix("app")("name", lock_path=tmp_path)

    assert os.listdir(tmp_path) == ["name"]


def test_that_there_is_no_file_is_fine(tmp_path, warnings):
    lockutils.remove_external_lock_file("name", lock_path=tmp_path)
    assert os.listdir(tmp_path) == []

    lockutils.remove_external_lock_file("name", lock_path=tmp_path / "no" / "directory")
    assert os.listdir(tmp_path) == []
    assert warnings() == []


def test_a_failure_is_a_warning(tmp_path, warnings):
    (tmp_path / "name").mkdir()

    lockutils.remove_external_lock_file("name", lock_path=tmp_path)

    (warning,) = warnings()
    assert warning.startswith(f"Failed to remove file {tmp_path / 'name'}: ")


def test_a_holder_in_this_process_is_waited_for(tmp_path):
    with lockutils.lock("name", external=True, lock_path=tmp_path) as held:
        removal = Background(lockutils.remove_external_lock_file, "name", lock_path=tmp_path)
        until(lambda: len(held._queue) > 1, "the removal waits")
        assert os.listdir(tmp_path) == ["name"]
    removal.result()
    assert os.listdir(tmp_path) == []


def test_only_a_holder_of_the_same_semaphores_is_waited_for(tmp_path):
    make_file(tmp_path, "name")
    with lockutils.lock("name"):
        semaphores = lockutils.Semaphores()
        lockutils.remove_external_lock_file("name", None, tmp_path, semaphores)
    assert os.listdir(tmp_path) == []


def test_whoever_holds_the_lock_cannot_remove_its_file(tmp_path):
    with (
        lockutils.lock("name", external=True, lock_path=tmp_path),
        pytest.raises(lockutils.DeadlockError),
    ):
        lockutils.remove_external_lock_file("name", lock_path=tmp_path)


HOLDER = """
import os, sys
import lockutils
lock = lockutils.{}
lock.acquire()
print("held", flush=True)
sys.stdin.readline()
lock.release()
print("released", flush=True)
sys.stdin.readline()
"""
OURS = "lock('name', external=True, lock_path=sys.argv[1])"
FILE_LOCK = "external_lock('name', lock_path=sys.argv[1])"


@pytest.mark.parametrize("holder", [OURS, FILE_LOCK])
def test_a_file_that_another_process_has_locked_stays(holder, tmp_path, peers, warnings):
    """Else the next one in would have a new file, beside the holder."""
    other = peers.python(HOLDER.format(holder), tmp_path)
    assert other.hear() == "held"

    lockutils.remove_external_lock_file("name", lock_path=tmp_path)

    (warning,) = warnings()
    assert warning == f"Failed to remove file {tmp_path / 'name'}: It is locked"
    assert not is_free("name", external=True, lock_path=tmp_path)
    assert other.ask() == "released"
    lockutils.remove_external_lock_file("name", lock_path=tmp_path)
    assert not (tmp_path / "name").exists()


@pytest.mark.parametrize("waiter", [OURS, FILE_LOCK])
def test_a_waiter_in_another_process_goes_on_with_a_new_file(waiter, tmp_path, peers):
    """The removal gets the lock before a waiter that has the old file open."""
    path = tmp_path / "name"
    with lockutils.lock("name", external=True, lock_path=tmp_path):
        other = peers.python(HOLDER.format(waiter), tmp_path)
        if waiter is OURS:
            until(lambda: sleeps_for_a_lock(other.process.pid), "it waits")
        else:
            until(lambda: opens(other.process.pid, path), "it has the file open")
        path.unlink()  # what the removal does, once it has the lock that we have
    assert other.hear() == "held"
    assert path.exists()
    assert not is_free("name", external=True, lock_path=tmp_path)


def opens(pid, path):
    directory = f"/proc/{pid}/fd"
    for number in os.listdir(directory):
        try:
            if os.readlink(f"{directory}/{number}") == str(path):
                return True
        except FileNotFoundError:
            pass
    return False


# --- fair locks


def test_the_same_name_is_the_same_lock_as_long_as_anybody_has_it():
    lock = lockutils.internal_fair_lock("name")
    assert lockutils.internal_fair_lock("name") is lock
    assert lockutils.internal_fair_lock("other") is not lock
    locks = lockutils.FairLocks()
    lock = locks.get("name")
    assert locks.get("name") is lock
    assert lockutils.FairLocks().get("name") is not lock
    assert lockutils.internal_fair_lock("name") is not lock


def test_fair_locks_of_an_own_place_have_nothing_to_do_with_others():
    with lockutils.FairLocks().get("name").write_lock():
        assert is_free("name", fair=True)


@pytest.mark.parametrize("side", ["read", "write"])
@pytest.mark.parametrize("fair", [True, False])
def test_a_fair_lock_and_the_lock_of_its_name_exclude_each_other(side, fair):
    lock = lockutils.internal_fair_lock("name")
    with getattr(lock, f"{side}_lock")():
        assert not is_free("name", fair=fair)
    with lockutils.lock("name", fair=fair) as held:
        waiting = Background(by_hand, lock, side)
        until(lambda: len(held._queue) > 1, "it waits")
        assert waiting.join(0) is False
    waiting.result()
    assert is_free("name")
    assert lock.owner is None


def by_hand(lock, side, inside=lambda: None):
    getattr(lock, f"acquire_{side}_lock")()
    inside()
    getattr(lock, f"release_{side}_lock")()


def test_readers_share_and_the_last_of_them_frees_the_name():
    lock = lockutils.internal_fair_lock("name")
    lock.acquire_read_lock()
    other = Background(lock.acquire_read_lock)
    other.result()
    lock.release_read_lock()
    assert not is_free("name")


def test_a_reader_may_wait_for_the_other_readers_of_the_name():
    """The one who came in first has left: he would not wait for himself."""
    import threading

    lock = lockutils.internal_fair_lock("shared")
    lock.acquire_read_lock()
    entered, leave = threading.Event(), threading.Event()

    def stay():
        with lock.read_lock():
            entered.set()
            assert leave.wait(WATCHDOG)

    other = Background(stay)
    assert entered.wait(WATCHDOG)
    lock.release_read_lock()
    handle = lockutils.lock("shared")
    watcher = Background(lambda: (until(lambda: len(handle._queue) > 1, "we wait"), leave.set()))
    with handle:
        pass
    watcher.result()
    other.result()


def test_a_writer_may_enter_again_and_read():
    lock = lockutils.internal_fair_lock("name")
    with lock.write_lock():
        with lock.write_lock(), lock.read_lock():
            assert (lock.owner, lock.is_writer(), lock.is_reader()) == ("w", True, True)
        assert not is_free("name")
        lock.acquire_read_lock()
    assert lock.owner == "r"
    assert not is_free("name")
    lock.release_read_lock()
    assert is_free("name")


def test_who_releases_what_he_does_not_hold_changes_nothing():
    lock = lockutils.internal_fair_lock("name")
    with lock.write_lock():
        for release in ("release_write_lock", "release_read_lock"):
            with pytest.raises(RuntimeError):
                Background(getattr(lock, release)).result()
        assert not is_free("name")
    for release in (lock.release_write_lock, lock.release_read_lock):
        with pytest.raises(RuntimeError):
            release()
    with lock.read_lock(), pytest.raises(RuntimeError):
        lock.acquire_write_lock()
    assert is_free("name")


@pytest.mark.parametrize("side", ["read", "write"])
def test_who_holds_the_lock_of_the_name_is_refused(side):
    lock = lockutils.internal_fair_lock("name")
    with lockutils.lock("name", fair=True), pytest.raises(lockutils.DeadlockError):
        getattr(lock, f"acquire_{side}_lock")()
    assert lock.owner is None
    with getattr(lock, f"{side}_lock")(), pytest.raises(lockutils.DeadlockError):
        lockutils.lock("name").acquire()
    assert is_free("name")


def test_writers_are_served_in_the_order_they_came():
    lock = lockutils.internal_fair_lock("name")
    served, waiting = [], []
    with lock.write_lock():
        for number in range(10):
            waiting.append(
                Background(by_hand, lock, "write", lambda number=number: served.append(number))
            )
            until(lambda number=number: len(lock._pending_writers) > number, "it waits")
    for writer in waiting:
        writer.result()
    assert served == list(range(10))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_in_a_forked_child_nobody_is_in():
    lock = lockutils.internal_fair_lock("name")
    with lock.write_lock():
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with lock.read_lock(), lockutils.lock("other"):
                    status = 0 if not is_free("name") else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert not is_free("name")


GREENTHREADS = """
import warnings
warnings.simplefilter("ignore")
import eventlet
eventlet.monkey_patch()
import lockutils
lock = {}
inside, most = [], 0
def enter():
    global most
    lock.acquire_write_lock()
    inside.append(True)
    most = max(most, len(inside))
    eventlet.sleep(0)
    inside.pop()
    lock.release_write_lock()
done = eventlet.event.Event()
for _ in range(5):
    eventlet.{}(enter)
with eventlet.Timeout(30):
    while lock.owner or lock.has_pending_writers:
        eventlet.sleep(0.001)
print(most)
"""


@pytest.mark.parametrize("spawn", ["spawn", "spawn_n"])
@pytest.mark.parametrize(
    "lock", ["lockutils.ReaderWriterLock()", "lockutils.internal_fair_lock('name')"]
)
def test_greenthreads_of_a_patched_interpreter_exclude_each_other(lock, spawn):
    assert run_python(GREENTHREADS.format(lock, spawn)).split() == ["1"]


def test_a_functor_of_ones_own_is_used():
    class Caller: ...

    caller = Caller()
    lock = lockutils.ReaderWriterLock(current_thread_functor=lambda: caller)
    lock.acquire_write_lock()
    assert Background(lock.is_writer).result()


def test_the_lock_of_a_name_goes_with_its_last_user():
    before = len(reader_writer._fair_locks)
    names = len(lock_module._default_registry) if hasattr(lock_module, "_default_registry") else 0
    for number in range(100):
        with lockutils.internal_fair_lock(f"name-{number}").write_lock():
            pass
    assert len(reader_writer._fair_locks) <= before + 1
    assert names == 0 or len(lock_module._default_registry) <= names + 1


# --- external_lock


@pytest.mark.parametrize("prefix", [None, "app", "app-"])
@pytest.mark.parametrize("name", ["name", "a/b", "%2F", ".dot", "", 300 * "n"])
def test_an_external_lock_is_on_the_file_of_the_lock(name, prefix, tmp_path):
    lock = lockutils.external_lock(name, prefix, tmp_path)
    with lockutils.lock(name, prefix, external=True, lock_path=tmp_path):
        assert os.listdir(tmp_path) == [os.path.basename(lock.path)]
        assert not lock.acquire(blocking=False)
        assert not lock.acquire(timeout=0.001, delay=0)
    with lock:
        assert not is_free(name, lock_file_prefix=prefix, external=True, lock_path=tmp_path)
    assert is_free(name, lock_file_prefix=prefix, external=True, lock_path=tmp_path)


def test_a_try_in_the_same_process_does_not_end_an_external_lock(tmp_path):
    """It closes a descriptor of the file, which would drop a record lock of the process."""
    with lockutils.external_lock("name", lock_path=tmp_path):
        for _ in range(3):
            assert not is_free("name", external=True, lock_path=tmp_path)
        assert not lockutils.external_lock("name", lock_path=tmp_path).acquire(blocking=False)


@pytest.mark.parametrize("outsider", ["fasteners", "ours", "external_lock"])
def test_an_external_lock_excludes_other_processes(outsider, tmp_path, peers):
    source = {
        "fasteners": HOLDER.format(
            "InterProcessLock.__mro__[1](os.path.join(sys.argv[1], 'name'))"
        ),
        "ours": HOLDER.format(OURS),
        "external_lock": HOLDER.format(FILE_LOCK),
    }[outsider]
    lock = lockutils.external_lock("name", lock_path=tmp_path)
    other = peers.python(source, tmp_path)
    assert other.hear() == "held"
    assert not lock.acquire(blocking=False)
    waiting = Background(lock.acquire)
    assert other.ask() == "released"
    assert waiting.result()

    blocked = peers.python(source, tmp_path)
    if outsider == "ours":
        until(lambda: sleeps_for_a_lock(blocked.process.pid), "it waits")
    else:
        until(lambda: opens(blocked.process.pid, tmp_path / "name"), "it tries")
    lock.release()
    assert blocked.hear() == "held"


def test_an_external_lock_excludes_flock(tmp_path):
    with lockutils.external_lock("name", lock_path=tmp_path):
        assert subprocess.call(["flock", "-n", tmp_path / "name", "true"]) == 1
    assert subprocess.call(["flock", "-n", tmp_path / "name", "true"]) == 0


def test_an_external_lock_leaves_the_content(tmp_path):
    (tmp_path / "name").write_text("kept")
    with lockutils.external_lock("name", lock_path=tmp_path):
        pass
    assert (tmp_path / "name").read_text() == "kept"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_no_part_in_an_external_lock(tmp_path):
    """Its copy of the descriptor would keep the lock after the parent's end."""
    lock = lockutils.external_lock("name", lock_path=tmp_path)
    with lock:
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(into)
            os.write(2, b"") if not lock.acquired else os._exit(1)
            os.read(out, 1)
            os._exit(0 if lock.lockfile is None else 2)
        os.close(out)
        lock.lockfile.close()  # as by SIGKILL: closed, not unlocked
        assert is_free("name", external=True, lock_path=tmp_path)
        os.close(into)
        assert os.waitpid(child, 0)[1] == 0
        lock._do_open()


def test_the_signature_of_main_takes_nothing():
    assert inspect.signature(lockutils.main).parameters == {}
    assert sys.modules["lockutils.cli.wrapper"].main is lockutils.main
