"""What is an option, what belongs to the command, and what is wrong."""

from __future__ import annotations

import sys

import pytest

PRINT_ARGUMENTS = (sys.executable, "-c", "import sys; print(sys.argv[1:])")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["run", "--help"], ["run", "-h"]])
def test_help_goes_to_stdout(cli, arguments):
    result = cli.call(cli.words(*arguments))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: lockutils ")


def test_help_of_run_has_every_option(cli):
    text = cli.call(cli.words("run", "--help")).stdout
    for option in (
        "--lock NAME",
        "--timeout S",
        "--no-wait",
        "--conflict-exit-code N",
        "--lock-path DIR",
        "--prefix P",
        "--verbose",
    ):
        assert f"  {option} " in text
    assert max(map(len, text.splitlines())) <= 100


def test_version(cli):
    result = cli.call(cli.words("--version"))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("lockutils ")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "no command"),
        (["walk"], "'walk'"),
        (["run"], "--lock is required"),
        (["run", "true"], "--lock is required"),
        (["run", "--lock"], "--lock needs a value"),
        (["run", "--lock", "a"], "no command"),
        (["run", "--lock", "a", "--"], "no command"),
        (["run", "--loc", "a", "true"], "'--loc'"),
        (["run", "-x", "--lock", "a", "true"], "'-x'"),
        (["run", "--verbose=yes", "--lock", "a", "true"], "'--verbose=yes'"),
        (["run", "--lock", "a", "--timeout", "-1", "true"], "'-1'"),
        (["run", "--lock", "a", "--timeout=nan", "true"], "'nan'"),
        (["run", "--lock", "a", "--timeout", "soon", "true"], "'soon'"),
        (["run", "--lock", "a", "--timeout", "1", "--no-wait", "true"], "--no-wait"),
        (["run", "--lock", "a", "--conflict-exit-code", "256", "true"], "'256'"),
        (["run", "--lock", "a", "--conflict-exit-code", "-1", "true"], "'-1'"),
        (["run", "--lock", "a", "--conflict-exit-code=", "true"], "''"),
        (["run", "--lock", "a", "--lock-path", "", "true"], "''"),
    ],
)
def test_wrong_usage_is_64_and_one_line_that_names_it(cli, arguments, named):
    result = cli.call(cli.words(*arguments))
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr.startswith("lockutils: ")
    assert result.stderr.count("\n") == 1
    assert named in result.stderr


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
