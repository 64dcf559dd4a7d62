"""lockutils ls: what it lists, and in which form."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time

import pytest

import lockutils

if not os.path.exists("/proc/locks"):
    pytest.skip("no /proc/locks on this platform", allow_module_level=True)

HEADING = "NAME  MODE  HOLDER  SINCE  WAITERS"


@pytest.fixture
def hold(cli):
    """Have a process hold a lock of this name."""

    def start(lock, *options):
        process = cli.start(cli.run_words(*options, "sh", "-c", "echo held; read line", lock=lock))
        assert process.hear() == "held"
        return process

    return start


@pytest.fixture
def ls(cli):
    def call(*arguments, **options):
        where = [] if "--lock-path" in arguments else ["--lock-path", str(cli.lock_path)]
        return cli.call(cli.words("ls", *where, *arguments), **options)

    return call


def lines(result):
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


def words(line):
    return line.split()


def test_holders_and_waiters(cli, hold, ls):
    holder = hold("image-1")
    hold("image-2")
    waiter = cli.start(cli.run_words("--verbose", "true", lock="image-1"))
    assert "waiting for" in waiter.hear_error()
    after = None
    while after is None or words(after)[-1] == "0":  # it says so before it waits
        heading, after, other = lines(ls())

    assert words(heading) == words(HEADING)
    name, mode, pid, user, command, *_, waiters = words(after)
    assert (name, mode, pid, waiters) == ("image-1", "exclusive", str(holder.pid), "1")
    assert user == lines_of("id", "-un")[0]
    assert command == os.path.basename(sys.executable)
    assert " after " in after
    assert (words(other)[0], words(other)[-1]) == ("image-2", "0")
    holder.tell()
    assert waiter.end() == 0


def lines_of(*command):
    return subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines()


def test_a_pattern_and_free_ones(hold, ls, cli):
    hold("image-1")
    for name in ("image-2", "other"):
        with lockutils.lock(name, external=True, lock_path=cli.lock_path):
            pass

    assert [words(line)[:2] for line in lines(ls("--all"))[1:]] == [
        ["image-1", "exclusive"],
        ["image-2", "free"],
        ["other", "free"],
    ]
    assert [words(line)[0] for line in lines(ls("image-*", "--all"))[1:]] == ["image-1", "image-2"]
    assert [words(line)[0] for line in lines(ls("-a", "[io]*[r2]"))[1:]] == ["image-2", "other"]
    assert [words(line)[0] for line in lines(ls())[1:]] == ["image-1"]
    assert [words(line) for line in lines(ls("no*"))] == [words(HEADING)]


def test_readers_have_a_line_each(hold, ls):
    readers = [hold("data", "--shared") for _ in range(2)]
    found = [words(line) for line in lines(ls())[1:]]
    assert [line[:2] for line in found] == [["data", "shared"]] * 2
    assert {line[2] for line in found} == {str(reader.pid) for reader in readers}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a/b", "a/b"),
        (".hidden%", ".hidden%"),
        ("", "''"),
        ("line\nbreak\x1b[31m", r"line\nbreak\x1b[31m"),
        ("100%", "100%"),
        ("日本", "日本"),
    ],
)
def test_names_are_as_they_were_asked_for(hold, ls, name, shown):
    hold(name)
    assert words(lines(ls())[1])[0] == shown
    assert json.loads(ls("--json").stdout)["locks"][0]["name"] == name


def test_a_name_that_is_cut_is_marked(hold, ls):
    name = "long/" * 100
    hold(name)

    shown = words(lines(ls())[1])[0]

    assert shown.endswith("...")
    assert name.startswith(shown.removesuffix("..."))
    (lock,) = json.loads(ls("--json").stdout)["locks"]
    assert (lock["name"] + "...", lock["name_is_cut"]) == (shown, True)


def test_the_json(cli, hold, ls):
    holder = hold("a/b")
    before = time.time()

    found = json.loads(ls("--json").stdout)

    assert (found["version"], found["directory"]) == (1, str(cli.lock_path))
    (lock,) = found["locks"]
    (told,) = lock.pop("holders")
    assert lock == {"name": "a/b", "name_is_cut": False, "file": "a%2Fb", "waiters": []}
    assert told.pop("command").startswith(f"{sys.executable} -c import sys")
    assert told.pop("not_before") <= before
    assert told == {
        "pid": holder.pid,
        "host": None,
        "user": lines_of("id", "-un")[0],
        "thread": None,
        "task": None,
        "mode": "exclusive",
        "since": None,
    }


def test_the_default_directory_is_not_made(cli, ls, tmp_path):
    path = tmp_path / "missing"
    environment = {**cli.environment, "LOCKUTILS_LOCK_PATH": str(path)}

    assert [words(line) for line in lines(cli.call(cli.words("ls"), env=environment))] == [
        words(HEADING)
    ]

    assert not path.exists()


def test_what_is_wrong_is_told(cli, ls, tmp_path):
    missing = ls("--lock-path", str(tmp_path / "missing"))
    assert missing.returncode == 73
    assert missing.stderr == f"lockutils: No such file or directory: '{tmp_path}/missing'\n"
    (tmp_path / "file").touch()
    assert ls("--lock-path", str(tmp_path / "file")).returncode == 73
    for arguments, text in [
        (("a", "b"), "and not also 'b'"),
        (("--al",), "did you mean --all?"),
        (("--json=yes",), "--json takes no value"),
        (("--lock-path", ""), "--lock-path needs a path, not ''"),
    ]:
        wrong = ls(*arguments)
        assert (wrong.returncode, wrong.stdout) == (64, "")
        assert text in wrong.stderr


def test_help_is_a_page(ls):
    text = "\n".join(lines(ls("--help")))
    for part in ("usage: lockutils ls", "--json", "Exit status", "Example:"):
        assert part in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_a_reader_that_has_seen_enough_is_no_error(cli, hold):
    hold("a")
    program = " ".join(f"'{word}'" for word in cli.words("ls", "--lock-path", str(cli.lock_path)))
    result = cli.call(["bash", "-c", f"{program} | true; echo ${{PIPESTATUS[0]}}"])
    assert (result.stdout, result.stderr) == ("0\n", "")


def test_an_encoding_that_lacks_a_character(cli, hold, ls):
    hold("日本")
    result = ls(env={**cli.environment, "PYTHONIOENCODING": "ascii"})
    assert words(lines(result)[1])[0] == r"\u65e5\u672c"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_fits_a_terminal(cli, hold, width):
    hold("n" * 100)
    hold("日本" * 20)
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        program = cli.words("ls", "--lock-path", str(cli.lock_path))
        subprocess.run(program, stdout=theirs, env=cli.environment, check=True)
        shown = os.read(ours, 65536).decode().splitlines()
    finally:
        os.close(ours)
        os.close(theirs)
    assert len(shown) == 3
    assert all(cells(line) <= width for line in shown)
    assert words(shown[0]) == words(HEADING)
    assert shown[1].endswith("  0")


def cells(line):
    return sum(2 if ord(char) > 0x2E80 else 1 for char in line)


def test_ten_thousand_lock_files(cli, hold, ls):
    """All of them take no longer than a few starts of an interpreter."""
    cli.lock_path.mkdir(exist_ok=True)
    for number in range(10_000):
        (cli.lock_path / f"lock-{number}").touch()
    holder = hold("lock-77")
    python = [sys.executable, "-c", "import lockutils"]
    program = cli.words("ls", "--lock-path", str(cli.lock_path))
    ratios = [seconds(cli, program) / seconds(cli, python) for _ in range(5)]
    assert min(ratios) < 6, ratios

    assert words(lines(ls())[1])[2] == str(holder.pid)
    assert len(lines(ls("--all"))) == 10_001


def seconds(cli, program):
    start = time.perf_counter()
    assert cli.call(program).returncode == 0
    return time.perf_counter() - start


def test_a_pattern_is_the_same_in_every_locale(cli, hold, ls):
    hold("\u00e9")
    for locale in "C", "C.UTF-8":
        cli.environment.update(LC_ALL=locale, PYTHONUTF8="0")
        assert len(lines(ls("[\u00e9]"))) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a pid namespace")
def test_with_the_proc_of_another_namespace_it_names_nobody(cli, hold):
    hold("a")
    words = cli.words("ls", "--lock-path", str(cli.lock_path))
    result = cli.call(["unshare", "--pid", "--fork", "--kill-child", *words])
    assert (result.returncode, result.stdout) == (69, "")
    assert "/proc is that of another pid namespace" in result.stderr


def test_what_is_no_file_is_no_free_lock(cli, ls):
    cli.lock_path.mkdir()
    (cli.lock_path / "directory").mkdir()
    (cli.lock_path / "link").symlink_to("nowhere")
    os.mkfifo(cli.lock_path / "pipe")
    (cli.lock_path / "lock").touch()
    assert [words(line)[0] for line in lines(ls("--all"))[1:]] == ["lock"]
