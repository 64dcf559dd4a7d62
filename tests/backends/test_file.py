"""The file driver against what can happen to its file, its descriptor and its waiters."""

import asyncio
import gc
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

fcntl = pytest.importorskip("fcntl")

from conformance import (  # noqa: E402
    BackendConformance,
    BackgroundConformance,
    BlockingConformance,
    FileConformance,
    OrderConformance,
    SharingConformance,
    forever,
)
from lock_peers import (  # noqa: E402
    Background,
    open_descriptors,
    sleeps_for_a_lock,
    until,
    until_waited_for,
    waiters,
)
from processes import InProcess  # noqa: E402

import lockutils  # noqa: E402
from lockutils.backends.file import syscalls  # noqa: E402
from lockutils.backends.file.directory import Directory  # noqa: E402
from lockutils.backends.file.request import FileRequest  # noqa: E402
from lockutils.errors import LockPathError  # noqa: E402

IS_ROOT = os.geteuid() == 0

# Locks the file in sys.argv[2] by fcntl.<sys.argv[1]>, or says that it cannot.
FOREIGN = """
import fcntl, sys
lock = getattr(fcntl, sys.argv[1])
file = open(sys.argv[2], "rb+")
try:
    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print("busy", flush=True)
else:
    print("held", flush=True)
    sys.stdin.readline()
    lock(file, fcntl.LOCK_UN)
    print("released", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "key"


@pytest.fixture
def new_request(tmp_path):
    return lambda: FileRequest("key", Directory(os.fsencode(tmp_path)))


@pytest.fixture
def contender(new_request):
    contender = new_request()
    yield contender
    contender.cancel()


@pytest.fixture
def hold(peers, path):
    """Have another process hold one kind of lock on the lock file."""

    def hold(kind):
        if not path.exists():
            path.touch()
        peer = peers.python(FOREIGN, kind, path)
        assert peer.hear() == "held"
        return peer

    return hold


def blocking(contender):
    return Background(contender.block, forever())


def is_free(path, kind=fcntl.flock):
    with open(path, "rb") as file:
        try:
            if kind is fcntl.flock:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:  # an open for reading is enough to meet whoever holds a write lock
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True


def is_held(path):
    """Whether both kinds of lock are taken on the file that the path names now."""
    return not is_free(path, fcntl.flock) and not is_free(path, fcntl.lockf)


class TestFileBackend(
    BackendConformance,
    SharingConformance,
    OrderConformance,
    BackgroundConformance,
    BlockingConformance,
    FileConformance,
):
    @pytest.fixture
    def backend(self, tmp_path):
        return Directory(os.fsencode(tmp_path / "locks"))

    @pytest.fixture
    def elsewhere(self, peers, backend):
        return lambda **mode: InProcess(peers, backend.path, mode)

    def is_waiting(self, contender):
        until(lambda: sleeps_for_a_lock(os.getpid()), "it sleeps")


class TestContent:
    """Other tools write into their lock files; it is none of our business."""

    def test_is_never_changed(self, contender, new_request, path, hold):
        path.write_bytes(b"4711 somebody's host\n")
        os.utime(path, (1, 1))
        os.chmod(path, 0o640)

        assert contender.try_now()
        assert not new_request().try_now()
        contender.cancel()
        holder = hold("flock")
        waiting = blocking(contender)
        until_waited_for(path)
        holder.ask()
        waiting.result()

        assert path.read_bytes() == b"4711 somebody's host\n"
        assert path.stat().st_mtime == 1
        assert path.stat().st_mode & 0o7777 == 0o640

    def test_of_a_new_file_is_empty(self, contender, path):
        assert contender.try_now()

        assert path.read_bytes() == b""


class TestDescriptor:
    @pytest.mark.parametrize("is_new", [True, False])
    def test_is_not_inherited_by_a_program(self, contender, path, is_new):
        if not is_new:
            path.touch()
        assert contender.try_now()
        program = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
        try:
            until(lambda: runs_program(program.pid, "cat"), "the program runs")
            opened = open_descriptors(program.pid).values()
        finally:
            program.stdin.close()
            program.wait()

        assert str(path) not in opened

    def test_of_a_waiter_is_not_inherited_by_a_program(self, contender, path, hold):
        holder = hold("flock")
        waiting = blocking(contender)
        until_waited_for(path)
        program = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
        try:
            holder.ask()
            waiting.result()
            until(lambda: runs_program(program.pid, "cat"), "the program runs")
            opened = open_descriptors(program.pid).values()
        finally:
            program.stdin.close()
            program.wait()

        assert str(path) not in opened

    def test_is_closed_when_a_lock_that_holds_is_dropped(self, path):
        before = open_descriptors()
        lock = lockutils.lock("key", external=True, lock_path=path.parent)
        assert lock.acquire()

        del lock
        gc.collect()  # where there is no reference counting

        assert is_free(path)
        assert open_descriptors().items() <= before.items()

    def test_that_a_child_got_in_the_middle_of_a_failed_try_keeps_nobody_out(
        self, contender, path, hold, monkeypatch
    ):
        """Another thread may fork at any time: what we lock we unlock, and not only close."""
        flock, inherited = syscalls.flock, []

        def flock_and_fork(descriptor, operation):
            flock(descriptor, operation)
            if operation & fcntl.LOCK_EX:
                inherited.append(os.dup(descriptor))  # as a child would have it

        hold("lockf")
        monkeypatch.setattr(syscalls, "flock", flock_and_fork)
        try:
            assert not contender.try_now()

            assert inherited
            assert is_free(path, fcntl.flock)
        finally:
            for descriptor in inherited:
                os.close(descriptor)

    def test_the_record_is_unlocked_first_then_flock_and_both_before_it_closes(
        self, contender, monkeypatch
    ):
        """Waiters queue at flock: who is woken there must find the other lock free."""
        assert contender.try_now()
        unlocked = []

        def note(name):
            original = getattr(syscalls, name)

            def call(*args):
                original(*args)  # would fail on a closed descriptor
                unlocked.append(name)

            monkeypatch.setattr(syscalls, name, call)

        note("_fcntl")
        note("flock")

        contender.cancel()

        assert unlocked == ["_fcntl", "flock"]


def runs_program(pid, name):
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip() == name


def unlink(path):
    path.unlink()


def unlink_and_make(path):
    path.unlink()
    path.write_text("new")


def rename_over(path):
    other = path.with_name("other")
    other.write_text("new")
    other.replace(path)


def rename_away(path):
    path.rename(path.with_name("other"))


def rename_away_and_make(path):
    path.rename(path.with_name("other"))
    path.write_text("new")


def remove_directory(path):
    shutil.rmtree(path.parent)


@pytest.mark.parametrize(
    "replace",
    [unlink, unlink_and_make, rename_over, rename_away, rename_away_and_make, remove_directory],
)
class TestReplacedFile:
    """The contender ends up with the file that the path names, whatever it began with."""

    @pytest.mark.parametrize("kind", ["flock", "lockf"])
    def test_while_we_wait(self, contender, path, hold, kind, replace, no_descriptor_leaks):
        holder = hold(kind)
        waiting = blocking(contender)
        until_waited_for(path, *(["FLOCK"] if kind == "flock" else ["OFDLCK"]))

        replace(path)
        holder.ask()
        waiting.result()

        assert is_held(path)
        contender.cancel()
        assert is_free(path)

    def test_between_two_tries(self, contender, path, hold, replace, no_descriptor_leaks):
        holder = hold("flock")
        assert not contender.try_now()

        replace(path)
        holder.ask()

        assert contender.try_now()
        assert is_held(path)
        contender.cancel()

    def test_between_open_and_lock(self, contender, path, monkeypatch, replace):
        path.touch()
        if replace in (rename_away, rename_away_and_make):
            path.with_name("second name").hardlink_to(path)  # see syscalls.is_ordinary
        flock, before_lock = syscalls.flock, [replace]

        def late_flock(descriptor, operation):
            if before_lock:
                before_lock.pop()(path)
            flock(descriptor, operation)

        monkeypatch.setattr(syscalls, "flock", late_flock)

        assert contender.try_now()

        assert not before_lock
        assert is_held(path)


class TestDirectoryGone:
    def test_it_is_made_again(self, contender, path):
        assert contender.try_now()
        contender.cancel()

        shutil.rmtree(path.parent)

        assert contender.try_now()
        assert is_held(path)


def symlink(path):
    target = path.with_name("target")
    target.write_text("precious")
    path.symlink_to(target)


def dangling_symlink(path):
    path.symlink_to(path.with_name("target"))


def fifo(path):
    os.mkfifo(path)


def directory(path):
    path.mkdir()


def bound_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        working_directory = os.getcwd()
        os.chdir(path.parent)  # the path may be too long for a socket
        try:
            server.bind(path.name)
        finally:
            os.chdir(working_directory)


@pytest.mark.parametrize("plant", [symlink, dangling_symlink, fifo, directory, bound_socket])
class TestNotARegularFile:
    def test_is_refused_at_once(self, new_request, path, plant, no_descriptor_leaks):
        plant(path)
        files = set(os.listdir(path.parent))
        for method, *args in (("try_now",), ("block", forever())):
            contender = new_request()
            with pytest.raises(LockPathError) as refusal:
                Background(getattr(contender, method), *args).result()
            contender.cancel()

            assert refusal.value.filename == str(path)
            assert refusal.value.errno
            assert str(path) in str(refusal.value)
            del refusal
        assert set(os.listdir(path.parent)) <= files | {".lockutils-queue"}

    def test_in_place_of_the_file_while_we_wait(
        self, contender, path, hold, plant, no_descriptor_leaks
    ):
        holder = hold("flock")
        waiting = blocking(contender)
        until_waited_for(path)

        path.unlink()
        plant(path)
        holder.ask()

        with pytest.raises(LockPathError) as refusal:
            waiting.result()
        assert refusal.value.filename == str(path)

    def test_is_named_by_a_lock(self, path, plant):
        plant(path)
        lock = lockutils.lock("key", external=True, lock_path=path.parent)

        with pytest.raises(LockPathError, match="key"), lock:
            pass

        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
        with lock:
            assert is_held(path)


class TestReadOnlyFile:
    """A file that we may only read, of somebody else's in a directory for everybody."""

    PEER = """
import itertools, os, sys
from lockutils.backends.file.directory import Directory
from lockutils.backends.file.request import FileRequest
from lockutils.errors import LockPathError
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
contender = FileRequest("key", Directory(os.fsencode(sys.argv[1])))
try:
    os.close(os.open(sys.argv[1] + "/key", os.O_RDWR | os.O_NONBLOCK))
    sys.exit("the test's own premise is wrong: the file can be written to")
except PermissionError:
    pass
for line in itertools.chain(["try"], sys.stdin):
    if line.strip() == "release":
        contender.cancel()
        print("released", flush=True)
    else:
        try:
            print("held" if contender.try_now() else "busy", flush=True)
        except LockPathError as error:
            print(f"refused {error.filename}", flush=True)
"""

    @pytest.fixture
    def path(self):
        """For a user other than root, who cannot have two, a file of his own must do."""
        folder = tempfile.mkdtemp(prefix="lockutils-test-")
        path = os.path.join(folder, "key")
        with open(path, "w"):
            os.chmod(path, 0o644 if IS_ROOT else 0o444)
        os.chmod(folder, 0o1777)
        yield path
        os.chmod(folder, 0o700)
        shutil.rmtree(folder)

    @pytest.fixture
    def try_as_other(self, peers, path):
        return lambda: peers.python(self.PEER, os.path.dirname(path))

    def test_can_be_locked(self, try_as_other, path):
        other = try_as_other()

        assert other.hear() == "held"

        assert not is_free(path, fcntl.flock)
        assert other.ask("release") == "released"
        assert is_free(path, fcntl.flock)

    @pytest.mark.skipif(not IS_ROOT, reason="a writer is needed, too: nobody else can be root")
    def test_excludes_and_is_excluded_by_whoever_may_write(self, try_as_other, path, peers):
        other = try_as_other()
        assert other.hear() == "held"
        writer = FileRequest("key", Directory(os.fsencode(os.path.dirname(path))))

        assert not writer.try_now()
        assert peers.python(FOREIGN, "lockf", path).hear() == "busy"
        assert peers.python(FOREIGN, "flock", path).hear() == "busy"
        assert other.ask("release") == "released"
        assert writer.try_now()
        assert other.ask("try") == "busy"
        writer.cancel()
        assert other.ask("try") == "held"

    @pytest.mark.parametrize("kind", ["flock", "lockf"])
    @pytest.mark.skipif(not IS_ROOT, reason="a writer is needed, too: nobody else can be root")
    def test_is_excluded_by_a_foreign_tool(self, try_as_other, path, peers, kind):
        foreign = peers.python(FOREIGN, kind, path)
        assert foreign.hear() == "held"

        assert try_as_other().hear() == "busy"

    def test_that_is_a_fifo_is_refused_at_once(self, try_as_other, path):
        """To open one for reading alone waits for a writer, unless told not to."""
        os.unlink(path)
        os.mkfifo(path)
        os.chmod(path, 0o644 if IS_ROOT else 0o444)

        assert try_as_other().hear() == f"refused {path}"

    def test_two_readers_exclude_each_other(self, try_as_other):
        assert try_as_other().hear() == "held"

        assert try_as_other().hear() == "busy"


class TestGivenUp:
    """Whoever gave up is called back: neither he nor his helper wants the lock any more."""

    @pytest.mark.parametrize("kind", ["flock", "lockf"])
    def test_at_once_by_its_helper(self, contender, path, hold, kind, no_descriptor_leaks):
        holder = hold(kind)
        assert contender.start(pytest.fail)
        until_waited_for(path, "FLOCK" if kind == "flock" else "OFDLCK")

        contender.cancel()

        assert not waiters(path)
        assert is_free(path, fcntl.lockf if kind == "flock" else fcntl.flock)
        assert holder.ask() == "released"
        assert is_free(path, fcntl.flock)
        assert is_free(path, fcntl.lockf)

    def test_before_its_helper_began(self, contender, path, hold, monkeypatch):
        from lockutils.parking import helpers

        holder, jobs = hold("flock"), []
        monkeypatch.setattr(helpers, "run", lambda job, end: jobs.append(job))
        assert contender.start(pytest.fail)

        contender.cancel()
        jobs[0]()

        assert not waiters(path)
        assert holder.ask() == "released"
        assert is_free(path)

    @pytest.mark.parametrize("kind", ["flock", "lockf"])
    @pytest.mark.parametrize("give_up", ["time out", "cancel"])
    def test_by_a_lock(self, path, hold, give_up, peers, kind):
        holder = hold(kind)
        lock = lockutils.lock("key", external=True, lock_path=path.parent)
        if give_up == "time out":
            assert not lock.acquire(timeout=0.05)
        else:
            asyncio.run(self.wait_and_cancel(lock, path, "FLOCK" if kind == "flock" else "OFDLCK"))

        assert not waiters(path)
        if kind == "lockf":
            flock_user = peers.python(FOREIGN, "flock", path)
            assert flock_user.hear() == "held"
            assert flock_user.ask() == "released"
        assert holder.ask() == "released"
        assert is_free(path, fcntl.flock)
        assert is_free(path, fcntl.lockf)

    async def wait_and_cancel(self, lock, path, kind):
        task = asyncio.create_task(lock.async_acquire())
        while kind not in waiters(path):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def test_a_single_try_never_meets_it(self, path, peers, hold):
        """Also not at the instant in which the holder lets go."""
        lock = lockutils.lock("key", external=True, lock_path=path.parent)
        single = lockutils.lock(
            "key", external=True, lock_path=path.parent, semaphores=lockutils.Semaphores()
        )
        for _ in range(20):
            holder = hold("flock")
            assert not lock.acquire(timeout=0.002)
            assert holder.ask() == "released"
            assert single.acquire(blocking=False)
            single.release()


class TestInterruptedWait:
    @pytest.mark.parametrize("kind", ["flock", "lockf"])
    def test_leaves_nothing_held_after_the_release(
        self, contender, path, hold, kind, no_descriptor_leaks
    ):
        class Interrupted(Exception):
            pass

        def interrupt(*_):
            raise Interrupted

        def interrupt_when_blocked():
            until_waited_for(path, "FLOCK" if kind == "flock" else "OFDLCK")
            signal.pthread_kill(main_thread, signal.SIGUSR1)

        holder = hold(kind)
        main_thread = threading.main_thread().ident
        previous = signal.signal(signal.SIGUSR1, interrupt)
        try:
            interrupter = Background(interrupt_when_blocked)
            with pytest.raises(Interrupted):
                contender.block(forever())
            interrupter.result()
        finally:
            signal.signal(signal.SIGUSR1, previous)
        contender.cancel()

        assert not waiters(path)
        assert is_free(path, fcntl.lockf if kind == "flock" else fcntl.flock)
        assert holder.ask() == "released"
        assert contender.try_now()
        contender.cancel()


class TestNoDescriptorsLeft:
    # Fills the process up to its limit, but for sys.argv[2] descriptors.
    PEER = """
import errno, os, resource, sys
import lockutils
lock = lockutils.lock("key", external=True, lock_path=sys.argv[1])
lock.acquire(blocking=False) and lock.release()  # imports all that it needs
filler = []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    while True:
        filler.append(os.dup(0))
except OSError:
    pass
for _ in range(int(sys.argv[2])):
    os.close(filler.pop())
count = lambda: sum(1 for number in range(64) if is_open(number))
def is_open(number):
    try:
        os.fstat(number)
        return True
    except OSError:
        return False
before = count()
try:
    outcome = "held" if lock.acquire({arguments}) else "busy"
except lockutils.LockPathError as error:
    outcome = f"{{errno.errorcode[error.errno]}} {{error.filename}}"
if outcome != "held":
    assert count() == before, (count(), before)
print(outcome, flush=True)
sys.stdin.readline()
for number in filler:
    os.close(number)
if outcome != "held":
    print("held" if lock.acquire({arguments}) else "busy", flush=True)
    sys.stdin.readline()
"""

    @pytest.mark.parametrize("arguments", ["blocking=False", "timeout=30", ""])
    def test_is_a_lock_path_error_that_leaves_nothing_held(self, peers, path, arguments):
        starved = peers.python(self.PEER.format(arguments=arguments), path.parent, "0")

        assert starved.hear() == f"EMFILE {path}"
        assert is_free(path, fcntl.flock)
        assert is_free(path, fcntl.lockf)

        assert starved.ask() == "held"

    def test_one_descriptor_is_enough(self, peers, path):
        peer = peers.python(self.PEER.format(arguments="blocking=False"), path.parent, "1")

        assert peer.hear() == "held"

    def test_one_descriptor_is_enough_to_be_excluded(self, peers, path, hold):
        holder = hold("lockf")  # where the second lock fails: what kinds there are is found out

        peer = peers.python(self.PEER.format(arguments="blocking=False"), path.parent, "1")

        assert peer.hear() == "busy"
        holder.ask()
        assert peer.ask() == "held"
