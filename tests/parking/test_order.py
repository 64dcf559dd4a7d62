"""Who is served first, over processes that hold, wait, give up, stop and die."""

import contextlib
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile

import kinds
import pytest
from lock_peers import WATCHDOG, Background, sleeps_for_a_lock, until, waiters

import lockutils
from lockutils.backends.file.queue import QUEUE_NAME

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
FOREIGN = """
import fcntl, sys
file = open(sys.argv[2], "rb+")
getattr(fcntl, sys.argv[1])(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
OTHER_USER = """
import os, sys, lockutils
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    lockutils.lock("it", external=True, lock_path=sys.argv[1], fair=True).acquire()
except lockutils.LockPathError as error:
    print(f"refused {error.filename}", flush=True)
with lockutils.lock("it", external=True, lock_path=sys.argv[1]):
    print("in", flush=True)
"""


class Crowd:
    """Waiters of ``it`` in processes of their own, and in which order they got it."""

    def __init__(self, directory):
        self.directory = directory
        self.file = directory / "it"
        self.queue = directory / os.fsdecode(QUEUE_NAME)
        self._read_end, self._write_end = os.pipe()
        self._started = []
        self._here = lockutils.Semaphores()  # what one test leaves held is not held in the next

    def lock(self, **options):
        options = {"semaphores": self._here, "lock_path": self.directory, **options}
        return lockutils.lock("it", external=True, **options)

    def join(self, label, kind="thread", timeout="inf", order="fair"):
        """Start a waiter; return when it sleeps."""
        command = [sys.executable, "-W", "ignore", HERE / "one_waiter.py", kind, self.directory]
        process = subprocess.Popen(
            [*command, timeout, order, label],
            stdout=self._write_end,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        )
        self._started.append(process)
        until(lambda: sleeps_for_a_lock(process.pid), f"{label} waits")
        return process

    def note(self, label):
        """What a waiter in a process of its own prints, of one in this process."""
        os.write(self._write_end, f"{label}\n".encode())

    def served(self, count):
        """The labels of the next ``count`` that get the lock, in order."""
        text = ""
        while text.count("\n") < count:
            ready, _, _ = select.select([self._read_end], [], [], WATCHDOG)
            assert ready, f"nobody is served after {text.split()}"
            text += os.read(self._read_end, 4096).decode()
        return text.split()

    def nobody_was_served(self):
        return not select.select([self._read_end], [], [], 0)[0]

    def close(self):
        for process in self._started:
            process.kill()
            process.wait()
        os.close(self._read_end)
        os.close(self._write_end)


def has_ticket(turn):
    entry = turn.request and turn.request._entry
    return entry is not None and entry.is_taken


def stop(process):
    """Return when none of its threads runs any more."""
    process.send_signal(signal.SIGSTOP)
    stats = list(pathlib.Path(f"/proc/{process.pid}/task").glob("*/stat"))
    until(
        lambda: all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in stats),
        "it is stopped",
    )


@pytest.fixture
def crowd(tmp_path):
    with contextlib.closing(Crowd(tmp_path)) as crowd:
        yield crowd


class TestByDefault:
    @pytest.mark.parametrize("timeout", ["inf", "600"])
    @pytest.mark.parametrize("kind", kinds.NAMES)
    def test_who_releases_and_acquires_again_does_not_overtake(self, crowd, kind, timeout):
        lock = crowd.lock()
        for _ in range(3):
            lock.acquire()
            crowd.join("in", kind, timeout, order="default")

            lock.release()
            lock.acquire()

            assert not crowd.nobody_was_served()
            assert crowd.served(1) == ["in"]
            lock.release()

    def test_nobody_waits_for_a_waiter_that_is_stopped(self, crowd):
        holder = crowd.lock()
        holder.acquire()
        stopped = crowd.join("in", order="default")
        crowd.join("in", timeout="600", order="default")
        stop(stopped)

        holder.release()

        assert crowd.served(1) == ["in"]  # who waited behind it
        for _ in range(3):
            assert holder.acquire(timeout=WATCHDOG)
            holder.release()
        stopped.send_signal(signal.SIGCONT)
        assert crowd.served(1) == ["in"]

    def test_a_single_try_passes_whoever_does_not_take_a_free_lock(self, crowd):
        holder = crowd.lock()
        holder.acquire()
        stop(crowd.join("in", order="default"))
        holder.release()

        assert crowd.lock(blocking=False).acquire()

    def test_waiters_who_want_no_order_join_those_who_do(self, crowd):
        holder = crowd.lock()
        holder.acquire()
        for label in ("one", "two"):
            crowd.join(label)
        crowd.join("in", order="default")
        crowd.join("four")

        holder.release()

        assert crowd.served(4) == ["one", "two", "in", "four"]


class TestFair:
    def test_all_kinds_of_waiters_are_served_as_they_came(self, crowd):
        holder = crowd.lock(fair=True)
        holder.acquire()
        labels = [f"{kind}/{timeout}" for kind in kinds.NAMES for timeout in ("inf", "600")]
        for label in labels:
            crowd.join(label, *label.split("/"))

        holder.release()

        assert crowd.served(len(labels)) == labels

    def test_who_releases_and_acquires_again_is_last(self, crowd):
        lock = crowd.lock(fair=True)
        lock.acquire()
        for label in ("one", "two", "three"):
            crowd.join(label)

        lock.release()
        lock.acquire()

        assert not crowd.nobody_was_served()
        assert crowd.served(3) == ["one", "two", "three"]
        lock.release()

    @pytest.mark.parametrize("family", ["flock", "lockf"])
    def test_a_foreign_holder_is_waited_for_in_order(self, crowd, peers, family):
        crowd.file.touch()
        holder = peers.python(FOREIGN, family, crowd.file)
        assert holder.hear() == "held"
        labels = ["one", "two", "three", "four"]
        for label in labels:
            crowd.join(label, timeout="600" if label == "two" else "inf")

        holder.end()

        assert crowd.served(4) == labels

    def test_threads_of_one_process_stand_between_those_of_others(self, crowd):
        """A thread takes its place on arrival, although its own process has the turn."""
        holder = crowd.lock()
        holder.acquire()

        def wait(label):
            with crowd.lock(fair=True):
                crowd.note(label)

        calls = []
        for label in ("a", "b"):
            before = set(holder._queue)
            calls.append(Background(wait, label))
            until(lambda: set(holder._queue) - before, "it is in line")  # noqa: B023
            until(
                lambda: all(has_ticket(turn) for turn in list(holder._queue)[1:]), "with a ticket"
            )
            crowd.join(f"after-{label}")

        holder.release()

        assert crowd.served(4) == ["a", "after-a", "b", "after-b"]
        for call in calls:
            call.result()

    @pytest.mark.parametrize("kind", ["thread", "asyncio"])
    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_who_gives_up_or_dies_is_passed_over(self, crowd, position, kind):
        holder = crowd.lock(fair=True)
        holder.acquire()
        labels = ["one", "two", "three", "four"]
        processes = [crowd.join(label, kind, "600") for label in labels]
        crowd.join("five", kind, "600")
        processes[position].kill()
        processes[position].wait()
        del labels[position]

        holder.release()

        assert crowd.served(4) == [*labels, "five"]

    def test_who_gave_up_and_comes_again_is_behind_those_who_came_meanwhile(self, crowd, peers):
        """Nothing of it has stayed in line."""
        crowd.file.touch()
        holder = peers.python(FOREIGN, "flock", crowd.file)
        assert holder.hear() == "held"
        assert not crowd.lock(fair=True).acquire(timeout=0.05)
        crowd.join("meanwhile")
        again = Background(crowd.lock(fair=True, timeout=WATCHDOG).acquire)
        until(lambda: any(has_ticket(turn) for turn in crowd.lock()._queue), "it is in line again")

        holder.end()

        assert crowd.served(1) == ["meanwhile"]
        assert again.result()

    def test_a_single_try_does_not_pass_who_waits(self, crowd):
        holder = crowd.lock()
        holder.acquire()
        waiter = crowd.join("one")
        stop(waiter)
        holder.release()

        assert not crowd.lock(fair=True, blocking=False).acquire()
        assert not crowd.lock(fair=True).acquire(timeout=0.01)

        waiter.send_signal(signal.SIGCONT)
        assert crowd.served(1) == ["one"]
        until(crowd.lock(fair=True, blocking=False).acquire, "the lock is free")


class TestFork:
    """A child has nothing of its parent's, not even the numbers of its descriptors."""

    CHILD = """
import os, sys, lockutils
lock = lockutils.lock("it", external=True, lock_path=sys.argv[1], fair=sys.argv[2] == "fair")
lock.acquire()
if os.fork():
    os.wait()
    lock.release()
    print("released", flush=True)
else:
    mine = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    try:
        lock.release()
    except RuntimeError:
        print("not the child's", flush=True)
    for number in mine:
        os.fstat(number)
    print("all open", flush=True)
    os._exit(0)
"""

    @pytest.mark.parametrize("order", ["fair", "default"])
    def test_a_release_in_the_child_closes_nothing_of_its_own(self, crowd, peers, order):
        holder = crowd.lock()
        holder.acquire()
        parent = peers.python(self.CHILD, crowd.directory, order)
        until(lambda: sleeps_for_a_lock(parent.process.pid), "the parent waits")

        holder.release()

        assert parent.hear() == "not the child's"
        assert parent.hear() == "all open"
        assert parent.hear() == "released"


class TestMixed:
    def test_a_thread_that_wants_no_order_uses_the_place_of_one_behind_it(self, crowd, peers):
        """Another process waits for a ticket of ours, whose owner waits for us."""
        crowd.file.touch()
        foreign = peers.python(FOREIGN, "flock", crowd.file)
        assert foreign.hear() == "held"
        first = crowd.lock(fair=True)
        waiting = Background(first.acquire)
        until(lambda: any(map(has_ticket, first._queue)), "the first is in line")
        served = []

        def take_turn(label, **options):
            with crowd.lock(timeout=WATCHDOG, **options):
                served.append((label, crowd.nobody_was_served()))

        calls = []
        for label, options in (("no order", {}), ("order", {"fair": True})):
            before = len(first._queue)
            calls.append(Background(take_turn, label, **options))
            until(lambda: len(first._queue) > before, "it is in line")  # noqa: B023
        until(lambda: has_ticket(first._queue[2]), "the last has a ticket")
        crowd.join("other")

        foreign.end()
        waiting.result()
        first.release()

        for call in calls:
            call.result()
        assert crowd.served(1) == ["other"]
        assert served[0] == ("no order", True)


class TestQueueFile:
    def test_is_made_when_somebody_waits_and_stays_empty(self, crowd):
        holder = crowd.lock()
        for _ in range(100):
            with holder:
                pass
        assert os.listdir(crowd.directory) == ["it"]

        holder.acquire()
        crowd.join("one")
        crowd.join("in", order="default")
        holder.release()
        crowd.served(2)

        assert sorted(os.listdir(crowd.directory)) == [os.fsdecode(QUEUE_NAME), "it"]
        assert crowd.queue.stat().st_size == 0

    @pytest.mark.parametrize(
        "plant", [pathlib.Path.mkdir, lambda path: path.symlink_to("elsewhere")]
    )
    def test_that_is_no_file_is_of_no_use(self, crowd, plant):
        plant(crowd.queue)
        holder = crowd.lock()
        holder.acquire()

        with pytest.raises(lockutils.LockPathError) as refusal:
            crowd.lock(fair=True, semaphores=lockutils.Semaphores()).acquire(timeout=WATCHDOG)
        assert refusal.value.filename == str(crowd.queue)
        crowd.join("in", order="default")  # needs no order

        holder.release()
        assert crowd.served(1) == ["in"]

    def test_that_another_user_made_and_we_may_only_read(self, peers):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="lockutils-test-"))
        try:
            folder.chmod(0o1777)
            for name, mode in (("it", 0o666), (os.fsdecode(QUEUE_NAME), 0o444)):
                (folder / name).touch()
                (folder / name).chmod(mode)
            semaphores = lockutils.Semaphores()
            holder = lockutils.lock("it", None, True, folder, semaphores=semaphores)
            holder.acquire()
            other = peers.python(OTHER_USER, folder)
            assert other.hear() == f"refused {folder / os.fsdecode(QUEUE_NAME)}"
            until(lambda: waiters(folder / "it"), "it waits without order")

            holder.release()

            assert other.hear() == "in"
        finally:
            shutil.rmtree(folder)
