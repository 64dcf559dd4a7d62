"""Signals of a process that waits for a lock, and then stands in for its command.

While the command runs, every signal meant for it is blocked in every thread, and taken by
``sigwaitinfo``.  The library starts threads for waits with a time-out, and those outlive the
wait.  A thread inherits the mask of the one that starts it, so the main thread blocks the
signals from the beginning; a thread of our own that does not block them is there, while we
wait for a lock, to let a signal end the process as it would end any other.

The init process of a pid namespace, such as a container, is ended by no signal that it has no
handler for (pid_namespaces(7)).  There that thread takes the signals, and ends the process.
"""

from __future__ import annotations

import os
import signal
from signal import SIG_BLOCK, SIG_DFL, SIG_SETMASK, SIGCHLD, pthread_sigmask

from lockutils.parking.native import allocate_lock, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set

_KEPT = {
    # nobody can catch these
    signal.SIGKILL,
    signal.SIGSTOP,
    # the terminal sends these to the whole group: job control stops and continues both of us
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGCONT,
    # faults and limits of the process itself
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGSYS,
    signal.SIGXCPU,
    signal.SIGXFSZ,
}
#: for the command, and for SIGCHLD
TAKEN = frozenset(signal.valid_signals() - _KEPT)

#: these end nobody
_HARMLESS = {SIGCHLD, signal.SIGURG, signal.SIGWINCH}

#: sent by the kernel on nobody's behalf (sigaction(2), Linux)
_SI_KERNEL = 0x80
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH)


class Signals:
    """From here on signals wait, but for the time between :meth:`let_in` and :meth:`keep_out`."""

    def __init__(self) -> None:
        #: the mask that we were started with, for the command
        self.mask: Set[int] = pthread_sigmask(SIG_BLOCK, TAKEN)
        self._stay = allocate_lock()
        self._gone = allocate_lock()
        self._let_in = False
        #: the thread that takes the signals of an init process
        self._taker = 0
        # Python's own handler would answer with a traceback.  Ignored by whoever started us,
        # as under nohup(1), stays ignored.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, SIG_DFL)
        # If it was ignored, the kernel would reap the command and drop its status.
        signal.signal(SIGCHLD, SIG_DFL)

    def let_in(self) -> None:
        """Let a signal end the process, until :meth:`keep_out`."""
        if self._let_in:
            return
        self._let_in = True
        self._stay.acquire()
        self._gone.acquire()
        try:
            if os.getpid() == 1:
                self._taker = start_new_thread(self._take, ())
            else:
                start_new_thread(self._be_open, ())
        except RuntimeError:  # no thread to be had, for the library neither
            self._gone.release()
            pthread_sigmask(SIG_SETMASK, self.mask)

    def _be_open(self) -> None:
        pthread_sigmask(SIG_SETMASK, self.mask)
        self._stay.acquire()
        pthread_sigmask(SIG_BLOCK, TAKEN)
        self._gone.release()

    def _take(self) -> None:
        fatal = {
            number
            for number in TAKEN - _HARMLESS - set(self.mask)
            if signal.getsignal(number) is SIG_DFL
        }
        while True:
            info = signal.sigwaitinfo(fatal | {SIGCHLD})
            if info.si_signo in fatal:
                os._exit(128 + info.si_signo)
            if info.si_pid == os.getpid():  # and not of a process that we were given as a child
                self._gone.release()
                return

    def keep_out(self) -> None:
        """Make signals wait again."""
        if self._let_in:
            if self._taker:
                signal.pthread_kill(self._taker, SIGCHLD)
            self._stay.release()
            self._gone.acquire()
            pthread_sigmask(SIG_BLOCK, TAKEN)


def reached_the_group(info: signal.struct_siginfo) -> bool:
    """Whether the kernel sent this to all of our process group, and so to the command, too."""
    if info.si_code != _SI_KERNEL:
        return False
    if info.si_signo == signal.SIGHUP:
        # The leader of a session is told alone that the terminal is gone.  The group is told
        # when the leader has ended.
        return os.getsid(0) != os.getpid()
    return info.si_signo in _FROM_TERMINAL
