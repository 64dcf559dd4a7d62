"""File systems of all kinds, each in a mount namespace that ends with the test that made it.

What runs in one is a process tree of its own.  Should the test be killed, the kernel kills
that tree (prctl(2), PR_SET_PDEATHSIG; pid_namespaces(7)), servers of FUSE among it; and with
the last process the mounts go, and the loop devices with them.
"""

import os
import shutil
import subprocess
from pathlib import Path

import lockutils

ROOT = Path(lockutils.__file__).parents[1]
#: when it has taken so long, in seconds, it hangs
PATIENCE = 200

_LOOP = (
    'truncate -s {size} "$1/image"; {make} "$1/image" >&2; mount -o loop{options} "$1/image" "$2"'
)
_OVERLAY = """
mount -t tmpfs none "$2"
mkdir "$2/lower" "$2/upper" "$2/work" "$2/merged"
{before}
mount -t overlay -o "lowerdir=$2/lower,upperdir=$2/upper,workdir=$2/work" none "$2/merged"
"""

#: by name: which tools make it, and how.  $1 is an empty directory, and $2 where to mount.
#: What is tested is in $2, or in $2/merged where there is one.
FILE_SYSTEMS = {
    "ext4": ("mkfs.ext4", _LOOP.format(size="32M", make="mkfs.ext4 -qF", options="")),
    "xfs": ("mkfs.xfs", _LOOP.format(size="320M", make="mkfs.xfs -q", options="")),
    "btrfs": ("mkfs.btrfs", _LOOP.format(size="128M", make="mkfs.btrfs -q", options="")),
    "tmpfs": ("", 'mount -t tmpfs none "$2"'),
    "ramfs": ("", 'mount -t ramfs none "$2"'),
    "overlay": ("", _OVERLAY.format(before="")),
    # served by a process: it leaves the locks to the kernel
    "bindfs": ("bindfs", 'bindfs "$1" "$2"'),
    "fuse2fs": (
        "fuse2fs mkfs.ext4",
        'truncate -s 32M "$1/image"; mkfs.ext4 -qF "$1/image"; fuse2fs "$1/image" "$2" 2>/dev/null',
    ),
    # this one is asked for each lock
    "bindfs that keeps the locks": (
        "bindfs",
        'bindfs --multithreaded --enable-lock-forwarding "$1" "$2"',
    ),
}

#: those that are made for one test
SPECIAL = {
    # the lock file is in the lower layer alone
    "overlay with a lower file": (
        "",
        _OVERLAY.format(before='touch "$2/lower/name"; chmod 666 "$2/lower/name"'),
    ),
    "tmpfs read-only": ("", 'mount -t tmpfs none "$2"; touch "$2/name"; mount -o remount,ro "$2"'),
    "tmpfs without inodes": ("", 'mount -t tmpfs -o nr_inodes=2 none "$2"; touch "$2/name"'),
    "ext4 that is full": (
        "mkfs.ext4",
        _LOOP.format(size="1M", make="mkfs.ext4 -qF -N 16", options="")
        + '; touch "$2/name"; i=0; while touch "$2/$i" 2>/dev/null; do i=$((i+1)); done',
    ),
}

_IN_NAMESPACE = ["setpriv", "--pdeathsig", "KILL", "--"]
_IN_NAMESPACE += ["unshare", "--mount", "--propagation", "private", "--pid", "--fork"]
_IN_NAMESPACE += ["--kill-child", "--mount-proc"]
#: the exit status if the kernel does not have it
_UNKNOWN = 77
_PROGRAM = """
set -eu
PATH="$PATH:/usr/sbin:/sbin"
# a directory that any user can reach
mount -t tmpfs -o mode=755 none /mnt
mkdir /mnt/made /mnt/mounted
mount_it() {{
{mount}
}}
mount_it /mnt/made /mnt/mounted || {{ grep -qw {kind} /proc/filesystems && exit 1; exit 77; }}
WHERE=/mnt/mounted
[ ! -d $WHERE/merged ] || WHERE=$WHERE/merged
[ ! -w $WHERE ] || chmod 1777 $WHERE
export WHERE TMPDIR=$WHERE
{program}
"""


def is_fuse(name):
    return name.startswith(("bindfs", "fuse2fs"))


class Missing(Exception):
    """This machine cannot have the file system; why."""


def run_in(name, program, *arguments):
    """Run a shell ``program``, with a file system of this name at ``$WHERE``.

    :return: what it prints
    :raises Missing: if this machine cannot have that
    """
    tools, mount = FILE_SYSTEMS.get(name) or SPECIAL[name]
    _check_rights()
    for tool in ["setpriv", "unshare", *tools.split()]:
        if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            raise Missing(f"{name}: there is no {tool}")
    if is_fuse(name) and not os.path.exists("/dev/fuse"):
        raise Missing(f"{name}: there is no /dev/fuse")
    kind = "fuse" if is_fuse(name) else name.split()[0]
    done = subprocess.run(
        [
            *_IN_NAMESPACE,
            *("sh", "-c", _PROGRAM.format(mount=mount, kind=kind, program=program), "sh"),
            *arguments,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode == _UNKNOWN:
        raise Missing(f"{name}: this kernel does not have it")
    assert done.returncode == 0, done.stdout
    return done.stdout


def _check_rights():
    if os.geteuid() != 0:
        raise Missing("only root may mount")
    tried = subprocess.run(
        [*_IN_NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if tried.returncode:
        raise Missing(f"root may not mount here: {tried.stdout.strip()}")
