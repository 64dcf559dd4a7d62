"""What ``lockutils doctor`` says of file systems: real ones, where they can be mounted."""

import json
import sys

import pytest
from doctors import MAIN, Report
from mounts import FILE_SYSTEMS, Missing, run_in

from lockutils.backends.file.mounts import options_of
from lockutils.observe.doctor.file_system import judge, locks
from lockutils.observe.doctor.finding import Place
from lockutils.observe.doctor.limit import PATIENCE

#: prints a line for each report
DOCTOR = """
unset LOCKUTILS_LOCK_PATH OSLO_LOCK_PATH
export LOCKUTILS_FILE_MODE=666
python=$1 main=$2
doctor() {
    printf '['
    "$python" -c "$main" doctor --json "$@" && printf ',0]\\n' || printf ',%s]\\n' $?
}
"""


def run(name, program):
    """Run what calls ``doctor``, with a file system of this name; return the reports."""
    try:
        printed = run_in(name, DOCTOR + program, sys.executable, MAIN)
    except Missing as why:
        pytest.skip(str(why))
    decoder, reports = json.JSONDecoder(), []
    while (start := printed.find("[{")) >= 0:  # what makes a file system may print, too
        printed = printed[start:]
        (found, status), end = decoder.raw_decode(printed)
        printed = printed[end:]
        reports.append(Report(status, json.dumps(found)))
    return reports


@pytest.mark.parametrize("name", ["ext4", "xfs", "btrfs", "tmpfs", "ramfs", "overlay"])
def test_with_which_nothing_is_wrong(name):
    (report,) = run(name, "doctor $WHERE")
    assert report.of("file system").startswith(f"{name}, device ")
    assert report.of("locks") == "flock and record locks, independent of each other"
    assert {**report.wrong(), "space": ""} == {"space": ""}  # some have little room
    assert report.status == int("space" in report.wrong())


@pytest.mark.parametrize("name", [name for name in FILE_SYSTEMS if name.startswith("bindfs")])
def test_of_a_server(name):
    (report,) = run(name, 'doctor $WHERE; [ -z "$(ls -A $WHERE)" ]')
    assert report.of("file system").startswith("fuse")
    assert report.of("locks")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tmpfs read-only", "Read-only file system -> make it writable, as by ReadWritePaths="),
        ("tmpfs without inodes", "No space left on device -> make room"),
        ("ext4 that is full", "No space left on device -> make room"),
    ],
)
def test_on_which_no_file_can_be_made(name, said):
    there, missing = run(name, "doctor $WHERE; doctor $WHERE/missing")
    assert f"no file can be made in it: {said}" in there.of("directory", "problem")
    assert f"is missing and cannot be made: {said}" in missing.of("directory", "problem")
    assert there.status == missing.status == 2
    if "read-only" not in name:
        assert there.wrong()["space"] == "warning"


def test_that_does_not_answer():
    """The server is stopped; what hangs goes on when that does, and leaves nothing behind."""
    program = """
    kill -STOP $(pidof bindfs)
    doctor $WHERE | cat  # which does not wait for what hangs
    kill -CONT $(pidof bindfs)
    doctor $WHERE
    while pgrep python >&2; do sleep 0.01; done
    [ -z "$(ls -A $WHERE)" ]
    """
    hung, answered = run("bindfs", program)
    assert hung.status == 2
    assert hung.found[-1]["message"] == f"no answer within {PATIENCE:.0f} seconds"
    assert "findmnt" in hung.found[-1]["advice"]
    assert hung.found[-1]["check"] == "directory"
    assert hung.of("choice").startswith("/mnt/mounted")
    assert answered.wrong() == {}


def test_without_proc():
    without, there = run(
        "tmpfs",
        """
        unshare --mount sh -c 'mount -t tmpfs none /proc; "$@"' sh \
            "$python" -c "$main" doctor --json $WHERE >$WHERE/../report || status=$?
        printf '['; cat $WHERE/../report; printf ',%s]\\n' $status
        doctor $WHERE
        """,
    )
    assert without.wrong() == {"processes": "warning"}
    assert "there is no /proc/locks" in without.of("processes")
    assert "not known" in without.of("file system")
    assert "an unknown number in use" in without.of("lock files")
    assert there.wrong() == {}


def test_with_processes_of_others_hidden():
    hidden, seen = run(
        "tmpfs",
        """
        mount -o remount,hidepid=2 /proc
        before="setpriv --reuid 65531 --regid 65531 --clear-groups --inh-caps=+dac_read_search \
            --ambient-caps=+dac_read_search"
        python="$before $python"
        doctor() { printf '['; $python -c "$main" doctor --json "$@"; printf ',%s]\\n' $?; }
        set +e
        doctor $WHERE
        mount -o remount,hidepid=0 /proc
        doctor $WHERE
        """,
    )
    assert "hidden (hidepid=" in hidden.of("processes")
    assert "hidden" not in seen.of("processes")
    # the tests run in a namespace of their own
    assert "outside of this pid namespace are not visible" in seen.of("processes")


HOST = """
mkdir $WHERE/lock $WHERE/tmp
chmod 755 $WHERE/lock
chmod 1777 $WHERE/tmp
mount --bind $WHERE/lock /run/lock
mount --bind $WHERE/tmp /var/tmp
export PYTHON="$python" MAIN="$main"
unit() {
    status=0
    unshare --mount --propagation private sh -euc "$1"'
        "$PYTHON" -c "$MAIN" doctor --json' >$WHERE/report || status=$?
    printf '['; cat $WHERE/report; printf ',%s]\\n' $status
}
"""


def test_a_private_directory():
    normal, default, named, shared = run(
        "tmpfs",
        HOST
        + """
        unit true
        unit 'mount -t tmpfs none /var/tmp'
        export LOCKUTILS_LOCK_PATH=/var/tmp/locks
        unit 'mount -t tmpfs none /var/tmp'
        unit true
        """,
    )
    assert normal.wrong() == {}
    assert "/var/tmp/lockutils-0, the default of this user: " in normal.of("choice")
    assert "it is not in /run/lock, where users may not write" in normal.of("choice")
    assert default.wrong() == {"choice": "problem"}
    text = default.of("choice")
    assert "/var/tmp, the default of this user: Other processes have another directory" in text
    assert "-> set $LOCKUTILS_LOCK_PATH for all who share the locks" in text
    assert named.wrong() == {"file system": "warning"}
    assert "other processes of this host have another directory" in named.of("file system")
    assert shared.wrong() == {}


NFS = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
60 27 0:50 / /home rw,relatime - nfs4 server:/home rw,vers=4.2,local_lock=none,addr=1.2.3.4
61 27 0:51 / /old rw,relatime - nfs server:/old rw,vers=3,nolock,local_lock=all
62 27 0:52 / /half rw,relatime - nfs4 server:/half rw,vers=4.1,local_lock=flock"""


@pytest.mark.parametrize(
    ("kind", "device", "level", "said"),
    [
        ("ext4", "254:0", "ok", "ext4"),
        ("nfs4", "0:50", "warning", "vers=4.2, local_lock=none: a host that is cut off may lose"),
        ("nfs", "0:51", "warning", "vers=3, nolock, local_lock=all: each host has locks of its"),
        ("nfs4", "0:52", "warning", "local_lock=flock: tools of other hosts that use this kind"),
        ("cifs", "0:99", "warning", "whether other hosts"),
        ("fuse.sshfs", "0:99", "warning", "whether other hosts"),
    ],
)
def test_network_file_systems(kind, device, level, said):
    """By what the kernel says of them: they cannot be mounted here."""
    found, message, advice = judge(kind, kind, options_of(NFS, device))
    assert (found, said in message) == (level, True), message
    assert bool(advice) == (level != "ok")


@pytest.mark.parametrize(
    ("kinds", "level", "said"),
    [
        ((True, True, True), "ok", "independent"),
        ((True, False, True), "ok", "a flock is a record lock here"),
        ((True, False, False), "warning", "flock alone: slots"),
        ((False, True, True), "warning", "record locks alone"),
        ((False, False, False), "problem", "no locks at all"),
        ((True, None, None), "problem", "at the moment"),
    ],
)
def test_kinds_of_lock(kinds, level, said):
    """As tests/backends/test_lock_kinds.py plays them."""
    place = Place(None)
    place.kinds = kinds
    ((found, message, advice),) = locks(place)
    assert (found, said in message) == (level, True), message
    assert bool(advice) == (level != "ok")
