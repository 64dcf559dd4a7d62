"""A file system that cannot be written to, is full, or has the lock file in a lower layer."""

import json
import sys

import pytest
from mounts import Missing, run_in

# Prints what becomes of two names, one of which has a lock file; and what is left of that.
OUTCOMES = """
import errno, json, os, sys, threading
import lockutils

def outcome(name, **how):
    lock = lockutils.lock(name, external=True, lock_path=where, **how)
    try:
        if not lock.acquire():
            return "busy"
    except lockutils.LockPathError as error:
        return errno.errorcode[error.errno]
    other = lockutils.lock(
        name, external=True, lock_path=where, semaphores=lockutils.Semaphores(), **how
    )
    excludes = not other.acquire(blocking=False)
    lock.release()
    return "held" if excludes else "split"

where = os.environ["WHERE"]
before = len(os.listdir("/proc/self/fd"))
found = {}
for name in "name", "new", "missing":
    if name == "missing":
        where += "/missing"
    found[name] = [outcome(name), outcome(name, timeout=5), outcome(name, fair=True)]
found["left"] = len(os.listdir("/proc/self/fd")) - before
found["threads"] = threading.active_count()
print(json.dumps(found))
"""

# Another tool opens the lower file to read alone, and locks it; then ours comes, which opens it
# to write, so that it is copied up.  And the other way round, by one that has it open before.
LOWER = """
set -x
exec 9<"$WHERE/name"
flock 9
[ ! -e "$WHERE/../upper/name" ]
ours() {
    "$1" -c "import sys; from lockutils.cli import main; sys.exit(main())" \\
        run --lock name --lock-path "$WHERE" "$2" $3 -- $4
}
ours "$1" --no-wait "" true && exit 1 || [ $? -eq 75 ]
[ -e "$WHERE/../upper/name" ]
exec 8<"$WHERE/name"
flock --nonblock 8 && exit 2
flock --unlock 9
ours "$1" --timeout 10 "flock --nonblock 9" && exit 3 || [ $? -eq 1 ]
ours "$1" --timeout 10 "flock --nonblock 8" && exit 4 || [ $? -eq 1 ]
flock --nonblock 9
"""


def run(name, program, *arguments):
    try:
        return run_in(name, program, sys.executable, *arguments)
    except Missing as why:
        pytest.skip(str(why))


@pytest.mark.parametrize(
    ("name", "existing", "new"),
    [
        ("tmpfs read-only", "held", "EROFS"),
        ("tmpfs without inodes", "held", "ENOSPC"),
        ("ext4 that is full", "held", "ENOSPC"),
    ],
)
def test_what_is_there_can_be_locked_and_all_else_is_an_error(name, existing, new):
    found = json.loads(run(name, '"$1" -c "$2"', OUTCOMES).splitlines()[-1])

    assert found["name"] == [existing] * 3
    assert set(found["new"]) == set(found["missing"]) == {new}
    assert found["left"] == 0


def test_a_lock_file_of_the_lower_layer_is_one_file_before_and_after_it_is_copied_up():
    run("overlay with a lower file", LOWER)
