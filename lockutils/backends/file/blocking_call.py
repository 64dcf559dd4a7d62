"""A helper's sleep on behalf of one request, which can be called back."""

from __future__ import annotations

from lockutils.backends.base import HELD
from lockutils.parking.native import get_ident
from lockutils.parking.sleeper import Sleeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lockutils.backends.file.request import FileRequest

#: seconds for a helper to leave the kernel; it may be stopped, or without a core
_PATIENCE = 0.1
#: the two that may begin a call and publish what came of it
_HELPER, _CANCEL = "helper", "cancel"


class BlockingCall:
    """Waits in a helper thread until a request is granted.

    Beginning, publishing and withdrawing are each done by one thread: the first that enters
    itself in a dictionary.  ``dict.setdefault`` is one step, and tells whoever asks again the
    same, as after a signal handler that raised.
    """

    __slots__ = ("_changed", "_done_by", "_request", "_sleeper")

    def __init__(self, request: FileRequest, changed: Callable[[], object]) -> None:
        self._request = request
        self._changed = changed
        self._sleeper = Sleeper()
        self._done_by: dict[str, str | int] = {}

    def run(self) -> None:
        """What the helper does."""
        if self._done_by.setdefault("begin", _HELPER) != _HELPER:
            return  # cancelled before
        request, sleeper = self._request, self._sleeper
        held, error = False, None
        try:
            sleeper.begin()
            held = request.wait(sleeper)
        except BaseException as raised:
            error = raised
        if self._done_by.setdefault("publish", _HELPER) != _HELPER:
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
        if self._sleeper.is_of_parent():
            return True
        self._sleeper.over = True
        if self._done_by.setdefault("begin", _CANCEL) != _CANCEL:
            mine = self._done_by.setdefault("publish", _CANCEL) == _CANCEL
            # If it has published, nobody else withdraws.
            if not self._sleeper.call_back(patience=_PATIENCE if mine else None) and mine:
                return False
        me: int = get_ident()
        return self._done_by.setdefault("withdraw", me) == me
