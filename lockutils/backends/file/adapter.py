"""The contract of requests over the claims of before.  Goes with the merge."""

from __future__ import annotations

from lockutils.backends.base import HELD
from lockutils.backends.file import waiting
from lockutils.parking import helpers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class OldRequest:
    def __init__(self, claim: Any) -> None:
        self.claim = claim
        self.grant: Any = None
        self.error: BaseException | None = None
        self._errand: Any = None
        self._changed: Any = None

    def try_now(self, barging: bool = False) -> bool:
        if self.claim.try_acquire(barging):
            self.grant = HELD
            return True
        if barging:
            self.claim.check_use()
        return False

    def enqueue(self) -> None:
        self.claim.line_up()

    def block(self, deadline: Any) -> None:
        return None

    def start(self, changed: Any) -> bool:
        claim = self.claim
        claim.line_up()
        if not claim.can_block:
            return False
        self._changed = changed
        errand = self._errand = waiting._abandoned.pop(claim.resource, None)
        if errand is not None and errand.adopt(self, claim):
            return True
        errand = self._errand = waiting.Errand(claim, self)  # type: ignore[arg-type]
        try:
            helpers.run(errand.run)
        except helpers.NoHelper:
            self._errand = None
            return False
        return True

    def wake(self) -> bool:
        if self._errand._error is not None:
            self.error = self._errand._error
        else:
            self.grant = HELD
        return bool(self._changed())

    def cancel(self) -> None:
        errand = self._errand
        if errand is not None:
            errand.leave(self)
        if errand is None or errand.claim is not self.claim:
            self.claim.release()

    def hand_to_children(self) -> None:
        claim = self.claim if self._errand is None else self._errand.claim
        if not hasattr(claim, "hand_to_children"):
            raise RuntimeError("not held by a lock file")
        claim.hand_to_children()
