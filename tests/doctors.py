"""``lockutils doctor`` in a process of its own, and what it found."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lockutils

SOURCE = str(Path(lockutils.__file__).parents[1])
MAIN = "import sys; from lockutils.cli import main; sys.exit(main())"
#: the beginning of a program that has another directory for the default ones of all users
WITH_PARENT = """
from lockutils.front import settings
settings.default_parent = lambda: {!r}
"""
#: another user, who can read whatever the interpreter needs, but write nowhere
USER = 65531
_CAPABILITY = "+dac_read_search"


def as_user(number):
    """The words that run a program as this user."""
    words = ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"]
    return [*words, f"--inh-caps={_CAPABILITY}", f"--ambient-caps={_CAPABILITY}"]


AS_USER = as_user(USER)
needs_users = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can be another user"
)


class Report:
    """What it found, from its JSON.

    :ivar status: the exit status
    """

    def __init__(self, status, text):
        self.status = status
        self.found = json.loads(text)["checks"]

    def of(self, check, level=None):
        """The findings of a check, those of a level if any: messages and advice in one text."""
        return "\n".join(
            f"{one['message']} -> {one['advice']}" if one["advice"] else one["message"]
            for one in self.found
            if one["check"] == check and level in (None, one["level"])
        )

    def wrong(self):
        """The checks that are not ok, each with its level."""
        return {one["check"]: one["level"] for one in self.found if one["level"] != "ok"}


def environment(**variables):
    """The environment of a user who has set nothing but these variables."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": SOURCE, **{name: str(it) for name, it in variables.items()}}


def examine(*words, main=MAIN, before=(), env=None, **options):
    """Run it to its end.

    :param main: the program
    :param before: words that run the interpreter, as ``setpriv ...``
    """
    words = [*before, sys.executable, "-c", main, "doctor", "--json", *words]
    settings = {"env": environment(), "umask": 0o022, **options}
    if env is not None:
        settings["env"] = env
    done = subprocess.run(
        [os.fspath(word) for word in words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        **settings,
    )
    assert done.stderr == b""
    return Report(done.returncode, done.stdout)
