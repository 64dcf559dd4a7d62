"""What excludes others outside of this process."""

from __future__ import annotations

import os

if os.name == "posix":
    from lockutils.backends.file.request import FileClaim
    from lockutils.backends.file.shared import SharedClaim
    from lockutils.backends.file.slots import SlotClaim

    SHARES = True
else:
    from lockutils.backends.windows import PortableClaim as FileClaim  # type: ignore[assignment]

    #: whether a lock file can have more than one holder; if not, nobody makes these
    SHARES = False
    SharedClaim = SlotClaim = FileClaim  # type: ignore[misc, assignment]

__all__ = ["SHARES", "FileClaim", "SharedClaim", "SlotClaim"]
