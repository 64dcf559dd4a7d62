"""Errands: what a helper does for a waiter that gives up, and is interrupted in that."""

import threading

import pytest
from lock_peers import Background

from lockutils.backends.file import waiting
from lockutils.parking.on_thread import ThreadParker


class Claim:
    """A claim that can be told to raise in the middle of what it does."""

    resource = "it"

    def __init__(self):
        self.calls = []
        self.raises = None
        self.free = threading.Event()
        self.begun = threading.Event()

    def _note(self, call):
        if self.raises == call:
            self.raises = None
            raise KeyboardInterrupt
        self.calls.append(call)

    def block(self):
        self.begun.set()
        return self.free.wait(30)

    def stand_aside(self):
        self._note("stand_aside")

    def release(self):
        self._note("release")


@pytest.mark.parametrize("plight", ["not begun", "begun", "done"])
def test_giving_up_is_repeated_after_an_interruption(plight, monkeypatch):
    monkeypatch.setattr(waiting, "_abandoned", {})
    claim = Claim()
    wait = waiting.Wait(claim, ThreadParker())
    errand = wait._errand = waiting.Errand(claim, wait)
    what = "stand_aside" if plight == "begun" else "release"
    claim.raises = what
    helper = None
    if plight != "not begun":
        helper = Background(errand.run)
        assert claim.begun.wait(30)
    if plight == "done":
        claim.free.set()
        helper.result()

    with pytest.raises(KeyboardInterrupt):
        wait.release()
    wait.release()

    assert claim.calls == [what]
    assert (errand in waiting._abandoned.values()) == (plight == "begun")
    wait.release()
    assert claim.calls == [what]
    claim.free.set()
    if helper is not None:
        helper.result()
    assert claim.calls[-1] == "release"
