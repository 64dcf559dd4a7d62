"""No block passes that does not do what it says, and none is left out unsaid."""

import subprocess
import sys

import pytest
import run_page


def run(page, directory):
    """Return the exit status and what is printed."""
    path = directory / "page.rst"
    path.write_text(page)
    (directory / "work").mkdir()
    done = subprocess.run(
        [sys.executable, run_page.__file__, path, directory / "work"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def block(language, *lines):
    return "\n".join([f".. code-block:: {language}", "", *(f"    {line}" for line in lines), ""])


@pytest.mark.parametrize(
    "page",
    [
        block("python", ">>> 1 + 1", "2"),
        block("python", ">>> x = 1") + block("python", "assert x == 1"),
        block("python", "import asyncio", "await asyncio.sleep(0)"),
        block("console", "$ echo one; echo two", "one", "two", "$ false", "$ echo $?", "1"),
        block("console", "$ for i in 1 2; do", ">     echo $i", "> done", "1", "2"),
        block("console", "$ sleep 600 & echo started", "started"),
        block("sh", "echo one    # one"),
        block("crontab", "PATH=/bin:/usr/bin", "* * * * * cd $HOME", "*/5 1-2 * * 0 true"),
        "   .. no-test: it cannot be\n\n" + block("python", "1 / 0"),
        ".. code-block:: sh\n    :caption: a/job\n\n    #!/bin/sh\n    echo done\n\n"
        + block("console", "$ a/job", "done"),
    ],
)
def test_what_is_so_passes(page, tmp_path):
    assert run(page, tmp_path) == (0, "")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (block("python", ">>> 1 + 1", "3"), "Expected:"),
        (block("python", "1 / 0"), "ZeroDivisionError"),
        (block("console", "$ echo one", "two"), "Expected:"),
        (block("console", "$ echo one"), "one"),
        (block("console", "$ false", "$ echo next", "next"), "exit status 1"),
        (block("console", "$ exit 1"), "the shell ended before"),
        (block("console", "echo one"), "no command"),
        (block("sh", "echo one    # two"), "printed\none"),
        (block("sh", "false", "true"), "exit status 1"),
        (block("crontab", "* * * * true"), "not a line of a crontab"),
        (block("crontab", "* * * * * date +%s"), "%"),
        (block("crontab", "* * * * * lockutils --version"), "exit status 127"),
        (block("text", "lockutils run --lok NAME"), "--lok"),
        (block("cobol", "STOP RUN"), "cobol"),
        (block("", "1 / 0"), "language"),
        (".. code:: python\n\n    1 / 0\n", "not a code-block"),
        ("So::\n\n    1 / 0\n", "not a code-block"),
        (">>> 1 / 0\n", "not a code-block"),
        (".. no-test:\n\n" + block("python", "1 / 0"), "no reason"),
        (".. no-test: it cannot be\n", "without a block"),
    ],
)
def test_what_is_not_so_is_told(page, said, tmp_path):
    status, printed = run(page, tmp_path)
    assert status == 1
    assert said in printed
