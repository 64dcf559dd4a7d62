"""What is an option, what belongs to the command, and what is wrong."""

from __future__ import annotations

import sys
import types

import pytest

import lockutils
from lockutils.cli import main as lockutils_main

PRINT_ARGUMENTS = (sys.executable, "-c", "import sys; print(sys.argv[1:])")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["run", "--help"], ["run", "-h"]])
def test_help_goes_to_stdout(cli, arguments):
    result = cli.call(cli.words(*arguments))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: lockutils ")


def test_help_of_run_has_every_option(cli):
    text = cli.call(cli.words("run", "--help")).stdout
    for option in (
        "      --lock NAME",
        "      --lock-file PATH",
        "  -w, --timeout S, --wait",
        "  -n, --no-wait, --nonblock",
        "  -s, --shared",
        "  -x, --exclusive",
        "      --slots N",
        "      --fair",
        "  -E, --conflict-exit-code N",
        "      --lock-path DIR",
        "      --file-mode MODE",
        "      --prefix P",
        "  -c, --command CMD",
        "  -o, --close",
        "  -F, --no-fork",
        "      --verbose",
        "  -h, --help",
        "  -V, --version",
    ):
        assert f"\n{option} " in text
    assert max(map(len, text.splitlines())) <= 100


def test_python_can_run_the_package(cli):
    ours = [sys.executable, "-m", "lockutils"]
    words = [*ours, "run", "--lock-path", str(cli.lock_path), "--lock", "job", "sh", "-c", "exit 5"]
    assert cli.call(words).returncode == 5
    result = cli.call([*ours, "run"])
    assert (result.returncode, result.stderr.count("\n")) == (64, 1)


@pytest.mark.parametrize("arguments", [["--version"], ["-V"], ["run", "-V"]])
def test_version(cli, arguments):
    result = cli.call(cli.words(*arguments))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"lockutils {lockutils.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "no command"),
        (["walk"], "'walk'"),
        (["--lock", "a", "true"], "option: '--lock'"),
        (["run"], "--lock NAME or --lock-file PATH is required"),
        (["run", "true"], "--lock NAME or --lock-file PATH is required"),
        (["run", "-n", "/var/lock/a", "true"], "--lock NAME or --lock-file PATH is required"),
        (["run", "--lock"], "--lock needs a value"),
        (["run", "--lock", "a"], "no command"),
        (["run", "--lock", "a", "--"], "no command"),
        (["run", "--loc", "a", "true"], "'--loc'"),
        (["run", "-q", "--lock", "a", "true"], "'-q'"),
        (["run", "-nq", "--lock", "a", "true"], "'-nq'"),
        (["run", "-n-shared", "--lock", "a", "true"], "'-n-shared'"),
        (["run", "--lock", "a", "-w"], "-w needs a value: S"),
        (["run", "--lock", "a", "-w", "-1", "true"], "'-1'"),
        (["run", "--lock", "a", "-n", "-w", "1", "true"], "--no-wait does not go with --timeout"),
        (["run", "--lock", "a", "-sx", "true"], "--shared does not go with --exclusive"),
        (["run", "--lock", "a", "-oF", "true"], "--close does not go with --no-fork"),
        (["run", "--lock", "a", "-c", "echo", "ran"], "'ran'"),
        (["run", "--lock", "a", "--conflict-exit-code", "1" * 5000, "true"], "0 to 255"),
        (["run", "--lock-file", "", "true"], "--lock-file needs a path"),
        (["run", "--verbose=yes", "--lock", "a", "true"], "'--verbose=yes'"),
        (["run", "--lock", "a", "--timeout", "-1", "true"], "'-1'"),
        (["run", "--lock", "a", "--timeout=nan", "true"], "'nan'"),
        (["run", "--lock", "a", "--timeout", "soon", "true"], "'soon'"),
        (["run", "--lock", "a", "--timeout", "1", "--no-wait", "true"], "--no-wait"),
        (["run", "--lock", "a", "--conflict-exit-code", "256", "true"], "'256'"),
        (["run", "--lock", "a", "--conflict-exit-code", "-1", "true"], "'-1'"),
        (["run", "--lock", "a", "--conflict-exit-code=", "true"], "''"),
        (["run", "--lock", "a", "--lock-path", "", "true"], "--lock-path needs a path"),
        (["run", "--lock", "a", "--file-mode", "", "true"], "--file-mode must be a mode"),
        (["run", "--lock", "a", "--file-mode", "888", "true"], "'888'"),
        (["run", "--lock", "a", "--file-mode", "0440", "true"], "'0440'"),
    ],
)
def test_wrong_usage_is_64_and_one_line_that_names_it(cli, arguments, named):
    result = cli.call(cli.words(*arguments))
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr.startswith("lockutils: ")
    assert result.stderr.count("\n") == 1
    assert named in result.stderr


@pytest.mark.parametrize(
    ("arguments", "nearest", "program"),
    [
        (["run", "--timout=5"], "--timeout", "lockutils run"),
        (["run", "-timeout", "5"], "--timeout", "lockutils run"),
        (["run", "--no-block"], "--nonblock", "lockutils run"),
        (["run", "--exit-code", "1"], "--conflict-exit-code", "lockutils run"),
        (["rum"], "run", "lockutils"),
        (["--verison"], "--version", "lockutils"),
    ],
)
def test_what_is_not_known_gets_the_nearest_and_help(cli, arguments, nearest, program):
    result = cli.call(cli.words(*arguments))
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr.endswith(f"; did you mean {nearest}? (see {program} --help)\n")


def test_what_is_like_nothing_gets_help(cli):
    result = cli.run("--xyz", "true")
    assert result.stderr == "lockutils: no such option: '--xyz' (see lockutils run --help)\n"


@pytest.mark.parametrize(
    "options",
    [
        ["-n", "-x", "-E", "9"],
        ["-nxE9"],
        ["-xw0", "-E9"],
        ["--nonblock", "--exclusive", "--conflict-exit-code=9"],
        ["--wait=0", "-E", "9"],
    ],
)
def test_the_letters_are_those_of_flock(cli, options):
    assert cli.run(*options, "echo", "ran").stdout == "ran\n"
    cli.hold()
    assert cli.run(*options, "echo", "ran").returncode == 9


@pytest.mark.parametrize("option", ["-c", "--command"])
def test_a_command_line_is_for_the_shell(cli, option):
    cli.environment["SHELL"] = "/no/such/shell"
    result = cli.run(option, 'echo "$0" && exit 3')
    assert (result.returncode, result.stdout) == (3, "/bin/sh\n")


def test_a_command_line_that_is_taken_for_a_command_gets_the_option(cli):
    for options in [], ["-F"]:
        result = cli.run(*options, "--", "echo hi")
        assert result.returncode == 127
        assert result.stderr.endswith("; with -c 'echo hi' a shell runs it\n")
        assert "with -c" not in cli.run(*options, "--", "no-such-command", "hi there").stderr


@pytest.mark.parametrize("name", ["/var/lock/x", "./x", "../x"])
def test_a_name_like_a_path_is_told_once_that_it_is_none(cli, name):
    result = cli.call(cli.run_words("--lock", "/other", "echo", "ran", lock=name))
    assert (result.returncode, result.stdout) == (0, "ran\n")
    assert result.stderr == (
        f"lockutils: {name!r} is the name of a lock, and not that file: --lock-file locks a file\n"
    )
    assert cli.call(cli.run_words("true", lock="x/y")).stderr == ""


def test_the_prefix_is_in_the_messages(cli):
    cli.hold("--prefix", "app")
    result = cli.run("--prefix", "app", "--verbose", "-w", "0.01", "true")
    waiting, failed = result.stderr.splitlines()
    assert waiting.startswith("lockutils: waiting for 'app-job'")
    assert failed.startswith("lockutils: Failed to acquire the lock 'app-job'")


@pytest.mark.parametrize("separator", [(), ("--",)])
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-x"],
        ["--"],
        ["a", "--", "b"],
        ["--lock", "b", "--timeout", "nan", "--help"],
        ["", " ", "\n", "*", "\udcff"],
    ],
)
def test_the_arguments_of_the_command_are_its_own(cli, separator, arguments):
    result = cli.run(*separator, *PRINT_ARGUMENTS, *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{arguments}\n"


def test_a_command_may_look_like_an_option_after_the_dashes(cli):
    result = cli.run("--", "-x")
    assert result.returncode == 127
    assert "'-x'" in result.stderr


@pytest.mark.parametrize(
    ("name", "file"),
    [("", "%"), ("--", "--"), ("a/b", "a%2Fb"), ("-x", "-x"), ("new\nline", "new%0Aline")],
)
def test_any_name_is_a_lock(cli, name, file):
    assert cli.call(cli.run_words("true", lock=name)).returncode == 0
    assert [path.name for path in cli.lock_path.iterdir()] == [file]


def test_options_take_their_value_after_an_equals_sign_too(cli):
    words = cli.words("run", f"--lock-path={cli.lock_path}", "--lock=a=b", "--prefix=p", "true")
    assert cli.call(words).returncode == 0
    assert [path.name for path in cli.lock_path.iterdir()] == ["p-a=b"]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "en_US.ISO-8859-1"])
def test_a_name_is_the_same_in_every_locale(cli, locale):
    cli.environment.update(LC_ALL=locale, PYTHONUTF8="0")
    assert cli.call(cli.run_words("true", lock="\u00e9")).returncode == 0
    assert [path.name for path in cli.lock_path.iterdir()] == ["\u00e9"]


def test_the_lock_path_comes_from_the_environment_without_an_option(cli, tmp_path):
    cli.environment["LOCKUTILS_LOCK_PATH"] = str(tmp_path / "other")
    assert cli.call(cli.words("run", "--lock", "a", "true")).returncode == 0
    assert (tmp_path / "other" / "a").exists()


@pytest.mark.parametrize("options", [[], ["--file-mode", "0640"]])
def test_a_new_file_has_the_mode_of_the_option_or_the_variable(cli, tmp_path, options):
    cli.environment["LOCKUTILS_FILE_MODE"] = "660"
    file = tmp_path / "file"
    assert cli.run(*options, "--lock-file", str(file), "true", umask=0o077).returncode == 0
    for path in cli.lock_path / "job", file:
        assert path.stat().st_mode & 0o7777 == (0o640 if options else 0o660)


def test_a_variable_that_is_no_mode_is_named_before_anything_is_made(cli):
    cli.environment["LOCKUTILS_FILE_MODE"] = "rw"
    result = cli.run("true")
    assert (result.returncode, result.stderr.count("\n")) == (73, 1)
    assert result.stderr.startswith("lockutils: $LOCKUTILS_FILE_MODE must be a mode ")
    assert "not 'rw'" in result.stderr
    assert not cli.lock_path.exists()


def test_what_needs_posix_says_so_elsewhere(monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "lockutils.cli.why", None)
    monkeypatch.setattr("lockutils.cli.os", types.SimpleNamespace(name="nt"))

    status = lockutils_main(["why", "name"])

    assert status == 69
    assert "why does not work on" in capfd.readouterr().err
