"""Lock files of a directory that users share: nobody's are removed who did not allow it."""

import os

import pytest
from users import ATTACKER, IS_ROOT

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root can be two users")

#: ``lockutils gc``; leaves its exit status, and what it says on stdout and stderr
GC = """
import io, sys, tempfile
from lockutils.cli.gc import gc
before, out, err = (sys.stdout, sys.stderr), io.StringIO(), tempfile.TemporaryFile("w+")
sys.stdout, sys.stderr = out, err
try:
    status = gc(["--yes", *options, path])
finally:
    sys.stdout, sys.stderr = before
err.seek(0)
done = [status, out.getvalue(), err.read()]
"""
OFTEN = """
from lockutils.backends.file import sweep
sweep._KEPT, sweep._EVERY = 4, 1
lockutils.set_defaults(clean=True)
"""
FILE = "os.close(os.open(path, os.O_CREAT, 0o666)); os.chmod(path, mode)"


@pytest.fixture
def collect(victim):
    def collect(path, *options):
        victim(GC, path=path, options=options)
        return victim("done")

    return collect


def make(actor, folder, *names, mode=0o666):
    for name in names:
        actor(FILE, path=folder / name, mode=mode)


def test_in_a_sticky_directory_those_of_others_stay(collect, victim, attacker, shared):
    make(victim, shared, "mine")
    make(attacker, shared, "a", "b", "c", "d")
    before = {name: attacker("look(path)", path=shared / name) for name in "abcd"}
    status, out, err = collect(shared)
    assert status == 73
    assert out == f"{shared}: 1 lock file removed, 0 in use\n"
    assert "cannot remove 'a', 'b', 'c' and 1 more: " in err
    assert f"belongs to user {ATTACKER}" in err
    assert {name: attacker("look(path)", path=shared / name) for name in "abcd"} == before


def test_a_directory_that_cleans_itself_says_nothing_of_them(victim, attacker, shared):
    make(attacker, shared, *map(str, range(20)))
    victim(OFTEN)
    for number in range(20):
        assert victim("take(name, lock_path=path)", name=f"mine {number}", path=shared)
        victim("drop()")
    names = os.listdir(shared)
    assert {*map(str, range(20))} <= {*names}
    assert len(names) < 30


def test_where_files_cannot_be_removed_none_is_locked(collect, attacker, place):
    folder = place / "of another"
    folder.mkdir(0o755)
    (folder / "name").touch()
    status, out, err = collect(folder)
    assert (status, out) == (73, "")
    assert err == f"lockutils: No right to remove files from it: {str(folder)!r}\n"
    assert (folder / "name").exists()
    assert collect(folder, "--dry-run")[0] == 0


def test_a_file_that_cannot_be_written_to_stays(collect, attacker, place):
    """Whoever may not write to it cannot lock out those that have its record lock as readers."""
    folder = place / "all"
    folder.mkdir()
    folder.chmod(0o777)
    make(attacker, folder, "name", mode=0o644)
    status, out, err = collect(folder)
    assert (status, out) == (73, f"{folder}: 0 lock files removed, 0 in use\n")
    assert err == "lockutils: cannot remove 'name': Permission denied\n"


def test_a_link_in_place_of_a_file_is_not_followed(collect, victim, attacker, place, own):
    """It comes between the look at the directory and the removal."""
    folder = place / "all"
    folder.mkdir()
    folder.chmod(0o777)
    make(victim, own, "precious")
    make(attacker, folder, "name")
    victim(
        """
from lockutils.backends.file import sweep
real = sweep.survey
def survey(*args):
    found = real(*args)
    os.unlink(path + "/name")
    os.symlink(target, path + "/name")
    return found
sweep.survey = survey
""",
        path=folder,
        target=own / "precious",
    )
    assert collect(folder)[0] == 73
    assert os.listdir(own) == ["precious"]


def test_names_that_others_gave_are_shown_in_one_line(collect, attacker, place):
    folder = place / "all"
    folder.mkdir()
    folder.chmod(0o777)
    make(attacker, folder, "a\u202eb", "c\u2028d")
    _, out, err = collect(folder, "--dry-run")
    assert err == ""
    assert all(line.isprintable() for line in out.split("\n"))
    assert out.count("\n") == 3
    make(attacker, folder, "\x1b[2J\n", "x\udcff")
    _, out, err = collect(folder)
    assert out == ""
    assert all(line.isprintable() for line in err.split("\n"))
    assert err.count("\n") == 1
