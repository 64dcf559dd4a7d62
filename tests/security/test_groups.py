"""A directory that the users of a group share: with ``file_mode`` all of them can do all of it."""

import os

import pytest
from lock_peers import sleeps_for_a_lock, until
from users import IS_ROOT, Refused

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root can be several users")

USERS, OUTSIDER, GROUP = (54321, 54322, 54323), 54324, 54330
QUEUE = ".lockutils-queue"
WAYS = ["lock", "timeout", "task", "shared", "slots", "fair", "lock_all"]
umasks = pytest.mark.parametrize("mask", [0o022, 0o077], ids=oct)


@pytest.fixture
def folder(place):
    """A lock directory of the group."""
    folder = place / "group"
    folder.mkdir()
    os.chown(folder, 0, GROUP)
    folder.chmod(0o2770)
    return folder


@pytest.fixture
def members(actor, mask):
    """A process of each of three users, with this umask."""
    members = [actor(user, groups=[GROUP]) for user in USERS]
    for member in members:
        member("os.umask(mask)", mask=mask)
    return members


def set_modes(members):
    """Have them say what mode they want, in two ways."""
    one, *others = members
    one("lockutils.set_defaults(file_mode=0o660)")
    for other in others:
        other("os.environ.update(LOCKUTILS_FILE_MODE='660')")


def take(member, name, way, folder, **options):
    return member(
        "take(name, way, lock_path=path, **options)",
        name=name,
        way=way,
        path=folder,
        options=options,
    )


def start_to_take(member, name, way, folder):
    member.tell("take(name, way, lock_path=path)", name=name, way=way, path=folder)
    until(lambda: sleeps_for_a_lock(member.pid), "it waits")


def refusal_of(member, name, way, folder, **options):
    with pytest.raises(Refused) as refusal:
        take(member, name, way, folder, **(options or {"blocking": False}))
    assert "LockPathError" in refusal.value.kind
    return refusal.value


def modes_in(folder):
    return {path.name: path.stat().st_mode & 0o7777 for path in folder.iterdir()}


@umasks
@pytest.mark.parametrize("way", WAYS)
def test_all_options_are_for_all_users(members, folder, way):
    """Each makes a lock file, holds it, waits for each other one, and gives up waiting."""
    set_modes(members)
    # who is the only holder; readers do not exclude each other
    alone = "lock" if way == "shared" else way
    for number in range(3):
        one, two, three = members[number:] + members[:number]
        name = f"name-{number}"
        holders = [one, two] if way == "slots" else [one]
        for holder in holders:
            assert take(holder, name, alone, folder)
        assert not take(three, name, way, folder, timeout=0.01)
        assert not take(three, name, way, folder, blocking=False)
        waiters = [other for other in (two, three) if other not in holders]
        for waiter in waiters:
            start_to_take(waiter, name, way, folder)
        assert one("drop()")
        for waiter in waiters:
            assert waiter.answer()
            if way != "shared":
                assert waiter("drop()")
        for member in members:
            member("drop()")
    modes = modes_in(folder)
    assert {f"name-{number}" for number in range(3)} < set(modes)
    assert QUEUE in modes
    assert set(modes.values()) == {0o660}


@umasks
def test_a_fair_lock_is_had_in_order(members, folder):
    set_modes(members)
    one, two, three = members
    assert take(one, "name", "fair", folder)
    start_to_take(two, "name", "fair", folder)
    start_to_take(three, "name", "fair", folder)

    one("drop()")

    assert two.answer()
    assert not three.peer.has_spoken()
    two("drop()")
    assert three.answer()


def assert_says_what_to_set(error, path, owner):
    assert "LockPathError" in error.kind
    assert error.filename == str(path)
    for setting in ("set_defaults()", "$LOCKUTILS_FILE_MODE", "--file-mode"):
        assert setting in error.text
    assert f"belongs to user {owner} and group {GROUP}" in error.text
    assert "have its owner chmod it, or remove it" in error.text


@pytest.mark.parametrize(("mask", "way"), [(0o022, "slots"), *((0o077, way) for way in WAYS)])
def test_without_it_the_error_of_a_lock_file_says_what_to_set(members, folder, way):
    one, two, _ = members
    assert take(one, "name", way, folder)

    error = refusal_of(two, "name" if way != "lock_all" else "0", way, folder)

    path = folder / ("name" if way != "lock_all" else "0")
    assert_says_what_to_set(error, path, USERS[0])


@pytest.mark.parametrize("mask", [0o022])
def test_without_it_the_error_of_the_queue_says_what_to_set(members, folder):
    one, two, three = members
    assert take(one, "name", "fair", folder)
    start_to_take(two, "name", "fair", folder)

    error = refusal_of(three, "name", "fair", folder, timeout=60)

    assert_says_what_to_set(error, folder / QUEUE, USERS[1])


@pytest.mark.parametrize("mask", [0o077])
def test_a_file_from_before_can_be_changed_by_its_owner(members, folder):
    one, two, _ = members
    assert take(one, "name", "lock", folder)
    one("drop()")
    set_modes(members)
    assert_says_what_to_set(refusal_of(two, "name", "slots", folder), folder / "name", USERS[0])
    assert modes_in(folder) == {"name": 0o600}  # which is not ours to change

    one("os.chmod(path, 0o660)", path=folder / "name")

    assert take(two, "name", "slots", folder)


@umasks
@pytest.mark.parametrize("mode", [0o2770, 0o2775], ids=oct)
def test_who_is_not_of_the_group_is_told_so(members, actor, folder, mode):
    folder.chmod(mode)
    set_modes(members)
    assert take(members[0], "name", "fair", folder)
    outsider = actor(OUTSIDER)
    set_modes([outsider])

    for way in WAYS:
        for name in ("name", "other"):
            error = refusal_of(outsider, name, way, folder)
            assert f"group {GROUP}, with the mode" in error.text
            assert "join that group" in error.text
    assert "set_defaults" not in error.text


class TestCommandLine:
    MAIN = (
        "import os, sys, lockutils.cli.run, lockutils.cli.child, lockutils.cli.signals\n"
        "user = int(sys.argv.pop(1))\n"
        f"os.setgroups([{GROUP}]); os.setgid(user); os.setuid(user); os.umask(0o077)\n"
        "os.dup2(1, 2); status = lockutils.cli.main(); print(status, flush=True)"
    )

    def test_makes_files_for_the_group(self, peers, folder):
        words = ("run", "--lock-path", folder, "--lock", "name", "--slots", "2")
        for user in USERS:
            runner = peers.python(self.MAIN, str(user), *words, "--file-mode", "660", "true")
            assert runner.hear() == "0"
        assert modes_in(folder) == {"name": 0o660}

    def test_without_it_says_what_to_set(self, peers, folder):
        words = ("run", "--lock-path", folder, "--lock", "name", "true")
        assert peers.python(self.MAIN, str(USERS[0]), *words).hear() == "0"
        runner = peers.python(self.MAIN, str(USERS[1]), *words)
        line = runner.hear()
        assert line.startswith(
            f"lockutils: Permission denied: '{folder}/name' (by --lock-path): it belongs to "
        )
        assert "--file-mode" in line
        assert runner.hear() == "73"
