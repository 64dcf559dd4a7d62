"""``python -m lockutils`` is the program ``lockutils``."""

from __future__ import annotations

import sys

from lockutils.cli import main

if __name__ == "__main__":
    sys.exit(main())
