"""One lock for a key as long as anybody depends on it, and no trace of it afterwards.

The first tests are nova bug 872558: the releasing thread removed a semaphore that another one
waited for.  The second one crashed on its release, or a third one found no semaphore, made
another, and was inside together with the second.
"""

import functools
import gc
import itertools
import sys
import threading
import weakref

import pytest
from lock_peers import WATCHDOG, Background, run_python, until

import lockutils
from lockutils.local.registry import Registry

# lockutils.lock is the function, also for an import statement
registry = sys.modules["lockutils.front.lock"]._default_registry


#: dead entries that may stay until the next sweep, which makes a sweep rare
DEAD = 64


def of_names(factory=threading.Lock):
    """A registry as it is for the names of locks: dead ones stay until there are enough."""
    made = Registry(factory)
    made.of_names = True
    return made


makers = pytest.mark.parametrize("make", [of_names, Registry], ids=["names", "keys"])


def live():
    gc.collect()
    return len(registry)


# --- nova bug 872558


class Visitor:
    """A thread that is under a lock until it is told to leave."""

    def __init__(self, lock):
        self.entered = threading.Event()
        self.leave = threading.Event()
        self._thread = Background(self._visit, lock)

    def _visit(self, lock):
        with lock():
            self.entered.set()
            assert self.leave.wait(WATCHDOG)

    def go(self):
        self.leave.set()
        self._thread.result()


container = lockutils.LockByKey()
semaphores = lockutils.Semaphores()


@pytest.mark.parametrize(
    "lock",
    [
        lambda: lockutils.lock("oof"),
        lambda: lockutils.lock("oof", fair=True),
        lambda: lockutils.lock("oof", semaphores=semaphores),
        lambda: container("oof"),
        lambda: container["oof"],
        lambda: semaphores.get("oof"),
    ],
)
def test_who_comes_after_a_release_meets_the_lock_of_who_waited(lock):
    first = Visitor(lock)
    assert first.entered.wait(WATCHDOG)
    second = Visitor(lock)
    until(lambda: len(lock()._queue) == 2, "the second waits")

    first.go()
    gc.collect()
    assert second.entered.wait(WATCHDOG)

    assert not lock().acquire(blocking=False)
    third = Visitor(lock)
    until(lambda: len(lock()._queue) == 2, "the third waits")
    assert not third.entered.is_set()

    second.go()  # without a crash
    assert third.entered.wait(WATCHDOG)
    third.go()
    assert lock().acquire(blocking=False)


def test_who_has_looked_up_but_not_yet_acquired_is_met_as_well():
    first, second = lockutils.lock("oof"), lockutils.lock("oof")
    first.acquire()
    first.release()
    del first
    gc.collect()
    third = lockutils.lock("oof")
    assert second.acquire(blocking=False)
    assert not third.acquire(blocking=False)
    second.release()


def test_a_waiter_that_gives_up_takes_nothing_along():
    before = live()
    holder = lockutils.lock("oof")
    holder.acquire()
    assert not lockutils.lock("oof").acquire(timeout=0.001)
    assert not lockutils.lock("oof").acquire(blocking=False)
    assert live() == before + 1
    holder.release()
    del holder
    assert live() == before


# --- races


@pytest.fixture
def frequent_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frequent_switches")
def test_threads_that_look_up_a_fresh_name_at_once_meet():
    threads, rounds = 4, 1000
    barrier = threading.Barrier(threads)
    winners = [[] for _ in range(rounds)]

    def work(me):
        for turn in range(rounds):
            name = f"fresh-{turn}"
            barrier.wait(WATCHDOG)
            handle = lockutils.lock(name)
            if handle.acquire(blocking=False):
                winners[turn].append(me)
            barrier.wait(WATCHDOG)
            del handle

    for thread in [Background(work, me) for me in range(threads)]:
        thread.result()
    assert [len(who) for who in winners] == [1] * rounds


@pytest.mark.usefixtures("frequent_switches")
def test_names_that_come_and_go_exclude():
    before = live()
    inside = [[] for _ in range(3)]
    overlaps = []

    def work(me):
        for turn in range(2000):
            which = turn % 3
            with lockutils.lock(f"passing-{which}"):
                inside[which].append(me)
                if inside[which] != [me]:
                    overlaps.append(which)
                inside[which].remove(me)

    for thread in [Background(work, me) for me in range(6)]:
        thread.result()
    assert not overlaps
    assert live() == before


@makers
@pytest.mark.usefixtures("frequent_switches")
def test_a_lock_that_goes_takes_no_other_with_it(make):
    """The entry that the collector removes may have been replaced before it comes to that."""
    made = make(threading.Lock)
    twins = []
    barrier = threading.Barrier(3)

    def come_and_go():
        barrier.wait(WATCHDOG)
        for _ in range(20_000):
            one = made.get("key")
            if made.get("key") is not one:
                twins.append(True)
            del one

    for thread in [Background(come_and_go) for _ in range(3)]:
        thread.result()
    assert not twins
    assert len(made) == 0


def interrupted(step, call, meanwhile):
    """Call ``meanwhile`` in the middle of ``call``, before the registry's instruction ``step``.

    :return: what ``call`` returns, and whether it came to that instruction
    """
    steps = []

    def trace(frame, event, _):
        if not frame.f_code.co_filename.endswith("registry.py"):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            steps.append(frame.f_lasti)
            if len(steps) == step:
                meanwhile()
        return trace

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 takes no notice of the first one
    sys.settrace(trace)
    try:
        result = call()
    finally:
        sys.settrace(before)
    return result, len(steps) >= step


@makers
@pytest.mark.parametrize("key", ["text", 7, ("a", 1)], ids=repr)
@pytest.mark.parametrize("found", ["nothing", "a dead lock", "dead locks enough to sweep"])
@pytest.mark.parametrize("rival", ["keeps it", "drops it", "drops it, and sweeps"])
def test_whatever_happens_between_any_two_instructions_of_a_look_up(make, key, found, rival):
    """As by another thread, a signal handler or a finaliser: they meet, whoever is first."""

    def scenario():
        for step in itertools.count(1):
            made = make(threading.Lock)
            if found != "nothing":
                made.get(key)
            if found == "dead locks enough to sweep":
                for number in range(DEAD - 1):
                    made.get(f"dead-{number}")
            kept = []

            def meanwhile(made=made, kept=kept):
                lock = made.get(key)
                if rival == "keeps it":
                    kept.append(lock)
                del lock
                if rival == "drops it, and sweeps":
                    for number in range(DEAD):
                        made.get(f"swept-{number}")

            lock, went_so_far = interrupted(step, functools.partial(made.get, key), meanwhile)
            if not went_so_far:
                return step
            assert [lock] == kept or not kept, f"two locks for one key, at instruction {step}"
            assert made.get(key) is lock, f"a second lock for the key, at instruction {step}"
            kept.clear()
            del lock
            assert len(made) == 0
        return None

    assert Background(scenario).result() > 20


# --- interruptions: by the collector, by a signal


@pytest.fixture
def eager_collector():
    """Collects at the first chance, where a test allows it to collect at all."""
    before = gc.get_threshold()
    gc.collect()
    if "t" not in sys.abiflags:  # see conftest.py
        gc.freeze()  # what is there of other tests costs time alone
    gc.disable()
    gc.set_threshold(1)
    yield
    gc.set_threshold(*before)
    gc.enable()
    gc.unfreeze()


class Trash:
    """Only the collector can free it."""

    def __init__(self):
        self.me = self


class Bomb(Trash):
    def __init__(self, goes_off):
        super().__init__()
        self.goes_off = goes_off

    def __del__(self):
        self.goes_off()


def by_finaliser(goes_off):
    Bomb(goes_off)


fuses = []


def by_callback(goes_off):
    fuses.append(weakref.ref(Trash(), lambda _: goes_off()))


bombs = pytest.mark.parametrize("plant", [by_finaliser, by_callback])


@bombs
@makers
@pytest.mark.usefixtures("eager_collector")
def test_a_look_up_of_the_same_key_in_the_middle_of_the_making_of_its_lock(plant, make):
    nested = []

    def factory():
        gc.collect()
        return threading.Lock()

    def scenario():
        made = make(factory)
        plant(lambda: nested.append(made.get("key")))
        assert made.get("key") is nested[0]
        assert len(made) == 1

    Background(scenario).result()
    fuses.clear()


@bombs
@pytest.mark.parametrize("same", [True, False], ids=["the same name", "another name"])
@pytest.mark.usefixtures("eager_collector")
def test_a_collector_that_takes_locks_in_the_middle_of_look_ups(plant, same):
    before = live()
    looking_up, met = [], []

    def take(name):
        handle = lockutils.lock(name)
        if handle.acquire(blocking=False):
            handle.release()
        if looking_up:
            met.append(handle)

    def scenario():
        went_off_inside = 0
        for turn in range(2000):
            name = f"collected-{turn}"
            plant(functools.partial(take, name if same else f"by-the-collector-{turn}"))
            looking_up.append(True)
            gc.enable()
            handle = lockutils.lock(name)
            gc.disable()
            looking_up.clear()
            went_off_inside += len(met)
            with handle:
                for other in met:
                    # without the GIL the collector may have come after its turn
                    if other.name == name or not same:
                        assert other.acquire(blocking=False) is not same
            met.clear()
        assert went_off_inside > 100

    Background(scenario).result()
    fuses.clear()
    assert live() == before


@bombs
@pytest.mark.usefixtures("eager_collector")
def test_a_collector_that_takes_locks_in_the_middle_of_a_sweep(plant):
    def scenario():
        for allocations in range(100):
            made = of_names()
            for number in range(DEAD):
                made.get(f"dead-{number}")
            met = []
            plant(lambda made=made, met=met: met.append(made.get("by the collector")))
            gc.set_threshold(gc.get_count()[0] + allocations)
            gc.enable()
            made.get("key")
            gc.disable()
            gc.collect()
            assert made.get("by the collector") is met[0]
            assert len(made) == 1

    Background(scenario).result()
    fuses.clear()


SIGNALLED = """
import signal
import sys
import lockutils

if sys.argv[1] == "lock":
    key_of = "signalled-{}".format
    lock = lockutils.lock
    registry = sys.modules["lockutils.front.lock"]._default_registry
else:
    key_of = {"text": str, "number": int, "tuple": lambda number: (number,)}[sys.argv[1]]
    lock = lockutils.LockByKey()
    registry = lock.registry

kept = {}
in_the_registry = 0
in_the_handler = False

def handler(number, frame):
    global in_the_registry, in_the_handler
    if in_the_handler:
        return
    in_the_handler = True
    in_the_registry += frame.f_code.co_filename.endswith("registry.py")
    with lock(key_of(0)):
        pass
    handle = kept[key] = lock(key)
    if handle.acquire(blocking=False):
        handle.release()
    in_the_handler = False

turn = 1
key = key_of(turn)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
while in_the_registry < 300:
    turn += 1
    kept.clear()
    key = key_of(turn)
    handle = lock(key)
    with handle:
        if key in kept:
            assert not kept[key].acquire(blocking=False), "two locks for one key"
signal.setitimer(signal.ITIMER_REAL, 0)
kept.clear()
del handle
assert len(registry) == 0
"""


@pytest.mark.parametrize("keys", ["lock", "text", "number", "tuple"])
def test_a_signal_handler_that_takes_locks_in_the_middle_of_look_ups(keys):
    run_python(SIGNALLED, keys)


# --- no growth


def by_lock(first, last):
    lock = lockutils.lock
    for number in range(first, last):
        with lock(f"image-{number}"):
            pass


@lockutils.synchronized("image-{number}")
def decorated(number):
    pass


def by_synchronized(first, last):
    for number in range(first, last):
        decorated(number)


@pytest.mark.parametrize(
    ("use", "names"),
    [(by_lock, 1_000_000), (by_synchronized, 200_000)],
    ids=["a million by lock()", "by @synchronized"],
)
def test_any_number_of_names_leaves_nothing(use, names):
    before = live()
    use(0, names // 2)
    assert live() == before
    blocks = sys.getallocatedblocks()
    use(names // 2, names)
    assert live() == before
    assert len(registry._references) <= before + DEAD
    # each name that stayed would be a block or more
    assert sys.getallocatedblocks() - blocks < names / 100


def test_names_that_are_held_all_at_once_go_one_by_one():
    before = live()
    handles = [lockutils.lock(f"many-{number}") for number in range(10_000)]
    for handle in handles:
        handle.acquire()
    assert live() == before + len(handles)
    while handles:
        handles.pop().release()
    del handle
    assert live() == before


@makers
def test_a_registry_that_goes_leaves_nothing(make):
    made = make(threading.Lock)
    had = made.get("key")
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None
    assert not had.locked()
