"""Exceptions of signal handlers in the middle of what is done beside an acquisition."""

import gc
import os

import pytest

pytest.importorskip("fcntl")

from lock_peers import HOLDER, OURS, Background, is_free, open_descriptors, sleeps_for_a_lock, until

import lockutils
from lockutils.backends.file import lock_kinds, request, sweep, syscalls
from lockutils.backends.file.directory import DefaultDirectory


class Interrupted(BaseException):
    pass


def all_open():
    """What is open, and is not about to be closed with what an earlier test has left."""
    gc.collect()
    return open_descriptors()


@pytest.fixture
def interrupt(monkeypatch):
    """Have a signal handler raise at the end of a call, and not before the ``number``-th one."""

    def interrupt(module, name, number=1):
        real, made = getattr(module, name), []

        def interrupted(*args, **options):
            made.append(name)
            result = real(*args, **options)
            if len(made) == number:
                raise Interrupted
            return result

        monkeypatch.setattr(module, name, interrupted)

    return interrupt


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """A directory with some files that are to be swept."""
    monkeypatch.setattr(sweep, "_KEPT", 1)
    tmp_path.chmod(0o700)
    for number in range(3):
        (tmp_path / f"file {number}").touch()
    return DefaultDirectory(os.fsencode(tmp_path), os.geteuid())


@pytest.mark.parametrize(
    ("module", "name", "number"),
    [
        (syscalls, "_fcntl", 1),  # locked
        (syscalls, "_fcntl", 2),  # about to be closed
        (syscalls, "flock", 1),
        (syscalls, "flock", 2),
        (syscalls, "fstat", 1),
        (syscalls, "fstat", 2),
        (syscalls, "fstat", 3),
        (sweep.os, "listdir", 1),
        (sweep.os, "unlink", 1),
    ],
)
def test_a_sweep(interrupt, directory, module, name, number):
    before = all_open()
    interrupt(module, name, number)

    with pytest.raises(Interrupted):
        sweep.sweep(directory)

    assert open_descriptors() == before


@pytest.mark.parametrize("has_names", [True, False])
@pytest.mark.parametrize(
    ("module", "name", "number"),
    [(syscalls, "flock", 1), (syscalls, "_fcntl", 1), (lock_kinds, "_open_probe", 1)],
)
def test_a_probe(interrupt, monkeypatch, tmp_path, module, name, number, has_names):
    monkeypatch.setattr(lock_kinds, "_of_device", {})
    if has_names:
        monkeypatch.setattr(lock_kinds, "_TMPFILE", None)
    cell = []
    syscalls.open_into(cell, os.fsencode(tmp_path), os.O_RDONLY)
    before = all_open()
    interrupt(module, name, number)

    try:
        with pytest.raises(Interrupted):
            lock_kinds.find_out(cell[0], os.fsencode(tmp_path))

        assert open_descriptors() == before
    finally:
        syscalls.close(cell)


@pytest.mark.parametrize("how", [{"fair": True}, {"shared": True}], ids=str)
def test_a_release_that_several_handlers_raise_into(monkeypatch, peers, tmp_path, how):
    """While it lets others have its core, which may take long."""
    holder = peers.python(HOLDER.format(OURS), tmp_path)
    assert holder.hear() == "held"
    before = all_open()
    lock = lockutils.lock("name", external=True, lock_path=tmp_path, **how)
    waiting = Background(lock.acquire)
    until(lambda: sleeps_for_a_lock(os.getpid()), "it waits")
    assert holder.ask() == "released"
    assert waiting.result()

    def interrupted():
        raise Interrupted

    monkeypatch.setattr(request, "sched_yield", interrupted)
    with pytest.raises(Interrupted):
        lock.release()
    monkeypatch.undo()

    assert open_descriptors() == before
    assert is_free("name", external=True, lock_path=tmp_path)


@pytest.mark.parametrize("reentrant", [False, True])
def test_what_is_given_up_is_given_up_although_two_handlers_raise(monkeypatch, tmp_path, reentrant):
    lock = lockutils.lock("name", external=True, lock_path=tmp_path, reentrant=reentrant)
    lock.acquire()
    real, made = request.FileRequest.cancel, []

    def cancel(held):
        made.append(held)
        if len(made) < 3:
            raise Interrupted  # as at the beginning of the call
        real(held)

    monkeypatch.setattr(request.FileRequest, "cancel", cancel)
    with pytest.raises(Interrupted):
        lock.release()
    monkeypatch.undo()

    assert is_free("name", external=True, lock_path=tmp_path)
