"""Start the command, stand in for it until it has ended, and return what it returned.

Or become the command, where nobody is to stand in for it.
"""

from __future__ import annotations

import errno
import os
import signal

from lockutils.cli.above import VARIABLE
from lockutils.cli.report import CANNOT_RUN, NOT_FOUND, say
from lockutils.cli.signals import TAKEN, reached_the_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set

#: ENOTDIR is what is left of a search when the last entry of PATH is not a directory
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR)
#: POSIX shells know redirections of 0 to 9
_LAST_OF_SHELL = 9
#: Python ignores these at its start, and a program inherits what is ignored
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def run_child(command: list[str], mask: Set[int], held: str = "", hint: str = "") -> int:
    """Run ``command`` to its end.  The signals in ``TAKEN`` are blocked in all threads.

    :param mask: the signals that the command starts with blocked
    :param held: what to tell it of the locks that it runs under
    :param hint: what to say besides if there is no such command
    :return: the exit status that a shell would give it
    """
    try:
        _check(command)
        pid = os.posix_spawnp(
            command[0],
            command,
            _environment(held),
            setsigmask=mask,
            setsigdef=_IGNORED_BY_PYTHON,
        )
    except OSError as error:
        return _cannot_run(command, error, hint)
    # What came before there was a command reached us alone, also a Ctrl-C.  If it came in
    # the instant after, the command has got it, too, but cannot have a handler yet.
    return _stand_in(pid, set(signal.sigpending()))


def become_command(command: list[str], mask: Set[int], held: str = "", hint: str = "") -> int:
    """Replace this process by ``command``; as :func:`run_child`, returns only if that fails."""
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        _check(command)
        os.execvpe(command[0], command, _environment(held))
    except OSError as error:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # of our own message
        return _cannot_run(command, error, hint)


def _check(command: list[str]) -> None:
    if not command[0]:  # a ValueError to posix_spawnp
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _cannot_run(command: list[str], error: OSError, hint: str) -> int:
    is_there = error.errno not in _NOT_THERE
    say(f"cannot run {command[0]!r}: {error.strerror}{'' if is_there else hint}")
    return CANNOT_RUN if is_there else NOT_FOUND


def _stand_in(pid: int, early: set[int]) -> int:
    """Forward signals to the child ``pid`` until it ends.

    It is reaped here and nowhere else, so that ``pid`` cannot be another process meanwhile.
    """
    while True:
        info = signal.sigwaitinfo(TAKEN)
        number = info.si_signo
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
        elif info.si_pid == os.getpid():
            pass  # SIGPIPE: nobody reads our stderr
        elif number in early or not reached_the_group(info):
            early.discard(number)
            _forward(number, pid)


def _forward(number: int, pid: int) -> None:
    try:
        os.kill(pid, number)
    except PermissionError as error:  # it runs as another user by now
        say(f"cannot forward signal {number} to process {pid}: {error.strerror}")


def _environment(held: str) -> dict[bytes, bytes]:
    """The environment as we got it, with ``held`` in it.

    In the C locale Python sets ``LC_CTYPE``, for itself and for all programs it starts
    (PEP 538).  The kernel still shows what was there before.
    """
    environment = dict(os.environb)
    if held:
        environment[os.fsencode(VARIABLE)] = os.fsencode(held)
    if environment.get(b"LC_CTYPE") in (b"C.UTF-8", b"C.utf8", b"UTF-8"):
        try:
            with open("/proc/self/environ", "rb") as file:
                original = file.read().split(b"\0")
        except OSError:
            return environment
        if not any(entry.startswith(b"LC_CTYPE=") for entry in original):
            del environment[b"LC_CTYPE"]
    return environment


def occupy_low_descriptors() -> None:
    """Keep a lock file from getting a descriptor that the command has a use of its own for.

    As stdin, stdout or stderr, where we were started without, it would be read or written; as
    one of the others that a shell script can name, the script would put something else there,
    and hold the lock no longer.  What takes their place is open in this process alone.

    :raises OSError: if there are too many open files
    """
    while os.open("/", os.O_RDONLY | os.O_CLOEXEC) < _LAST_OF_SHELL:
        pass  # not /dev/null, which a bare root directory does not have
