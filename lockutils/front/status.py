"""``lockutils.status``: the holders and the waiters of a lock, by its name."""

from __future__ import annotations

from lockutils.backends.file.naming import key_of, name_of
from lockutils.front import settings
from lockutils.front.arguments import check_options, warn_of_path
from lockutils.front.lock import registry_of
from lockutils.observe.status import Status, look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.front.settings import StrPath
    from lockutils.local.lock_by_key import Semaphores


def status(
    name: str,
    lock_file_prefix: str | None = None,
    external: bool = False,
    lock_path: StrPath | None = None,
    semaphores: Semaphores | None = None,
) -> Status:
    """Return the holders and the waiters of the lock ``name`` at the moment.

    It takes and creates nothing, and nobody notices it: a single try at the same moment does not
    fail.  It names the threads and tasks of this process; with ``external`` also other processes,
    and other tools on the same lock file.  What cannot be known is ``None`` in the
    :class:`Holder`.

    The parameters and exceptions are those of :func:`lock`.
    """
    name = name_of(name)
    key = key_of(name, lock_file_prefix)
    check_options(external=external)
    if lock_path is not None and not external:
        warn_of_path(lock_path)
    backend = None
    if external and settings.process_locking():
        backend = settings.lock_directory(lock_path, make=False)
    return look(key, registry_of(semaphores).find(key), backend)
