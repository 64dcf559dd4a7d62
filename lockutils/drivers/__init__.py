"""What excludes others outside of this process."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.directory import Directory
    from lockutils.drivers.base import Claim

if os.name == "posix":
    from lockutils.drivers.file import FileClaim as _FileClaim
else:
    from lockutils.drivers._portable import PortableClaim as _FileClaim


def file_claim(key: str, directory: Directory) -> Claim:
    """Return a claim on the lock file of ``key`` in ``directory``; nothing is opened yet."""
    return _FileClaim(key, directory)
