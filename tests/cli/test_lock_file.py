"""``--lock-file PATH``: exactly that file, so that it meets ``flock PATH``."""

from __future__ import annotations

import os

import pytest
from lock_peers import sleeps_for_a_lock, until


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    return path


#: names that a lock of the same name would have another file for
NAMES = ["x", ".x", "a%2Fb", "%", "new\nline", "\udcff", "n" * 255]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_it_meets_flock_both_ways(cli, folder, name):
    path = str(folder / name)
    ours = cli.words("run", "--lock-file", path, "-n")
    assert cli.call([*ours, "flock", "-n", path, "true"]).returncode == 1
    assert cli.call(["flock", path, *ours, "true"]).returncode == 75
    assert cli.call([*ours, "true"]).returncode == 0
    assert {os.fsencode(file) for file in os.listdir(folder)} == {os.fsencode(name)}


def test_it_waits_for_flock(cli, folder):
    path = str(folder / "x")
    holder = cli.start(["flock", path, "sh", "-c", "echo holding; read -r line"])
    assert holder.hear() == "holding"
    waiter = cli.start(cli.words("run", "--lock-file", path, "echo", "ran"))
    until(lambda: sleeps_for_a_lock(waiter.pid), "it waits")
    holder.tell()
    assert waiter.hear() == "ran"
    assert waiter.end() == 0


@pytest.mark.parametrize("options", [["--shared"], ["--slots", "2"]])
def test_it_has_the_modes_of_a_name(cli, folder, options):
    ours = cli.words("run", "--lock-file", str(folder / "x"), "-n", *options)
    assert cli.call([*ours, *ours, "echo", "two"]).stdout == "two\n"
    assert cli.call([*ours, "flock", "-n", str(folder / "x"), "true"]).returncode == 1


def test_it_meets_a_name_in_that_directory(cli):
    holder = cli.hold()
    result = cli.call(cli.words("run", "--lock-file", str(cli.lock_path / "job"), "-n", "true"))
    assert result.returncode == 75
    assert f"the lock '{cli.lock_path}/job', held by process {holder.pid} " in result.stderr


def test_messages_have_the_path_as_it_was_given(cli, folder):
    result = cli.call(cli.words("run", "--lock-file", "x", "--verbose", "true"), cwd=folder)
    assert [line.split(" after ")[0] for line in result.stderr.splitlines()] == [
        "lockutils: acquired 'x'",
        "lockutils: released 'x'",
    ]
    assert os.listdir(folder) == ["x"]


def test_a_file_by_two_paths_and_a_name_is_taken_once(cli, folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    files = [f"{folder}/x", f"{folder}/../folder/x", f"{tmp_path}/link/x"]
    words = [word for file in files for word in ("--lock-file", file)]
    names = ("--lock", "x", "--lock-path", str(tmp_path / "link"))
    assert cli.call(cli.words("run", "-n", *words, *names, "true")).returncode == 0


def test_a_name_that_looks_like_the_file_is_another_lock(cli, folder):
    words = ["--lock-file", "./x", "--lock", "./x", "--lock-path", "locks"]
    assert cli.call(cli.words("run", *words, "true"), cwd=folder).returncode == 0
    assert sorted(os.listdir(folder)) == ["locks", "x"]


def test_the_way_to_the_file_is_the_one_of_the_kernel(cli, folder, tmp_path):
    (folder / "below").mkdir()
    (tmp_path / "link").symlink_to(folder / "below")
    path = f"{tmp_path}/link/../x"
    assert cli.call(cli.words("run", "--lock-file", path, "flock", "-n", path)).returncode != 0
    assert sorted(os.listdir(folder)) == ["below", "x"]


@pytest.mark.parametrize(
    "words",
    [
        ["--lock", "b", "--lock", "a"],
        ["--lock-file", "b", "--lock-file", "a"],
        ["--lock", "b", "--lock-file", "a"],
        ["--lock-file", "./b", "--lock", "a"],
        ["--lock-file", "../folder/b", "--lock", "a"],
    ],
)
def test_names_and_files_are_taken_in_one_order(cli, folder, words):
    result = cli.call(cli.words("run", "--lock-path", ".", "--verbose", *words, "true"), cwd=folder)
    acquired = [line.split("'")[1] for line in result.stderr.splitlines() if "acquired" in line]
    assert [os.path.basename(name) for name in acquired] == ["a", "b"]


@pytest.mark.parametrize("path", ["missing/x", "file/x", "link", ".", "..", "fifo"])
def test_73_if_there_can_be_no_such_file(cli, folder, path):
    (folder / "file").touch()
    (folder / "link").symlink_to(folder / "file")
    os.mkfifo(folder / "fifo")
    result = cli.call(cli.words("run", "--lock-file", path, "echo", "ran"), cwd=folder)
    assert (result.returncode, result.stdout) == (73, "")
    assert result.stderr.count("\n") == 1
    assert sorted(os.listdir(folder)) == ["fifo", "file", "link"]


def test_73_if_there_is_no_working_directory(cli, folder):
    gone = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    for ours in ["--lock-file", "x"], ["--lock", "x", "--lock-path", "x"]:
        folder.mkdir(exist_ok=True)
        words = cli.words("run", *ours, "true")
        result = cli.call(["sh", "-c", gone, "sh", str(folder), *words])
        assert result.returncode == 73
        assert result.stderr.count("\n") == 1
