"""The completions of bash, zsh and fish: they have all options, and the command gets its own."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lockutils.cli import COMMANDS
from lockutils.cli.options import names_of
from lockutils.cli.run_options import OPTIONS

FOLDER = Path(__file__).parents[2] / "completion"
each_command = pytest.mark.parametrize("command", COMMANDS)
#: prints what the last of its words can become
BASH = """
source "$0" && COMP_WORDS=("$@") && COMP_CWORD=$(($# - 1)) && _lockutils
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = 'source $argv[1]; complete -C "$argv[2..]"'


def completed(shell, *words):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    if shell == "bash":
        program = ["bash", "-c", BASH, FOLDER / "lockutils", *words]
    else:
        program = ["fish", "--no-config", "-c", FISH, FOLDER / "lockutils.fish", *words]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return {line.split("\t")[0] for line in done.stdout.splitlines()} - {""}


def options_of(command):
    """The names of all options of a command."""
    module = "run_options" if command == "run" else command
    options = importlib.import_module(f"lockutils.cli.{module}").OPTIONS
    return {name for option in options for name in names_of(option, options)}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_has_all_commands(shell):
    assert completed(shell, "lockutils", "") - {"-h", "-V", "--help", "--version"} == {*COMMANDS}


def test_zsh_has_all_commands():
    text = (FOLDER / "_lockutils").read_text()
    assert dict(re.findall(r'[( (](\w+)\\:"([^"]*)"', text)) == COMMANDS


@each_command
def test_bash_has_all_options(command):
    options = completed("bash", "lockutils", command, "-")
    assert options == options_of(command)


@each_command
def test_zsh_has_all_options(command):
    text = (FOLDER / "_lockutils").read_text()
    text = text.partition(f"_lockutils_{command}() {{")[2].partition("\n}\n")[0]
    options = set()
    for line in re.findall(r"^ +'.*-.*\[.*", text, re.MULTILINE):
        # '(what it excludes)'{its,names}'[what it does]', or 'name[what it does]'
        names = re.search(r"\{(.*)\}", line) or re.search(r"(-[\w-]+)[=+]?\[", line)
        options.update(name.rstrip("=+") for name in names[1].split(","))
    assert options == options_of(command)


@each_command
def test_fish_has_all_options(command):
    text = (FOLDER / "lockutils.fish").read_text()
    options = set()
    for line in re.findall(r"^complete .*", text, re.MULTILINE):
        if " -n " in line and f"${command}" not in line:
            continue
        ours = line.partition("__fish_complete_subcommand")[0]
        options.update("-" + letter for letter in re.findall(r" -s (\w)", ours))
        options.update("--" + word for word in re.findall(r" -l ([\w-]+)", ours))
    assert options == options_of(command)


def test_options_with_a_value_are_known_as_such():
    """What follows such an option is not the command."""
    bash, fish = ((FOLDER / name).read_text() for name in ("lockutils", "lockutils.fish"))
    values = {
        name for option in OPTIONS if OPTIONS[option][1] for name in names_of(option, OPTIONS)
    }
    long = {name for name in values if name.startswith("--")}
    pattern = re.search(r"--lock \|[^)]*\)", bash)[0]
    assert set(re.findall(r"--[\w-]+", pattern)) == long
    assert set(re.search(r"-\*\[(\w+)\]\)", bash)[1]) == {name[1] for name in values - long}
    skipped = re.search(r"--fcs-skip=2 ([^)]*)", fish)[1].split()
    assert set(skipped) == values


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_words_of_the_command_are_completed_as_without_us(shell, tmp_path):
    assert completed(shell, "lockutils", "ru") == {"run"}
    for options in ["--lock", "x"], ["-n", "-w", "5", "--lock=x"], ["--lock", "x", "--"]:
        assert "mkfifo" in completed(shell, "lockutils", "run", *options, "mkfif")
        (tmp_path / "argument").touch()
        found = completed(shell, "lockutils", "run", *options, "cat", f"{tmp_path}/arg")
        assert found == {f"{tmp_path}/argument"}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_path_is_completed(shell, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for option, names in ("--lock-file", {"file", "folder"}), ("--lock-path", {"folder"}):
        paths = completed(shell, "lockutils", "run", option, f"{tmp_path}/f")
        assert {path.rstrip("/") for path in paths} == {f"{tmp_path}/{name}" for name in names}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_directory_of_doctor_is_completed(shell, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for options in [], ["--json"]:
        paths = completed(shell, "lockutils", "doctor", *options, f"{tmp_path}/f")
        assert {path.rstrip("/") for path in paths} == {f"{tmp_path}/folder"}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_directory_of_gc_is_completed(shell, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for options in [], ["--yes"], ["--older-than", "1d"]:
        paths = completed(shell, "lockutils", "gc", *options, f"{tmp_path}/f")
        assert {path.rstrip("/") for path in paths} == {f"{tmp_path}/folder"}


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize("command", ["ls", "top", "why"])
def test_a_directory_to_list_is_completed(shell, command, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    paths = completed(shell, "lockutils", command, "--lock-path", f"{tmp_path}/f")
    assert {path.rstrip("/") for path in paths} == {f"{tmp_path}/folder"}


def test_zsh_can_read_it():
    if shutil.which("zsh") is None:
        pytest.skip("there is no zsh")
    subprocess.run(["zsh", "-n", FOLDER / "_lockutils"], check=True)
