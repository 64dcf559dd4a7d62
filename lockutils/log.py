"""Debug log lines.  logging is not imported: a program without it cannot want any."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging

_DEBUG = 10
_modules = sys.modules
_logger: logging.Logger | None = None


def enabled() -> bool:
    """Whether anybody can see a debug line."""
    global _logger
    if _logger is None:
        module = _modules.get("logging")
        if module is None:
            return False
        # absent while another thread is importing it
        get_logger = getattr(module, "getLogger", None)
        if get_logger is None:
            return False
        _logger = get_logger("lockutils")
    return _logger is not None and _logger.isEnabledFor(_DEBUG)


def debug(message: str, name: str, seconds: float) -> None:
    """Log a line about the lock ``name``; quoted, since a name may contain line breaks."""
    assert _logger is not None
    _logger.debug(message, name, seconds)
