"""The default directory: no other user's is used, however it came there; and what is swept."""

import os
import shutil

import pytest
from lock_peers import until_waited_for
from users import ATTACKER, IS_ROOT, VICTIM, Refused

WAYS = ["lock", "timeout", "task", "shared", "slots", "fair", "lock_all", "external_lock"]

SWEEP = """
from lockutils.backends.file.directory import DefaultDirectory
from lockutils.backends.file.sweep import sweep
sweep(DefaultDirectory(os.fsencode(path), os.geteuid()))
"""

two_users = pytest.mark.skipif(not IS_ROOT, reason="only root can be two users")


@pytest.fixture
def parent(shared):
    """Where the default directories of all users are, in these tests."""
    return shared


@pytest.fixture
def victim(actor, parent):
    """Somebody who named no lock directory."""
    victim = actor(VICTIM)
    victim("lockutils.front.settings.default_parent = lambda: parent", parent=parent)
    victim("os.environ.pop('LOCKUTILS_LOCK_PATH', None), os.environ.pop('OSLO_LOCK_PATH', None)")
    return victim


@pytest.fixture
def default(parent):
    return parent / f"lockutils-{VICTIM if IS_ROOT else os.geteuid()}"


def assert_refused(victim, path, reason, ways=WAYS):
    for way in ways:
        with pytest.raises(Refused) as refusal:
            victim("take('name', way)", way=way)
        assert "LockPathError" in refusal.value.kind
        assert refusal.value.filename == str(path)
        assert reason in refusal.value.text


@two_users
class TestOfAnotherUser:
    @pytest.mark.parametrize("mode", [0o700, 0o777, 0o1777])
    def test_planted_before_we_come(self, victim, attacker, default, mode):
        attacker("os.mkdir(path); os.chmod(path, mode)", path=default, mode=mode)
        assert_refused(victim, default, f"belongs to user {ATTACKER}")
        assert os.listdir(default) == []

    def test_that_is_a_link_to_a_directory_of_ours(self, victim, attacker, default, own):
        attacker("os.symlink(target, path)", target=own, path=default)
        assert_refused(victim, default, "not a directory")
        assert os.listdir(own) == []

    @pytest.mark.parametrize("way", WAYS)
    def test_in_place_of_ours_with_all_that_we_look_for_in_it(self, victim, attacker, default, way):
        """A cleaner removed it, and somebody else was faster to make it again."""
        assert victim("take('name', way)", way=way)
        victim("drop()")
        for file in default.iterdir():
            file.unlink()
        default.rmdir()
        attacker("os.mkdir(path); os.chmod(path, 0o777)", path=default)
        for name in ("name", "0", ".lockutils-queue"):
            attacker("open(path, 'w').close(); os.chmod(path, 0o666)", path=default / name)

        for try_it in (f"take('name', {way!r})", f"take('name', {way!r}, blocking=False)"):
            with pytest.raises(Refused, match=f"belongs to user {ATTACKER}") as refusal:
                victim(try_it)
            assert "LockPathError" in refusal.value.kind
            assert refusal.value.filename == str(default)
        assert sorted(os.listdir(default)) == [".lockutils-queue", "0", "name"]

    @pytest.mark.parametrize("way", WAYS)
    def test_in_place_of_ours_where_somebody_stands_in_line(self, victim, attacker, default, way):
        assert victim("take('name', way)", way=way)
        victim("drop()")
        for file in default.iterdir():
            file.unlink()
        default.rmdir()
        attacker("os.mkdir(path); os.chmod(path, 0o777)", path=default)
        for name in ("name", "0", ".lockutils-queue"):
            attacker("open(path, 'w').close(); os.chmod(path, 0o666)", path=default / name)
        queue = default / ".lockutils-queue"
        ticket = "lockutils.backends.file.queue.QueueRange(os.fsencode(path)).first_byte"
        for name in ("name", "0"):
            attacker(f"ticket = {ticket}", path=default / name)
            attacker("lock_span(path, 'write', ticket, 1, os.O_RDWR)", path=queue)

        assert_refused(victim, default, f"belongs to user {ATTACKER}", [way])

    def test_in_place_of_ours_while_we_wait(self, victim, actor, attacker, parent, default):
        other = actor(VICTIM)
        other("lockutils.front.settings.default_parent = lambda: parent", parent=parent)
        assert other("take('name')")
        victim.tell("take('name')")
        until_waited_for(default / "name")
        for file in default.iterdir():
            file.unlink()
        default.rmdir()
        attacker("os.mkdir(path); os.chmod(path, 0o777)", path=default)
        attacker("open(path, 'w').close(); os.chmod(path, 0o666)", path=default / "name")
        other("drop()")

        with pytest.raises(Refused, match=f"belongs to user {ATTACKER}") as refusal:
            victim.answer()
        assert "LockPathError" in refusal.value.kind

    def test_where_ours_is_cannot_be_made_by_moving_ours_away(self, victim, attacker, default):
        assert victim("take('name')")
        for attack in ("os.rename(path, path + '2')", "os.rmdir(path)", "os.listdir(path)"):
            with pytest.raises(Refused, match=r"not permitted|denied"):
                attacker(attack, path=str(default))


class TestMovedThere:
    """A file of the victim's that another moved to where the directory was is not taken."""

    @pytest.fixture
    def moved(self, victim, attacker, default, place):
        """The victim made a file where it was told to; now it is in place of its default one."""
        shared = place / "of all"
        shared.mkdir()
        shared.chmod(0o777)
        for name in ("name", "0", "other"):
            assert victim("take(name, lock_path=path)", name=name, path=shared)
        victim("drop()")
        assert victim("take('name')")
        victim("drop()")
        shutil.rmtree(default)  # by a cleaner
        attacker("os.mkdir(path); os.chmod(path, 0o777)", path=default)
        for name in ("name", "0", "other"):
            attacker("os.rename(one, other)", one=shared / name, other=default / name)

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.usefixtures("moved")
    def test_is_refused(self, victim, default, way):
        assert_refused(victim, default, f"belongs to user {ATTACKER}", [way])

    def test_while_we_wait(self, victim, actor, attacker, parent, default, place):
        other = actor(VICTIM)
        other("lockutils.front.settings.default_parent = lambda: parent", parent=parent)
        assert other("take('name')")
        victim.tell("take('name')")
        until_waited_for(default / "name")
        shared = place / "of all"
        shared.mkdir()
        shared.chmod(0o777)
        assert actor(VICTIM)("take('name', lock_path=path)", path=shared)
        shutil.rmtree(default)
        attacker("os.mkdir(path); os.chmod(path, 0o777)", path=default)
        attacker("os.rename(one, other)", one=shared / "name", other=default / "name")
        other("drop()")

        with pytest.raises(Refused, match=f"belongs to user {ATTACKER}"):
            victim.answer()

    def test_one_that_was_made_in_the_directory_is_marked(self, victim, default):
        """With what nobody else can give it: neither a link nor a file made elsewhere has it."""
        assert victim("take('name')")

        assert (default / "name").stat().st_mode & 0o7777 == 0o1600

    def test_an_unmarked_one_of_an_older_version_is_used_where_the_directory_is_ours(
        self, victim, default
    ):
        assert victim("take('name')")
        victim("drop()")
        (default / "name").chmod(0o600)

        assert victim("take('name')")
        assert not victim("take('name', 'external_lock', blocking=False)")


class TestParent:
    def test_that_lets_anybody_replace_the_directory_is_refused(self, victim, parent, default):
        parent.chmod(0o777)
        assert_refused(victim, default, "not sticky")
        assert os.listdir(parent) == []

    @pytest.mark.parametrize("mode", [0o1777, 0o755, 0o700])
    def test_that_does_not_is_used(self, victim, place, mode):
        mine = place / "parent"
        mine.mkdir()
        if IS_ROOT:
            os.chown(mine, VICTIM, VICTIM)
        mine.chmod(mode)
        victim("lockutils.front.settings.default_parent = lambda: parent", parent=mine)

        assert victim("take('name')")


@two_users
def test_it_goes_by_the_effective_user_whatever_the_environment_says(actor, place, parent):
    """As with sudo or a setuid program: the real user and all variables may be somebody else's."""
    environment = dict.fromkeys(
        ("HOME", "TMPDIR", "TEMP", "TMP", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"), str(place)
    )
    program = actor(environment={**environment, "USER": "other", "SUDO_UID": str(ATTACKER)})
    path = "lockutils.get_lock_path()"
    program("lockutils.front.settings.default_parent = lambda: parent", parent=parent)
    program("os.environ.pop('LOCKUTILS_LOCK_PATH', None), os.environ.pop('OSLO_LOCK_PATH', None)")
    assert program(path) == f"{parent}/lockutils-0"
    assert program("take('name')")
    program("early = lockutils.lock('early', external=True)")

    program("os.setgroups([]); os.setegid(user); os.seteuid(user)", user=VICTIM)

    assert program("os.getuid()") == 0
    assert program(path) == f"{parent}/lockutils-{VICTIM}"
    assert program("take('other')")
    assert (parent / f"lockutils-{VICTIM}").stat().st_uid == VICTIM
    assert os.listdir(parent / f"lockutils-{VICTIM}") == ["other"]
    # what was made before is of the user before, and not to be had any more
    with pytest.raises(Refused) as refusal:
        program("early.acquire(blocking=False)")
    assert "LockPathError" in refusal.value.kind


class TestSweep:
    """Free lock files are removed from the default directory; no other file ever is."""

    FILES = 300

    def fill(self, folder):
        for number in range(self.FILES):
            (folder / f"file {number}").write_text("")
            if IS_ROOT:
                os.chown(folder / f"file {number}", VICTIM, VICTIM)

    def test_removes_what_is_free(self, victim, default):
        assert victim("take('held')")
        self.fill(default)
        for name in (".lockutils-probe-1-0", ".lockutils-queue"):
            victim("open(path, 'w').close()", path=default / name)
        (default / "directory").mkdir()
        (default / "link").symlink_to(default.parent)
        os.mkfifo(default / "fifo")

        victim(SWEEP, path=default)

        assert sorted(os.listdir(default)) == [
            *(".lockutils-probe-1-0", ".lockutils-queue", "directory", "fifo", "held", "link")
        ]

    @pytest.mark.parametrize("leads_to", ["a directory of ours", "a file of ours"])
    def test_does_not_go_where_a_link_in_its_place_leads(self, victim, default, own, leads_to):
        """Put there while the lock was held, whose release sweeps."""
        victim("lockutils.backends.file.lock_file.is_due = lambda file: True")
        assert victim("take('name')")
        self.fill(own)
        (default / "name").unlink()
        default.rmdir()
        default.symlink_to(own if leads_to == "a directory of ours" else own / "file 1")

        victim("drop()")

        assert len(os.listdir(own)) == self.FILES

    @pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
    def test_does_nothing_where_others_may_write(self, victim, default, mode):
        victim("lockutils.backends.file.lock_file.is_due = lambda file: True")
        assert victim("take('name')")
        self.fill(default)
        default.chmod(mode)

        victim("drop()")

        assert len(os.listdir(default)) == self.FILES + 1

    def test_follows_no_link_that_stands_for_a_file(self, victim, default, own):
        assert victim("take('held')")
        (own / "precious").write_text("precious")
        for number in range(self.FILES):
            (default / f"{number}").symlink_to(own / "precious")

        victim(SWEEP, path=default)

        assert len(os.listdir(default)) == self.FILES + 1
        assert (own / "precious").read_text() == "precious"
