"""Locks and forks: a child holds nothing, keeps nothing, and releases nothing of its parent's."""

import os
import signal
import sys

import pytest

fcntl = pytest.importorskip("fcntl")

from lock_peers import until, until_waited_for  # noqa: E402

import lockutils  # noqa: E402
from lockutils.backends.file.directory import Directory  # noqa: E402
from lockutils.backends.file.request import FileRequest  # noqa: E402

if sys.version_info >= (3, 12):
    pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

# A parent and its child.  Lines are "child" or "parent", a space, and a piece of Python.
FAMILY = """
import multiprocessing, os, sys, threading
import lockutils
from lockutils.backends.file.directory import Directory
from lockutils.backends.file.request import FileRequest
directory = sys.argv[2]
lock = lockutils.lock("key", external=True, lock_path=directory)
request = FileRequest("key", Directory(os.fsencode(directory)))

def outcome_of(code):
    try:
        return eval(code, globals())
    except Exception as error:
        return type(error).__name__

def descriptors_of(path):
    return [number for number in map(int, os.listdir("/proc/self/fd")) if is_open_on(number, path)]

def is_open_on(number, path):
    try:
        return os.readlink(f"/proc/self/fd/{{number}}").startswith(path)
    except FileNotFoundError:
        return False

def open_on_lock_files():
    return len(descriptors_of(directory))

def have_a_child():
    end, other_end = os.pipe()
    if os.fork() == 0:
        os.close(other_end)
        os.read(end, 1)
        os._exit(0)

def live_as_child():
    os.close(to_child)
    os.close(from_child)
    with os.fdopen(heard, "r") as lines, os.fdopen(told, "w", buffering=1) as answers:
        for line in lines:
            if line.strip() == "exit":
                break
            answers.write(f"{{outcome_of(line)}}\\n")

{before_fork}
print(os.getpid(), flush=True)
sys.stdin.readline()
heard, to_child = os.pipe()
from_child, told = os.pipe()
if sys.argv[1] == "os.fork":
    child = os.fork()
    if child == 0:
        live_as_child()
        os._exit(0)
    wait = lambda: os.waitpid(child, 0)
else:
    process = multiprocessing.get_context("fork").Process(target=live_as_child)
    process.start()
    child, wait = process.pid, process.join
os.close(heard)
os.close(told)
print(child, flush=True)
answers = os.fdopen(from_child)
for line in sys.stdin:
    who, code = line.strip().split(" ", 1)
    if who == "parent":
        print(outcome_of(code), flush=True)
    else:
        os.write(to_child, f"{{code}}\\n".encode())
        if code == "exit":
            wait()
            print("gone", flush=True)
        else:
            print(answers.readline().strip(), flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "key"


@pytest.fixture
def new_family(peers, tmp_path):
    """Start a parent that has run ``before_fork``; the peer's first line makes it fork.

    The child ends with the parent's end of its pipe, whatever becomes of the test.
    """

    def new_family(start="os.fork", before_fork=""):
        peer = peers.python(FAMILY.format(before_fork=before_fork), start, tmp_path)
        assert peer.hear() == str(peer.process.pid)
        return peer

    return new_family


@pytest.fixture
def ours(tmp_path):
    lock = lockutils.lock("key", external=True, lock_path=tmp_path)

    def is_free():
        if not lock.acquire(blocking=False):
            return False
        lock.release()
        return True

    return is_free


def is_alive(pid):
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("start", ["os.fork", "multiprocessing"])
class TestHeldAcrossFork:
    def test_the_child_holds_nothing(self, new_family, start):
        family = new_family(start, "lock.acquire()")
        family.ask()

        assert family.ask("child open_on_lock_files()") == "0"
        assert family.ask("child lock.release()") == "RuntimeError"
        assert family.ask("child lock.acquire(blocking=False)") == "False"
        assert family.ask("parent lock.release()") == "None"
        assert family.ask("child lock.acquire(blocking=False)") == "True"
        assert family.ask("parent lock.acquire(blocking=False)") == "False"

    def test_the_exit_of_the_child_releases_nothing(self, new_family, start, path):
        family = new_family(start, "lock.acquire()")
        family.ask()

        assert family.ask("child exit") == "gone"

        with open(path, "rb+") as file:
            for lock in (fcntl.flock, fcntl.lockf):
                with pytest.raises((BlockingIOError, PermissionError)):
                    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_a_child_that_drops_its_copies_releases_nothing(self, new_family, start, ours):
        family = new_family(start, "lock.acquire(); claim_2 = FileRequest('2', request._directory)")
        family.ask()

        family.ask("child request.cancel()")
        family.ask("child globals().pop('lock') and None")

        assert not ours()

    def test_a_child_that_lives_on_keeps_nothing(self, new_family, start, ours):
        family = new_family(start, "lock.acquire()")
        child = family.ask()

        assert family.ask("parent lock.release()") == "None"

        assert is_alive(child)
        assert ours()

    def test_sigkill_of_the_parent_frees_the_lock_while_the_child_lives(
        self, new_family, start, ours
    ):
        # the child hangs on a pipe that it keeps open itself: it outlives the parent
        family = new_family(start, "lock.acquire(); live_as_child = lambda: os.read(heard, 1)")
        child = family.ask()
        try:
            family.kill()

            until(ours, "the lock is free")  # the child may have to come to life first
            assert is_alive(child)
        finally:
            if is_alive(child):
                os.kill(int(child), 9)

    def test_a_child_of_a_child_keeps_nothing_either(self, new_family, start, ours):
        family = new_family(start, "lock.acquire()")
        family.ask()
        assert family.ask("child have_a_child()") == "None"

        assert family.ask("parent lock.release()") == "None"

        assert ours()


WAIT = """
def wait():
    lock.acquire(timeout={timeout})
    waited.set()
waited = threading.Event()
threading.Thread(target=wait, daemon=True).start()
"""


class TestWaitingAcrossFork:
    @pytest.mark.parametrize("timeout", [None, 60])
    def test_the_child_keeps_nothing_of_what_the_parent_then_gets(
        self, new_family, path, tmp_path, ours, timeout
    ):
        holder = FileRequest("key", Directory(os.fsencode(tmp_path)))
        assert holder.try_now()
        family = new_family(before_fork=WAIT.format(timeout=timeout))
        until_waited_for(path)
        child = family.ask()

        assert family.ask("child open_on_lock_files()") == "0"
        holder.cancel()
        assert family.ask("parent waited.wait(30)") == "True"
        assert not ours()
        assert family.ask("parent lock.release()") == "None"

        assert is_alive(child)
        assert ours()

    @pytest.mark.parametrize("timeout", [None, 60])
    def test_the_child_can_wait_for_the_same_lock(self, new_family, path, tmp_path, ours, timeout):
        holder = FileRequest("key", Directory(os.fsencode(tmp_path)))
        assert holder.try_now()
        family = new_family(before_fork=WAIT.format(timeout=timeout))
        until_waited_for(path)
        family.ask()
        holder.cancel()
        assert family.ask("parent waited.wait(30)") == "True"
        assert family.ask("parent lock.release()") == "None"

        assert family.ask("child lock.acquire(timeout=30)") == "True"

        assert not ours()
        assert family.ask("child lock.release()") == "None"
        assert ours()

    def test_helpers_are_the_parents(self, new_family, path, tmp_path, ours):
        holder = FileRequest("key", Directory(os.fsencode(tmp_path)))
        assert holder.try_now()
        family = new_family(
            before_fork="import asyncio\n"
            "from lockutils.parking import helpers\n"
            "waited = threading.Event()\n"
            "async def take(): await lock.async_acquire() and waited.set()\n"
            "threading.Thread(target=asyncio.run, args=(take(),), daemon=True).start()"
        )
        until_waited_for(path)
        family.ask()

        assert family.ask("child len(helpers._running) + len(helpers._enders)") == "0"
        assert family.ask("child lock.acquire(timeout=0.05)") == "False"
        holder.cancel()
        assert family.ask("parent waited.wait(30)") == "True"
        assert family.ask("parent lock.release()") == "None"
        assert family.ask("child lock.acquire(timeout=30)") == "True"
        assert not ours()

    # A handler forks, and the child goes on in the middle of the wait.
    FORKS = """
import os, signal, sys
import lockutils
lock = lockutils.lock("key", external=True, lock_path=sys.argv[1], fair=sys.argv[3] == "fair")
def fork(*_):
    if os.fork():
        signal.pause()
    print("forked", flush=True)
signal.signal(signal.SIGUSR1, fork)
print("ready", flush=True)
print(lock.acquire(timeout=eval(sys.argv[2])), flush=True)
sys.stdin.readline()
os._exit(0)
"""

    @pytest.mark.parametrize("order", ["default", "fair"])
    @pytest.mark.parametrize("timeout", ["None", "60", "0.3"])
    def test_a_child_that_a_handler_forked_in_the_middle_of_a_wait_goes_on(
        self, peers, path, tmp_path, timeout, order
    ):
        holder = FileRequest("key", Directory(os.fsencode(tmp_path)))
        assert holder.try_now()
        peer = peers.python(self.FORKS, tmp_path, timeout, order)
        assert peer.hear() == "ready"
        until_waited_for(path)
        peer.process.send_signal(signal.SIGUSR1)
        assert peer.hear() == "forked"
        # the parent never goes on, and is not before its child in the line for that
        peer.kill()
        if timeout == "0.3":
            assert peer.hear() == "False"
            holder.cancel()
            return
        until_waited_for(path)

        holder.cancel()

        assert peer.hear() == "True"


class TestDescriptorsClosedBehindOurBack:
    def test_do_not_keep_the_child_from_closing_the_others(self, new_family):
        """As by a program that becomes a daemon, and closes all that it does not know."""
        family = new_family(
            before_fork="fillers = []\n"
            "while not fillers or fillers[-1] < 127:\n"
            "    fillers.append(os.open('/dev/null', os.O_RDONLY))\n"
            "others = [FileRequest(str(number), request._directory) for number in range(8)]\n"
            "for other in others: assert other.try_now()\n"
            "for number in descriptors_of(directory) + fillers: os.close(number)\n"
            "lock.acquire()"
        )
        family.ask()

        assert family.ask("child open_on_lock_files()") == "0"


class TestClaimMadeBeforeFork:
    def test_works_in_the_child(self, new_family, ours):
        family = new_family()
        family.ask()

        assert family.ask("child request.try_now()") == "True"
        assert not ours()
        assert family.ask("child request.cancel()") == "None"

        assert ours()
        assert family.ask("child open_on_lock_files()") == "0"
