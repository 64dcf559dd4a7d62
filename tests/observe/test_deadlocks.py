"""Deadlocks among processes, threads and tasks: found, told, ended; and never a false one."""

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from lock_peers import Background, until, until_waited_for

import lockutils
from lockutils import debug
from lockutils.local.waiters import Waiter
from lockutils.observe import log, wait_graph, wait_records
from lockutils.observe.wait_graph import deadlock_of
from lockutils.observe.wait_records import wait_for_file, waits_of
from lockutils.parking import deadline

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="others are seen by /proc")
LOCKER = Path(__file__).with_name("locker.py")
WATCH = {"LOCKUTILS_WATCH_DEADLOCKS": "1"}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """A wait is long after a tenth of a second."""
    monkeypatch.setattr(deadline, "LONG", 0.1)


@pytest.fixture
def watched():
    debug.watch_deadlocks()
    yield
    debug.stop_watching_deadlocks()


@pytest.fixture
def start(peers, tmp_path):
    """Start a process that takes the locks one inside the other, and has the first by now."""

    def start(*locks, env=None):
        peer = peers.start(sys.executable, LOCKER, tmp_path, *locks, env=env)
        assert peer.hear() == "held"
        return peer

    return start


def go_on(*peers, path, files):
    """Have one after the other ask for its second lock, and wait."""
    for peer, file in zip(peers, files, strict=True):
        peer.tell()
        until_waited_for(path / file)


def published(*peers):
    """Whether all of them have published a wait."""
    return all(waits_of(peer.process.pid) for peer in peers)


def deadlock_at(path, slots=1):
    return deadlock_of(wait_for_file(str(path), path.name, slots))


def pids(deadlock):
    return [wait.pid for wait in deadlock.cycle]


class TestFound:
    @pytest.mark.parametrize("count", [2, 3])
    def test_among_processes(self, start, tmp_path, count):
        names = "abc"[:count]
        peers = [start(one, two) for one, two in zip(names, names[1:] + names[0], strict=True)]
        go_on(*peers, path=tmp_path, files=names[1:] + names[0])
        until(lambda: published(*peers), "all have published")

        deadlock = deadlock_at(tmp_path / "a")

        assert pids(deadlock) == [peer.process.pid for peer in peers]
        assert [wait.name for wait in deadlock.cycle] == [*names[1:], names[0]]
        assert str(deadlock).count("held by process") == count
        assert len(deadlock.lines()) == count

    def test_not_in_a_chain_that_ends(self, start, tmp_path):
        peers = [start("a", "b"), start("b", "c"), start("c")]
        go_on(*peers[:2], path=tmp_path, files="bc")
        until(lambda: published(*peers[:2]), "both have published")

        assert deadlock_at(tmp_path / "a") is None

    def test_not_with_what_another_thread_has_released(self, start, tmp_path):
        peer = start("b", "a")
        options = {"external": True, "lock_path": tmp_path}
        by_hand = lockutils.lock("a", **options)

        def wait():
            by_hand.acquire()
            with lockutils.lock("b", **options):
                return True

        waiting = Background(wait)
        until(lambda: waits_of(os.getpid()), "it has published")
        by_hand.release()
        with lockutils.lock("a", **options):
            go_on(peer, path=tmp_path, files="a")
            until(lambda: published(peer), "the peer has published")
            assert deadlock_at(tmp_path / "a") is None
        assert peer.hear() == "held"
        peer.tell()
        assert waiting.result()

    def test_who_waits_behind_one_is_told_of_it(self, start, tmp_path):
        peers = [start("a", "b"), start("b", "a"), start("c", "a")]
        go_on(*peers[:2], path=tmp_path, files="ba")
        peers[2].tell()
        until(lambda: published(*peers), "all have published")

        assert set(pids(deadlock_at(tmp_path / "c"))) == {peer.process.pid for peer in peers[:2]}

    def test_a_writer_that_waits_for_one_of_two_readers(self, start, tmp_path):
        other = start("a:shared=True")
        reader, writer = start("a:shared=True", "b"), start("b", "a")
        go_on(reader, writer, path=tmp_path, files="ba")
        until(lambda: published(reader, writer), "both have published")

        assert set(pids(deadlock_at(tmp_path / "b"))) == {reader.process.pid, writer.process.pid}
        other.tell()

    def test_not_among_readers(self, start, tmp_path):
        """Each holds what the other asks for, and neither is in the way of the other."""
        one, two = start("a:shared=True", "b:shared=True"), start("b:shared=True", "a:shared=True")
        assert one.ask() == "held"
        assert two.ask() == "held"

    def test_a_slot_only_if_all_are_stuck(self, start, tmp_path):
        slot = "a:slots=2"
        stuck, free, waiter = start(slot, "b"), start(slot), start("b", slot)
        go_on(stuck, path=tmp_path, files="b")
        waiter.tell()
        until(lambda: published(stuck, waiter), "both have published")
        assert deadlock_at(tmp_path / "b") is None

        free.tell()
        assert free.hear() == "got"
        assert waiter.hear() == "held"  # which was no deadlock

    def test_slots_that_are_all_stuck(self, start, tmp_path):
        slot = "a:slots=2"
        one, two, waiter = start(slot, "b"), start(slot, "b"), start("b", slot)
        go_on(one, path=tmp_path, files="b")
        two.tell()
        waiter.tell()
        until(lambda: published(one, two, waiter), "all have published")

        deadlock = deadlock_at(tmp_path / "b")

        assert waiter.process.pid in pids(deadlock)
        assert {wait.pid for wait in deadlock.members} == {
            one.process.pid,
            two.process.pid,
            waiter.process.pid,
        }

    def test_a_record_goes_with_its_process(self, start, tmp_path):
        peers = [start("a", "b"), start("b", "a")]
        go_on(*peers, path=tmp_path, files="ba")
        until(lambda: published(*peers), "both have published")
        assert deadlock_at(tmp_path / "a") is not None

        peers[1].kill()

        assert peers[0].hear() == "held"
        assert deadlock_at(tmp_path / "a") is None

    def test_a_child_that_inherits_the_record_is_not_its_waiter(self):
        with lockutils.lock("outer"):
            wait = wait_records.wait_of(lockutils.lock("inner"), Waiter(), 1.0, by_task=False)
            record = wait_records.Record(wait)
            pid = os.fork()
            if not pid:
                signal.pause()
            try:
                assert waits_of(os.getpid()) == [wait]
            finally:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                record.end()
        assert waits_of(os.getpid()) == []

    @pytest.mark.parametrize(
        "text", [b"", b"{}", b"[1]", b"[1, [1]]", b"\xff", b"[1, [1,2,3,4,5,6,7,8,9,10,11]]"]
    )
    def test_what_is_no_record_is_passed_over(self, text):
        with pytest.raises((ValueError, TypeError)):
            wait_records._parse(text)


class TestInOneProcess:
    @pytest.mark.parametrize("external", [False, True])
    def test_threads(self, watched, tmp_path, external):
        options = {"external": True, "lock_path": tmp_path} if external else {}
        inside = []

        def take(one, two):
            with lockutils.lock(one, **options):
                inside.append(one)
                until(lambda: len(inside) >= 2, "both are in")
                with lockutils.lock(two, **options):
                    return "got"

        calls = [Background(take, *names) for names in ("ab", "ba")]

        outcomes = []
        for call in calls:
            try:
                outcomes.append(call.result())
            except lockutils.DeadlockError as error:
                outcomes.append(str(error))
        gave_up, got = sorted(outcomes, key=len, reverse=True)
        assert got == "got"
        assert "waits for 'a', held by" in gave_up
        assert "waits for 'b', held by" in gave_up

    @pytest.mark.parametrize("library", ["asyncio", "trio"])
    def test_tasks(self, watched, library):
        outcomes = []
        inside = []

        async def take(one, two, sleep):
            try:
                async with lockutils.lock(one):
                    inside.append(one)
                    while len(inside) < 2:
                        await sleep(0.001)
                    async with lockutils.lock(two):
                        outcomes.append("got")
            except lockutils.DeadlockError:
                outcomes.append("gave up")

        if library == "asyncio":

            async def main():
                await asyncio.gather(take("a", "b", asyncio.sleep), take("b", "a", asyncio.sleep))

            asyncio.run(main())
        else:
            trio = pytest.importorskip("trio")

            async def main():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(take, "a", "b", trio.sleep)
                    nursery.start_soon(take, "b", "a", trio.sleep)

            trio.run(main)
        assert sorted(outcomes) == ["gave up", "got"]

    def test_what_was_acquired_by_hand_is_told_and_not_raised(self, watched, monkeypatch):
        """Anybody who has the handle may release it."""
        notices = []
        monkeypatch.setattr(log, "notice", notices.append)
        monkeypatch.setattr(deadline, "warn_after", 0.3)
        by_hand = lockutils.lock("a")
        held = []

        def take():
            by_hand.acquire()
            held.append("a")
            with lockutils.lock("b"):
                return "got"

        with lockutils.lock("b"):
            call = Background(take)
            until(lambda: held, "a is held")
            other = Background(lockutils.lock("a").acquire)
            with pytest.raises(lockutils.LockTimeout), lockutils.lock("a", timeout=0.7):
                pass
            assert not other.join(0)
            assert any("; deadlock: " in line for line in notices)
        assert call.result() == "got"
        by_hand.release()
        assert other.result()


class TestTold:
    def test_in_the_time_out(self, start, tmp_path):
        first, second = start("a", "b"), start("b", "a:timeout=1.5")
        go_on(first, second, path=tmp_path, files="ba")

        line = second.hear()

        assert line.startswith("LockTimeout Failed to acquire the lock 'a' after 1.")
        assert "; deadlock: " in line
        assert "waits for 'a', held by process" in line
        assert "waits for 'b', held by process" in line
        assert first.hear() == "held"

    def test_not_in_that_of_a_short_wait(self):
        with lockutils.lock("db"):

            def take():
                with lockutils.lock("db", timeout=0.01):
                    pass

            with pytest.raises(lockutils.LockTimeout) as raised:
                Background(take).result()
        assert raised.value.deadlock == ""
        assert "deadlock" not in str(raised.value)

    def test_in_the_notice(self, start, tmp_path, monkeypatch):
        notices = []
        monkeypatch.setattr(log, "notice", notices.append)
        monkeypatch.setattr(deadline, "warn_after", 0.5)
        other = start("a", "b")
        with lockutils.lock("b", external=True, lock_path=tmp_path):
            go_on(other, path=tmp_path, files="b")
            handle = lockutils.lock("a", external=True, lock_path=tmp_path, timeout=1.2)
            with pytest.raises(lockutils.LockTimeout), handle:
                pass
        assert f"; deadlock: process {os.getpid()} (" in notices[0]


class TestEnded:
    @pytest.mark.parametrize("count", [2, 3])
    def test_by_the_youngest_alone(self, start, tmp_path, count):
        names = "abc"[:count]
        peers = [
            start(one, two, env=WATCH) for one, two in zip(names, names[1:] + names[0], strict=True)
        ]
        go_on(*peers, path=tmp_path, files=names[1:] + names[0])

        assert peers[-1].hear().startswith("DeadlockError the caller came last into a deadlock")
        for peer in reversed(peers[:-1]):
            assert peer.hear() == "held"
            peer.tell()
            assert peer.hear() == "got"

    def test_by_the_youngest_of_those_that_watch(self, start, tmp_path):
        first, second = start("a", "b", env=WATCH), start("b", "a")
        go_on(first, second, path=tmp_path, files="ba")

        assert first.hear().startswith("DeadlockError")
        assert second.hear() == "held"


# Takes two of three locks, in any order, with short time-outs, until it is sent a line.  Then it
# writes of each wait when it was called for and when that call had returned.
HAMMER = """
import random, select, sys, time
import lockutils
from lockutils.parking import deadline
deadline.LONG = 0.002
lockutils.set_defaults(lock_path=sys.argv[1], warn_after=None)
waits = []
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    one, two = random.sample("abc", 2)
    with lockutils.lock(one, external=True):
        inner = lockutils.lock(two, external=True, timeout=random.uniform(0.003, 0.05))
        start = time.monotonic()
        got = inner.acquire()
        waits.append((start, time.monotonic()))
        if got:
            inner.release()
for wait in waits:
    print(*wait, flush=True)
print("end", flush=True)
"""


class TestNeverAFalseOne:
    def test_while_cycles_come_and_go(self, peers, tmp_path, monkeypatch):
        """Of each deadlock that is found there was an instant at which all its waits went on.

        What is read of one process is old when the next one is looked at, which is made worse.
        """
        chance = random.Random(14)

        def late(pid):
            found = waits_of(pid)
            time.sleep(chance.uniform(0.0, 0.01))  # not a wait for anything: things change
            return found

        monkeypatch.setattr(wait_graph, "waits_of", late)
        hammers = [peers.python(HAMMER, tmp_path) for _ in range(4)]
        for hammer in hammers:
            assert hammer.hear() == "ready"
        found = []
        end = time.monotonic() + 4.0
        while time.monotonic() < end or not found:
            deadlock = deadlock_at(tmp_path / "abc"[chance.randrange(3)])
            if deadlock is not None:
                found.append(deadlock.cycle)
        waited = {}
        for hammer in hammers:
            hammer.tell()
            lines = list(iter(hammer.hear, "end"))
            waited[hammer.process.pid] = [tuple(map(float, line.split())) for line in lines]
        for cycle in found:
            intervals = [
                next(one for one in waited[wait.pid] if one[0] <= wait.since <= one[1])
                for wait in cycle
            ]
            assert max(start for start, _ in intervals) < min(end for _, end in intervals)

    def test_who_gives_up_was_in_one(self, peers, tmp_path):
        """Nobody waits without end, and those who did not give up got what they asked for."""
        source = HAMMER.replace("timeout=random.uniform(0.003, 0.05)", "timeout=60").replace(
            "got = inner.acquire()",
            """try:
            got = inner.acquire()
        except lockutils.DeadlockError:
            got = None
        assert got is not False""",
        )
        hammers = [peers.python(source, tmp_path, env=WATCH) for _ in range(4)]
        for hammer in hammers:
            assert hammer.hear() == "ready"
        time.sleep(2)  # not a wait for anything: for so long it goes on
        for hammer in hammers:
            hammer.tell()
        for hammer in hammers:
            assert list(iter(hammer.hear, "end"))
