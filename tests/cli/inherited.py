"""Commands that print what they have inherited."""

from __future__ import annotations

import sys

#: writes its descriptors to the one that is its first word
DESCRIPTORS = """\
import os, sys
for name in sorted(os.listdir("/proc/self/fd"), key=int):
    try:
        line = f"{name} {os.readlink('/proc/self/fd/' + name)}\\n"
    except FileNotFoundError:
        continue  # of the listing itself
    os.write(int(sys.argv[1]), line.encode())
"""
LIST_DESCRIPTORS = (sys.executable, "-c", DESCRIPTORS)

#: without handlers or a mask of its own; a shell has some
SHOW_SIGNALS = ("cat", "/proc/self/status")
#: glibc keeps these for itself, and ignores them in what posix_spawn starts
GLIBCS_OWN = 1 << 32 - 1 | 1 << 33 - 1


def descriptors(lines):
    return dict(line.split(" ", 1) for line in lines.splitlines())


def signal_sets(status):
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    return [int(fields[field], 16) & ~GLIBCS_OWN for field in ("SigBlk", "SigIgn", "SigCgt")]
