"""What excludes others outside of this process."""

from __future__ import annotations

import os

if os.name == "posix":
    from lockutils.drivers.file import FileClaim
else:
    from lockutils.drivers._portable import PortableClaim as FileClaim  # type: ignore[assignment]

__all__ = ["FileClaim"]
