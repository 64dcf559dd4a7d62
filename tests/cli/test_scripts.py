"""``scripts/run`` is ``lockutils run`` of this tree, however and wherever it is called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
#: where it is called from
ELSEWHERE = Path(os.sep)


@pytest.fixture
def call(tmp_path):
    """Return what calls ``scripts/run`` with a lock of this test, and returns what came of it."""

    def call_it(*command, script=SCRIPTS / "run", **options):
        words = [script, "--lock-path", tmp_path / "locks", "--lock", "job", "--", *command]
        settings = {"capture_output": True, "text": True, "timeout": 300}
        return subprocess.run(words, check=False, **{**settings, "cwd": ELSEWHERE, **options})

    return call_it


def test_the_streams_and_the_status_are_those_of_the_command(call):
    done = call("sh", "-c", "cat; echo error >&2; exit 7", input="text")
    assert (done.returncode, done.stdout, done.stderr) == (7, "text", "error\n")


def test_by_a_symbolic_link_from_any_directory(call, tmp_path):
    link = tmp_path / "a link"
    link.symlink_to(SCRIPTS / "run")
    assert call("pwd", script=link).stdout == f"{ELSEWHERE}\n"
    assert call("pwd", script="./run", cwd=SCRIPTS).stdout == f"{SCRIPTS.resolve()}\n"


def test_the_command_has_the_environment_of_the_caller(call):
    """And neither its PYTHONPATH nor its directory decides what lockutils is."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": "/no", "root": "mine", "file": "too"}
    done = call("env", env=environment)
    ours = {"PWD", "OLDPWD", "_", "SHLVL", "LOCKUTILS_HELD"}
    printed = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert {name: printed[name] for name in printed.keys() - ours} == environment


def test_a_module_in_the_working_directory_is_not_taken_for_ours(call, tmp_path):
    (tmp_path / "lockutils.py").write_text("raise AssertionError")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert call("true", cwd=tmp_path, env=environment).stderr == ""


def test_a_full_stderr_is_not_the_fault_of_the_command(tmp_path):
    with open("/dev/full", "w") as full:
        words = ["--lock-path", tmp_path / "locks", "--lock", "job", "--verbose", "sh", "-c"]
        done = subprocess.run([SCRIPTS / "run", *words, "exit 6"], stderr=full, check=False)
    assert done.returncode == 6


@pytest.mark.parametrize("interpreter", ["no-such-python", "/no/python"])
def test_an_interpreter_that_is_not_there_gets_one_line(call, interpreter):
    done = call("true", env={**os.environ, "PYTHON": interpreter})
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr == f"lockutils: there is no {interpreter}; PYTHON=... names another\n"


def test_an_interpreter_without_venv_gets_one_line(tmp_path):
    (tmp_path / "ensurepip.py").write_text("raise ImportError")
    words = [sys.executable, SCRIPTS / "_venv.py", "test"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    line = f"lockutils: {sys.executable} has no venv; PYTHON=... names another\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)
