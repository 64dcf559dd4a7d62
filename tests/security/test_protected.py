"""In a sticky directory the kernel may keep files of others from being opened: see proc(5).

``fs.protected_regular``, ``fs.protected_fifos`` and ``fs.protected_symlinks`` are settings of the
whole host, so that these tests take turns, and put them back.
"""

import os
from pathlib import Path

import pytest
from users import IS_ROOT, VICTIM, Refused

import lockutils

SETTINGS = Path("/proc/sys/fs")
NAMES = ("protected_regular", "protected_fifos", "protected_symlinks")
WAYS = ["lock", "timeout", "task", "shared", "slots", "fair", "lock_all", "external_lock"]

pytestmark = [
    pytest.mark.skipif(not IS_ROOT, reason="only root can be two users, and set what is needed"),
    pytest.mark.skipif(
        not all(os.access(SETTINGS / name, os.W_OK) for name in NAMES),
        reason="the settings of this kernel cannot be changed here",
    ),
]


@pytest.fixture(params=[0, 2], ids=["off", "on"])
def protection(request):
    """Whether others' files are protected; 1 would do for the directories of these tests."""
    with lockutils.lock("lockutils-test-protected", external=True, lock_path="/tmp"):
        before = {name: (SETTINGS / name).read_text() for name in NAMES}
        try:
            for name in NAMES:
                value = min(request.param, 1) if name == "protected_symlinks" else request.param
                (SETTINGS / name).write_text(str(value))
            yield request.param
        finally:
            for name, value in before.items():
                (SETTINGS / name).write_text(value)


@pytest.mark.parametrize("user", [VICTIM, None], ids=["user", "root"])
def test_a_lock_file_of_somebody_else_is_locked(protection, actor, attacker, shared, user):
    someone = actor(user)
    for name in ("name", "0", ".lockutils-queue"):
        attacker("open(path, 'w').close(); os.chmod(path, 0o666)", path=shared / name)

    for way in WAYS:
        assert someone("take('name', way, lock_path=path)", way=way, path=shared)
        single = "take('name', 'external_lock', lock_path=path, blocking=False)"
        assert not attacker(single, path=shared)
        assert someone("drop()") == 1
        assert attacker(single, path=shared)
        attacker("drop()")
    someone("remove('name', path)", path=shared)
    if user is None:
        assert not (shared / "name").exists()
    else:  # in a sticky directory
        assert "Operation not permitted" in someone("log.lines")[0]


@pytest.mark.parametrize("user", [VICTIM, None], ids=["user", "root"])
def test_a_fifo_or_a_link_of_somebody_else_is_refused(protection, actor, attacker, shared, user):
    someone = actor(user)
    attacker("os.mkfifo(path); os.chmod(path, 0o666)", path=shared / "fifo")
    attacker("os.symlink('/etc/passwd', path)", path=shared / "link")
    attacker("os.symlink(folder, path)", folder=shared, path=shared / "folder")

    for way in WAYS:
        for name in ("fifo", "link", "folder"):
            with pytest.raises(Refused) as refusal:
                someone("take(name, way, lock_path=path)", name=name, way=way, path=shared)
            assert "LockPathError" in refusal.value.kind
            assert refusal.value.filename == str(shared / name)
    # but a directory that is named is where that leads, by whosever link
    assert someone("take('name', lock_path=path)", path=shared / "folder")
    assert (shared / "name").exists()
