"""What the errors are, say and carry."""

import copy
import errno
import pickle

import pytest

import lockutils
from lockutils import AcquireLockFailedException, DeadlockError, Holder, LockPathError, LockTimeout

HOLDER = Holder(4711, command="backup --all")


@pytest.mark.parametrize(
    ("error", "bases"),
    [
        (AcquireLockFailedException, (Exception,)),
        (LockTimeout, (AcquireLockFailedException, TimeoutError)),
        (DeadlockError, (RuntimeError,)),
        (LockPathError, (OSError,)),
    ],
)
def test_what_an_error_is(error, bases):
    assert issubclass(error, bases[0])
    assert issubclass(error, bases[-1])


def test_a_read_only_directory_says_what_to_set():
    error = LockPathError(errno.EROFS, "Read-only file system", "/run/lock/x")
    assert "[Errno 30] Read-only file system: '/run/lock/x': make it writable" in str(error)
    assert "$LOCKUTILS_LOCK_PATH" in error.hint
    assert LockPathError(errno.ENOENT, "No such file", "/x").hint == ""


def test_a_deadlock_is_not_taken_for_a_lock_that_somebody_else_holds():
    assert not issubclass(DeadlockError, AcquireLockFailedException)
    assert not issubclass(LockPathError, AcquireLockFailedException)


@pytest.mark.parametrize("error", [AcquireLockFailedException, LockTimeout])
def test_it_says_and_carries_name_wait_and_holder(error):
    raised = error("image-7", 1.5, HOLDER)
    assert (raised.lock_name, raised.waited, raised.holder) == ("image-7", 1.5, HOLDER)
    for part in ("'image-7'", "1.500 s", "4711", "backup --all"):
        assert part in str(raised)
    assert str(raised) == raised.message


@pytest.mark.parametrize("error", [AcquireLockFailedException, LockTimeout])
def test_it_does_not_say_what_is_not_known(error):
    raised = error("image-7")
    assert (raised.lock_name, raised.waited, raised.holder) == ("image-7", 0.0, None)
    assert str(raised) == "Failed to acquire the lock 'image-7'"


@pytest.mark.parametrize("error", [AcquireLockFailedException, LockTimeout])
def test_a_name_cannot_forge_a_line(error):
    assert "\n" not in str(error("image\nERROR all is lost", 1.0, HOLDER))


@pytest.mark.parametrize("holder", [None, HOLDER])
@pytest.mark.parametrize("error", [AcquireLockFailedException, LockTimeout])
@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))]
)
def test_it_survives_copying_and_pickling(error, holder, clone):
    raised = error("image-7", 1.5, holder)
    cloned = clone(raised)
    assert type(cloned) is error
    assert (cloned.lock_name, cloned.waited) == ("image-7", 1.5)
    assert str(cloned) == str(raised)
    assert str(cloned.holder) == str(holder)


def test_a_time_out_does_not_pass_a_name_off_as_an_errno():
    raised = LockTimeout("image-7", 1.5, HOLDER)
    assert raised.errno in (None, errno.ETIMEDOUT)
    assert raised.strerror is None or isinstance(raised.strerror, str)
    assert raised.filename is None


def test_a_holder_says_what_is_known_of_it():
    assert str(HOLDER) == "process 4711 (backup --all)"
    assert str(Holder(4711)) == "process 4711"
    assert repr(HOLDER) == "Holder(pid=4711, command='backup --all')"


def test_the_public_names_are_there():
    for name in lockutils.__all__:
        assert hasattr(lockutils, name)
