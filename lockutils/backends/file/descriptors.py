"""The descriptors that a forked child must close.

They share their locks with the parent's: as long as a copy is open, a lock that the parent
drops by dying is not free.  The child closes and never unlocks.
"""

from __future__ import annotations

import os

#: open descriptors of all claims and queues of this process
opened: set[int] = set()


def _after_fork_in_child() -> None:
    for descriptor in opened:
        try:
            os.close(descriptor)
        except OSError:
            pass  # somebody closed it behind our back
    opened.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
