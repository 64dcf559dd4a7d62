"""Readers of a lock file, their writers, and other tools on the same file."""

import os
import threading

import pytest

fcntl = pytest.importorskip("fcntl")

from conformance import forever  # noqa: E402
from lock_peers import Background, open_descriptors, until, until_waited_for  # noqa: E402

from lockutils.backends.file.directory import Directory  # noqa: E402
from lockutils.backends.file.request import FileRequest, SharedRequest  # noqa: E402
from lockutils.errors import LockPathError  # noqa: E402

# Does what it is told by lines: "try" and "wait" answer "held" or "busy", "release" "released".
PEER = """
import os, sys
from lockutils.backends.file.directory import Directory
import lockutils
path, way, fair = sys.argv[1], sys.argv[2], sys.argv[3] == "fair"
def handle(**options):
    return lockutils.lock("key", external=True, lock_path=path, fair=fair,
        shared=way == "reader", **options)
held = None
for line in sys.stdin:
    word = line.strip()
    if word == "release":
        held.release()
        print("released", flush=True)
        continue
    held = handle()
    print("held" if held.acquire(blocking=word == "wait") else "busy", flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "key"


@pytest.fixture
def requests(tmp_path):
    made = []

    def request(kind, fair=False):
        made.append(kind("key", Directory(os.fsencode(tmp_path)), fair))
        return made[-1]

    yield request
    for one in made:
        one.cancel()
    made.clear()
    opened = [target for target in open_descriptors().values() if str(tmp_path) in target]
    # the queue file closes with the last request that used it
    assert not [target for target in opened if ".lockutils-queue" not in target]


@pytest.fixture
def peer(peers, tmp_path):
    return lambda way, order="default": peers.python(PEER, tmp_path, way, order)


class TestExclusion:
    def test_readers_share_and_a_writer_does_not(self, requests, peer):
        reader, elsewhere, writer = requests(SharedRequest), peer("reader"), peer("writer")

        assert reader.try_now()
        assert elsewhere.ask("try") == "held"
        assert writer.ask("try") == "busy"
        assert not requests(FileRequest).try_now()
        reader.cancel()
        assert writer.ask("try") == "busy"
        assert elsewhere.ask("release") == "released"
        assert writer.ask("try") == "held"
        assert not reader.try_now()
        assert elsewhere.ask("try") == "busy"

    def test_a_reader_that_is_killed_lets_the_writer_in(self, requests, peer, path):
        readers = [peer("reader") for _ in range(3)]
        for reader in readers:
            assert reader.ask("try") == "held"
        writer = requests(FileRequest)
        assert not writer.try_now()
        writer.enqueue()
        waiting = Background(writer.block, forever())
        until_waited_for(path)

        for reader in readers:
            reader.kill()

        assert waiting.result()

    def test_a_file_that_can_only_be_read_will_do(self, requests, path, only_to_read):
        path.touch()
        only_to_read()
        one, other = requests(SharedRequest), requests(SharedRequest)

        assert one.try_now()
        assert other.try_now()

    def test_what_is_not_a_file_is_an_error(self, requests, path):
        path.mkdir()
        with pytest.raises(LockPathError):
            requests(SharedRequest).try_now()


class TestForeignTools:
    @pytest.mark.parametrize("kind", ["flock", "lockf"])
    def test_share_and_exclude(self, requests, peers, path, kind):
        tool = peers.python(
            """
import fcntl, sys
lock = getattr(fcntl, sys.argv[2])
file = open(sys.argv[1], "ab+")
for line in sys.stdin:
    how = getattr(fcntl, "LOCK_" + line.strip())
    try:
        lock(file, how | (0 if how == fcntl.LOCK_UN else fcntl.LOCK_NB))
        print("done", flush=True)
    except OSError:
        print("busy", flush=True)
""",
            path,
            kind,
        )
        reader, writer = requests(SharedRequest), requests(FileRequest)
        assert reader.try_now()

        assert tool.ask("EX") == "busy"
        assert tool.ask("SH") == "done"
        reader.cancel()
        assert not writer.try_now()
        assert reader.try_now()
        reader.cancel()
        assert tool.ask("EX") == "done"
        assert not reader.try_now()
        assert tool.ask("UN") == "done"
        assert reader.try_now()

    def test_fasteners_reader_writer_lock(self, requests, peers, path):
        tool = peers.python(
            """
import sys
import fasteners
lock = fasteners.InterProcessReaderWriterLock(sys.argv[1])
for line in sys.stdin:
    word = line.strip()
    if word.startswith("release"):
        getattr(lock, word)()
        print("released", flush=True)
    else:
        print(getattr(lock, word)(blocking=False), flush=True)
""",
            path,
        )
        reader, writer = requests(SharedRequest), requests(FileRequest)

        assert reader.try_now()
        assert tool.ask("acquire_write_lock") == "False"
        assert tool.ask("acquire_read_lock") == "True"
        reader.cancel()
        assert not writer.try_now()
        assert reader.try_now()
        reader.cancel()
        assert tool.ask("release_read_lock") == "released"
        assert writer.try_now()
        assert tool.ask("acquire_read_lock") == "False"
        writer.cancel()
        assert tool.ask("acquire_write_lock") == "True"
        assert not reader.try_now()
        waiting = Background(reader.block, forever())
        until_waited_for(path)
        assert tool.ask("release_write_lock") == "released"
        assert waiting.result()


class TestOrder:
    @pytest.mark.parametrize("order", ["default", "fair"])
    def test_a_reader_does_not_pass_a_writer_that_waits(self, peer, path, order):
        """The kernel would let it in: there are readers inside."""
        first, writer, late = peer("reader", order), peer("writer", order), peer("reader", order)
        assert first.ask("wait") == "held"
        writer.tell("wait")
        until_waited_for(path)
        late.tell("wait")
        until_waited_for(path.parent / ".lockutils-queue")

        assert first.ask("release") == "released"
        assert writer.hear() == "held"
        until_waited_for(path)
        assert writer.ask("release") == "released"
        assert late.hear() == "held"

    @pytest.mark.parametrize(("order", "answer"), [("default", "held"), ("fair", "busy")])
    def test_a_single_try_passes_unless_it_is_fair(self, peer, path, order, answer):
        first, writer, hurried = peer("reader"), peer("writer"), peer("reader", order)
        assert first.ask("wait") == "held"
        writer.tell("wait")
        until_waited_for(path)

        assert hurried.ask("try") == answer

    def test_readers_next_to_each_other_come_in_together(self, peer, path):
        writer = peer("writer")
        assert writer.ask("wait") == "held"
        readers = [peer("reader") for _ in range(4)]
        for number, reader in enumerate(readers):
            reader.tell("wait")
            until_waited_for(path if number == 0 else path.parent / ".lockutils-queue")

        assert writer.ask("release") == "released"

        assert [reader.hear() for reader in readers] == ["held"] * 4

    def test_a_crowd_of_readers_does_not_keep_a_writer_out(self, peers, tmp_path):
        """Readers that overlap all the time, in several processes."""
        crowd = [
            peers.python(
                """
import sys, threading, time
import lockutils
def read():
    while True:
        with lockutils.lock("key", external=True, lock_path=sys.argv[1], shared=True):
            time.sleep(0.002)
for _ in range(3):
    threading.Thread(target=read, daemon=True).start()
print("reading", flush=True)
sys.stdin.read()
import os
os._exit(0)
""",
                tmp_path,
            )
            for _ in range(3)
        ]
        for reader in crowd:
            assert reader.hear() == "reading"
        import lockutils

        for fair in (False, True) * 5:
            handle = lockutils.lock("key", external=True, lock_path=tmp_path, fair=fair)
            assert handle.acquire(timeout=30)
            handle.release()


@pytest.mark.parametrize("behind", ["nobody", "a writer of theirs"])
def test_many_readers_of_one_process_wait_with_one_helper(behind, tmp_path):
    import lockutils
    from lockutils.parking import helpers

    def lock(**options):
        return lockutils.lock("key", external=True, lock_path=tmp_path, **options)

    elsewhere = lock(semaphores=lockutils.Semaphores())
    elsewhere.acquire()
    writer = lockutils.lock("key")  # in the process alone
    if behind != "nobody":
        writer.acquire()
    before = len(helpers._running)
    inside = threading.Semaphore(0)
    leave = threading.Event()

    def read():
        with lock(shared=True, timeout=30):
            inside.release()
            leave.wait(30)

    readers = [Background(read) for _ in range(20)]
    until(lambda: len(lock()._queue) >= 20, "all wait")
    if behind != "nobody":
        writer.release()
    until_waited_for(tmp_path / "key")

    assert len(helpers._running) - before <= 1
    elsewhere.release()
    for _ in readers:
        assert inside.acquire(timeout=30)
    leave.set()
    for reader in readers:
        reader.result()
