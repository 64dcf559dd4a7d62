"""Make a virtual environment of this tree below ``.venv``, unless it is there already.

    _venv.py run POINTER    lockutils alone, installed as a user would install it; the file
                            .venv/POINTER then names the directory, and its time is when the
                            source was last seen to be what is installed there
    _venv.py EXTRA,...      these extras, and lockutils straight from the tree

The path is printed.  Any number may be started at once: one builds, the others wait for it.
A directory is built where it stays, is never changed, and a new source gets a new one, so that
nothing is pulled out from under a command that runs.

No syntax that is newer than 3.6: an old interpreter must get as far as the complaint about its
age.
"""

import configparser
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOME = os.path.join(ROOT, ".venv")
COMPLETE = "complete"
KEPT = 7 * 24 * 60 * 60  # seconds after its last use that one is left: a command may still run

# In place of the script that pip makes: that one imports re, for half the time python needs.
LAUNCHER = """\
import sys

from lockutils.cli import main

sys.exit(main())
"""


def main(what, pointer=None):
    os.makedirs(HOME, exist_ok=True)
    with open(os.path.join(HOME, "lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Should this process be killed, a pip that goes on keeps the next one out.
        os.set_inheritable(lock.fileno(), True)
        # A file system's clock may be some milliseconds behind.
        seen = time.time_ns() - 20 * 1000 * 1000
        wanted = source_files() if what == "run" else {"requirements": requirements()}
        name = f"{what.replace(',', '+')}-{version()}-{digest(wanted)}"
        path = os.path.join(HOME, name)
        complete = os.path.join(path, COMPLETE)
        if not os.path.exists(complete):
            if what != "run" or sys.stderr.isatty():
                say("making .venv/" + name)
            shutil.rmtree(path, ignore_errors=True)
            if what == "run":
                build_for_run(path, wanted)
            else:
                build_for_development(path, what)
        touch(complete)
        if pointer is not None:
            point(os.path.join(HOME, pointer), name, seen)
        sweep(name)
    sys.stdout.write(path + "\n")


# --- what decides whether a new one is needed


def source_files():
    """Return the files that are installed, by path."""
    paths = ["setup.cfg", "pyproject.toml", "README.rst", "LICENSE"]
    for folder, folders, names in os.walk(os.path.join(ROOT, "lockutils")):
        folders[:] = [name for name in folders if name != "__pycache__"]
        paths += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names]
    contents = {}
    for path in sorted(paths):
        try:
            with open(os.path.join(ROOT, path), "rb") as file:
                contents[path] = file.read()
        except FileNotFoundError:
            continue  # an editor's, gone again, or a readme that is not written yet
    return contents


def requirements():
    """Return what an installation from the tree depends on: not on how the tools are set."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(os.path.join(ROOT, "setup.cfg"), encoding="utf-8")
    sections = [name for name in config.sections() if name.startswith(("metadata", "options"))]
    return repr([(name, sorted(config.items(name))) for name in sorted(sections)]).encode()


def digest(contents):
    with open(__file__, "rb") as file:
        parts = [file.read(), os.fsencode(interpreter()), os.fsencode(ROOT)]
    for path, content in contents.items():
        parts += [os.fsencode(path), content]
    whole = hashlib.sha256()
    for part in parts:
        whole.update(b"%d:" % len(part) + part)
    return whole.hexdigest()[:12]


def version():
    return "%d.%d" % sys.version_info[:2]


def interpreter():
    """Return the interpreter by the name that does not move when "python3" becomes another."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


# --- building


def build_for_run(path, files):
    pip = make(path)
    source = os.path.join(path, "source")  # setuptools leaves its traces where it builds
    for name, content in files.items():
        file = os.path.join(source, name)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "wb") as copy:
            copy.write(content)
    call([*pip, "install", "--quiet", source])
    shutil.rmtree(source)
    if "--python" not in pip:
        # lockutils alone: setuptools puts a hook into every start of the interpreter
        call([*pip, "uninstall", "--quiet", "--yes", "setuptools", "pip"])
    with open(os.path.join(path, "lockutils"), "w") as launcher:
        launcher.write(LAUNCHER)


def build_for_development(path, extras):
    # "compat": a plain line in a .pth file, where the default is an import hook
    settings = ["--config-settings", "editable_mode=compat"]
    call([*make(path), "install", "--quiet", *settings, "--editable", f"{ROOT}[{extras}]"])


def make(path):
    """Make an empty environment; return the command that is pip for it."""
    call([interpreter(), "-I", "-m", "venv", "--without-pip", path])
    python = os.path.join(path, "bin", "python")
    options = ["--disable-pip-version-check", "--no-input"]
    if works(python, "ensurepip"):
        call([python, "-I", "-m", "ensurepip", "--default-pip"])
        return [python, "-I", "-m", "pip", *options]
    if not works(sys.executable, "pip"):
        fail(f"{sys.executable} has neither ensurepip nor pip: install python3-venv")
    return [sys.executable, "-m", "pip", "--python", python, *options]


def works(python, module):
    command = [python, "-c", "import " + module]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def call(command):
    null, pipe, same = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
    done = subprocess.run(
        command, stdin=null, stdout=pipe, stderr=same, close_fds=False, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        fail("failed: " + " ".join(command))


# --- bookkeeping


def touch(path):
    with open(path, "a"):
        os.utime(path)


def pointer_paths():
    return [os.path.join(HOME, name) for name in os.listdir(HOME) if name.startswith("@")]


def target_of(pointer):
    try:
        with open(pointer) as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def point(pointer, name, seen):
    old = target_of(pointer)
    if old is not None and old != name and os.path.exists(os.path.join(HOME, old, COMPLETE)):
        touch(os.path.join(HOME, old, COMPLETE))  # the time it is kept begins now
    temporary = os.path.join(HOME, "new")
    with open(temporary, "w") as file:
        file.write(name + "\n")
    os.utime(temporary, ns=(seen, seen))
    os.replace(temporary, pointer)


def sweep(name):
    """Remove what nobody will use again; the caller has the lock, so nothing is half built."""
    used = {name, *map(target_of, pointer_paths())}
    for other in os.listdir(HOME):
        path = os.path.join(HOME, other)
        if other in used or not os.path.exists(os.path.join(path, "pyvenv.cfg")):
            continue
        complete = os.path.join(path, COMPLETE)
        if not os.path.exists(complete) or time.time() - os.stat(complete).st_mtime > KEPT:
            shutil.rmtree(path, ignore_errors=True)


def say(text):
    sys.stderr.write(f"lockutils: {text}\n")


def fail(text):
    say(text)
    sys.exit(1)


if __name__ == "__main__":
    if sys.version_info < (3, 10):
        fail(
            f"needs Python 3.10 or later, and {sys.executable} is {version()};"
            " PYTHON=... names another"
        )
    try:
        main(*sys.argv[1:])
    except OSError as error:
        fail(error)
