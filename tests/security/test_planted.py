"""What others put in the place of our files: refused, or locked, and never changed.

All is done by processes of two users, in a directory that both may write in.
"""

import os
import socket

import pytest
from lock_peers import is_free, open_descriptors, run_python, until, until_waited_for
from users import ATTACKER, IS_ROOT, VICTIM, Refused

import lockutils
from lockutils.backends.file import lock_kinds

#: the ways to ask for a lock that meet at its file
WAYS = ["lock", "timeout", "task", "shared", "slots", "fair", "lock_all", "external_lock"]
#: orders those who wait
QUEUE = ".lockutils-queue"


def fifo(path):
    os.mkfifo(path)
    path.chmod(0o666)


def symlink(path):
    path.symlink_to(precious(path))


def dangling_symlink(path):
    path.symlink_to(path.with_name("nothing"))


def symlink_to_itself(path):
    path.symlink_to(path)


def directory(path):
    path.mkdir()


def bound_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))


def closed_file(path):
    path.write_text("theirs")
    path.chmod(0)
    if IS_ROOT:
        os.chown(path, ATTACKER, ATTACKER)


NO_FILES = [fifo, symlink, dangling_symlink, symlink_to_itself, directory, bound_socket]


def precious(path):
    """A file of the victim's that nobody else is to change; made if it is not there."""
    target = path.with_name("precious")
    if not target.exists():
        target.write_text("precious")
        target.chmod(0o640)
        if IS_ROOT:
            os.chown(target, VICTIM, VICTIM)
    return target


def seen(folder):
    """All that can be seen of a folder's files but of when they were read."""
    found = {}
    for path in folder.iterdir():
        status = path.lstat()
        kept = [status.st_ino, status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns]
        found[path.name] = kept
    return found


@pytest.fixture(autouse=True)
def nothing_leaks(request):
    """Whatever the victim was told, it has no more open at the end than it has locks."""
    if "victim" not in request.fixturenames:
        yield
        return
    victim = request.getfixturevalue("victim")
    before = victim("descriptors()")
    yield
    victim("drop()")
    assert victim("descriptors()") == before
    assert victim("log.lines") == []


class TestLockFile:
    @pytest.mark.parametrize("plant", NO_FILES)
    def test_is_a_file(self, victim, shared, plant):
        precious(shared / "name")
        plant(shared / "name")
        before = seen(shared)

        for way in WAYS:
            with pytest.raises(Refused) as refusal:
                victim("take('name', way, lock_path=path)", way=way, path=shared)
            assert "LockPathError" in refusal.value.kind
            assert refusal.value.filename == str(shared / "name")
            assert str(shared / "name") in refusal.value.text

        left = seen(shared)
        for ours in ("0", QUEUE):
            left.pop(ours, None)
        assert left == before
        # of several locks the one that was taken before is free
        assert victim("take('0', lock_path=path, blocking=False)", path=shared)

    def test_is_a_file_also_to_who_may_only_read_what_somebody_else_has_locked(
        self, victim, attacker, shared
    ):
        """A FIFO that is locked is refused as any other, and not waited for."""
        os.mkfifo(shared / "name")
        (shared / "name").chmod(0o644)
        attacker(
            "import fcntl; fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK);"
            "fcntl.flock(fd, fcntl.LOCK_EX)",
            path=shared / "name",
        )

        for way in WAYS:
            with pytest.raises(Refused) as refusal:
                victim("take('name', way, lock_path=path)", way=way, path=shared)
            assert "LockPathError" in refusal.value.kind
            assert refusal.value.filename == str(shared / "name")

    def test_of_somebody_else_that_may_not_be_opened_is_refused(self, victim, shared):
        if not IS_ROOT:
            pytest.skip("two users are needed: only root can be another one")
        closed_file(shared / "name")
        before = seen(shared)["name"]

        for way in WAYS:
            with pytest.raises(Refused, match="Permission denied") as refusal:
                victim("take('name', way, lock_path=path)", way=way, path=shared)
            assert "LockPathError" in refusal.value.kind
            assert refusal.value.filename == str(shared / "name")
        assert seen(shared)["name"] == before

    @pytest.mark.parametrize("way", [way for way in WAYS if way != "slots"])
    def test_of_somebody_else_that_may_be_read_is_locked(self, victim, attacker, shared, way):
        """Slots need more: locks that only who may write the file can have."""
        attacker("open(path, 'w').write('theirs')", path=shared / "name")
        before = seen(shared)["name"]

        assert victim("take('name', way, lock_path=path)", way=way, path=shared)
        for other in ("lock", "shared", "external_lock"):
            got = attacker(
                "take('name', way, lock_path=path, blocking=False)", way=other, path=shared
            )
            assert got == (way == other == "shared")
        attacker("drop()")
        attacker.tell("take('name', lock_path=path)", path=shared)
        until_waited_for(shared / "name")
        victim("drop()")
        assert attacker.answer()
        assert not victim("take('name', way, lock_path=path, blocking=False)", way=way, path=shared)
        if way != "external_lock":
            single = "lockutils.lock('name', external=True, lock_path=path, blocking=False)"
            # of which only its own user knows whether it has the lock by now
            with pytest.raises(Refused, match="'name', held by a process that is not visible"):
                victim(f"{single}.__enter__()", path=shared)
        assert seen(shared)["name"] == before

    @pytest.mark.parametrize("way", WAYS)
    def test_that_is_a_link_to_a_file_of_ours_leaves_that_as_it_is(self, victim, shared, way):
        target = precious(shared / "name")
        (shared / "name").hardlink_to(target)
        before = seen(shared)

        assert victim("take('name', way, lock_path=path)", way=way, path=shared)
        assert not victim(
            "take('name', 'external_lock', lock_path=path, blocking=False)", path=shared
        )
        victim("drop()")
        victim("take('name', way, lock_path=path) and drop()", way=way, path=shared)

        assert {name: seen(shared)[name] for name in before} == before
        assert target.read_text() == "precious"

    @pytest.mark.parametrize("mode", [0o644, 0o666], ids=oct)
    @pytest.mark.parametrize("way", ["lock", "timeout", "shared", "fair"])
    def test_that_was_moved_behind_a_link_in_the_meantime_is_not_the_file(
        self, victim, shared, way, mode
    ):
        """Nobody who comes later would open it, so it keeps nobody out."""
        path = shared / "name"
        holder = lockutils.lock("name", external=True, lock_path=shared)
        assert holder.acquire()
        path.chmod(mode)
        victim.tell("take('name', way, lock_path=path)", way=way, path=shared)
        until_waited_for(path)

        path.rename(shared / "moved")
        path.symlink_to(shared / "moved")
        holder.release()

        with pytest.raises(Refused) as refusal:
            victim.answer()
        assert "LockPathError" in refusal.value.kind
        assert refusal.value.filename == str(path)
        assert is_free("moved", external=True, lock_path=shared)

    def test_that_its_owner_has_a_lease_on_does_not_hang(self, victim, attacker, shared):
        """To open such a file waits for the owner, 45 seconds by default; but not for us."""
        attacker(
            "import fcntl, signal; signal.signal(signal.SIGIO, signal.SIG_IGN);"
            "fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666); os.chmod(path, 0o666);"
            "fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)",
            path=shared / "name",
        )

        for way in WAYS:
            with pytest.raises(Refused) as refusal:
                victim("take('name', way, lock_path=path)", way=way, path=shared)
            assert "LockPathError" in refusal.value.kind
            assert refusal.value.filename == str(shared / "name")
        attacker("fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)")
        assert victim("take('name', lock_path=path)", path=shared)


class TestRemoval:
    @pytest.mark.parametrize("plant", [*NO_FILES, closed_file])
    def test_of_what_is_no_lock_file_is_refused(self, actor, shared, plant):
        victim = actor(VICTIM)
        if plant is closed_file and not IS_ROOT:
            pytest.skip("two users are needed: only root can be another one")
        precious(shared / "name")
        plant(shared / "name")
        before = seen(shared)

        victim("remove('name', path)", path=shared)

        assert seen(shared) == before
        (line,) = victim("log.lines")
        assert line.startswith(f"Failed to remove file {shared / 'name'}: ")

    def test_of_a_link_to_a_file_of_ours_takes_the_link(self, victim, shared):
        target = precious(shared / "name")
        (shared / "name").hardlink_to(target)

        victim("remove('name', path)", path=shared)

        assert os.listdir(shared) == ["precious"]
        assert target.read_text() == "precious"


def watches(actor):
    opened = open_descriptors(actor.peer.process.pid).values()
    return "anon_inode:inotify" in opened


class TestQueueFile:
    """It orders those who wait; what excludes is the lock file alone, and goes on doing so."""

    @pytest.mark.parametrize("plant", [*NO_FILES, closed_file])
    @pytest.mark.parametrize("way", [way for way in WAYS if way != "external_lock"])
    def test_that_is_none_costs_the_order_and_nothing_else(self, victim, actor, shared, plant, way):
        if plant is closed_file and not IS_ROOT:
            pytest.skip("two users are needed: only root can be another one")
        precious(shared / "name")
        plant(shared / QUEUE)
        before = seen(shared)
        slots = 2 if way == "slots" else 1
        holders = [
            lockutils.lock("name", external=True, lock_path=shared, slots=slots)
            for _ in range(slots)
        ]
        assert all(holder.acquire() for holder in holders)
        (shared / "name").chmod(0o666)

        victim.tell("take('name', way, lock_path=path)", way=way, path=shared)
        if way == "fair":  # and this is the one thing that cannot be had
            with pytest.raises(Refused) as refusal:
                victim.answer()
            assert "LockPathError" in refusal.value.kind
            assert refusal.value.filename == str(shared / QUEUE)
        else:
            if way == "slots":  # it waits until the file is closed
                until(lambda: watches(victim), "it waits")
            else:
                until_waited_for(shared / "name")
            holders.pop().release()
            assert victim.answer()
            assert victim("drop()")
        while holders:
            holders.pop().release()

        left = seen(shared)
        assert {name: left[name] for name in before} == before

    def test_that_is_a_link_to_a_file_of_ours_leaves_that_as_it_is(self, victim, shared):
        target = precious(shared / "name")
        (shared / QUEUE).hardlink_to(target)
        before = seen(shared)
        for way in ("lock", "timeout", "task", "shared", "fair"):
            holder = lockutils.lock("name", external=True, lock_path=shared)
            assert holder.acquire()
            (shared / "name").chmod(0o666)
            victim.tell("take('name', way, lock_path=path)", way=way, path=shared)
            until_waited_for(shared / "name")
            holder.release()
            assert victim.answer()
            assert victim("drop()")

        left = seen(shared)
        assert {name: left[name] for name in before} == before
        assert target.read_text() == "precious"


class TestProbe:
    def test_of_the_kinds_of_lock_follows_nothing_and_leaves_nothing(self, shared):
        """Its name can be known before, where the file system has no files without one."""
        target = precious(shared / "name")
        source = """
import os, sys
import lockutils
from lockutils.backends.file import lock_kinds
lock_kinds._TMPFILE = None
path = sys.argv[1]
for number, plant in enumerate([os.symlink, os.link, None]):
    name = f"{path}/.lockutils-probe-{os.getpid()}-{number}"
    plant(f"{path}/precious", name) if plant else os.mkfifo(name)
number = os.open(f"{path}/name", os.O_RDWR | os.O_CREAT)
before = sorted(os.listdir(path))
for _ in range(3):
    lock_kinds.find_out(number, os.fsencode(path))
    assert not lock_kinds._of_device
    assert sorted(os.listdir(path)) == before
lock_kinds.find_out(number, os.fsencode(path))
assert lock_kinds._of_device
assert sorted(os.listdir(path)) == before
"""
        run_python(source, shared)
        assert target.read_text() == "precious"

    def test_that_others_remove_first_is_no_error(self, tmp_path, monkeypatch):
        works = lock_kinds._works

        def works_for_others_too(lock, number):
            for probe in tmp_path.glob(".lockutils-probe-*"):
                probe.unlink()
            return works(lock, number)

        monkeypatch.setattr(lock_kinds, "_TMPFILE", None)
        monkeypatch.setattr(lock_kinds, "_works", works_for_others_too)
        monkeypatch.setattr(lock_kinds, "_of_device", {})
        with open(tmp_path / "name", "w") as file:
            lock_kinds.find_out(file.fileno(), os.fsencode(tmp_path))

        assert len(lock_kinds._of_device) == 1
        assert os.listdir(tmp_path) == ["name"]


def test_a_directory_of_the_path_may_be_a_link(victim, shared, place):
    """Whoever names a directory says where it is."""
    (place / "link").symlink_to(shared)
    assert victim("take('name', lock_path=path)", path=place / "link")
    assert os.listdir(shared) == ["name"]
