"""Arguments and variables as an attacker writes them: no shell, no forged line, no other file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lock_peers import WATCHDOG
from users import IS_ROOT, VICTIM

import lockutils

SOURCE = str(Path(lockutils.__file__).parents[1])
RUN = "import sys; from lockutils.cli import main; sys.exit(main())"
WRAPPER = "from lockutils.cli.wrapper import main; main()"
HOSTILE = [
    *("$(touch pwned)", "`touch pwned`", "; touch pwned", "a\ntouch pwned\n", "&& touch pwned"),
    *("| touch pwned", "> pwned", "'; touch pwned; '", '"; touch pwned; "', "\\", "*", "~"),
    *("$HOME", "\x1b[2J\x07", "\u202e\u2028", b"\xff\x9b", "--timeout", "-x", "%s%n", "{0}"),
]
hostile = pytest.mark.parametrize("text", HOSTILE, ids=ascii)


@pytest.fixture
def call(tmp_path):
    """Run a program of ours to its end, below ``tmp_path``."""

    def call(main, *arguments, **environment):
        return subprocess.run(
            [sys.executable, "-c", main, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": SOURCE, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WATCHDOG,
            check=False,
        )

    return call


def assert_lines(output, number):
    """``output`` has so many lines, each begins as ours do, and can be printed."""
    *lines, end = output.decode().split("\n")
    assert end == ""
    assert len(lines) == number, lines
    for line in lines:
        assert line.startswith("lockutils: ")
        assert line.isprintable()


class TestRun:
    @hostile
    def test_gives_the_command_its_words_as_they_are(self, call, text, tmp_path):
        """And has a lock of that name; with a shell that would tell, were one started."""
        show = "import os, sys; sys.stdout.buffer.write(os.fsencode(sys.argv[1]))"
        shell = {"SHELL": "/no/such/shell", "ENV": "/no/such", "BASH_ENV": "/no/such", "IFS": "/"}
        words = ("run", "--lock-path", "locks", "--verbose", "--lock", text, "--prefix", text)

        done = call(RUN, *words, "--", sys.executable, "-c", show, text, **shell)

        assert (done.returncode, done.stdout) == (0, os.fsencode(text))
        assert_lines(done.stderr, 2)
        assert len(os.listdir(tmp_path / "locks")) == 1
        assert sorted(os.listdir(tmp_path)) == ["locks"]

    @hostile
    def test_that_fails_says_so_in_a_line(self, call, text, tmp_path):
        (tmp_path / "file").touch()
        word = os.fsdecode(text)
        ours = ("run", "--lock-path", "locks", "--lock", "name")
        for status, arguments in (
            (127, (*ours, "--", text)),
            (64, (word,)),
            (64, ("run", f"--no-{word}", "true")),
            (64, ("run", f"--verbose={word}", "true")),
            (64, (*ours, "--timeout", text, "true")),
            (64, (*ours, "--slots", text, "true")),
            (64, (*ours, "--conflict-exit-code", text, "true")),
            (73, ("run", "--lock", text, "--lock-path", f"file/{word}", "true")),
        ):
            done = call(RUN, *arguments)
            assert (done.returncode, done.stdout) == (status, b"")
            assert_lines(done.stderr, 1)
        assert not (tmp_path / "pwned").exists()

    @hostile
    def test_that_meets_a_holder_says_so_in_a_line(self, call, peers, text, tmp_path):
        source = (
            "import sys, lockutils\n"
            "with lockutils.lock('name', external=True, lock_path=sys.argv[1]):\n"
            "    print('held', flush=True); sys.stdin.readline()"
        )
        assert peers.start(sys.executable, "-c", source, tmp_path / "locks", text).hear() == "held"
        words = ("run", "--lock-path", "locks", "--lock", "name", "--verbose", "--timeout", "0.01")

        done = call(RUN, *words, "true")

        assert done.returncode == 75
        assert_lines(done.stderr, 2)
        assert done.stderr.count(b", held by process ") == 2

    def test_help_is_not_ours_behind_the_dashes(self, call):
        words = ("run", "--lock-path", "locks", "--lock", "--help", "--", "printf", "%s", "--help")
        assert call(RUN, *words).stdout == b"--help"

    @pytest.mark.skipif(not IS_ROOT, reason="only root can be another user")
    @pytest.mark.parametrize("plant", ["fifo", "symlink", "closed"])
    def test_of_another_user_refuses_what_was_planted(self, peers, shared, plant):
        main = (
            "import os, sys, lockutils.cli.run, lockutils.cli.child, lockutils.cli.signals\n"
            f"os.setgroups([]); os.setgid({VICTIM}); os.setuid({VICTIM})\n"
            "os.dup2(1, 2); status = lockutils.cli.main(); print(status, flush=True)"
        )
        path = shared / "name"
        if plant == "fifo":
            os.mkfifo(path, 0o666)
        elif plant == "symlink":
            path.symlink_to("/etc/passwd")
        else:
            path.touch(0)
        words = ("run", "--lock-path", shared, "--lock", "0", "--lock", "name", "echo", "ran")

        runner = peers.start(sys.executable, "-c", main, *words)

        assert str(path) in runner.hear()
        assert runner.hear() == "73"
        with lockutils.lock("0", external=True, lock_path=shared, blocking=False):
            pass


class TestWrapper:
    @hostile
    def test_gives_the_command_its_words_as_they_are(self, call, text, tmp_path):
        show = (
            "import os, sys; sys.stdout.buffer.write(os.fsencode(sys.argv[1]));"
            "assert os.listdir(os.environ['LOCKUTILS_LOCK_PATH']) == [];"
            "assert os.stat(os.environ['LOCKUTILS_LOCK_PATH']).st_mode & 0o777 == 0o700"
        )
        done = call(WRAPPER, sys.executable, "-c", show, text, TMPDIR=str(tmp_path))
        assert (done.returncode, done.stdout, done.stderr) == (0, os.fsencode(text), b"")
        assert os.listdir(tmp_path) == []

        done = call(WRAPPER, "./" + os.fsdecode(text).replace("/", "_"), TMPDIR=str(tmp_path))
        assert (done.returncode, done.stdout) == (127, b"")
        assert_lines(done.stderr, 1)
        assert os.listdir(tmp_path) == []


class TestLockPath:
    """What the variables say is the path of a directory and nothing else."""

    @pytest.fixture(autouse=True)
    def below(self, tmp_path, monkeypatch):
        folder = tmp_path / "one" / "two"
        folder.mkdir(parents=True)
        monkeypatch.chdir(folder)
        for variable in ("LOCKUTILS_LOCK_PATH", "OSLO_LOCK_PATH"):
            monkeypatch.delenv(variable, raising=False)
        return folder

    @pytest.mark.parametrize("variable", ["LOCKUTILS_LOCK_PATH", "OSLO_LOCK_PATH"])
    @pytest.mark.parametrize(
        ("value", "place"),
        [
            ("relative", "relative"),
            ("~", "~"),
            ("~root/x", "~root/x"),
            ("$HOME", "$HOME"),
            ("${TMPDIR}", "${TMPDIR}"),
            ("$(touch pwned)", "$(touch pwned)"),
            ("../..", "../.."),
            ("a\nb", "a\nb"),
            ("%s", "%s"),
            ("{0}", "{0}"),
            (" ", " "),
            ("file:locks", "file:locks"),
        ],
    )
    def test_is_taken_as_it_is(self, monkeypatch, below, variable, value, place):
        monkeypatch.setenv(variable, value)

        with lockutils.lock("name", external=True):
            assert (below / place / "name").exists()

        assert not (below / "pwned").exists()

    @pytest.mark.parametrize("variable", ["LOCKUTILS_LOCK_PATH", "OSLO_LOCK_PATH"])
    @pytest.mark.parametrize(
        "value",
        [
            *("/dev/null", "/dev/null/x", "/dev/stdin", "/proc/self/fd", "/proc/self/mem"),
            *("/proc/self/x", "/etc/passwd", "x" * 300, "x/" * 10_000, "\n/" * 5000),
        ],
        ids=lambda value: ascii(value)[:20],
    )
    @pytest.mark.parametrize("name", ["name", "0", 200 * "n"], ids=len)
    def test_that_can_be_none_is_told_in_a_line(self, monkeypatch, variable, value, name):
        monkeypatch.setenv(variable, value)

        for take in (
            lambda: lockutils.lock(name, external=True).acquire(),
            lambda: lockutils.lock(name, external=True, fair=True).acquire(blocking=False),
            lambda: lockutils.external_lock(name).acquire(),
        ):
            with pytest.raises(lockutils.LockPathError) as refusal:
                take()
            assert refusal.value.errno
            assert refusal.value.filename.startswith(os.path.abspath(value)[:100])
            assert str(refusal.value).isprintable()

    def test_that_is_empty_is_not_set(self, monkeypatch, below):
        monkeypatch.setenv("LOCKUTILS_LOCK_PATH", "")
        monkeypatch.setenv("OSLO_LOCK_PATH", "")
        assert os.path.basename(lockutils.get_lock_path()) == f"lockutils-{os.geteuid()}"

    def test_that_is_relative_to_nothing(self, monkeypatch, below):
        monkeypatch.setenv("LOCKUTILS_LOCK_PATH", "relative\n")
        below.rmdir()

        for take in (
            lambda: lockutils.lock("name", external=True),
            lambda: lockutils.external_lock("name"),
            lambda: lockutils.set_defaults("relative\n"),
            lambda: lockutils.remove_external_lock_file("name"),
        ):
            with pytest.raises(lockutils.LockPathError) as refusal:
                take()
            assert refusal.value.filename == "relative\n"
            assert str(refusal.value).isprintable()

    @pytest.mark.parametrize("path", ["a\0b", "\ud800", ""], ids=ascii)
    def test_that_no_directory_can_have(self, path):
        for take in (
            lambda: lockutils.lock("name", external=True, lock_path=path),
            lambda: lockutils.external_lock("name", lock_path=path),
            lambda: lockutils.set_defaults(path),
        ):
            with pytest.raises(ValueError, match="not the path of a directory") as refusal:
                take()
            assert str(refusal.value).isprintable()

    def test_of_many_parts_is_made(self, below):
        """More than a Python function can call itself."""
        path = below.joinpath(*["x"] * 1100)
        with lockutils.lock("name", external=True, lock_path=path):
            assert (path / "name").exists()
        subprocess.run(["rm", "-rf", below / "x"], check=True)
