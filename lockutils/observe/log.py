"""Debug log lines, for which logging is not imported: a program without it cannot want any.

And the warning of a long wait, for which it is.
"""

from __future__ import annotations

import sys

from lockutils.parking import may_import
from lockutils.parking.callback import importing

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

_DEBUG = 10
_modules = sys.modules
_logger: logging.Logger | None = None


def enabled() -> bool:
    """Whether anybody can see a debug line."""
    global _logger
    if _logger is None:
        # absent while another thread is importing it
        get_logger = getattr(_modules.get("logging"), "getLogger", None)
        if get_logger is None:
            return False
        _logger = get_logger("lockutils")
    return _logger is not None and _logger.isEnabledFor(_DEBUG)


def acquiring(name: str, by: bool | str) -> None:
    """Log a line about the lock ``name``, quoted, since a name may contain line breaks.

    :param by: the function on whose behalf, if a string
    """
    _debug("Acquiring lock %r", by, name)


def acquired(name: str, by: bool | str, waited: float) -> None:
    _debug("Acquired lock %r", by, name, " :: waited %.3fs", waited)


def released(name: str, by: bool | str, held: float) -> None:
    _debug("Released lock %r", by, name, " :: held %.3fs", held)


def warn(text: str) -> None:
    """Log a warning.  Nobody who has not set up logging misses it: Python writes it to stderr."""
    if "logging" in _modules or may_import():
        with importing:
            import logging

        try:
            logging.getLogger("lockutils").warning("%s", text)
        except Exception:
            pass  # of a handler of the log; the wait that it tells of must go on


#: what is called with the notice of a long wait; the command line has one of its own
notice: Callable[[str], object] = warn


def _debug(what: str, by: bool | str, name: str, how_long: str = "", *seconds: float) -> None:
    assert _logger is not None
    whose, names = (" by %r", (name, by)) if isinstance(by, str) else ("", (name,))
    message = what + whose + how_long
    _logger.debug(message, *names, *seconds)
