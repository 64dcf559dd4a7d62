"""What excludes others outside of this process."""

from __future__ import annotations

import os

if os.name == "posix":
    from lockutils.backends.file.request import FileRequest, SharedRequest
    from lockutils.backends.file.slots import SlotRequest
    from lockutils.backends.file.status import is_held, status_of
    from lockutils.backends.file.syscalls import MARK

    SHARES = True
else:
    from lockutils.backends.windows import PortableRequest as FileRequest  # type: ignore[assignment]
    from lockutils.backends.windows import is_held, status_of

    #: whether a lock file can have more than one holder; if not, nobody makes these
    SHARES = False
    SharedRequest = SlotRequest = FileRequest  # type: ignore[misc, assignment]
    #: the mode of the files of a default directory, which says nothing here
    MARK = 0o600

__all__ = [
    "MARK",
    "SHARES",
    "FileRequest",
    "SharedRequest",
    "SlotRequest",
    "is_held",
    "status_of",
]
