"""The descriptors that a forked child must close.

They share their locks with the parent's: as long as a copy is open, a lock that the parent
drops by dying is not free.  The child closes and never unlocks.
"""

from __future__ import annotations

import os

from lockutils.parking.native import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Owner(Protocol):
        """What has a descriptor, or is about to open one."""

        #: the descriptor, if it is open
        fd_box: list[int]

        #: the thread whose fork moves it to the child, which keeps it
        moves: int

        #: of the file
        @property
        def path(self) -> bytes: ...


#: from before they open their descriptor until after they have closed it
owners: set[Owner] = set()


def _after_fork_in_child() -> None:
    paths, moved, thread = set(), set(), get_ident()
    for owner in owners:
        if owner.moves == thread:
            moved.add(owner)
            continue
        fd_box = owner.fd_box
        if fd_box:
            _close(fd_box.pop())
        else:
            # Another thread was between the system call and Python's note of it.
            paths.add(owner.path)
    owners.clear()
    owners.update(moved)
    if paths:
        _close_files(paths)


def _close_files(paths: set[bytes]) -> None:
    for name in os.listdir(b"/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            target = os.readlink(b"/proc/self/fd/" + name)
        except OSError:
            continue  # the directory itself, which was listed
        if target.removesuffix(b" (deleted)") in paths:
            _close(int(name))


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # somebody closed it behind our back


os.register_at_fork(after_in_child=_after_fork_in_child)
