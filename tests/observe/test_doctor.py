"""What ``lockutils doctor`` says of a directory and an environment, with real ones of each kind."""

import itertools
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from doctors import MAIN, USER, WITH_PARENT, as_user, environment, examine, needs_users
from lock_peers import HOLDER, OURS, run_python, until, waiters

from lockutils.observe.doctor import interpreter
from lockutils.observe.doctor.finding import Place
from lockutils.observe.doctor.limit import run_within

FAULTS = Path(__file__).parents[2] / "docs" / "explanation" / "faults.rst"
QUEUE = ".lockutils-queue"


@pytest.fixture
def locks(tmp_path):
    """A lock directory with which nothing is wrong."""
    folder = tmp_path / "locks"
    folder.mkdir(0o755)
    assert examine(folder).wrong() == {}
    return folder


class TestInterpreter:
    def test_says_what_it_is(self, locks):
        report = examine(locks)
        assert os.uname().release in report.of("platform")
        assert sys.version.split()[0] in report.of("python")
        has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
        assert ("without GIL" in report.of("python")) is not has_gil

    def test_libraries_that_are_older_than_tested(self, tmp_path, locks):
        report = examine(locks)
        assert "older" not in report.of("libraries")
        info = tmp_path / "path" / "trio-0.20.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trio\nVersion: 0.20.0\n")
        path = f"{environment()['PYTHONPATH']}:{info.parent}"
        report = examine(locks, env=environment(PYTHONPATH=path))
        assert "trio 0.20.0" in report.of("libraries")
        assert f"older than tested, which is trio {interpreter.TESTED['trio']}" in report.of(
            "libraries"
        )

    def test_versions_are_those_of_the_long_run(self):
        text = " ".join(FAULTS.read_text().split())
        for name, version in interpreter.TESTED.items():
            assert f"{name} {version}" in text

    def test_without_ctypes(self, tmp_path, locks):
        assert "sleeps in the kernel" in examine(locks).of("waiting", "ok")
        folder = tmp_path / "path"
        folder.mkdir()
        (folder / "ctypes.py").write_text("raise ImportError('no ctypes here')")
        env = environment(PYTHONPATH=f"{folder}:{environment()['PYTHONPATH']}")
        report = examine(locks, env=env)
        assert report.wrong() == {"waiting": "warning"}
        assert "no ctypes here -> use a 64-bit Python" in report.of("waiting")

    def test_few_descriptors(self, locks):
        def limit(number):
            return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))

        report = examine(locks, preexec_fn=limit(100))
        assert report.wrong() == {"descriptors": "warning"}
        assert "may open 100" in report.of("descriptors")
        assert "ulimit -n" in report.of("descriptors")
        assert examine(locks, preexec_fn=limit(256)).wrong() == {}

    def test_variables_that_mean_nothing(self, locks):
        variables = {"LOCKUTILS_LOCKPATH": "x", "LOCKUTILS_FILE_MODE": "644"}
        report = examine(locks, env=environment(**variables))
        assert report.wrong() == {"environment": "warning"}
        assert "$LOCKUTILS_LOCKPATH means nothing" in report.of("environment")
        assert "$LOCKUTILS_FILE_MODE=644" in report.of("environment", "ok")
        assert "LOCKUTILS_LOCK_PATH" in report.of("environment", "warning")

    def test_variables_are_all_that_the_source_knows(self):
        pattern = r"'\"\(LOCKUTILS\|OSLO\)_[A-Z_][A-Z_]*\"'"
        folder = Path(interpreter.__file__).parents[2]
        command = f"grep -rhow {pattern} {folder} --include=*.py"
        found = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        names = {line.strip("\"'") for line in found.stdout.split()}
        assert names == set(interpreter.VARIABLES)

    def test_below_lockutils_run(self, locks):
        env = environment(LOCKUTILS_HELD="1:2:3")
        assert "below a lockutils run" in examine(locks, env=env).of("environment")


@needs_users
def test_no_thread_and_no_process_to_be_had(locks):
    """Then the checks run where a hanging one would hang us, too.

    As a user of its own: the limit counts the processes that a user has anywhere.
    """

    def limit(number):
        return lambda: resource.setrlimit(resource.RLIMIT_NPROC, (number, number))

    locks.chmod(0o1777)
    options = {"env": environment(LOCKUTILS_FILE_MODE="666"), "before": as_user(USER - 1)}
    report = examine(locks, preexec_fn=limit(1), **options)
    assert report.wrong() == {"threads": "warning"}
    assert "ulimit -u" in report.of("threads")
    assert examine(locks, preexec_fn=limit(1000), **options).wrong() == {}


class TestChoice:
    def test_the_default(self, tmp_path):
        tmp_path.chmod(0o1777)
        main = WITH_PARENT.format(str(tmp_path)) + MAIN
        report = examine(main=main)
        path = f"{tmp_path}/lockutils-{os.geteuid()}"
        text = report.of("choice")
        assert text.startswith(f"{path}, the default of this user: ")
        assert "$LOCKUTILS_LOCK_PATH is not set, $OSLO_LOCK_PATH is not set" in text
        assert report.of("directory") == f"{path} does not exist yet: the first lock makes it"
        assert report.wrong() == {}
        assert os.listdir(tmp_path) == []

    def test_says_what_each_source_says(self, locks):
        env = environment(OSLO_LOCK_PATH=locks, LOCKUTILS_LOCK_PATH="")
        report = examine(env=env)
        assert report.wrong() == {"choice": "warning"}
        assert report.of("choice", "ok") == (
            f"{locks}, by $OSLO_LOCK_PATH: [oslo_concurrency] lock_path is not set, set_defaults "
            f"is not set, $LOCKUTILS_LOCK_PATH is empty, $OSLO_LOCK_PATH is '{locks}'"
        )
        assert "$LOCKUTILS_LOCK_PATH is empty" in report.of("choice", "warning")
        assert examine(env=environment(OSLO_LOCK_PATH=locks)).wrong() == {}

    def test_a_relative_path(self, locks):
        report = examine(env=environment(LOCKUTILS_LOCK_PATH="locks"), cwd=locks.parent)
        assert report.wrong() == {"choice": "warning"}
        assert "$LOCKUTILS_LOCK_PATH is relative" in report.of("choice")
        # on the command line that is what one means
        assert examine("locks", cwd=locks.parent).wrong() == {}

    @pytest.mark.parametrize("path", ["~/locks", "$HOME/locks"])
    def test_what_nobody_expands(self, path, tmp_path):
        report = examine(env=environment(LOCKUTILS_LOCK_PATH=path), cwd=tmp_path)
        assert report.wrong() == {"choice": "warning"}
        assert "stand for themselves" in report.of("choice")

    def test_two_directories(self, locks):
        both = {"LOCKUTILS_LOCK_PATH": locks, "OSLO_LOCK_PATH": "/elsewhere"}
        report = examine(env=environment(**both))
        assert report.wrong() == {"choice": "warning"}
        assert "$LOCKUTILS_LOCK_PATH and $OSLO_LOCK_PATH name two" in report.of("choice")
        assert examine(env=environment(**dict.fromkeys(both, locks))).wrong() == {}

    def test_a_working_directory_that_is_gone(self, tmp_path):
        gone = tmp_path / "gone"
        gone.mkdir()
        report = examine("x", preexec_fn=lambda: (os.chdir(gone), gone.rmdir()))
        assert report.wrong() == {"choice": "problem"}
        assert report.status == 2

    def test_the_first_source_is_the_one_that_counts(self, monkeypatch, tmp_path):
        """That the order told is the order in use, for each combination."""
        program = """
import os, sys
from lockutils.front import settings
from oslo_config import cfg
import lockutils.opts
lockutils.opts.register_opts(cfg.CONF)
settings._make_default = settings.default_parent = None
conf, ours, env, oslo = sys.argv[1:]
if conf:
    cfg.CONF.set_override("lock_path", conf, group="oslo_concurrency")
if ours:
    lockutils.set_defaults(lock_path=ours)
for name, value in (("LOCKUTILS_LOCK_PATH", env), ("OSLO_LOCK_PATH", oslo)):
    os.environ.pop(name, None)
    if value:
        os.environ[name] = value
first = next((source, text) for source, text in settings.sources() if text)
found = settings.lock_directory(None)
assert first == (found.source, str(found)), (first, found.source, found)
"""
        paths = [str(tmp_path / name) for name in "abcd"]
        for which in itertools.product([True, False], repeat=4):
            if any(which):
                words = [path if one else "" for path, one in zip(paths, which, strict=True)]
                run_python(program, *words)


class TestDirectory:
    def test_that_is_missing_is_not_made(self, tmp_path):
        path = tmp_path / "a" / "b"
        report = examine(path)
        assert report.wrong() == {}
        assert report.of("directory") == f"{path} does not exist yet: the first lock makes it"
        assert os.listdir(tmp_path) == []

    def test_is_left_as_it_is(self, locks):
        (locks / "name").write_text("4242\n")

        def seen():
            folder, file = locks.stat(), (locks / "name").stat()
            return folder.st_mtime_ns, folder.st_ctime_ns, file, file.st_atime_ns

        before = seen()
        examine(locks)
        assert seen() == before
        assert os.listdir(locks) == ["name"]

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda path: path.touch(), "it is not a directory"),
            (lambda path: path.symlink_to("nothing"), "it is a symbolic link to nothing"),
            (os.mkfifo, "it is not a directory"),
        ],
    )
    def test_that_is_none(self, make, said, tmp_path):
        make(tmp_path / "x")
        report = examine(tmp_path / "x")
        assert report.wrong() == {"directory": "problem"}
        assert f"{tmp_path}/x cannot be used: {said}" in report.of("directory")
        assert report.status == 2

    def test_below_a_file(self, tmp_path):
        (tmp_path / "x").touch()
        report = examine(tmp_path / "x" / "y")
        assert report.wrong() == {"directory": "problem"}
        assert "Not a directory" in report.of("directory")

    def test_behind_a_link(self, locks):
        (locks.parent / "link").symlink_to(locks)
        assert examine(locks.parent / "link").wrong() == {}

    def test_in_which_anybody_can_remove_files(self, locks):
        env = environment(LOCKUTILS_FILE_MODE="666")
        locks.chmod(0o777)
        report = examine(locks, env=env)
        assert report.wrong() == {"directory": "warning"}
        assert "chmod +t" in report.of("directory")
        locks.chmod(0o1777)
        assert examine(locks, env=env).wrong() == {}

    @needs_users
    def test_of_a_group_without_setgid(self, locks):
        env = environment(LOCKUTILS_FILE_MODE="660")
        os.chown(locks, 0, 65533)
        locks.chmod(0o770)
        report = examine(locks, env=env)
        assert report.wrong() == {"directory": "warning"}
        assert "chmod g+s" in report.of("directory")
        locks.chmod(0o2770)
        assert examine(locks, env=env).wrong() == {}


class TestFileMode:
    def test_that_is_none(self, locks):
        report = examine(locks, env=environment(LOCKUTILS_FILE_MODE="9"))
        assert report.wrong() == {"file mode": "problem"}
        assert "'9' -> set it to octal digits" in report.of("file mode")

    def test_that_keeps_the_group_out(self, locks):
        locks.chmod(0o2775)
        report = examine(locks)
        assert report.wrong() == {"file mode": "warning"}
        assert "mode 644, by the umask 022" in report.of("file mode")
        assert "set $LOCKUTILS_FILE_MODE=660" in report.of("file mode")
        assert examine(locks, umask=0o002).wrong() == {}
        assert examine(locks, env=environment(LOCKUTILS_FILE_MODE="660")).wrong() == {}

    def test_that_keeps_all_others_out(self, locks):
        locks.chmod(0o1777)
        report = examine(locks, env=environment(LOCKUTILS_FILE_MODE="660"))
        assert "set $LOCKUTILS_FILE_MODE=666" in report.of("file mode", "warning")
        assert examine(locks, env=environment(LOCKUTILS_FILE_MODE="666")).wrong() == {}


class TestFiles:
    def test_a_queue_that_nobody_can_use(self, locks):
        (locks / QUEUE).mkdir()
        report = examine(locks)
        assert report.wrong() == {"queue": "problem"}
        (locks / QUEUE).rmdir()
        assert "nobody has waited here yet" in examine(locks).of("queue", "ok")

    def test_waiters_and_holders(self, locks, peers):
        holder = peers.python(HOLDER.format(OURS), locks)
        assert holder.hear() == "held"
        report = examine(locks)
        assert "1 in all, 1 in use" in report.of("lock files")
        assert "alone" not in report.of("lock files")
        waiting = [peers.python(HOLDER.format(OURS), locks) for _ in range(2)]
        until(lambda: len(waiters(locks / "name")) == 2, "both wait")
        assert examine(locks).of("queue").endswith("waiters with a ticket in .lockutils-queue: 2")
        holder.ask()
        for _ in range(2):
            until(lambda: any(one.has_spoken() for one in waiting), "either has it")
            served = next(one for one in waiting if one.has_spoken())
            assert served.hear() == "held"
            assert served.ask() == "released"
        assert examine(locks).of("queue").endswith(": 0")
        assert "1 in all, 0 in use" in examine(locks).of("lock files")

    def test_other_tools(self, locks, peers):
        flock = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX)"
        lockf = flock.replace("flock(f", "lockf(f")
        end = "; print('held', flush=True); sys.stdin.readline()"
        by_flock = peers.python(flock + end, locks / "flock")
        by_lockf = peers.python(lockf + end, locks / "lockf")
        for peer in by_flock, by_lockf:
            assert peer.hear() == "held"
        (locks / "soft.lock").write_text("4242\n")
        report = examine(locks)
        assert report.wrong() == {}
        lines = report.of("lock files").splitlines()
        assert lines[0] == "3 in all, 2 in use"
        assert lines[1].endswith("do: 'lockf'")
        assert lines[1].startswith("held by lockf")
        assert lines[2].endswith("do: 'flock'")
        assert lines[2].startswith("held by flock alone")
        assert "'soft.lock' have content" in lines[3]


class TestLimit:
    """The checks run in a process that may hang, or be killed."""

    def run(self, *checks):
        return [(one.check, one.level, one.message) for one in run_within(checks, Place(None))]

    def test_a_check_that_fails_is_told(self):
        def unlucky(place):
            yield from ()
            raise RuntimeError("no luck")

        def refused(place):
            yield "ok", "first", ""
            raise PermissionError(13, "Permission denied", "/x")

        def fine(place):
            yield "ok", "fine", ""

        assert self.run(unlucky, refused, fine) == [
            ("unlucky", "problem", "RuntimeError: no luck"),
            ("refused", "ok", "first"),
            ("refused", "warning", "the check failed: [Errno 13] Permission denied: '/x'"),
            ("fine", "ok", "fine"),
        ]

    def test_a_process_that_ends_before_it_has_told_all(self):
        def killed(place):
            yield "ok", "first", ""
            os.kill(os.getpid(), signal.SIGKILL)

        assert self.run(killed) == [
            ("killed", "ok", "first"),
            ("killed", "problem", "the process that looked has ended"),
        ]

    def test_what_one_check_finds_the_next_one_knows(self):
        def first(place):
            place.base = b"/"
            yield "ok", "", ""

        def second(place):
            yield "ok", os.fsdecode(place.base), ""

        assert self.run(first, second)[1] == ("second", "ok", "/")
