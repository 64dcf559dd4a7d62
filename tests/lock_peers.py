"""Other processes and threads for tests of locks, and how to know that they wait."""

import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path

import lockutils

#: seconds until a test gives up on what should happen at once; nothing is ever measured by it
WATCHDOG = 30.0

#: the beginning of a program that is told a library of greenthreads, and whether to patch by it
GREENTHREADS = """
import sys
library, patched = sys.argv[1], sys.argv[2] == "patched"
if library == "eventlet":
    import eventlet
    if patched:
        eventlet.monkey_patch()
    spawn, sleep = eventlet.spawn, eventlet.sleep
    def join(greenlet):
        return greenlet.wait()
else:
    import gevent
    if patched:
        from gevent import monkey
        monkey.patch_all()
    spawn, sleep = gevent.spawn, gevent.sleep
    def join(greenlet):
        return greenlet.get()
"""

#: a program that acquires a lock, says so, and releases it when it is sent a line
HOLDER = """
import os, sys
import lockutils
lock = lockutils.{}
lock.acquire()
print("held", flush=True)
sys.stdin.readline()
lock.release()
print("released", flush=True)
sys.stdin.readline()
"""
OURS = "lock('name', external=True, lock_path=sys.argv[1])"
# As HOLDER, of what polls: says "tries" when its first try has failed.
POLLER = HOLDER.replace(
    "lock.acquire()",
    """from time import sleep
tries = ["tries"]
lock.sleep_func = lambda seconds: tries and print(tries.pop(), flush=True) or sleep(seconds)
lock.acquire()""",
)
FILE_LOCK = "external_lock('name', lock_path=sys.argv[1])"

_ROOT = str(Path(lockutils.__file__).parents[1])


def run_python(source, *arguments, options=()):
    """Run ``source`` in a fresh interpreter; return what it prints.

    :param options: of the interpreter
    """
    done = subprocess.run(
        [sys.executable, *options, "-c", source, *arguments],
        env={**os.environ, "PYTHONPATH": _ROOT},
        capture_output=True,
        text=True,
        timeout=WATCHDOG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Peer:
    """A process that says in lines what it does, and goes on when it is sent a line."""

    def __init__(self, *argv, env=None, **options):
        self.process = subprocess.Popen(
            [os.fspath(word) for word in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": _ROOT, **(env or {})},
            **options,
        )

    def hear(self):
        """The next line, without its end; empty when the process has ended."""
        ready, _, _ = select.select([self.process.stdout], [], [], WATCHDOG)
        assert ready, "the peer says nothing"
        return self.process.stdout.readline().decode().rstrip("\n")

    def has_spoken(self):
        """Whether there is something to hear."""
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def tell(self, line=""):
        self.process.stdin.write(f"{line}\n".encode())

    def ask(self, line=""):
        self.tell(line)
        return self.hear()

    def end(self):
        """Let it run to its end; return its exit status."""
        self.process.stdin.close()
        return self.process.wait(WATCHDOG)

    def kill(self):
        """SIGKILL; what it held is free when this returns."""
        self.process.kill()
        self.process.wait(WATCHDOG)

    def close(self):
        self.process.stdin.close()
        self.kill()
        self.process.stdout.close()


class Peers:
    """Starts peers and sees to their end."""

    def __init__(self):
        self._started = []

    def start(self, *argv, **options):
        peer = Peer(*argv, **options)
        self._started.append(peer)
        return peer

    def python(self, source, *args, **options):
        return self.start(sys.executable, "-c", source, *args, **options)

    def close(self):
        for peer in self._started:
            peer.close()


def kill_at_any_instant(workers, start, kills, chance):
    """Kill one worker after the other, and ``start`` another in its place.

    :return: what the killed ones have printed
    """
    printed = ""
    for _ in range(kills):
        # not a wait for anything: the instant is to be any
        time.sleep(chance.random() / 10)
        victim = workers.pop(chance.randrange(len(workers)))
        victim.kill()
        printed += victim.communicate()[0] or ""
        workers.append(start())
    return printed


class Background:
    """A call in a native thread of its own."""

    def __init__(self, call, *args, **options):
        self._call = call
        self._args = args
        self._options = options
        self._outcome = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self._outcome = (self._call(*self._args, **self._options), None)
        except BaseException as error:
            self._outcome = (None, error)

    def join(self, timeout=WATCHDOG):
        """Whether it is over."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def result(self):
        assert self.join(), "the call does not return"
        value, error = self._outcome
        if error is not None:
            raise error
        return value


def until(condition, what):
    """Wait until ``condition`` is true; there is no event for it but its coming true."""
    deadline = time.monotonic() + WATCHDOG
    while not condition():
        assert time.monotonic() < deadline, f"not within {WATCHDOG} s: {what}"
        time.sleep(0.001)


def waiters(path):
    """The kinds of lock that somebody sleeps for on this file: FLOCK, OFDLCK, POSIX."""
    inode = f":{os.stat(path).st_ino}"
    kinds = []
    with open("/proc/locks") as table:
        for line in table:
            _, *fields = line.split()
            if fields[0] == "->" and fields[5].endswith(inode):
                kinds.append(fields[1])
    return kinds


def sleeps_for_a_lock(pid):
    """Whether a thread of the process sleeps in the kernel for a lock, as proc(5) has it.

    A waiter for one of several slots sleeps until the file is closed, by inotify(7).

    Not by /proc/locks, which is handed out page by page: when others change it meanwhile, a
    line may come twice or not at all.
    """
    for path in Path(f"/proc/{pid}/task").glob("*/wchan"):
        try:
            place = path.read_text()
        except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            continue
        if "lock_inode" in place or "setlk" in place:
            return True
        if place == "wait_woken" and opens(pid, "anon_inode:inotify"):
            return True
    return False


def opens(pid, path):
    """Whether the process has this file open."""
    directory = f"/proc/{pid}/fd"
    for number in os.listdir(directory):
        try:
            if os.readlink(f"{directory}/{number}") == str(path):
                return True
        except FileNotFoundError:
            pass
    return False


def is_free(name, *args, **options):
    """Whether the lock can be had at the moment."""
    lock = lockutils.lock(name, *args, **options)
    if not lock.acquire(blocking=False):
        return False
    lock.release()
    return True


def until_waited_for(path, *kinds):
    """Return when somebody sleeps for a lock on this file, of one of ``kinds`` if any."""
    until(
        lambda: any(not kinds or kind in kinds for kind in waiters(path)),
        f"somebody waits for {path}",
    )


def open_descriptors(pid="self"):
    """What the descriptors of a process are open on."""
    folder, found = f"/proc/{pid}/fd", {}
    for number in os.listdir(folder):
        try:
            found[number] = os.readlink(f"{folder}/{number}")
        except FileNotFoundError:  # closed meanwhile, as the one that listed the directory is
            pass
    return found
