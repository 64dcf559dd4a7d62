"""Reader/writer locks, and what they have to do with the lock of their name."""

import os
import threading

import pytest
from lock_peers import WATCHDOG, Background, is_free, run_python, until

import lockutils
from lockutils.oslo import reader_writer


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


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("options", [{}, {"fair": True}, {"shared": True}, {"slots": 1}])
def test_each_reader_that_asks_for_the_lock_of_the_name_is_refused(times, options):
    """Not only the first, while he is in and after he has left."""
    lock = lockutils.internal_fair_lock("name")
    entered, leave = threading.Event(), threading.Event()

    def stay():
        with lock.read_lock():
            entered.set()
            assert leave.wait(WATCHDOG)

    first = Background(stay)
    assert entered.wait(WATCHDOG)
    for _ in range(times):
        lock.acquire_read_lock()
    for first_is_in in True, False:
        if not first_is_in:
            leave.set()
            first.result()
        if options == {"shared": True}:
            assert is_free("name", **options)
        else:
            with pytest.raises(lockutils.DeadlockError):
                lockutils.lock("name", **options).acquire()
    for _ in range(times):
        assert not is_free("name")
        lock.release_read_lock()
    assert is_free("name")


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
inside, most, done = [], 0, 0
def enter():
    global most, done
    lock.acquire_write_lock()
    inside.append(True)
    most = max(most, len(inside))
    eventlet.sleep(0)
    inside.pop()
    lock.release_write_lock()
    done += 1
for _ in range(5):
    eventlet.{}(enter)
with eventlet.Timeout(30):
    while done < 5:
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
    for number in range(100):
        with lockutils.internal_fair_lock(f"name-{number}").write_lock():
            pass
    assert len(reader_writer._fair_locks) <= before + 1
