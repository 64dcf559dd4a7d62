"""The container of locks by key, and Semaphores as a place for in-process locks."""

import contextlib
import gc
import sys
import threading

import pytest
from lock_peers import WATCHDOG, Background, until

import lockutils
from lockutils import LockByKey, Semaphores


def by_call(locks, key):
    return locks(key)


def by_index(locks, key):
    return locks[key]


syntaxes = pytest.mark.parametrize("of", [by_call, by_index])
factories = pytest.mark.parametrize(
    "factory", [None, threading.Lock, threading.Semaphore, threading.BoundedSemaphore]
)


@syntaxes
@factories
def test_it_excludes_by_key(of, factory):
    locks = LockByKey(factory)
    with of(locks, "key"):
        assert not of(locks, "key").acquire(blocking=False)
        other = of(locks, "other")
        assert other.acquire(blocking=False)
        other.release()
    again = of(locks, "key")
    assert again.acquire(blocking=False)
    again.release()


def test_both_syntaxes_meet():
    locks = LockByKey()
    with locks("key"):
        assert not locks["key"].acquire(blocking=False)


@factories
def test_it_counts_live_keys(factory):
    locks = LockByKey(factory)
    assert len(locks) == 0
    with locks("held"):
        assert len(locks) == 1
        unused = locks["merely had"]
        assert len(locks) == 2
        also = locks["merely had"]
        assert len(locks) == 2
        del unused
        assert len(locks) == 2
        del also
        assert len(locks) == 1
    assert len(locks) == 0


def test_a_waiter_keeps_a_key_alive():
    locks = LockByKey()
    entered = threading.Event()
    leave = threading.Event()

    def wait():
        with locks["key"]:
            entered.set()
            assert leave.wait(WATCHDOG)

    holders = [locks["key"]]
    holders[0].acquire()
    waiter = Background(wait)
    until(lambda: len(holders[0]._queue) == 2, "the thread waits")
    holders.pop().release()
    gc.collect()
    assert entered.wait(WATCHDOG)
    assert len(locks) == 1
    assert not locks["key"].acquire(blocking=False)
    leave.set()
    waiter.result()
    assert len(locks) == 0


def test_threads_take_turns():
    locks = LockByKey()
    inside, overlaps = [[], [], []], []

    def work(me):
        for turn in range(300):
            key = turn % 3
            with locks(key):
                inside[key].append(me)
                if inside[key] != [me]:
                    overlaps.append(me)
                inside[key].remove(me)

    for thread in [Background(work, me) for me in range(8)]:
        thread.result()
    assert not overlaps
    assert len(locks) == 0


def test_containers_have_nothing_to_do_with_each_other_or_with_lock():
    first, second = LockByKey(), LockByKey()
    with first["key"], second["key"], lockutils.lock("key"):
        assert (len(first), len(second)) == (1, 1)


# --- the factory


def test_the_locks_are_those_of_the_factory():
    made = []

    def factory():
        made.append(threading.Semaphore(2))
        return made[-1]

    locks = LockByKey(lock_factory=factory)
    with locks["key"] as entered, locks["key"]:
        assert entered
        assert locks["key"] is made[0]
        assert not made[0].acquire(blocking=False)
    assert len(made) == 1


@pytest.mark.parametrize("product", [7, None, "text", (), {}])
def test_what_cannot_be_weakly_referenced_is_refused(product):
    locks = LockByKey(lambda: product)
    with pytest.raises(TypeError, match="weak reference"):
        locks["key"]
    assert len(locks) == 0


def test_an_error_of_the_factory_goes_through():
    error = OSError("mine")

    def factory():
        raise error

    locks = LockByKey(factory)
    with pytest.raises(OSError, match="mine") as caught:
        locks["key"]
    assert caught.value is error
    assert len(locks) == 0


def test_a_factory_that_takes_the_same_key():
    """As a finaliser may, that the collector runs while the factory does."""
    calls, nested = [], []

    def factory():
        calls.append(True)
        if len(calls) == 1:
            nested.append(locks["key"])
        return threading.Lock()

    locks = LockByKey(factory)
    assert locks["key"] is nested[0]
    assert len(locks) == 1


# --- keys


class Key:
    """Python code decides what it equals; ``tripwire`` is called in the middle of that."""

    def __init__(self, value, hashed=None, tripwire=None):
        self.value = value
        self.hashed = hash(value) if hashed is None else hashed
        self.tripwire = tripwire

    def __hash__(self):
        return self.hashed

    def __eq__(self, other):
        if not isinstance(other, Key):
            return NotImplemented
        for one, another in ((self, other), (other, self)):
            if one.tripwire is not None:
                one.tripwire(another)
        return self.value == other.value


@pytest.mark.parametrize(
    ("key", "equal", "different"),
    [
        ("text", "te" + "xt", "text "),
        ("", "", " "),
        (None, None, "None"),
        (1, 1.0, "1"),
        (b"b", b"b", "b"),
        ((1, ("a",)), (1, ("a",)), (1, "a")),
        (frozenset({1}), frozenset({1}), frozenset({2})),
        (Key, Key, int),
        (Key(1), Key(1), Key(2)),
        (Key("a", 1), Key("a", 1), Key("b", 1)),
    ],
)
def test_equal_keys_meet(key, equal, different):
    locks = LockByKey()
    with locks[key]:
        assert not locks[equal].acquire(blocking=False)
        with locks[different]:
            assert len(locks) == 2
    assert len(locks) == 0


@syntaxes
@pytest.mark.parametrize("key", [[], {}, ([],)])
def test_an_unhashable_key_is_refused(of, key):
    locks = LockByKey()
    with pytest.raises(TypeError, match="unhashable"):
        of(locks, key)
    assert len(locks) == 0


def test_an_error_of_a_comparison_goes_through():
    locks = LockByKey()
    error = OSError("mine")

    def fail(_):
        raise error

    with locks[Key(1)], pytest.raises(OSError, match="mine"):
        locks[Key(1, tripwire=fail)]
    assert len(locks) == 0


@pytest.mark.parametrize("hashed", [None, 7], ids=["good hash", "bad hash"])
def test_threads_that_create_equal_keys_at_once_meet(hashed):
    """Never two locks for equal keys, while other keys of the same hash come and go."""
    threads, rounds = 6, 60
    locks = LockByKey(threading.Lock)
    barrier = threading.Barrier(threads)
    met = [[None] * threads for _ in range(rounds)]

    def yield_now(_):
        threading.Event().wait(0)  # lets go of the interpreter

    def work(me):
        passing = None
        for turn in range(rounds):
            barrier.wait(WATCHDOG)
            passing = locks[Key((me, turn), hashed)]
            found = locks[Key(turn, hashed, tripwire=yield_now)]
            del passing
            met[turn][me] = found
            barrier.wait(WATCHDOG)
            del found

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in [Background(work, me) for me in range(threads)]:
            thread.result()
    finally:
        sys.setswitchinterval(before)
    for found in met:
        assert len(set(map(id, found))) == 1
    met.clear()
    del found
    assert len(locks) == 0


def test_an_equal_key_that_is_created_in_the_middle_of_a_comparison():
    """Somebody creates it, while others of the same hash go: their places are used again.

    Another thread gets its chance in the comparison itself, at each of them in turn.
    """

    class Interrupted(Exception):
        pass

    def two_locks(moment, end):
        """Whether there are, if all happens at this comparison; a look-up ends at another."""
        locks = LockByKey(threading.Lock)
        comparisons, endings, rival, threads = [], [], [], []
        others = {number: locks[Key(number, 7)] for number in range(5)}
        for number in range(58):
            locks[number]

        def interrupt(_):
            endings.append(True)
            if len(endings) == end:
                raise Interrupted

        def meanwhile(_):
            comparisons.append(True)
            if len(comparisons) == moment:
                thread = threading.Thread(target=disturb)
                threads.append(thread)
                thread.start()
                thread.join(0.02)  # it ends, or has to wait for us

        def disturb():
            del others[3]
            locks["one more"]
            rival.append(locks[Key("mine", 7)])
            del others[1]
            again = Key(1, 7, tripwire=interrupt)
            with contextlib.suppress(Interrupted):
                locks[again]
            again.tripwire = None

        mine = locks[Key("mine", 7, tripwire=meanwhile)]
        for thread in threads:
            thread.join(WATCHDOG)
            assert not thread.is_alive()
        return bool(rival) and mine is not rival[0]

    for moment in range(1, 25):
        for end in 1, 5, 9:
            assert not two_locks(moment, end), f"two locks for equal keys: {moment}, {end}"


def test_a_key_that_goes_in_the_middle_of_a_comparison():
    locks = LockByKey(threading.Lock)
    had = [locks[Key(1)]]
    found = locks[Key(1, tripwire=lambda _: had.clear())]
    assert locks[Key(1)] is found
    assert len(locks) == 1


@pytest.mark.parametrize("factory", [None, threading.Lock])
@pytest.mark.parametrize("make", [str, bytes, int], ids=["str", "bytes", "int"])
def test_a_plain_key_goes_in_the_instant_its_lock_does(factory, make):
    """Fewer than are worth a sweep may be large: twenty of 50 MB stayed for good."""
    locks = LockByKey(factory)
    keys = [make(10**6 + number) for number in range(20)]
    before = [sys.getrefcount(key) for key in keys]
    with contextlib.ExitStack() as held:
        for key in keys:
            with locks(key):
                pass
            held.enter_context(locks(key))
        assert len(locks) == len(keys)
        del key
    assert [sys.getrefcount(key) for key in keys] == before


def test_any_other_key_goes_with_the_next_call():
    locks = LockByKey()
    keys = [("large", number) for number in range(20)]
    before = [sys.getrefcount(key) for key in keys]
    for key in keys:
        with locks(key):
            pass
    del key
    locks["another"]
    assert [sys.getrefcount(key) for key in keys] == before


# --- Semaphores


def test_semaphores_are_where_lock_looks():
    place = Semaphores()
    with lockutils.lock("name", "prefix", semaphores=place):
        assert len(place) == 1
        assert not place.get("prefix-name").acquire(blocking=False)
        assert not lockutils.lock("prefix-name", semaphores=place).acquire(blocking=False)
        with lockutils.lock("prefix-name"), lockutils.lock("prefix-name", semaphores=Semaphores()):
            pass
    assert len(place) == 0


@pytest.mark.parametrize("place", [7, {}, LockByKey(), LockByKey(threading.Lock)])
def test_what_has_no_semaphores_is_refused(place):
    with pytest.raises(TypeError, match="semaphores"):
        lockutils.lock("name", semaphores=place)
