"""``lockutils gc``: what it removes, what stays, what it asks, and what it says."""

from __future__ import annotations

import os
import pty
import sys
import time

import pytest

from lockutils.cli import gc

LOCKF = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.lockf(file, fcntl.LOCK_EX)
print("holding", flush=True)
sys.stdin.readline()
"""
#: with another place for the default directory
MAIN = """
import sys
from lockutils.cli import main
from lockutils.front import settings
settings.default_parent = lambda: {!r}
sys.exit(main())
"""


@pytest.fixture
def folder(cli):
    """The lock directory, with some free files."""
    cli.lock_path.mkdir()
    for name in ("a", "b", "c"):
        (cli.lock_path / name).touch()
    return cli.lock_path


@pytest.fixture
def collect(cli):
    """``lockutils gc`` to its end: its status, and what it says on stdout and stderr."""

    def collect(*arguments, **options):
        done = cli.call(cli.words("gc", *map(str, arguments)), **options)
        return done.returncode, done.stdout, done.stderr

    return collect


def names(folder):
    return sorted(os.listdir(folder))


class TestWhatItRemoves:
    def test_files_that_nobody_has(self, collect, folder):
        assert collect("--yes", folder) == (0, f"{folder}: 3 lock files removed, 0 in use\n", "")
        assert names(folder) == []
        assert collect("--yes", folder) == (0, f"{folder}: 0 lock files removed, 0 in use\n", "")

    @pytest.mark.parametrize("how", [(), ("--shared",), ("--slots", "2"), ("--fair",)], ids=str)
    def test_not_those_that_are_held(self, cli, collect, folder, how):
        holder = cli.hold(*how, lock="b")
        status, out, err = collect("--yes", folder)
        assert (status, err) == (0, "")
        assert out == f"{folder}: 2 lock files removed, 1 in use\n"
        assert names(folder) == ["b"]
        holder.tell()
        assert holder.end() == 0
        assert collect(folder, "--yes")[1] == f"{folder}: 1 lock file removed, 0 in use\n"

    @pytest.mark.parametrize("tool", ["flock", "lockf"])
    @pytest.mark.parametrize("dry", [False, True])
    def test_not_those_that_another_tool_holds(self, cli, collect, folder, tool, dry):
        words = {
            "flock": ["flock", f"{folder}/b", "sh", "-c", "echo holding; read -r line"],
            "lockf": [sys.executable, "-c", LOCKF, f"{folder}/b"],
        }
        assert cli.start(words[tool]).hear() == "holding"
        status, out, _ = collect("--dry-run" if dry else "--yes", folder)
        assert status == 0
        assert "2 lock files" in out
        assert "1 in use" in out
        assert names(folder) == (["a", "b", "c"] if dry else ["b"])

    def test_not_what_can_be_no_lock_file(self, collect, folder):
        (folder / "content").write_text("1234")
        (folder / "directory").mkdir()
        (folder / "link").symlink_to("a")
        (folder / "two").touch()
        os.link(folder / "two", folder / "names")
        (folder / ".lockutils-queue").touch()
        (folder / ".hidden").touch()
        before = set(names(folder))
        assert collect("--yes", folder)[0] == 0
        assert before - set(names(folder)) == {"a", "b", "c"}

    def test_nothing_of_what_is_no_lock_directory(self, collect, folder):
        """As ``/etc``, by a slip."""
        for name in "wxyz":
            (folder / name).write_text("text")
        before = names(folder)
        for option in "--yes", "--dry-run":
            status, out, err = collect(option, folder)
            assert (status, out) == (73, "")
            assert "'w', 'x', 'y' and 1 more in it can be no lock files" in err
            assert repr(str(folder)) in err
            assert names(folder) == before

    def test_what_a_link_leads_to(self, collect, folder, tmp_path):
        (tmp_path / "link").symlink_to(folder)
        assert collect("--yes", tmp_path / "link")[0] == 0
        assert names(folder) == []

    def test_many_files(self, collect, folder):
        for number in range(2000):
            (folder / f"{number}").touch()
        assert collect("--yes", folder)[1] == f"{folder}: 2003 lock files removed, 0 in use\n"


class TestOptions:
    def test_a_dry_run_lists_and_touches_nothing(self, cli, collect, folder):
        cli.hold(lock="b")
        before = {name: os.stat(folder / name) for name in names(folder)}
        status, out, err = collect("--dry-run", folder)
        assert (status, err) == (0, "")
        assert out == f"a\nc\n{folder}: 2 lock files would be removed, 1 in use\n"
        assert {name: os.stat(folder / name) for name in names(folder)} == before

    def test_the_age_of_a_file(self, collect, folder):
        for name, age in ("a", 2 * 86400), ("b", 3600):
            os.utime(folder / name, times=(time.time() - age,) * 2)
        for age, left in ("3d", "abc"), ("36h", "bc"), ("90m", "bc"), ("1800", "c"), ("0s", ""):
            status, out, _ = collect("--yes", "--older-than", age, folder)
            assert status == 0
            assert names(folder) == list(left)
            assert out.endswith(f" {len(left)} younger\n" if left else "0 in use\n")

    @pytest.mark.parametrize("age", ["", "d", "-1", "1.5h", "1w", "1 d", "٣", "1" * 10])
    def test_what_is_no_age(self, collect, folder, age):
        status, _, err = collect("--yes", "--older-than", age, folder)
        assert status == 64
        assert f"not {age!r}" in err
        assert names(folder) == ["a", "b", "c"]

    @pytest.mark.parametrize("arguments", [[""], ["a", "b"], ["--unknown"], ["a", "--unknown"]])
    def test_wrong_usage(self, collect, arguments):
        status, out, err = collect("--yes", *arguments)
        assert (status, out, err.count("\n")) == (64, "", 1)
        assert repr(arguments[-1]) in err

    def test_help_has_every_option(self, collect):
        status, out, err = collect("--help")
        assert (status, err) == (0, "")
        for option in "-n, --dry-run", "--older-than AGE", "-y, --yes", "-h, --help":
            assert f" {option} " in out
        assert max(map(len, out.splitlines())) <= 100

    @pytest.mark.parametrize("wrong", ["missing", "a file"])
    def test_a_directory_that_is_none(self, collect, tmp_path, wrong):
        path = tmp_path / "path"
        if wrong == "a file":
            path.touch()
        status, out, err = collect("--yes", path)
        assert (status, out) == (73, "")
        assert err.endswith(f": {str(path)!r}\n")
        assert names(tmp_path) == ([] if wrong == "missing" else ["path"])


class TestWhichDirectory:
    def test_that_of_the_variable(self, cli, collect, folder):
        cli.environment["LOCKUTILS_LOCK_PATH"] = str(folder)
        title = f"{folder} ($LOCKUTILS_LOCK_PATH)"
        assert collect("--yes") == (0, f"{title}: 3 lock files removed, 0 in use\n", "")

    def test_one_that_is_not_there_yet_is_clean_unless_it_is_named(self, cli, collect):
        cli.environment["LOCKUTILS_LOCK_PATH"] = str(cli.lock_path)
        title = f"{cli.lock_path} ($LOCKUTILS_LOCK_PATH)"
        assert collect("--yes") == (0, f"{title}: no lock has been used there\n", "")
        assert collect("--yes", cli.lock_path)[0] == 73
        assert not cli.lock_path.exists()

    def test_the_default_one_without_a_question(self, cli, tmp_path):
        main = MAIN.format(str(tmp_path))
        tmp_path.chmod(0o1777)
        for name in ("LOCKUTILS_LOCK_PATH", "OSLO_LOCK_PATH"):
            cli.environment.pop(name, None)
        default = tmp_path / f"lockutils-{os.geteuid()}"
        default.mkdir(mode=0o700)
        (default / "name").touch()
        (default / "content").write_text("text")
        done = cli.call(cli.words("gc", main=main))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{default} (default): 1 lock file removed, 0 in use\n"
        assert names(default) == ["content"]

        default.chmod(0o777)
        done = cli.call(cli.words("gc", main=main))
        assert (done.returncode, done.stdout) == (73, "")
        assert "writable by others" in done.stderr


class TestQuestion:
    def test_without_a_terminal_is_an_error_that_says_what_to_do(self, collect, folder):
        status, out, err = collect(folder)
        assert (status, out) == (64, "")
        assert "other tools" in err
        assert "--yes" in err
        assert names(folder) == ["a", "b", "c"]

    def test_is_not_asked_where_nothing_is_to_be_removed(self, collect, folder):
        assert collect("--older-than", "1d", folder)[0] == 0

    @pytest.mark.parametrize(
        ("answer", "status", "left"),
        [("y", 0, 0), ("Yes", 0, 0), ("n", 75, 4), ("", 75, 4), ("yellow", 75, 4)],
    )
    def test_on_a_terminal(self, cli, folder, answer, status, left):
        (folder / "d").touch()
        main, terminal = pty.openpty()
        try:
            options = {"stdin": terminal, "stderr": terminal}
            process = cli.start(cli.words("gc", str(folder)), **options)
            said = self.read_to(main, b"[y/N] ")
            assert b"Remove 'a', 'b', 'c' and 1 more" in said
            assert len(names(folder)) == 4
            os.write(main, answer.encode() + b"\n")
            assert process.end() == status
            assert len(names(folder)) == left
        finally:
            os.close(main)
            os.close(terminal)

    @staticmethod
    def read_to(terminal, end):
        said = b""
        while not said.endswith(end):
            said += os.read(terminal, 1000)
        return said


def test_a_name_that_many_have_is_named_thrice():
    assert gc._some(["a"]) == "'a'"
    assert gc._some(["a", "b", "c"]) == "'a', 'b', 'c'"
    assert gc._some(["a", "b", "c\n", "d", "e"]) == "'a', 'b', 'c\\n' and 2 more"
