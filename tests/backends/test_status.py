"""Who holds a lock file and who waits for it, as /proc tells."""

import fcntl
import gc
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

import pytest
from lock_peers import HOLDER, OURS, WATCHDOG, open_descriptors, sleeps_for_a_lock, until

import lockutils
from lockutils.backends.file import proc
from lockutils.backends.file.directory import Directory
from lockutils.backends.file.status import Snapshot

if not os.path.exists("/proc/locks"):
    pytest.skip("no /proc/locks on this platform", allow_module_level=True)


@pytest.fixture
def directory(tmp_path):
    return Directory(os.fsencode(tmp_path))


@pytest.fixture
def peer(peers, tmp_path):
    """Start a process that acquires the lock ``name``, and may have to wait for it."""

    def start(options="", *, waits=False):
        lock = OURS.replace("lock_path", f"{options}lock_path")
        started = peers.python(HOLDER.format(lock), tmp_path)
        if waits:
            until(lambda: sleeps_for_a_lock(started.process.pid), "it waits")
        else:
            assert started.hear() == "held"
        return started

    return start


def pids(people):
    return [one.pid for one in people]


def modes(people):
    return {one.mode for one in people}


def test_nobody(directory, tmp_path):
    assert directory.status("name") == ([], [])
    (tmp_path / "name").touch()
    assert directory.status("name") == ([], [])
    assert not directory.is_held("name")
    assert os.listdir(tmp_path) == ["name"]


def test_nothing_is_created(tmp_path):
    missing = Directory(os.fsencode(tmp_path / "missing"))
    for key in ("name", "n" * 300):
        assert missing.status(key) == ([], [])
        assert not missing.is_held(key)
    assert not os.listdir(tmp_path)


def test_a_holder_is_told_with_its_command_and_when_it_began(directory, peer):
    before = time.time()
    other = peer()

    (holder,), waiters = directory.status("name")

    assert not waiters
    assert (holder.pid, holder.mode, holder.since) == (other.process.pid, "exclusive", None)
    assert holder.command.startswith(sys.executable)
    # the kernel counts in hundredths
    assert before - 0.02 <= holder.not_before <= time.time()
    assert directory.is_held("name")


@pytest.mark.parametrize("options", ["", "fair=True, "])
def test_waiters_are_in_the_order_in_which_they_are_served(directory, peer, options):
    holder = peer()
    waiters = [peer(options, waits=True) for _ in range(4)]

    holders, found = directory.status("name")

    assert pids(holders) == [holder.process.pid]
    assert pids(found) == [waiter.process.pid for waiter in waiters]
    assert found[0].mode == "exclusive"
    assert all(one.not_before for one in found)
    assert directory.status("name", waiters=False)[1] == []
    if not options:
        return  # then the second may be served before the first
    for waiter in waiters:
        holder.tell()
        assert waiter.hear() == "held"
        holder = waiter
    assert pids(directory.status("name")[0]) == [holder.process.pid]
    assert directory.status("name")[1] == []


def test_readers_and_a_writer_that_waits(directory, peer):
    readers = [peer("shared=True, ") for _ in range(3)]
    writer = peer(waits=True)

    holders, waiters = directory.status("name")

    assert sorted(pids(holders)) == sorted(reader.process.pid for reader in readers)
    assert modes(holders) == {"shared"}
    assert pids(waiters) == [writer.process.pid]
    assert modes(waiters) == {"exclusive"}


def test_slots_and_who_waits_for_one(directory, peer):
    """Who waits for a slot has the flock already, and holds nothing."""
    holders = [peer("slots=3, ") for _ in range(3)]
    waiters = [peer("slots=3, ", waits=True) for _ in range(2)]

    found, waiting = directory.status("name")

    assert sorted(pids(found)) == sorted(holder.process.pid for holder in holders)
    assert modes(found) == {"slots"}
    assert pids(waiting) == [waiter.process.pid for waiter in waiters]


def test_who_waits_for_another_tool_with_its_flock_in_hand_holds_nothing(directory, peer, tmp_path):
    with open(tmp_path / "name", "w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        waiter = peer(waits=True)

        holders, waiters = directory.status("name")

        assert pids(holders) == [os.getpid()]
        assert pids(waiters) == [waiter.process.pid]


def test_a_record_lock_of_this_process_stays(directory, tmp_path):
    """To close the file would drop it (fcntl(2))."""
    with open(tmp_path / "name", "w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)

        assert directory.is_held("name")
        assert pids(directory.status("name")[0]) == [os.getpid()]

        try_lock = (
            "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        )
        words = [sys.executable, "-c", try_lock, tmp_path / "name"]
        assert subprocess.run(words, stderr=subprocess.DEVNULL, check=False).returncode == 1


def test_a_lock_of_an_open_file_alone_is_found_by_its_descriptor(directory, tmp_path):
    with open(tmp_path / "name", "w") as file:
        whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(file, 37, whole)  # F_OFD_SETLK

        holders, _ = directory.status("name")

        assert (pids(holders), modes(holders)) == ([os.getpid()], {"exclusive"})


# --- after deaths


def test_a_number_that_is_another_process_by_now_is_not_named(directory, tmp_path):
    """A child inherited the lock, and the number of who took it is a stranger's.

    Here the stranger is this process, which took the lock and has closed it since.
    """
    file = open(tmp_path / "name", "w")  # noqa: SIM115
    fcntl.flock(file, fcntl.LOCK_EX)
    sleeper = subprocess.Popen(["sleep", "600"], pass_fds=[file.fileno()])
    file.close()
    try:
        with open(tmp_path / "other", "w") as other:  # it has locks, but not this one
            fcntl.flock(other, fcntl.LOCK_EX)
            assert b" %d " % os.getpid() in proc.read("/proc/locks")

            (holder,), _ = directory.status("name")

        assert (holder.pid, holder.command) == (sleeper.pid, "sleep 600")
    finally:
        sleeper.kill()
        sleeper.wait()
    assert directory.status("name") == ([], [])


def test_killed_holders_and_waiters_are_gone(directory, peer):
    holder, first, second = peer(), peer(waits=True), peer(waits=True)

    first.kill()
    assert pids(directory.status("name")[1]) == [second.process.pid]
    holder.kill()
    assert second.hear() == "held"

    assert pids(directory.status("name")[0]) == [second.process.pid]
    assert directory.status("name")[1] == []


def test_readers_whose_starters_are_dead_are_told_apart(directory, tmp_path):
    words = [sys.executable, "-m", "lockutils", "run", "--lock-path", tmp_path, "--lock", "name"]
    wrappers = [
        subprocess.Popen([*words, "--shared", "sh", "-c", "echo $$; read line"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]  # fmt: skip
    commands = [int(wrapper.stdout.readline()) for wrapper in wrappers]
    try:
        wrappers[0].kill()
        wrappers[0].wait()

        holders, _ = directory.status("name")

        assert sorted(pids(holders)) == sorted([commands[0], wrappers[1].pid])
    finally:
        for pid in commands:
            os.kill(pid, signal.SIGKILL)
        for wrapper in wrappers:
            wrapper.communicate()


# --- what cannot be seen


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a pid namespace")
@pytest.mark.parametrize("waits", [False, True])
def test_of_a_hidden_process_is_said_that_it_is_not_visible(
    directory, peer, peers, tmp_path, waits
):
    other = peer()
    if waits:
        peer(waits=True)
    source = (
        "import os, sys; from lockutils.backends.file.directory import Directory\n"
        "directory = Directory(os.fsencode(sys.argv[1]))\n"
        "for people in directory.status('name'): print(*people)\n"
        "print(directory.is_held('name'))"
    )
    unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    inside = peers.start(*unshare, sys.executable, "-c", source, tmp_path)

    hidden = "a process that is not visible from here"
    assert inside.hear() == hidden
    assert inside.hear() == (hidden if waits else "")
    assert inside.hear() == "True"
    assert pids(directory.status("name")[0]) == [other.process.pid]


OTHER_PROC = ["unshare", "--pid", "--fork", "--kill-child"]
NO_PROC = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc; exec "$@"', "sh"]


@pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces")
@pytest.mark.parametrize("where", [OTHER_PROC, NO_PROC], ids=["another-proc", "no-proc"])
def test_without_a_proc_of_ones_own(peer, peers, tmp_path, where):
    """Numbers of another namespace are strangers here; and we are not told of twice."""
    peer()
    source = (
        "import sys, lockutils\n"
        "how = {'external': True, 'lock_path': sys.argv[1]}\n"
        "with lockutils.lock('own', **how) as handle:\n"
        "    print(handle.locked(), *lockutils.status('own', **how).holders)\n"
        "    print(lockutils.status('own', **how).holders[0].not_before)\n"
        "print(lockutils.lock('name', **how).locked(), *lockutils.status('name', **how).holders)\n"
        "print(*lockutils.status('own', **how).holders)"
    )
    inside = peers.start(*where, sys.executable, "-c", source, tmp_path)

    own = inside.hear()
    assert own.startswith("True process ")
    assert own.endswith(" (thread MainThread)")
    if where is OTHER_PROC:
        assert time.time() - float(inside.hear()) < WATCHDOG
    else:
        assert inside.hear() == "None"
    assert inside.hear() == "True a process that is not visible from here"
    assert inside.hear() == ""


@pytest.fixture
def as_another(peers):
    """Have a process of another user run a program, with the path of a directory.

    It is not below a directory of pytest, which is closed to others.
    """
    if os.geteuid() != 0:
        pytest.skip("becomes another user")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        # the other user may have no right to read our sources
        imports = "import os, sys, lockutils, lockutils.cli.why; from lockutils.cli import main\n"
        how = (
            "how = {'external': True, 'lock_path': sys.argv[1]}; lockutils.status('name', **how)\n"
        )
        user = imports + how + "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        yield lambda source: peers.python(user + source, folder), folder


def test_a_waiter_of_another_user_is_counted_once(peers, as_another):
    start, folder = as_another
    holder = peers.python(HOLDER.format(OURS), folder)
    assert holder.hear() == "held"
    for count in 1, 2, 3:
        waiter = peers.python(HOLDER.format(OURS), folder)
        until(lambda pid=waiter.process.pid: sleeps_for_a_lock(pid), "it waits")
        looks = start("print(len(lockutils.status('name', **how).waiters))")
        assert looks.hear() == str(count)


def test_where_one_may_not_look_no_lock_is_called_free(peers, as_another):
    start, folder = as_another
    holder = peers.python(HOLDER.format(OURS), folder)
    assert holder.hear() == "held"
    os.chmod(folder, 0o700)
    looks = start(
        "handle = lockutils.lock('name', **how)\n"
        "for look in (lambda: lockutils.status('name', **how), handle.locked):\n"
        "    try: said = look()\n"
        "    except lockutils.LockPathError as it: said = f'{it.strerror}: {it.filename}'\n"
        "    print(said, flush=True)\n"
        "sys.stderr = sys.stdout\n"
        "print(main(['why', '--lock-path', sys.argv[1], 'name']), flush=True)"
    )
    assert looks.hear() == looks.hear() == f"Permission denied: {folder}"
    assert looks.hear() == f"lockutils: Permission denied: {folder!r} (by --lock-path)"
    assert looks.hear() == "73"


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("kind", ["flock", "lockf"])
def test_of_another_user_only_what_is_certain(peers, kind):
    """A flock may be left to another process by now, a POSIX lock goes with its own."""
    source = (
        "import fcntl, sys\nfile = open(sys.argv[1], 'w')\n"
        f"fcntl.{kind}(file, fcntl.LOCK_EX)\nprint('held', flush=True); sys.stdin.readline()"
    )
    looks = (
        "import os, sys; from lockutils.backends.file.directory import Directory\n"
        "os.setuid(65534)\n"
        "directory = Directory(os.fsencode(sys.argv[1]))\n"
        "print([one.pid for one in directory.status('name')[0]], directory.is_held('name'))"
    )
    # not below a directory of pytest, which is closed to others
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        other = peers.python(source, f"{folder}/name")
        assert other.hear() == "held"

        answer = peers.python(looks, folder).hear()

    assert answer == f"[{other.process.pid if kind == 'lockf' else None}] True"


# --- the table


def test_a_lock_that_moved_on_between_the_looks_is_not_that_of_a_ghost(
    directory, peer, monkeypatch
):
    """The first look at the table is stale when the processes are looked at."""
    first, second = peer(), peer(waits=True)
    tables = [proc.Table()]
    first.tell()
    assert second.hear() == "held"
    real = proc.Table
    monkeypatch.setattr(proc, "Table", lambda: tables.pop() if tables else real())

    holders, waiters = directory.status("name")

    assert not tables
    assert (pids(holders), waiters) == ([second.process.pid], [])


def test_a_lock_that_a_torn_table_lacks_is_looked_for_again(directory, peer, tmp_path, monkeypatch):
    other = peer()
    others = [open(tmp_path / f"{number}", "w") for number in range(100)]  # noqa: SIM115
    for file in others:
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        torn = proc.Table()
        assert torn.is_torn
        inode = b":%d " % os.stat(tmp_path / "name").st_ino
        torn._text = b"\n".join(it for it in torn._text.split(b"\n") if inode not in it)
        tables, real = [], proc.Table
        monkeypatch.setattr(proc, "Table", lambda: tables.pop() if tables else real())

        tables.append(torn)
        assert pids(directory.status("name")[0]) == [other.process.pid]
        tables.append(torn)
        assert directory.is_held("name")
        tables.append(torn)
        assert b"name" in Snapshot(directory.path).files()
    finally:
        for file in others:
            file.close()


def test_all_files_that_are_in_use(directory, peer, tmp_path):
    (tmp_path / "free").touch()
    holder = peer()
    peer(waits=True)
    long = "long" * 100
    with lockutils.lock(long, external=True, lock_path=tmp_path):
        snapshot = Snapshot(directory.path)
        assert sorted(snapshot.files()) == sorted(
            [os.path.basename(directory.file_of(long)), b"name"]
        )
        (found,), _ = snapshot.status_of(directory.file_of(long))
        assert found.pid == os.getpid()
    # a waiter for what nobody holds at the moment
    os.kill(holder.process.pid, signal.SIGSTOP)
    assert Snapshot(directory.path).files() == [b"name"]


# --- nobody notices

TRIES = """
import os, sys, time
import lockutils
lock = lockutils.lock("name", external=True, lock_path=sys.argv[1], {})
print("ready", flush=True)
sys.stdin.readline()
failed = tries = 0
end = time.monotonic() + 1
while time.monotonic() < end:
    tries += 1
    if lock.acquire(blocking=False):
        lock.release()
    else:
        failed += 1
print(tries > 100, failed, flush=True)
"""


@pytest.mark.parametrize("options", ["", "fair=True", "shared=True", "slots=2"])
def test_a_single_try_beside_it_never_fails(peers, tmp_path, options):
    trier = peers.python(TRIES.format(options), tmp_path)
    assert trier.hear() == "ready"
    handle = lockutils.lock("name", external=True, lock_path=tmp_path)
    trier.tell()
    deadline = time.monotonic() + WATCHDOG
    while not trier.has_spoken():
        handle.locked()
        lockutils.status("name", external=True, lock_path=tmp_path)
        assert time.monotonic() < deadline
    assert trier.hear() == "True 0"


def test_what_stays_held_is_held_whatever_else_goes_on(directory, peer, peers, tmp_path):
    """The table is torn: some hundred locks are taken and released all the time."""
    other = peer()
    churn = (
        "import fcntl, sys\nprint('goes on', flush=True)\n"
        "while True:\n"
        "    files = [open(f'{sys.argv[1]}/{n}', 'w') for n in range(150)]\n"
        "    for file in files: fcntl.flock(file, fcntl.LOCK_EX)\n"
        "    del files, file\n"
    )
    assert peers.python(churn, tmp_path).hear() == "goes on"
    seen = [directory.status("name")[0] for _ in range(300)]
    assert {tuple(pids(holders)) for holders in seen if holders} == {(other.process.pid,)}
    print(sum(not holders for holders in seen))


def test_leaves_nothing_open_and_no_cycle_that_has(peer, directory):
    """A search that ended early kept a directory of /proc open until the next collection."""
    peer()
    peer(waits=True)
    gc.collect()
    gc.disable()
    try:
        before = open_descriptors()
        for _ in range(3):
            assert directory.is_held("name")
            assert len(directory.status("name")[0]) == 1
        assert open_descriptors().items() <= before.items()
    finally:
        gc.enable()
