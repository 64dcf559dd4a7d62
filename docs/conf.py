"""How Sphinx builds the documentation; ``sphinx-build -W --keep-going -n docs docs/_build``."""

import configparser
import pathlib
import sys

from pygments.lexers import BashLexer
from sphinx.highlighting import lexers

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

_metadata = configparser.ConfigParser(interpolation=None)
_metadata.read(ROOT / "setup.cfg", encoding="utf-8")

project = "lockutils"
release = version = _metadata["metadata"]["version"]
extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"lockutils {version}"
html_copy_source = False
html_show_copyright = False

man_pages = [("reference/command-line", "lockutils", "run a command under a lock", "", 1)]

nitpicky = True
nitpick_ignore = [("py:func", "traceback.format_stack")]  # the index of Python's is not at hand
# The types are in the source, and for type checkers; the text says what a value means.
autodoc_typehints = "none"
autodoc_member_order = "bysource"

lexers["crontab"] = BashLexer()  # Pygments has none
