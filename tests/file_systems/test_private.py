"""Mount namespaces as systemd makes them: the default directory is one, or it is an error."""

import json
import sys

import pytest
from mounts import Missing, run_in

from lockutils.backends.file.mounts import locate, parse

# Prints what becomes of two names in the default directory, one of which may be in use.
OUTCOMES = """
import json, os, sys
import lockutils
try:
    found = {"path": lockutils.get_lock_path()}
    for name in "name", "new":
        try:
            lock = lockutils.lock(name, external=True)
            found[name] = lock.acquire(blocking=False)
        except lockutils.LockPathError as error:
            found[name] = str(error)
except lockutils.LockPathError as error:
    found = str(error)
print(json.dumps(found))
"""
# $WHERE is an empty file system.  The process below has number 1 and sees what a host has.
HOST = """
unset LOCKUTILS_LOCK_PATH OSLO_LOCK_PATH
mkdir $WHERE/lock $WHERE/tmp $WHERE/private $WHERE/private/systemd-private-1-x.service-y
chmod 1777 $WHERE/lock $WHERE/tmp
mount --bind $WHERE/lock /run/lock
mount --bind $WHERE/tmp /var/tmp
ours() { "$1" -c "$2"; }
unit() {
    setup=$1; shift
    unshare --mount --propagation private sh -euc "$setup"'
        exec "$@"' sh "$@"
}
"""
# Fedora and others let nobody but root write in /run/lock.
FEDORA = "chmod 755 $WHERE/lock\n"
UNITS = {
    "PrivateTmp=yes": "mount --bind $WHERE/private /var/tmp",
    "PrivateTmp=disconnected": "mount -t tmpfs none /var/tmp",
    "TemporaryFileSystem=/run": "mount -t tmpfs none /run",
    "PrivatePIDs=": "mount --bind $WHERE/private/systemd-private-1-x.service-y /var/tmp; "
    'set -- unshare --pid --fork --kill-child --mount-proc "$@"',
    "ProtectProc=invisible": "mount -t tmpfs none /proc/1; mount -t tmpfs none /var/tmp",
}
ALL_ARE_ONE = {
    "nothing": "true",
    "ReadWritePaths=/var/tmp": "mount --bind /var/tmp /var/tmp",
    # the tests themselves may be below /tmp
    "another /tmp and TMPDIR": "mount --bind /tmp /tmp; export TMPDIR=$WHERE/private",
    "ProtectProc=invisible": "mount -t tmpfs none /proc/1",
}


CONTAINER = """
    mkdir $WHERE/root
    mount -t tmpfs none $WHERE/root
    for path in /*; do
        if [ -h $path ]; then
            cp -P $path $WHERE/root
        elif [ -d $path ] && [ $path != /mnt ]; then
            mkdir $WHERE/root$path
            mount --rbind $path $WHERE/root$path
        fi
    done
    mount -t tmpfs none $WHERE/root/run
    mount -t tmpfs none $WHERE/root/var/tmp
    set -- chroot $WHERE/root "$@"
"""


def run(program):
    """Run what prints a line as the process 1 of a host."""
    try:
        printed = run_in("tmpfs", HOST + program, sys.executable, OUTCOMES)
    except Missing as why:
        pytest.skip(str(why))
    return [json.loads(line) for line in printed.splitlines()]


@pytest.mark.parametrize("unit", UNITS)
def test_a_private_directory_is_an_error_that_says_what_to_set(unit):
    host, inside, told, left = run(f"""{FEDORA}
    ours "$@"
    unit '{UNITS[unit]}' "$1" -c "$2"
    export LOCKUTILS_LOCK_PATH=$WHERE/tmp/chosen
    unit '{UNITS[unit]}' "$1" -c "$2"
    ls -A $WHERE/private $WHERE/private/* | grep -c lockutils || true
    """)

    assert host == {"path": "/var/tmp/lockutils-0", "name": True, "new": True}
    assert "set $LOCKUTILS_LOCK_PATH for all who share the locks" in inside
    assert told == {"path": "/mnt/mounted/tmp/chosen", "name": True, "new": True}
    assert left == 0


@pytest.mark.parametrize("unit", ALL_ARE_ONE)
def test_where_it_is_not_private_all_meet(unit):
    (inside,) = run(f"""{FEDORA}
    ours "$1" 'import lockutils; lockutils.lock("new", external=True).acquire()'
    exec 9>/var/tmp/lockutils-0/name
    flock 9
    unit '{ALL_ARE_ONE[unit]}' "$1" -c "$2"
    """)

    assert inside == {"path": "/var/tmp/lockutils-0", "name": False, "new": True}


def test_a_container_is_a_host_of_its_own():
    """Also with the process 1 of another one, as in a pod that shares the process namespace."""
    (inside,) = run(f"""{FEDORA}
    unit '{CONTAINER}' "$1" -c "$2"
    """)

    assert inside == {"path": "/var/tmp/lockutils-0", "name": True, "new": True}


def test_a_read_only_directory_is_shared_where_the_file_is_there_and_else_an_error():
    """As with ProtectSystem=strict."""
    missing, inside = run("""
    strict='mount -o remount,bind,ro /run/lock'
    unit "$strict" "$1" -c "$2"
    ours "$1" 'import lockutils; lockutils.lock("name", external=True).acquire()'
    exec 9>/run/lock/lockutils-0/name
    flock 9
    unit "$strict" "$1" -c "$2"
    [ ! -e /var/tmp/lockutils-0 ]
    """)

    assert "Read-only file system: '/run/lock/lockutils-0' (by default): make it" in missing
    assert inside["path"] == "/run/lock/lockutils-0"
    assert inside["name"] is False
    assert "Read-only file system: '/run/lock/lockutils-0/new' (by default): " in inside["new"]
    assert "set $LOCKUTILS_LOCK_PATH for all who share the locks" in inside["new"]


def test_the_command_line_says_it_in_a_line():
    (printed,) = run("""
    chmod 755 $WHERE/lock
    export PYTHON="$1"
    for setup in 'mount -t tmpfs none /var/tmp' 'mount -o remount,bind,ro /var/tmp'; do
        unit "$setup" "$1" -m lockutils run --lock name echo ran || echo $?
    done 2>&1 | "$1" -c 'import json, sys; print(json.dumps(sys.stdin.read().splitlines()))'
    """)
    private, status, read_only, same = printed

    assert (status, same) == ("73", "73")
    assert private.startswith("lockutils: Other processes have another directory of this name")
    assert "$LOCKUTILS_LOCK_PATH" in private
    assert read_only.startswith(
        "lockutils: Read-only file system: '/var/tmp/lockutils-0' (by default): "
    )


HOST_MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
28 27 0:23 / /run rw - tmpfs tmpfs rw
29 28 0:24 / /run/lock rw - tmpfs tmpfs rw
30 27 254:1 / /var rw - ext4 /dev/vdb rw"""


@pytest.mark.parametrize(
    ("more", "path", "found"),
    [
        ("", "/", ("254:0", "/", "ext4")),
        ("31 27 0:9 / /a\r\x0cb\u2028c rw - ext4 x rw", "/", ("254:0", "/", "ext4")),
        ("", "/tmp", ("254:0", "/tmp", "ext4")),
        ("", "/run/lock", ("0:24", "/", "tmpfs")),
        ("", "/run/locksmith", ("0:23", "/locksmith", "tmpfs")),
        ("", "/var/tmp", ("254:1", "/tmp", "ext4")),
        ("31 30 254:1 /tmp /var/tmp rw - ext4 x rw", "/var/tmp", ("254:1", "/tmp", "ext4")),
        ("31 30 254:1 /a/b /var/tmp rw - ext4 x rw", "/var/tmp", ("254:1", "/a/b", "ext4")),
        ("31 29 0:30 / /run/lock rw - tmpfs x rw", "/run/lock", ("0:30", "/", "tmpfs")),
        # what is below a mount that was put over it is not to be seen
        ("31 28 0:30 / /run rw - tmpfs x rw", "/run/lock", ("0:30", "/lock", "tmpfs")),
        ("31 27 0:30 / / rw - overlay x rw", "/tmp", ("0:30", "/tmp", "overlay")),
    ],
)
def test_the_file_system_that_a_path_is_on(more, path, found):
    assert locate(parse(f"{HOST_MOUNTS}\n{more}".strip()), path) == found
    # in whatever order they come
    lines = f"{HOST_MOUNTS}\n{more}".strip().split("\n")
    assert locate(parse("\n".join(reversed(lines))), path) == found
