"""Who sleeps where: the first two in line on the lock file, any other for one before it."""

import os
import signal

import pytest

fcntl = pytest.importorskip("fcntl")

from conformance import Pending, forever  # noqa: E402
from lock_peers import Background, sleeps_for_a_lock, until, waiters  # noqa: E402
from processes import InProcess  # noqa: E402

from lockutils.backends.file import request as request_module  # noqa: E402
from lockutils.backends.file.directory import Directory  # noqa: E402

FAIR = {"fair": True}


@pytest.fixture
def backend(tmp_path):
    return Directory(os.fsencode(tmp_path))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "key"


@pytest.fixture
def in_line(peers, backend):
    """Have processes stand in line, one after the other."""

    def in_line(*modes):
        line = []
        for mode in modes:
            line.append(InProcess(peers, backend.path, mode))
            line[-1].begin()
            line[-1].is_waiting()
        return line

    return in_line


@pytest.fixture
def holder(peers, backend):
    holder = InProcess(peers, backend.path, {})
    holder.hold()
    return holder


@pytest.fixture
def ours(backend):
    made = []

    def ours(**mode):
        made.append(backend.request("key", **mode))
        return made[-1]

    yield ours
    for one in made:
        one.cancel()


def stop(peer):
    os.kill(peer.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, peer.pid, os.WSTOPPED)


def go_on(peer):
    os.kill(peer.pid, signal.SIGCONT)


def on_file(path):
    return len(waiters(path))


@pytest.mark.parametrize(
    ("modes", "on_lock_file"),
    [
        (({}, {}, {}, {}), 2),
        ((FAIR, {}, {}), 1),
        (({}, FAIR, {}), 1),
        (({}, {}, FAIR), 2),
        ((FAIR, FAIR, FAIR), 1),
        (({"shared": True}, {}, {}), 1),
        (({}, {"shared": True}, {"shared": True}), 1),
    ],
    ids=str,
)
def test_as_many_sleep_on_the_file_as_may_pass_each_other(
    holder, in_line, path, modes, on_lock_file
):
    line = in_line(*modes)

    until(lambda: on_file(path) == on_lock_file, "no more sleep on the file")

    holder.release()
    while line:
        until(lambda: [peer for peer in line if peer.has_spoken()], "one is served")
        for served in [peer for peer in line if peer.has_spoken()]:
            assert served.hear() == "held"
            served.release()
            line.remove(served)


def test_a_stopped_one_is_passed(holder, in_line):
    first, second = in_line({}, {})
    stop(first)

    holder.release()

    assert second.hear() == "held"
    second.release()
    go_on(first)
    assert first.hear() == "held"


def test_the_third_looks_although_two_are_stopped(holder, in_line, ours, monkeypatch):
    """Nothing could wake it."""
    monkeypatch.setattr(request_module, "_LOOK", 0.01)
    first, second = in_line({}, {})
    waiting = Pending(ours(), "block")
    until(lambda: sleeps_for_a_lock(os.getpid()), "it sleeps")
    stop(first)
    stop(second)

    holder.release()

    assert waiting.result()
    waiting.request.cancel()
    for peer in first, second:
        go_on(peer)
    until(lambda: first.has_spoken() or second.has_spoken(), "one of them is served")
    one, other = (first, second) if first.has_spoken() else (second, first)
    assert one.hear() == "held"
    one.release()
    assert other.hear() == "held"


def test_the_third_looks_seldom(holder, in_line, ours, monkeypatch):
    """Once a second, whoever stands before it, and not each time that something happens."""
    monkeypatch.setattr(request_module, "_LOOK", 1000.0)
    in_line({}, {})
    third, looks = ours(), []
    real = type(third)._try_step_by_step
    monkeypatch.setattr(
        type(third), "_try_step_by_step", lambda self: looks.append(None) or real(self)
    )
    waiting = Pending(third, "block")
    until(lambda: sleeps_for_a_lock(os.getpid()), "it sleeps")

    assert not waiting._call.join(0.05)

    assert not looks
    third.cancel()
    assert waiting.result() is False


@pytest.mark.parametrize("behind", [FAIR, {}], ids=str)
def test_one_in_strict_order_is_not_passed(holder, in_line, path, ours, behind):
    """Behind it others wait for it, though it is stopped; and it for all before it."""
    (strict,) = in_line(FAIR)
    stop(strict)
    waiting = Pending(ours(**behind), "block")
    until(lambda: sleeps_for_a_lock(os.getpid()), "it sleeps")

    holder.release()

    assert not waiting._call.join(0.05)
    assert on_file(path) == 0
    go_on(strict)
    assert strict.hear() == "held"
    strict.release()
    assert waiting.result()


def test_one_in_strict_order_passes_nobody(holder, in_line, ours, path):
    (first,) = in_line({})
    stop(first)
    waiting = Pending(ours(**FAIR), "block")
    until(lambda: sleeps_for_a_lock(os.getpid()), "it sleeps")

    holder.release()

    assert not waiting._call.join(0.05)
    go_on(first)
    assert first.hear() == "held"
    first.release()
    assert waiting.result()


@pytest.mark.parametrize("mode", [{}, FAIR], ids=str)
@pytest.mark.parametrize("gone", [0, 1])
def test_who_dies_in_line_is_not_waited_for(holder, in_line, ours, mode, gone):
    line = in_line(mode, mode)
    # without strict order either of the first two may be next, and this one would not release
    waiting = Pending(ours(**mode), "block") if mode else None
    until(lambda: waiting is None or sleeps_for_a_lock(os.getpid()), "it sleeps")
    line[gone].kill()

    holder.release()

    assert line[not gone].hear() == "held"
    line[not gone].release()
    assert waiting is None or waiting.result()


def test_a_barging_try_passes_those_who_wait_unless_it_is_fair(holder, in_line, ours):
    first, second = in_line({}, {})
    for peer in first, second:
        stop(peer)
    holder.release()

    assert not ours().try_now()
    assert not ours(**FAIR).try_now()
    assert not ours(**FAIR).try_now(True)
    barging = ours()
    assert barging.try_now(True)

    barging.cancel()
    for peer in first, second:
        go_on(peer)


def test_a_look_is_good_for_a_quantum(holder, in_line, ours, monkeypatch, backend):
    """Whoever is served need not look again at once; after the quantum it stands back."""
    from lockutils.backends.file import queue

    now = [1000.0]
    monkeypatch.setattr(queue, "monotonic", lambda: now[0])
    monkeypatch.setattr(request_module, "monotonic", lambda: now[0])
    served = ours()
    waiting = Pending(served, "block")
    until(lambda: sleeps_for_a_lock(os.getpid()), "it sleeps")
    (behind,) = in_line({})
    stop(behind)
    holder.release()
    assert waiting.result()
    served.cancel()

    again = ours()
    assert again.try_now()
    again.cancel()
    now[0] += queue.QUANTUM

    assert not ours().try_now()
    go_on(behind)
    assert behind.hear() == "held"


@pytest.mark.parametrize("count", [2, 3])
def test_waiters_of_one_process_sleep_one_at_a_time(backend, count):
    """The others wait in the process: so a request of its own never waits for its own."""
    requests = [backend.request("key") for _ in range(count)]
    try:
        for request in requests:
            request.enqueue()
        for request in requests:
            assert Background(request.block, forever()).result()
            request.cancel()
    finally:
        for request in requests:
            request.cancel()
