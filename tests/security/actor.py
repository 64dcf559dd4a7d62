"""What an actor runs: see users.py.  Becomes the user that is its first argument, and obeys.

The other arguments are the groups of that user.

Each line that it is sent is a piece of source and the variables to run it with.  All that may be
needed is imported first, since the user may not be able to read it.
"""

import asyncio
import fcntl
import importlib
import json
import logging
import os
import pkgutil
import struct
import sys

import lockutils

for module in pkgutil.walk_packages(lockutils.__path__, "lockutils."):
    if not module.name.endswith(("portable", "fixture", "opts", "on_eventlet", "on_gevent")):
        importlib.import_module(module.name)
assert lockutils.parking.callback.why_not() is None  # which imports ctypes
lockutils.stop_watching_order = lockutils.debug.stop_watching_order


def take(name, way="lock", **options):
    """Acquire a lock, and keep it; return whether it is held."""
    name = str(name)
    if way == "external_lock":
        handle = lockutils.external_lock(name, lock_path=options.pop("lock_path", None))
        if handle.acquire(**options):
            held.append(handle)
            return True
        return False
    limit = {one: options.pop(one) for one in ("blocking", "timeout") if one in options}
    options.update(
        {"shared": {"shared": True}, "slots": {"slots": 2}, "fair": {"fair": True}}.get(way, {})
    )
    if way == "lock_all":
        handle = lockutils.lock_all(["0", name], external=True, **options)
    else:
        handle = lockutils.lock(name, external=True, **options)
    if way == "task":
        got = asyncio.run(handle.async_acquire(**limit))
    elif way == "timeout" and not limit:
        got = handle.acquire(timeout=60)
    else:
        got = handle.acquire(**limit)
    if got:
        held.append(handle)
    return got


def remove(name, lock_path=None):
    lockutils.remove_external_lock_file(name, lock_path=lock_path)


def drop():
    """Release all that is held; return how much that was."""
    number = len(held)
    while held:
        held.pop().release()
    return number


def descriptors():
    """How many are open; /proc/self/fd is root's, for who was root."""
    number = 0
    for descriptor in range(256):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        number += 1
    return number


def look(path):
    """What there is to see of a file from outside."""
    status = os.lstat(path)
    return [status.st_ino, status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns]


held = []
spans = []


def lock_span(path, kind, start, length, flags=os.O_RDONLY):
    """Put a record lock on a part of a file, and keep it."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    spans.append(descriptor)
    number = {"read": fcntl.F_RDLCK, "write": fcntl.F_WRLCK}[kind]
    lock = struct.pack("hhqqi4x", number, os.SEEK_SET, start, length, 0)
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, lock)


class Lines(logging.Handler):
    """What lockutils logs."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


log = Lines()
logging.getLogger("lockutils").addHandler(log)
logging.getLogger("lockutils").propagate = False


def run(source, values):
    names.update(values)
    try:
        code = compile(source, "<told>", "eval")
    except SyntaxError:
        exec(compile(source, "<told>", "exec"), names)
        return None
    return eval(code, names)


def main():
    if len(sys.argv) > 1:
        os.setgroups([int(group) for group in sys.argv[2:]])
        os.setgid(int(sys.argv[1]))
        os.setuid(int(sys.argv[1]))
    os.umask(0o022)
    print("ready", flush=True)
    for line in sys.stdin:
        source, values = json.loads(line)
        try:
            answer = {"value": run(source, values)}
        except BaseException as error:
            answer = {
                "kind": [one.__name__ for one in type(error).__mro__],
                "text": str(error),
                "said": repr(error),
                "filename": getattr(error, "filename", None),
            }
        print(json.dumps(answer, default=repr), flush=True)


names = globals()
if __name__ == "__main__":
    main()
