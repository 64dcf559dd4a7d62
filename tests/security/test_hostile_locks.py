"""Others who lock what they should not, and who replace files all the time.

Whoever can open a lock file can hold it for ever; that cannot be helped.  But nobody is made to
spin, to see another error than there is, or to believe that he has what he has not.
"""

import errno
import os
from time import monotonic

import pytest
from lock_peers import open_descriptors, until, until_waited_for
from users import IS_ROOT, VICTIM, Refused

import lockutils
from lockutils.backends.file import lock_file, syscalls
from lockutils.backends.file.directory import Directory
from lockutils.backends.file.queue import BYTES, DECLARED, TICKETS, QueueRange
from lockutils.backends.file.request import FileRequest
from lockutils.parking import sleeper
from lockutils.parking.deadline import Deadline

QUEUE = ".lockutils-queue"
ALL = TICKETS * BYTES
HALF = ALL // 2


@pytest.fixture
def readable(place):
    """A lock directory of the victim's that others can read."""
    folder = place / "readable"
    folder.mkdir()
    if IS_ROOT:
        os.chown(folder, VICTIM, VICTIM)
    return folder


@pytest.fixture
def holder(actor, readable):
    """Another process of the victim's, which holds the lock; with an empty queue file."""
    holder = actor(VICTIM)
    holder("open(path, 'w').close()", path=readable / QUEUE)
    assert holder("take('name', lock_path=path)", path=readable)
    return holder


def first_ticket(folder):
    return QueueRange(os.fsencode(folder / "name")).first_byte


class TestWhoMayOnlyRead:
    def test_has_no_ticket_that_others_wait_for(self, victim, attacker, holder, readable):
        """To wait for a read lock by another one is to spin."""
        start = first_ticket(readable)
        attacker("lock_span(path, 'read', start, 100)", path=readable / QUEUE, start=start)

        victim.tell("take('name', 'fair', lock_path=path)", path=readable)
        until_waited_for(readable / "name")
        holder("drop()")

        assert victim.answer()

    @pytest.mark.parametrize("length", [ALL, 0])
    def test_can_take_all_tickets_away(self, victim, attacker, holder, readable, length):
        """Which is an error where an order was asked for, and costs the order elsewhere."""
        start = first_ticket(readable)
        attacker(
            "lock_span(path, 'read', start, length)",
            path=readable / QUEUE,
            start=start,
            length=length,
        )

        with pytest.raises(Refused) as refusal:
            victim("take('name', 'fair', lock_path=path)", path=readable)
        assert "LockPathError" in refusal.value.kind
        assert refusal.value.filename == str(readable / QUEUE)
        for way in ("lock", "timeout", "shared"):
            victim.tell("take('name', way, lock_path=path)", way=way, path=readable)
            until_waited_for(readable / "name")
            holder("drop()")
            assert victim.answer()
            victim("drop()")
            assert holder("take('name', lock_path=path, blocking=False)", path=readable)

    def test_makes_who_wants_a_slot_wait_and_not_spin(self, victim, attacker, readable):
        victim("take('name', 'slots', lock_path=path) and drop()", path=readable)
        attacker("lock_span(path, 'read', 0, 2)", path=readable / "name")
        victim(
            "from lockutils.backends.file.slots import SlotRequest\n"
            "tries, real = [], SlotRequest._try_both\n"
            "def note(self, fd):\n"
            "    tries.append(fd)\n"
            "    return real(self, fd)\n"
            "SlotRequest._try_both = note\n"
        )

        victim.tell("take('name', 'slots', lock_path=path)", path=readable)
        pid = victim.peer.process.pid
        until(lambda: "anon_inode:inotify" in open_descriptors(pid).values(), "it waits")
        attacker("os.close(spans.pop())")

        assert victim.answer()
        assert victim("len(tries)") < 10

    def test_can_make_it_look_as_if_it_had_slots(self, victim, attacker, readable):
        victim("take('name', lock_path=path) and drop()", path=readable)
        attacker("lock_span(path, 'read', start, 1)", path=readable / "name", start=DECLARED + 7)

        with pytest.raises(Refused, match="slots=7") as refusal:
            victim("take('name', lock_path=path)", path=readable)
        assert "SlotsMismatchError" in refusal.value.kind

    @pytest.mark.parametrize("way", ["lock", "timeout", "shared", "fair", "task"])
    def test_can_hold_it_and_is_waited_for_asleep(self, victim, attacker, readable, way):
        victim("take('name', lock_path=path) and drop()", path=readable)
        attacker(
            "import fcntl; fd = os.open(path, os.O_RDONLY); fcntl.flock(fd, fcntl.LOCK_EX)",
            path=readable / "name",
        )

        victim.tell("take('name', way, lock_path=path)", way=way, path=readable)
        until_waited_for(readable / "name")
        attacker("os.close(fd)")

        assert victim.answer()


class TestWhoMayWriteTheQueue:
    @pytest.mark.parametrize(
        "spans",
        [
            [(0, 1), (HALF, 1)],  # whatever number is taken, there is a higher one
            [(0, 1), (HALF - 1, 1), (2 * HALF - 2, 1)],  # there is no highest one
            [(0, ALL)],
            [(0, 0)],
        ],
    )
    def test_cannot_make_anybody_spin(self, victim, attacker, shared, spans):
        victim("take('name', lock_path=path) and drop()", path=shared)
        victim("open(path, 'w').close(); os.chmod(path, 0o666)", path=shared / QUEUE)
        assert attacker("take('name', lock_path=path)", path=shared)
        for start, length in spans:
            attacker(
                "lock_span(path, 'write', start, length, os.O_RDWR)",
                path=shared / QUEUE,
                start=first_ticket(shared) + start,
                length=length,
            )

        single = "take('name', 'fair', lock_path=path, blocking=False)"
        assert not victim(single, path=shared)
        with pytest.raises(Refused) as refusal:
            victim("take('name', 'fair', lock_path=path)", path=shared)
        assert "LockPathError" in refusal.value.kind
        assert refusal.value.filename == str(shared / QUEUE)
        victim.tell("take('name', lock_path=path)", path=shared)
        until_waited_for(shared / "name")
        attacker("drop()")
        assert victim.answer()


class TestWhoReplacesTheFile:
    """Not sticky, so that the attacker may: then two can be in, and nobody can help that."""

    STORM = """
import itertools, threading
raging = threading.Event()
def storm(folder, name, target):
    try:
        for number in itertools.count():
            other = f"{folder}/other"
            [
                lambda: open(other, "w").close(),
                lambda: os.symlink(target, other),
                lambda: os.mkfifo(other, 0o666),
                lambda: open(other, "w").close(),
            ][number % 4]()
            if number == 10: raging.set()
            os.rename(other, f"{folder}/{name}")
    except FileNotFoundError:
        pass  # the folder is gone
threading.Thread(target=storm, args=(folder, name, target), daemon=True).start()
raging.wait()
"""

    @pytest.mark.parametrize("name", ["name", QUEUE])
    def test_without_end_hangs_nobody_and_changes_nothing(self, victim, attacker, place, own, name):
        folder = place / "open"
        folder.mkdir()
        folder.chmod(0o777)
        target = own / "precious"
        target.write_text("precious")
        target.chmod(0o666)
        own.chmod(0o711)
        before = target.stat()
        descriptors = victim("descriptors()")
        attacker(self.STORM, folder=folder, name=name, target=target)

        outcomes = victim(
            "outcomes = set()\n"
            "for way in ('lock', 'shared', 'slots', 'fair', 'external_lock', 'lock_all'):\n"
            "    for _ in range(5):\n"
            "        try:\n"
            "            got = take('name', way, lock_path=path, blocking=False)\n"
            "            drop()\n"
            "        except (lockutils.LockPathError, lockutils.SlotsMismatchError) as error:\n"
            "            got = type(error).__name__\n"
            "            assert error.args\n"
            "        outcomes.add(got)\n"
            "        try:\n"
            "            remove('name', path)\n"
            "        except lockutils.LockPathError:\n"
            "            pass\n",
            path=folder,
        )
        assert outcomes is None
        assert victim("outcomes")
        assert victim("descriptors()") == descriptors
        after = target.stat()
        assert target.read_text() == "precious"
        assert (after.st_mode, after.st_uid, after.st_mtime_ns) == (
            before.st_mode,
            before.st_uid,
            before.st_mtime_ns,
        )

    @pytest.fixture
    def contender(self, tmp_path):
        contender = FileRequest("name", Directory(os.fsencode(tmp_path)))
        yield contender
        contender.cancel()

    @pytest.fixture
    def replaced(self, tmp_path, monkeypatch):
        """Have the file replaced before each lock, so many times; tell how many are left."""
        flock, left = syscalls.flock, []

        def late_flock(descriptor, operation):
            if left:
                left.pop()
                (tmp_path / "other").touch()
                (tmp_path / "other").rename(tmp_path / "name")
            flock(descriptor, operation)

        monkeypatch.setattr(syscalls, "flock", late_flock)
        # a wait is Python's own call, and no call of the C library
        monkeypatch.setattr(sleeper, "load", lambda: None)
        monkeypatch.setattr(sleeper, "flock", late_flock)
        return left

    def test_each_time_is_as_good_as_a_holder(self, contender, replaced):
        replaced += [None] * 1000
        assert not contender.try_now()
        assert replaced
        assert not lockutils.backends.file.descriptors.owners

    def test_is_waited_for_until_he_stops(self, contender, replaced, tmp_path):
        replaced += [None] * (2 * lock_file._QUICK_ROUNDS)
        assert contender.block(Deadline(None, monotonic))
        assert not replaced

    def test_between_the_two_ways_to_open_it_is_an_error(self, contender, monkeypatch):
        def never(path, flags, *mode):
            number = errno.EEXIST if flags & os.O_CREAT else errno.ENOENT
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(syscalls, "_open", never)
        with pytest.raises(lockutils.LockPathError) as refusal:
            contender.try_now()
        assert refusal.value.errno == errno.EAGAIN
