"""Look at what locks on this host depend on, and tell what is wrong.

A check is a function of the place that is looked at; it yields what it finds.  An engine has checks
of its own in place of those of a directory.  Nothing is made, but a probe that is gone at once, and
no lock file is opened.
"""

from __future__ import annotations

from lockutils.observe.doctor import directory, file_system, files, interpreter
from lockutils.observe.doctor.finding import Place
from lockutils.observe.doctor.limit import run_within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockutils.observe.doctor.finding import Finding


def examine(lock_path: str | None = None) -> Iterator[Finding]:
    """Yield what there is to say of a lock directory and this interpreter, as it is found.

    :param lock_path: the directory; by default that of a lock that names none
    """
    checks = [*interpreter.CHECKS, *directory.CHECKS, *file_system.CHECKS, *files.CHECKS]
    return run_within(checks, Place(lock_path))
