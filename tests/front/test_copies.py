"""A handle is a name with options: a copy is a free handle of the same lock."""

import copy
import dataclasses
import multiprocessing
import pickle

import pytest

import lockutils

COPIES = [copy.copy, copy.deepcopy]
MODES = [{}, {"fair": True}, {"slots": 2}, {"shared": True}, {"reentrant": True}]


def by_pickle(handle):
    return pickle.loads(pickle.dumps(handle))


@pytest.fixture(params=["one", "several"])
def ask(request):
    if request.param == "one":
        return lambda **options: lockutils.lock("x", **options)
    return lambda **options: lockutils.lock_all(["x", "y"], **options)


@pytest.mark.parametrize("mode", [{}, {"fair": True}, {"slots": 2}], ids=str)
@pytest.mark.parametrize(
    ("how", "external"),
    [*((how, external) for how in COPIES for external in (False, True)), (by_pickle, True)],
)
@pytest.mark.parametrize("held", [False, True])
def test_a_copy_is_a_free_handle_of_the_same_lock(ask, how, mode, external, held, tmp_path):
    options = {**mode, "external": external, "timeout": 5}
    if external:
        options["lock_path"] = tmp_path
    original = ask(**options)
    if held:
        with original:
            made = how(original)
    else:
        made = how(original)
    others = [ask(**options) for _ in range(mode.get("slots", 1) - 1)]
    for other in others:
        other.acquire()
    with original:
        assert made.acquire(blocking=False) is False
        with pytest.raises(RuntimeError):
            made.release()
        assert not ask(**options).acquire(blocking=False)
    with made:
        assert original.acquire(blocking=False) is False
    for other in others:
        other.release()
    assert made._timeout == 5


def test_a_copy_of_a_held_one_that_goes_releases_nothing(ask):
    original = ask()
    with original:
        made = copy.copy(original)
        del made
        assert not ask().acquire(blocking=False)


def test_as_a_field(ask):
    @dataclasses.dataclass
    class Record:
        lock: object

    record = Record(ask())
    with record.lock:
        assert dataclasses.asdict(record)["lock"].acquire(blocking=False) is False


def test_readers_and_owners_keep_their_mode():
    readers = lockutils.lock("x", shared=True)
    owner = lockutils.lock("y", reentrant=True)
    with readers, copy.copy(readers), owner, copy.deepcopy(owner):
        assert not lockutils.lock("x").acquire(blocking=False)
        assert not lockutils.lock("y").acquire(blocking=False)


def test_a_lock_of_this_process_alone_cannot_be_pickled(ask):
    with pytest.raises(TypeError, match="external=True"):
        pickle.dumps(ask())


@pytest.mark.parametrize("kind", [lockutils.LockByKey, lockutils.Semaphores])
def test_a_container_is_the_only_one(kind):
    container = kind()
    for how in COPIES:
        assert how([container])[0] is container
    with pytest.raises(TypeError, match=kind.__name__):
        pickle.dumps(container)


@pytest.mark.parametrize("how", [*COPIES, by_pickle])
def test_a_lock_of_oslo_by_its_file(how, tmp_path):
    original = lockutils.external_lock("x", lock_path=tmp_path)
    assert original.acquire()
    made = how(original)
    assert not made.acquired
    assert not made.acquire(blocking=False)
    original.release()
    assert made.acquire(blocking=False)
    made.release()


def _try(handle, answers):
    answers.put((handle.acquire(blocking=False), str(handle)))


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("default", [True, False])
def test_as_an_argument_of_a_worker(method, default, tmp_path):
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    where = {} if default else {"lock_path": tmp_path}
    for mode in MODES:
        handle = lockutils.lock(f"argument {mode}", external=True, **where, **mode)
        holders = [copy.copy(handle) for _ in range(mode.get("slots", 1))]
        for holder in holders:
            holder.acquire()
        worker = context.Process(target=_try, args=(handle, answers))
        worker.start()
        assert answers.get(timeout=60)[0] == ("shared" in mode)
        worker.join()
        for holder in holders:
            holder.release()
