"""Which locks the caller holds: this thread, greenthread or task, and nobody else."""

import asyncio
import fcntl
import gc
import itertools
import logging
import os
import sys
import threading

import pytest
import trio
from lock_peers import GREENTHREADS, Background, run_python

import lockutils


def test_names_from_acquisition_to_release():
    assert lockutils.held() == frozenset()
    with lockutils.lock("one"):
        assert lockutils.held() == {"one"}
        with lockutils.lock("two", "app"), lockutils.lock("three", fair=True):
            assert lockutils.held() == {"one", "app-two", "three"}
        assert lockutils.held() == {"one"}
    assert lockutils.held() == frozenset()


def test_an_external_lock(tmp_path):
    with lockutils.lock("file", external=True, lock_path=tmp_path):
        assert lockutils.held() == {"file"}
    assert lockutils.held() == frozenset()


def test_by_hand():
    handle = lockutils.lock("by hand")
    assert lockutils.held() == frozenset()
    assert handle.acquire()
    assert lockutils.held() == {"by hand"}
    handle.release()
    assert lockutils.held() == frozenset()


def test_a_handle_that_is_dropped():
    handle = lockutils.lock("dropped")
    handle.acquire()
    del handle
    gc.collect()
    assert lockutils.held() == frozenset()


def test_in_a_decorated_function():
    @lockutils.synchronized("image-{number}")
    def convert(number):
        return lockutils.held()

    assert convert(42) == {"image-42"}


def test_to_ask_makes_no_lock():
    registry = sys.modules["lockutils.front.lock"]._default_registry
    before = len(registry)
    lockutils.held()
    assert len(registry) == before


# --- where the lock is


def test_semaphores():
    place = lockutils.Semaphores()
    with lockutils.lock("here", "app", semaphores=place), place.get("there"):
        assert lockutils.held() == {"app-here", "there"}
    with place[7]:
        assert lockutils.held() == {"7"}


def test_keys_of_a_container_are_no_names():
    locks = lockutils.LockByKey()
    with locks["text"], locks[7]:
        assert lockutils.held() == frozenset()


def test_while_other_threads_make_semaphores():
    """The set of all places changes while it is looked at."""
    stop = threading.Event()

    def make():
        while not stop.is_set():
            kept = [lockutils.Semaphores() for _ in range(20)]
            del kept

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        makers = [Background(make) for _ in range(2)]
        with lockutils.lock("found"):
            for _ in range(500):
                assert lockutils.held() == {"found"}
        stop.set()
        for maker in makers:
            maker.result()
    finally:
        stop.set()
        sys.setswitchinterval(before)


# --- whose it is


def test_another_thread_holds_nothing():
    with lockutils.lock("mine"):
        assert Background(lockutils.held).result() == frozenset()


def test_a_thread_that_waits_holds_nothing_yet():
    waiting = lockutils.lock("wanted")
    failed = []

    def want():
        failed.append(lockutils.lock("wanted").acquire(timeout=0.001))
        return lockutils.held()

    with waiting:
        assert Background(want).result() == frozenset()
    assert failed == [False]


def test_a_handle_that_is_passed_on_stays_with_who_acquired_it():
    handle = lockutils.lock("passed")
    handle.acquire()

    def take_over():
        before = lockutils.held()
        handle.release()
        return before

    assert Background(take_over).result() == frozenset()
    assert lockutils.held() == frozenset()


def test_a_thread_with_the_number_of_one_that_ended():
    handle = lockutils.lock("left")
    idents = set()

    def acquire():
        idents.add(threading.get_ident())
        handle.acquire()

    def ask():
        return threading.get_ident(), lockutils.held()

    Background(acquire).result()
    for _ in range(20):
        ident, names = Background(ask).result()
        idents.add(ident)
        assert names == frozenset()
    assert len(idents) < 21, "no number was used again: this tested nothing"
    handle.release()


GREEN = (
    GREENTHREADS
    + """
import lockutils
assert lockutils.__file__

def hold(name):
    with lockutils.lock(name):
        sleep(0)
        assert lockutils.held() == {name}, lockutils.held()
        with lockutils.lock("contended"):
            sleep(0)
            assert lockutils.held() == {name, "contended"}, lockutils.held()
    assert lockutils.held() == frozenset(), lockutils.held()

with lockutils.lock("main"):
    greenlets = [spawn(hold, f"green-{number}") for number in range(3)]
    for greenlet in greenlets:
        join(greenlet)
        assert lockutils.held() == {"main"}, lockutils.held()
"""
)


@pytest.mark.parametrize("patched", ["patched", "plain"])
@pytest.mark.parametrize("library", ["eventlet", "gevent"])
def test_greenthreads(library, patched):
    run_python(GREEN, library, patched)


async def hold_in_task(name, pause):
    async with lockutils.lock(name):
        await pause()
        assert lockutils.held() == {name}
        async with lockutils.lock("contended"):
            await pause()
            assert lockutils.held() == {name, "contended"}
        with lockutils.lock("blocking"):
            assert lockutils.held() == {name, "blocking"}
    assert lockutils.held() == frozenset()


def test_asyncio_tasks():
    async def main():
        def pause():
            return asyncio.sleep(0)

        async with lockutils.lock("of main"):
            seen = []
            asyncio.get_running_loop().call_soon(lambda: seen.append(lockutils.held()))
            await asyncio.gather(*(hold_in_task(f"task-{number}", pause) for number in range(3)))
            assert seen == [{"of the thread"}]  # a callback is no task
            assert await asyncio.to_thread(lockutils.held) == frozenset()
            assert lockutils.held() == {"of main"}

    with lockutils.lock("of the thread"):
        asyncio.run(main())
        assert lockutils.held() == {"of the thread"}


def test_trio_tasks():
    async def main():
        async with lockutils.lock("of main"):
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    nursery.start_soon(hold_in_task, f"task-{number}", trio.lowlevel.checkpoint)
            assert await trio.to_thread.run_sync(lockutils.held) == frozenset()
            assert lockutils.held() == {"of main"}

    with lockutils.lock("of the thread"):
        trio.run(main)
        assert lockutils.held() == {"of the thread"}


def test_a_forked_child_holds_nothing_of_its_parents():
    run_python("""
import os
import lockutils
place = lockutils.Semaphores()
with lockutils.lock("a"), lockutils.lock("b", semaphores=place):
    pid = os.fork()
    if pid == 0:
        before = lockutils.held()
        with lockutils.lock("a"):
            inside = lockutils.held()
        os._exit(0 if (before, inside) == (frozenset(), {"a"}) else 1)
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    assert lockutils.held() == {"a", "b"}
""")


# --- in the middle


def interrupted(call, meanwhile):
    """Call ``meanwhile`` before each of our instructions that ``call`` comes to."""

    def trace(frame, event, _):
        if not str(frame.f_globals.get("__name__")).startswith("lockutils."):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            meanwhile()
        return trace

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 takes no notice of the first one
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)


def by_blocking(handle):
    assert handle.acquire()
    handle.release()


def by_task(handle):
    async def both():
        await handle.async_acquire()
        handle.release()

    try:
        both().send(None)
    except StopIteration:
        pass


@pytest.mark.parametrize("take", [by_blocking, by_task])
@pytest.mark.parametrize("external", [False, True], ids=["internal", "external"])
def test_between_any_two_instructions_of_an_acquisition_and_a_release(take, external, tmp_path):
    """As a signal handler or a finaliser: nothing is held that could not be counted on."""
    where = {"external": True, "lock_path": tmp_path} if external else {}

    def is_free():
        with open(tmp_path / "halfway", "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def scenario():
        handle = lockutils.lock("halfway", **where)
        by_blocking(handle)
        seen = []

        def ask():
            names = lockutils.held()
            assert names <= {"halfway"}
            assert names or not handle._holds, "held, and not told"
            assert not names or not external or not is_free(), "told, and not held"
            seen.append(bool(names))

        interrupted(lambda: take(handle), ask)
        return [held for held, _ in itertools.groupby(seen)], len(seen)

    states, asked = Background(scenario).result()
    assert states == [False, True, False]
    assert asked > 100


SIGNALLED = """
import fcntl, signal, sys, threading
import lockutils
sys.path.insert(0, sys.argv[2])
from lock_peers import until_waited_for

path = sys.argv[1] + "/waited"
file = open(path, "wb")
fcntl.flock(file, fcntl.LOCK_EX)
seen = []

def handler(*_):
    with lockutils.lock("of the handler"):
        seen.append(lockutils.held())
    file.close()

def send():
    until_waited_for(path)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

signal.signal(signal.SIGUSR1, handler)
thread = threading.Thread(target=send)
with lockutils.lock("before"):
    thread.start()
    with lockutils.lock("waited", external=True, lock_path=sys.argv[1], timeout=30):
        assert lockutils.held() == {"before", "waited"}, lockutils.held()
thread.join()
assert seen == [{"before", "of the handler"}], seen
"""


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="tells when somebody waits")
def test_a_signal_handler_that_interrupts_a_wait(tmp_path):
    run_python(SIGNALLED, str(tmp_path), os.path.dirname(os.path.dirname(__file__)))


def test_in_the_log_line_of_the_acquisition(caplog):
    caplog.set_level(logging.DEBUG, logger="lockutils")
    seen = []

    class Handler(logging.Handler):
        def emit(self, record):
            seen.append((record.getMessage().split()[0], lockutils.held()))

    handler = Handler()
    logging.getLogger("lockutils").addHandler(handler)
    try:
        with lockutils.lock("logged"):
            pass
    finally:
        logging.getLogger("lockutils").removeHandler(handler)
    assert seen == [
        ("Acquiring", frozenset()),
        ("Acquired", {"logged"}),
        ("Released", frozenset()),
    ]
