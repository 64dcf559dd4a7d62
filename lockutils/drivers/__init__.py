"""What excludes others outside of this process."""

from __future__ import annotations

import os

if os.name == "posix":
    from lockutils.drivers.file import FileClaim
    from lockutils.drivers.shared import SharedClaim
    from lockutils.drivers.slots import SlotClaim

    SHARES = True
else:
    from lockutils.drivers._portable import PortableClaim as FileClaim  # type: ignore[assignment]

    #: whether a lock file can have more than one holder; if not, nobody makes these
    SHARES = False
    SharedClaim = SlotClaim = FileClaim  # type: ignore[misc, assignment]

__all__ = ["SHARES", "FileClaim", "SharedClaim", "SlotClaim"]
