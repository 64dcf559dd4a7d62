"""A process that has imported all that one kind needs, and forks one on demand.

Run as: python -m chaos.nursery KIND HOME.  A line of its input is the job of a process in JSON,
and it answers with its process number.  So ten thousand may be killed without as many imports.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys

from chaos.worker import import_kind, live

#: of prctl(2)
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def main() -> None:
    kind, home = sys.argv[1:]
    run = import_kind(kind)
    from chaos.life import Job

    _end_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders = os.fdopen(0, closefd=False)
    while line := orders.readline():
        child = os.fork()
        if not child:
            try:
                _be_alone()
                live(Job.of(json.loads(line)), run, f"{home}/errors")
            finally:
                os._exit(0)
        print(child, flush=True)


def _end_with_parent() -> None:
    """When a run is killed as a whole, nobody goes on, nor stays stopped."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _be_alone() -> None:
    """Have no descriptors of the nursery's, lest its end be noticed late."""
    _end_with_parent()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


if __name__ == "__main__":
    main()
