"""What the README and the documentation show is so."""

import socket
import subprocess
import sys

import pytest
import run_page

ROOT = run_page.ROOT
README = ROOT / "README.rst"
DOCS = ROOT / "docs"
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in [README, *sorted(DOCS.rglob("*.rst"))]
    if "_build" not in path.parts
}
# What would take too long, is not to be had, or may be in use, in a test.
REPLACED = {
    "README.rst": [
        "convert in.raw out.qcow2=true",
        "$ ./scripts/test=$ test -x ./scripts/test",
        "/tmp/counter=counter",
        "1000=25",
        "4000=100",
    ],
    "docs/howto/gunicorn.rst": ["8000=PORT"],
}
#: each with the reason that the page gives
NOT_RUN = []


def unused_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return str(server.getsockname()[1])


@pytest.mark.parametrize("name", PAGES)
def test_page(name, tmp_path):
    replaced = [text.replace("PORT", unused_port()) for text in REPLACED.get(name, ())]
    done = subprocess.run(
        [sys.executable, run_page.__file__, PAGES[name], tmp_path, *replaced],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_what_is_not_run():
    found = [
        (name, block.no_test)
        for name, path in PAGES.items()
        for block in run_page.blocks_of(path.read_text())
        if block.no_test is not None
    ]
    assert found == NOT_RUN


def test_two_commands_come_first():
    beginning = README.read_text()[:700]
    assert "$ ./scripts/run --lock" in beginning
    assert "$ ./scripts/test" in beginning
