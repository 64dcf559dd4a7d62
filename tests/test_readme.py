"""What the README shows is so."""

import doctest
import pathlib
import re
import subprocess
import textwrap

ROOT = pathlib.Path(__file__).parent.parent
README = ROOT / "README.rst"


def test_examples(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCKUTILS_LOCK_PATH", str(tmp_path))
    failures, examples = doctest.testfile(str(README), module_relative=False)
    assert examples > 10
    assert failures == 0


def test_counter(tmp_path):
    """Four shells increment a counter file through ``./scripts/run``; fewer times than shown."""
    (script,) = re.findall(
        r"^\.\. code-block:: sh\n\n((?: +.*\n)+)", README.read_text(), re.MULTILINE
    )
    counter = tmp_path / "counter"
    script = textwrap.dedent(script).replace("/tmp/counter", str(counter)).replace("1000", "25")
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "100\n"


def test_two_commands_come_first():
    beginning = README.read_text()[:700]
    assert "$ ./scripts/run --lock" in beginning
    assert "$ ./scripts/test" in beginning
