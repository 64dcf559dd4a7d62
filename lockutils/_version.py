"""The version, as the metadata of the installed package has it.

Imported when somebody asks: ``importlib.metadata`` takes longer than all of lockutils.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lockutils")
except PackageNotFoundError:  # it runs straight from its source
    __version__ = "0+unknown"
