"""Print the path of a virtual environment of this tree, after making it if it is not there.

    _venv.py EXTRAS [NAME]

It has lockutils straight from the tree, and what EXTRAS need.  Its name below .venv tells all that
decides its contents: nobody changes an environment, since others may be using it.
"""

import sys

if sys.version_info < (3, 10):  # no syntax here is newer than 2.7, so that old ones say this
    sys.exit("lockutils: %s is older than 3.10; PYTHON=... names another" % sys.executable)
try:
    import ensurepip  # noqa: F401 (this is what Debian's python3 lacks without python3-venv)
except ImportError:
    sys.exit("lockutils: %s has no venv; PYTHON=... names another" % sys.executable)

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".venv"
PYTHON = os.path.realpath(sys._base_executable)  # "python3" may become another interpreter


def make(path, extras):
    if extras or sys.stderr.isatty():
        sys.stderr.write("lockutils: making %s\n" % path)
    shutil.rmtree(path, ignore_errors=True)
    call(PYTHON, "-Im", "venv", path)
    python = path / "bin/python"
    # setuptools has a hook that delays every start; pip has --config-settings since 22.1
    call(python, "-Im", "pip", "-qq", "uninstall", "--yes", "setuptools")
    call(python, "-Im", "pip", "-qq", "install", "pip>=22.1")
    # "compat": a path in a .pth file in place of an import hook, which is slow
    source = ".[%s]" % extras if extras else "."
    options = ("--prefer-binary", "--config-settings=editable_mode=compat", "--editable", source)
    call(python, "-Im", "pip", "-qq", "install", *options)
    # In place of pip's script, which may import re: that takes half as long as all of Python.
    (path / "lockutils").write_text("import sys\nfrom lockutils.cli import main\nsys.exit(main())")


def call(*command):
    if subprocess.call(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=2, close_fds=False):
        sys.exit("lockutils: failed: " + " ".join(map(str, command)))


extras = sys.argv[1]
if extras == "test" and "t" not in sys.abiflags:
    extras = "test,greenthreads"  # which need the GIL
made_of = [(ROOT / name).read_text("utf-8") for name in ("setup.cfg", "pyproject.toml")]
made_of += [sys.version, PYTHON, ROOT, Path(__file__).read_text("utf-8")]
digest = hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]
path = HOME / (sys.argv[2] if sys.argv[2:] else sys.argv[1] + "-" + digest)
HOME.mkdir(exist_ok=True)
with (HOME / "lock").open("a") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock.fileno(), True)  # a pip that outlives us keeps others out
    if not (path / "complete").exists() or not (path / "bin/python").exists():
        make(path, extras)
    (path / "complete").touch()
    for complete in HOME.glob("*/complete"):
        if complete.stat().st_mtime < time.time() - 7 * 24 * 60 * 60:  # since its last use
            shutil.rmtree(complete.parent, ignore_errors=True)
print(path)
