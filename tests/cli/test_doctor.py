"""The command itself: its options, what it prints, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import fastjsonschema
import pytest
from doctors import MAIN, environment, examine

from lockutils.cli.doctor import EPILOG, OPTIONS, USAGE
from lockutils.observe import doctor
from lockutils.observe.doctor import directory, file_system, files, interpreter

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "doctor.rst"
CHECKS = [
    check.__name__.replace("_", " ")
    for module in (interpreter, directory, file_system, files)
    for check in module.CHECKS
]


@pytest.fixture
def call(cli, tmp_path):
    """Run ``lockutils doctor`` to its end, in an empty directory."""
    env = environment(LANG="C.UTF-8")

    def call(*words, **options):
        return cli.call(cli.words("doctor", *words), **{"env": env, "cwd": tmp_path, **options})

    return call


@pytest.fixture
def locks(tmp_path):
    (tmp_path / "locks").mkdir(0o755)
    return "locks"


def test_prints_lines_with_what_to_do_below(call, locks, tmp_path):
    done = call(locks)
    assert (done.returncode, done.stderr) == (0, "")
    *lines, last = done.stdout.splitlines()
    assert re.fullmatch(r"\d+ ok, 0 warning, 0 problem", last)
    assert [line[9:21].strip() for line in lines] == list(dict.fromkeys(CHECKS))
    assert {line[:9] for line in lines} == {"ok       "}

    (tmp_path / locks).chmod(0o777)
    done = call(locks)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("warning  directory  "))
    assert lines[number + 1] == f"{'':21} -> set the sticky bit: chmod +t DIR"

    (tmp_path / locks / ".lockutils-queue").mkdir()
    done = call(locks)
    assert done.returncode == 2
    assert re.search(r"^problem  queue +", done.stdout, re.MULTILINE)
    assert done.stdout.endswith("ok, 2 warning, 1 problem\n")


@pytest.mark.parametrize("where", ["locks", "missing", "/dev/null", "/proc/1"])
def test_json_is_as_the_schema_in_the_documentation_has_it(call, locks, where):
    text = PAGE.read_text().split(":caption: doctor.schema.json\n")[1].split(".. code-block")[0]
    schema = json.loads(text)
    validate = fastjsonschema.compile(schema)
    done = call("--json", where)
    found = json.loads(done.stdout)
    validate(found)
    # nothing is there that the schema does not know, and the text follows the levels
    assert found.keys() == schema["properties"].keys()
    for one in found["checks"]:
        assert one.keys() == schema["properties"]["checks"]["items"]["properties"].keys()
        assert bool(one["advice"]) == (one["level"] != "ok")
    levels = ["ok", "warning", "problem"]
    assert done.returncode == levels.index(found["level"])
    assert found["level"] == max((one["level"] for one in found["checks"]), key=levels.index)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        validate({**found, "level": "fine"})


def test_the_page_has_each_check():
    told = re.findall(r"^``([a-z ]+)`` +", PAGE.read_text(), re.MULTILINE)
    assert told == CHECKS


def test_help_is_a_page(call):
    for option in "--help", "-h":
        done = call(option)
        assert done.returncode == 0
        assert done.stdout.startswith(f"usage: {USAGE}\n")
        for name in OPTIONS:
            assert name in done.stdout
        assert done.stdout.endswith(EPILOG)
        assert "Exit status: 0" in EPILOG
        assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jsn"], "no such option: '--jsn'; did you mean --json?"),
        (["a", "b"], "one directory at a time, and not also 'b'"),
        ([""], "DIR must be a path, not ''"),
        (["--json=1"], "--json takes no value"),
    ],
)
def test_a_wrong_command_line(call, words, said):
    done = call(*words)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith(f"lockutils: {said}")
    assert done.stderr.count("\n") == 1


def test_in_a_bare_environment(tmp_path):
    env = {"PYTHONPATH": environment()["PYTHONPATH"]}
    report = examine(tmp_path / "locks", env=env)
    assert report.wrong() == {}


def test_whoever_stops_reading_gets_the_exit_status_still(call, locks, tmp_path):
    (tmp_path / locks).chmod(0o777)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "doctor", locks],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        # as a shell starts it: Python itself ignores the signal
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_without_a_place_to_print_to(call, locks):
    done = call(locks, preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_path_that_the_terminal_cannot_show(call, tmp_path):
    name = "l\u00f6cks \udcff"
    os.mkdir(tmp_path / name)
    env = environment(PYTHONIOENCODING="ascii")
    done = call(name, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"l\xf6cks \udcff, asked for" in done.stdout


def test_where_there_is_no_posix(tmp_path):
    """Prints what it knows: played by taking away what other platforms lack."""
    program = """
import os, sys, pathlib, json, select, signal, importlib.metadata, subprocess, tempfile, warnings
import time
for name in "fcntl", "resource", "pwd", "grp":
    sys.modules[name] = None
del time.clock_gettime
for name in "fork", "register_at_fork", "statvfs", "uname", "geteuid", "getegid", "umask":
    delattr(os, name)
warnings.simplefilter("ignore")
import filelock
sys.modules[pathlib.Path.__module__].WindowsPath = pathlib.PosixPath
os.name = "nt"
from lockutils.cli import main
sys.exit(main(sys.argv[1:]))
"""
    (tmp_path / "name").touch()
    report = examine(tmp_path, main=program)
    assert report.wrong() == {"platform": "warning"}
    assert "filelock does the locking" in report.of("platform")
    assert report.of("directory").startswith("it exists")
    assert report.of("lock files").startswith("1 in all")


def test_other_commands_do_not_import_it():
    program = "import sys; from lockutils.cli import main; main(['run', '--help'])"
    program += "; print([name for name in sys.modules if 'doctor' in name or name == 'json'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert doctor
