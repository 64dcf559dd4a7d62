"""Every combination of options that go together, waited for and held; and those that do not."""

import asyncio
import gc
import itertools
import os
import threading

import pytest
from lock_peers import Background, open_descriptors, until

import lockutils

# each of them is given, with and without external
pytestmark = pytest.mark.filterwarnings("ignore:lock_path=")

OPTIONS = {"fair": True, "shared": True, "slots": 2, "reentrant": True, "external": True}
NAMES = {"one name": ["it"], "several names": ["it", "that"]}

CHOSEN = [
    chosen
    for number in range(len(OPTIONS) + 1)
    for chosen in itertools.combinations(OPTIONS, number)
    if not {"shared", "slots"} <= set(chosen)
]


class Sync:
    """Acquires from a native thread."""

    def acquire(self, group, **limit):
        return group.acquire(**limit)

    def start(self, group, leave):
        """Return whether it is in, and what its thread does when it is told to leave."""
        inside = threading.Event()

        def hold():
            with group:
                inside.set()
                leave.wait(30)

        return inside, Background(hold)


class Async(Sync):
    """Acquires from tasks of a loop of its own."""

    def acquire(self, group, **limit):
        async def acquire():
            return await group.async_acquire(**limit)

        return asyncio.run(acquire())

    def start(self, group, leave):
        inside = threading.Event()

        async def hold():
            async with group:
                inside.set()
                await asyncio.to_thread(leave.wait, 30)

        return inside, Background(lambda: asyncio.run(hold()))


@pytest.mark.skipif(os.name != "posix", reason="no fcntl")
@pytest.mark.parametrize("way", [Sync(), Async()], ids=["sync", "async"])
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("chosen", CHOSEN, ids="+".join)
def test_together(chosen, names, way, tmp_path):
    options = {option: OPTIONS[option] for option in chosen}
    where = {"lock_path": tmp_path / "locks", **options}
    # with a lock file, whoever is in the way is in another process, as far as can be seen
    elsewhere = lockutils.Semaphores() if "external" in chosen else None

    def group(**limit):
        return lockutils.lock_all(NAMES[names], **where, **limit)

    in_the_way = [
        lockutils.lock("it", **{**where, "shared": False}, semaphores=elsewhere)
        for _ in range(options.get("slots", 1))
    ]
    # Each by a thread of its own, lest they count as one holder.
    for one in in_the_way:
        assert Background(one.acquire).result()
    assert way.acquire(group(), blocking=False) is False
    assert way.acquire(group(), timeout=0.001) is False
    assert lockutils.held() == frozenset()

    leave = threading.Event()
    inside, waiter = way.start(group(), leave)
    before = 0 if elsewhere else len(in_the_way)
    until(lambda: len(lockutils.lock("it")._queue) > before, "it waits")
    assert not inside.is_set()
    for one in in_the_way:
        one.release()
    assert inside.wait(30)

    # who else is let in
    together = {"shared": True, "slots": True}
    one, more = group(), group()
    goes_in = any(together.get(option) for option in chosen)
    # not a single try: one that gave up may have a slot for an instant, and a try failed then
    assert way.acquire(one, **({"timeout": 30} if goes_in else {"blocking": False})) is goes_in
    if "slots" in chosen:
        # from another thread, since this one may have its slot twice
        assert Background(way.acquire, more, blocking=False).result() is False
    leave.set()
    waiter.result()
    if "shared" in chosen or "slots" in chosen:
        one.release()
    assert way.acquire(more, timeout=30)
    again = group()
    if "reentrant" in chosen and not isinstance(way, Async):
        assert again.acquire(blocking=False)
        again.release()
    more.release()

    with pytest.raises(RuntimeError):
        more.release()
    del one, more, again, in_the_way
    gc.collect()
    assert not lockutils.lock("it")._queue
    assert not lockutils.lock("that")._queue
    # a helper of one that gave up may still be about it
    until(lambda: not any(str(tmp_path) in path for path in open_descriptors().values()), "no leak")


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"shared": True, "slots": 2}, "readers are not counted"),
        ({"blocking": False, "timeout": 5}, "does not go with blocking=False"),
        ({"slots": 0}, "from 1"),
        ({"timeout": -1}, "negative"),
    ],
)
def test_not_together(options, why, external, tmp_path):
    where = {"external": external, "lock_path": tmp_path / "locks", **options}
    for call in (
        lambda: lockutils.lock("it", **where),
        lambda: lockutils.lock_all(["it"], **where),
        lambda: lockutils.synchronized("it", **where),
        lambda: lockutils.synchronized(["it"], **where),
    ):
        with pytest.raises(ValueError, match=why):
            call()
    assert not (tmp_path / "locks").exists()


def test_what_needs_fcntl_is_refused_without(monkeypatch, tmp_path):
    monkeypatch.setattr("lockutils.backends.file.directory.Directory.shares", False)
    for options in {"shared": True}, {"slots": 2}:
        with pytest.raises(ValueError, match="fcntl"):
            lockutils.lock("it", external=True, lock_path=tmp_path, **options)
        with lockutils.lock("it", **options):
            pass
