"""``lockutils why``: what it says of a lock that is free, held, or in a deadlock."""

import json
import os
import sys

import pytest
from lock_peers import until_waited_for

from lockutils.observe.wait_records import waits_of

LOCK = "lockutils.lock({!r}, external=True, lock_path=sys.argv[1])"
#: takes two locks one inside the other
TAKE_TWO = """
import sys, lockutils
one, two = (lockutils.lock(name, external=True, lock_path=sys.argv[1]) for name in sys.argv[2:])
with one:
    print("held", flush=True)
    sys.stdin.readline()
    with two:
        print("got", flush=True)
"""


def why(cli, *arguments):
    return cli.call(cli.words("why", "--lock-path", str(cli.lock_path), *arguments))


def test_free(cli):
    done = why(cli, "job")
    assert (done.returncode, done.stdout, done.stderr) == (0, "'job' is free\n", "")
    assert not cli.lock_path.exists()  # nothing is made


def test_held(cli):
    holder = cli.hold()

    done = why(cli, "job")

    assert (done.returncode, done.stderr) == (1, "")
    first, by, *lines = done.stdout.splitlines()
    assert first == "'job' is held"
    assert by.startswith(f"  by process {holder.pid} (")
    started = [line for line in lines if line.startswith("    started by process ")]
    assert started[0].startswith(f"    started by process {os.getpid()} (")
    assert started[-1].startswith("    started by process 1 (")
    assert any(line.startswith("    S (sleeping)") for line in lines)


def test_who_waits_in_which_order(cli):
    holder = cli.hold()
    waiting = []
    for _ in range(3):
        waiting.append(cli.start(cli.run_words("true")))
        until_waited_for(cli.lock_path / ("job" if len(waiting) < 3 else ".lockutils-queue"))

    def pids():
        found = json.loads(why(cli, "--json", "job").stdout)["waiters"]
        return [waiter["pid"] for waiter in found]

    while len(pids()) < 3:
        pass
    assert sorted(pids()) == sorted(one.pid for one in waiting)
    assert "\n3 waiting, in this order:\n  process " in why(cli, "job").stdout
    holder.tell()


@pytest.fixture
def deadlock(cli, peers):
    """Two processes that wait for each other, known by now."""
    cli.lock_path.mkdir()
    started = []
    for names in ("ab", "ba"):
        started.append(peers.start(sys.executable, "-c", TAKE_TWO, cli.lock_path, *names))
        assert started[-1].hear() == "held"
    for peer in started:
        peer.tell()
    pids = [peer.process.pid for peer in started]
    while not all(map(waits_of, pids)):
        pass
    return pids


def test_deadlock(cli, deadlock):
    one, two = deadlock

    done = why(cli, "a")

    assert (done.returncode, done.stderr) == (2, "")
    assert f"\n  by process {one} (" in done.stdout
    assert "\n    thread MainThread waits for 'b', " in done.stdout
    *_, head, first, second = done.stdout.splitlines()
    assert head == "deadlock:"
    assert first.startswith(f"  process {one} (")
    assert first.endswith(f"waits for 'b', held by process {two}")
    assert second.startswith(f"  process {two} (")
    assert second.endswith(f"waits for 'a', held by process {one}")


def test_json(cli, deadlock):
    one, two = deadlock

    done = why(cli, "a", "--json")

    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert list(found) == ["version", "name", "state", "holders", "waiters", "deadlock"]
    assert (found["name"], found["state"]) == ("a", "deadlock")
    (holder,) = found["holders"]
    assert holder["pid"] == one
    assert holder["parents"][0]["pid"] == os.getpid()
    assert [wait["name"] for wait in holder["waits"]] == ["b"]
    assert [(wait["pid"], wait["name"]) for wait in found["deadlock"]] == [(one, "b"), (two, "a")]
    assert json.loads(why(cli, "--json", "c").stdout) == {
        "version": 1,
        "name": "c",
        "state": "free",
        "holders": [],
        "waiters": [],
        "deadlock": None,
    }


def test_a_prefix(cli):
    holder = cli.hold("--prefix", "p")
    assert why(cli, "job").returncode == 0
    assert why(cli, "--prefix", "p", "job").returncode == 1
    holder.tell()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "no name of a lock (see lockutils why --help)"),
        (("a", "b"), "one name at a time, and not also 'b'"),
        (
            ("--jsn", "a"),
            "no such option: '--jsn'; did you mean --json? (see lockutils why --help)",
        ),
        (("a", "--lock-path="), "--lock-path needs a path, not ''"),
    ],
)
def test_usage(cli, arguments, line):
    done = cli.call(cli.words("why", *arguments))
    assert (done.returncode, done.stdout, done.stderr) == (64, "", f"lockutils: {line}\n")


def test_a_directory_that_cannot_be_one(cli):
    done = cli.call(cli.words("why", "--lock-path", "/dev/null", "job"))
    assert (done.returncode, done.stdout) == (73, "")
    assert done.stderr == "lockutils: Not a directory: '/dev/null' (by --lock-path)\n"


def test_help(cli):
    done = cli.call(cli.words("why", "--help"))
    assert done.returncode == 0
    assert done.stdout.startswith("usage: lockutils why [OPTION ...] NAME\n")
    for part in ("--lock-path DIR", "--json", "Exit status: 0", "Example:\n"):
        assert part in done.stdout
