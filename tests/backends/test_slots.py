"""Slots of a lock file."""

import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest

fcntl = pytest.importorskip("fcntl")

from conformance import forever  # noqa: E402
from lock_peers import Background, open_descriptors, sleeps_for_a_lock, until, waiters  # noqa: E402

from lockutils.backends.file import slots  # noqa: E402
from lockutils.backends.file.directory import Directory  # noqa: E402
from lockutils.backends.file.request import FileRequest, SharedRequest  # noqa: E402
from lockutils.backends.file.slots import SlotRequest  # noqa: E402
from lockutils.errors import LockPathError, SlotsMismatchError  # noqa: E402
from lockutils.parking import helpers, sleeper  # noqa: E402

if sys.version_info >= (3, 12):
    pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

PEER = """
import sys
import lockutils
path, slots, fair = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "fair"
held = None
for line in sys.stdin:
    word = line.strip()
    if word == "release":
        held.release()
        print("released", flush=True)
        continue
    held = lockutils.lock("key", external=True, lock_path=path, fair=fair, slots=slots)
    try:
        print("held" if held.acquire(blocking=word == "wait") else "busy", flush=True)
    except lockutils.SlotsMismatchError as error:
        print(error.slots, error.slots_in_use, flush=True)
"""

N = 3


@pytest.fixture
def path(tmp_path):
    return tmp_path / "key"


@pytest.fixture
def requests(tmp_path):
    made = []

    def request(slots=N, fair=False):
        where = ("key", Directory(os.fsencode(tmp_path)), fair)
        made.append(SlotRequest(*where, slots) if slots > 1 else FileRequest(*where))
        return made[-1]

    yield request
    for one in made:
        one.cancel()
    made.clear()
    assert not leaks(tmp_path)


def leaks(folder):
    """But for the queue file, which closes with the last request that used it."""
    return [
        target
        for target in open_descriptors().values()
        if (str(folder) in target or target == "anon_inode:inotify")
        and ".lockutils-queue" not in target
    ]


@pytest.fixture
def peer(peers, tmp_path):
    return lambda slots=N, order="default": peers.python(PEER, tmp_path, str(slots), order)


@pytest.fixture
def full(peer):
    """Three processes with a slot each."""
    holders = [peer() for _ in range(N)]
    for holder in holders:
        assert holder.ask("try") == "held"
    return holders


def wait_in_background(contender, path):
    """Return when it waits for the closing of the file, or for another tool."""
    assert not contender.try_now()
    waiting = Background(contender.block, forever())
    until(lambda: waits(path), "it waits")
    return waiting


def waits(path, pid="self"):
    return waiters(path) or any(
        target == "anon_inode:inotify" for target in open_descriptors(pid).values()
    )


class TestExclusion:
    def test_as_many_as_there_are_and_no_more(self, full, requests, peer):
        contender = requests()
        assert not contender.try_now()
        assert peer().ask("try") == "busy"

        assert full[1].ask("release") == "released"

        assert contender.try_now()
        assert peer().ask("try") == "busy"

    @pytest.mark.parametrize("ending", ["release", "kill"])
    @pytest.mark.parametrize("position", range(N))
    def test_a_wait_ends_when_any_of_the_holders_does(self, full, requests, path, position, ending):
        contender = requests()
        waiting = wait_in_background(contender, path)

        if ending == "kill":
            full[position].kill()
        else:
            assert full[position].ask("release") == "released"

        assert waiting.result()
        for other in (*full[:position], *full[position + 1 :]):
            assert other.ask("release") == "released"

    def test_in_the_order_of_arrival(self, full, peer, path):
        waiters = [peer() for _ in range(4)]
        for number, waiter in enumerate(waiters):
            waiter.tell("wait")
            pid = waiter.process.pid
            # one more in line: the next one's ticket is behind
            until(
                lambda: waits(path, pid) if number == 0 else sleeps_for_a_lock(pid),  # noqa: B023
                "it waits",
            )

        for holder, waiter in zip([*full, waiters[0]], waiters, strict=True):
            assert holder.ask("release") == "released"
            assert waiter.hear() == "held"

    def test_one_that_comes_late_does_not_pass_those_that_wait(self, full, requests, peer, path):
        """It finds a slot, and gives it back: somebody is about to take it."""
        waiter = peer()
        waiter.tell("wait")
        until(lambda: waits(path, waiter.process.pid), "it waits")
        waiter.process.send_signal(19)  # SIGSTOP: it is to be late
        until(lambda: is_stopped(waiter), "it is stopped")
        full[0].kill()
        contender = requests()

        assert not contender.try_now()
        assert contender.try_now(barging=True)
        contender.cancel()
        assert not requests(fair=True).try_now(barging=True)

        waiter.process.send_signal(18)
        assert waiter.hear() == "held"

    def test_a_file_that_was_replaced(self, full, requests, path):
        """Who holds on the old one is out of the game, as with any lock."""
        contender = requests()
        waiting = wait_in_background(contender, path)
        path.unlink()
        full[0].kill()

        assert waiting.result()
        assert path.exists()
        for holder in full[1:]:
            holder.kill()


def is_stopped(peer):
    """Whether all its threads are: each is stopped by itself, one after the other."""
    states = [
        (task / "stat").read_text().rpartition(")")[2].split()[0]
        for task in pathlib.Path(f"/proc/{peer.process.pid}/task").iterdir()
    ]
    return set(states) == {"T"}


class TestWait:
    def test_given_up_uses_one_helper_and_leaves_nothing(self, full, requests, path):
        before = len(helpers._running)
        for _ in range(10):
            contender = requests()
            assert contender.start(pytest.fail)
            until(lambda: waits(path), "it waits")
            assert len(helpers._running) - before <= 1

            contender.cancel()

            assert not waits(path)
            until(lambda: len(helpers._idle) == len(helpers._running), "the helper is idle")
        for holder in full:
            assert holder.ask("release") == "released"

    @pytest.mark.parametrize("slots", [70])
    def test_for_many_slots_uses_one_helper(self, requests, path, slots):
        """And not one for each: others need them, too."""
        holders = [requests(slots) for _ in range(slots)]
        for holder in holders:
            assert holder.try_now()
        before, held = len(helpers._running), threading.Event()
        assert requests(slots).start(held.set)
        until(lambda: waits(path), "it waits")

        assert len(helpers._running) - before <= 1
        holders[slots // 2].cancel()

        assert held.wait(30)

    def test_makes_no_system_call_while_nothing_is_closed(self, full, requests, path, monkeypatch):
        monkeypatch.setattr(slots, "_LOOK", 1000.0)
        looks, real = [], SlotRequest._try_both
        monkeypatch.setattr(
            SlotRequest, "_try_both", lambda *args: looks.append(None) or real(*args)
        )
        contender = requests()
        waiting = wait_in_background(contender, path)
        until(lambda: sleeps_in_read(os.getpid()), "it reads what inotify says")
        count = len(looks)
        assert not waiting.join(0.2)
        assert len(looks) == count

        assert full[1].ask("release") == "released"

        assert waiting.result()

    def test_ends_with_a_release_between_its_try_and_its_sleep(self, full, requests, monkeypatch):
        """The watch is there before the try."""
        monkeypatch.setattr(slots, "_LOOK", 1000.0)
        real = sleeper.Sleeper.read

        def late(self, fd, at_most):
            if full:
                assert full.pop().ask("release") == "released"
            return real(self, fd, at_most)

        monkeypatch.setattr(sleeper.Sleeper, "read", late)

        assert Background(requests().block, forever()).result()

    @pytest.mark.parametrize("lack", ["no inotify instance", "cannot be called back"])
    def test_looks_from_time_to_time_where_nothing_tells_of_a_closing(
        self, full, requests, monkeypatch, lack
    ):
        if lack == "no inotify instance":
            monkeypatch.setattr(sleeper.Sleeper, "watch_closing", lambda *_: None)
        else:
            monkeypatch.setattr(sleeper, "load", lambda: None)
        monkeypatch.setattr(slots, "_LOOK", 0.01)
        pauses = []
        for module in (slots, sleeper):
            real = module.sleep
            monkeypatch.setattr(
                module,
                "sleep",
                lambda seconds, real=real: pauses.append(seconds) or real(min(seconds, 0.01)),
            )
        waiting = Background(requests().block, forever())
        until(lambda: len(pauses) > 2 or waiting.join(0), "it has looked more than once")

        assert full[2].ask("release") == "released"

        assert waiting.result()

    def test_where_all_inotify_instances_are_in_use(self, full, requests, peers):
        """Another program of the user has them."""
        hoarder = peers.python(HOARDER)
        for _ in range(50):
            assert hoarder.ask("all") == "none left"
            contender = requests()
            waiting = Background(contender.block, forever())
            assert not waiting.join(0.05)
            if "anon_inode:inotify" not in open_descriptors().values():
                break
            contender.cancel()  # somebody else has given one back meanwhile
            assert not waiting.result()
        else:
            raise AssertionError("an instance is free each time")

        assert full[0].ask("release") == "released"

        assert waiting.result()

    def test_sees_a_release_of_what_a_child_has_inherited(self, requests, tmp_path, monkeypatch):
        """The file is not closed then."""
        monkeypatch.setattr(slots, "_LOOK", 1000.0)
        holders = [requests() for _ in range(N)]
        for holder in holders:
            assert holder.try_now()
        holders[0].hand_to_children()
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
        try:
            waiting = wait_in_background(requests(), tmp_path / "key")

            holders[0].cancel()

            assert waiting.result()
        finally:
            child.stdin.close()
            child.wait()


HOARDER = """
import ctypes, sys
c = ctypes.CDLL(None)
for _ in sys.stdin:
    while c.inotify_init() >= 0:
        pass
    print("none left", flush=True)
"""


def sleeps_in_read(pid):
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/wchan"):
        try:
            if path.read_text() in ("wait_woken", "inotify_read"):
                return True
        except (FileNotFoundError, ProcessLookupError):
            pass
    return False


class TestMismatch:
    @pytest.mark.parametrize("slots", [2, 5])
    def test_with_another_number(self, full, requests, peer, slots):
        assert peer(slots).ask("try") == f"{slots} {N}"
        assert peer(slots).ask("wait") == f"{slots} {N}"
        with pytest.raises(SlotsMismatchError) as caught:
            requests(slots).try_now()
        assert (caught.value.slots, caught.value.slots_in_use) == (slots, N)

        for holder in full:
            assert holder.ask("release") == "released"
        assert requests(slots).try_now()

    @pytest.mark.parametrize("kind", [FileRequest, SharedRequest])
    def test_of_one_without_slots(self, full, tmp_path, kind):
        contender = kind("key", Directory(os.fsencode(tmp_path)), False)
        assert not contender.try_now()
        with pytest.raises(SlotsMismatchError):
            contender.try_now(True)
        with pytest.raises(SlotsMismatchError):
            contender.enqueue()
        contender.cancel()
        assert full[0].ask("release") == "released"

    def test_with_an_exclusive_holder_that_stays(self, requests, peer):
        exclusive = requests(1)
        assert exclusive.try_now()
        elsewhere = peer()
        assert elsewhere.ask("try") == "busy"
        assert elsewhere.ask("wait") == f"{N} 1"
        exclusive.cancel()
        assert elsewhere.ask("wait") == "held"

    def test_an_exclusive_holder_of_an_instant_is_waited_for(self, requests, path):
        """One who has given up, say: it has no other idea of the slots."""
        exclusive, contender = requests(1), requests()
        assert exclusive.try_now()
        assert not contender.try_now()
        contender.enqueue()
        looks, place = [], contender._range
        real = type(place).use

        def use(self):
            found = real(self)
            looks.append(found)
            if len(looks) == 3:
                exclusive.cancel()
            return found

        type(place).use = use
        try:
            assert Background(contender.block, forever()).result()
        finally:
            type(place).use = real
        assert looks[:3] == [1] * 3


class TestForeignTools:
    @pytest.mark.parametrize("kind", ["flock", "lockf"])
    def test_exclude_and_are_excluded(self, requests, path, kind):
        lock = getattr(fcntl, kind)
        contender, other = requests(), requests()
        pid = os.fork() if kind == "lockf" else 0  # lockf is of the process: have another one
        if kind == "lockf" and pid == 0:
            os._exit(foreign_child(lock, path))
        if pid:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert contender.try_now()
        with open(path, "rb+") as file:
            if kind == "flock":
                with pytest.raises(BlockingIOError):
                    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                contender.cancel()
                lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                assert not other.try_now()
        if kind == "lockf":
            assert excluded_elsewhere(lock, path)

    @pytest.mark.parametrize("kind", ["flock", "lockf"])
    def test_are_waited_for(self, requests, peers, path, kind):
        tool = peers.python(
            "import fcntl, sys\n"
            "file = open(sys.argv[1], 'ab+')\n"
            "getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX)\n"
            "print('held', flush=True)\n"
            "sys.stdin.readline()\n",
            path,
            kind,
        )
        assert tool.hear() == "held"
        contender = requests()
        waiting = wait_in_background(contender, path)

        tool.end()

        assert waiting.result()


def foreign_child(lock, path):
    with open(path, "ab+") as file:
        lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return 0


def excluded_elsewhere(lock, path):
    pid = os.fork()
    if pid == 0:
        try:
            foreign_child(lock, path)
        except OSError:
            os._exit(0)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


class TestUnusableFiles:
    def test_one_that_can_only_be_read(self, requests, path, only_to_read):
        path.touch()
        only_to_read()
        with pytest.raises(LockPathError, match="cannot be written to"):
            requests().try_now()

    def test_a_fork_while_somebody_waits(self, full, requests, path):
        """The child has none of the watches; the parent's go on."""
        contender = requests()
        waiting = wait_in_background(contender, path)
        pid = os.fork()
        if pid == 0:
            os._exit(
                1
                if [target for target in leaks(path.parent) if not target.startswith("anon_inode")]
                else 0
            )
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

        full[0].kill()

        assert waiting.result()
        for holder in full[1:]:
            assert holder.ask("release") == "released"


def test_many_slots(requests):
    taken = [requests(300) for _ in range(300)]
    start = time.process_time()
    for contender in taken:
        assert contender.try_now()
    assert not requests(300).try_now()
    assert time.process_time() - start < 30  # 300 times 300 system calls at most
