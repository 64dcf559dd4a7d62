"""A helper's sleep on behalf of one request, which can be called back."""

from __future__ import annotations

import os

from lockutils.backends.base import HELD
from lockutils.parking.native import get_ident
from lockutils.parking.sleeper import Sleeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lockutils.backends.file.request import FileRequest

#: seconds for a helper to leave the kernel; it may be stopped, or without a core
_PATIENCE = 0.1


class BlockingCall:
    """Waits in a helper thread until a request is granted.

    Between the helper and the thread that cancels there are two one-shot marks, each taken away
    in one step: to begin, and to publish what came of it.  Whoever takes a mark away has it.
    """

    __slots__ = (
        "_cancelled",
        "_changed",
        "_pid",
        "_request",
        "_sleeper",
        "_unbegun",
        "_unpublished",
        "_withdrawer",
    )

    def __init__(self, request: FileRequest, changed: Callable[[], object]) -> None:
        self._request = request
        self._changed = changed
        self._pid = os.getpid()
        self._sleeper = Sleeper()
        self._unbegun: list[None] = [None]
        self._unpublished: list[None] = [None]
        #: the marks that :meth:`cancel` has got, by their lists
        self._cancelled: dict[str, None] = {}
        #: the thread that withdraws the request, if it is not the helper
        self._withdrawer: dict[None, int] = {}

    def run(self) -> None:
        """What the helper does."""
        try:
            self._unbegun.pop()
        except IndexError:
            return  # cancelled before
        request, sleeper = self._request, self._sleeper
        held, error = False, None
        try:
            sleeper.begin()
            held = request.wait(sleeper)
        except BaseException as raised:
            error = raised
        try:
            self._unpublished.pop()
        except IndexError:
            request.withdraw()
            sleeper.end()
            return
        if held:
            request.grant = HELD
        else:
            request.error = error
        sleeper.end()
        # a waiter whose event loop is closed will never take what it waited for
        if self._changed() is False:
            request.cancel()

    def cancel(self) -> bool:
        """Call the helper back.  Callable any number of times.

        :return: whether the caller is to withdraw the request; ``False`` if another thread does
            so: one that cancelled before, or the helper, since it cannot be called back
        """
        if self._pid != os.getpid():  # the parent's
            return True
        self._sleeper.over = True
        if not self._take("unbegun", self._unbegun):
            mine = self._take("unpublished", self._unpublished)
            # If it has published, nobody else withdraws.
            if not self._sleeper.call_back(patience=_PATIENCE if mine else None) and mine:
                return False
        me: int = get_ident()
        return self._withdrawer.setdefault(None, me) == me

    def _take(self, name: str, mark: list[None]) -> bool:
        try:
            # one step: a signal handler may interrupt, and this be called again
            self._cancelled.update(zip((name,), map(list.pop, (mark,)), strict=True))
        except IndexError:
            pass
        return name in self._cancelled
