"""The file driver on file systems of many kinds: the tests of it, run with their files there."""

import re
import sys

import pytest
from mounts import FILE_SYSTEMS, Missing, is_fuse, run_in

#: of the tests that there are, one for each thing that a file system might do in its own way
TESTS = {
    "tests/backends/test_file.py": [
        "TestFileBackend",
        "TestReplacedFile::test_while_we_wait[flock-unlink_and_make]",
        "TestReplacedFile::test_while_we_wait[flock-remove_directory]",
        "TestReplacedFile::test_while_we_wait[lockf-rename_over]",
        "TestReadOnlyFile::test_excludes_and_is_excluded_by_whoever_may_write",
        "TestGivenUp::test_by_a_lock",
    ],
    "tests/backends/test_shared.py": [
        "TestExclusion::test_readers_share_and_a_writer_does_not",
        "TestOrder::test_a_reader_does_not_pass_a_writer_that_waits",
    ],
    "tests/backends/test_slots.py": [
        "TestExclusion::test_as_many_as_there_are_and_no_more",
        "TestExclusion::test_a_file_that_was_replaced",
        "TestExclusion::test_in_the_order_of_arrival",
    ],
    "tests/backends/test_tickets.py": [
        "TestNumbers::test_rise_over_all_processes",
        "TestOrder::test_the_nearest_ones_come_first",
    ],
    "tests/backends/test_status.py": [
        "test_a_holder_is_told_with_its_command_and_when_it_began",
        "test_waiters_are_in_the_order_in_which_they_are_served",
        "test_slots_and_who_waits_for_one",
    ],
    "tests/backends/test_in_line.py": [
        "test_as_many_sleep_on_the_file_as_may_pass_each_other",
    ],
    "tests/interop/test_foreign_tools.py": [
        "test_its_holder_excludes_us_until_it_lets_go",
        "test_our_holder_excludes_it_until_we_let_go",
    ],
}
NODES = [f"'{file}::{test}'" for file, tests in TESTS.items() for test in tests]
RUN = """
"$1" -m pytest -q -p no:cacheprovider -p no:xdist --basetemp="$WHERE/tests" --tb=short \
    -k "$2" {}
""".format(" ".join(NODES))
#: without handlers that raise, which tests/torture has: they are the same on all file systems
FAULTS = "kill,stop,fork,clean,tamper,end,descriptors,threads,errors"
TORTURE = f"""
PYTHON="$1" scripts/torture --directory "$WHERE" --time 2 --seed file-systems --faults {FAULTS}
"""

#: Of each group of tools that lock in the same way one is enough.  And where a signal handler comes
#: in does not depend on the file system.
LEFT_OUT = ["portalocker", "oslo", "filelock", "instruction"]
#: A removed file that somebody has open is renamed by a server of FUSE: its directory cannot
#: be removed.  And what belongs to other users may be out of their reach.
NOT_ON_FUSE = ["remove_directory", "whoever_may_write"]


#: of the conformance suite
WITHOUT_WAITS = [
    "another_of_this",
    "do_not_meet",
    "tokens",
    "a_grant_is",
    "refus",
    "missing",
    "leaves_no",
    "published",
]


def run(name, program, *arguments):
    try:
        return run_in(name, program, sys.executable, *arguments)
    except Missing as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("name", FILE_SYSTEMS)
def test_the_driver_is_as_everywhere(name):
    left_out = LEFT_OUT + (NOT_ON_FUSE if is_fuse(name) else [])
    some = " and ".join(f"not {word}" for word in left_out)
    if "keeps the locks" in name:
        # while somebody waits for a lock on a file, this server does nothing else with the file
        some = f"TestFileBackend and ({' or '.join(WITHOUT_WAITS)})"

    printed = run(name, RUN, some)

    counts = re.search(r"^(\d+) passed, (\d+) deselected\b", printed, re.MULTILINE)
    assert counts, printed  # none was skipped
    assert int(counts[1]) >= (30 if "TestFileBackend" not in some else 12)


@pytest.mark.parametrize("name", ["ext4", "xfs", "btrfs", "tmpfs", "overlay"])
def test_nothing_is_lost_under_torture(name):
    assert "verdict: good" in run(name, TORTURE)
