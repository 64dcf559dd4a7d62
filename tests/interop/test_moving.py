"""What the README says about moving from oslo.concurrency is so, of both."""

import os

from lock_peers import run_python

START = """
import os, sys, warnings
warnings.simplefilter("ignore")
from oslo_concurrency import lockutils as theirs
import lockutils as ours

def is_free(module, *args, **options):
    try:
        with module.lock(*args, blocking=False, **options):
            return True
    except module.AcquireLockFailedException:
        return False
"""


def test_names_have_the_same_file_but_for_unsafe_ones(tmp_path):
    printed = run_python(
        START
        + """
for module in theirs, ours:
    path = os.path.join(sys.argv[1], module.__name__)
    for name in ("image-42", "a/b", "a_b"):
        with module.lock(name, "app", external=True, lock_path=path):
            pass
    print(*sorted(os.listdir(path)))
""",
        str(tmp_path),
    )
    assert printed.splitlines() == ["app-a_b app-image-42", "app-a%2Fb app-a_b app-image-42"]


def test_the_prefix_is_part_of_the_name_within_a_process_too():
    printed = run_python(
        START
        + """
for module in theirs, ours:
    with module.lock("name", "one"):
        print(is_free(module, "name", "two"))
"""
    )
    assert printed.split() == ["False", "True"]


def test_fair_or_not_it_is_one_lock():
    printed = run_python(
        START
        + """
for module in theirs, ours:
    with module.lock("name", fair=True):
        print(is_free(module, "name"))
"""
    )
    assert printed.split() == ["True", "False"]


def test_taking_a_fair_lock_again():
    printed = run_python(
        START
        + """
for module in theirs, ours:
    with module.lock("name", fair=True):
        try:
            with module.lock("name", fair=True):
                print("again")
        except ours.DeadlockError:
            print("refused")
"""
    )
    assert printed.split() == ["again", "refused"]


def test_braces_in_the_name_of_a_decorated_function():
    printed = run_python(
        START
        + """
@theirs.synchronized("{x}")
def function(x):
    return is_free(theirs, "{x}"), is_free(theirs, "1")
print(*function(1))
@ours.synchronized("{x}")
def function(x):
    return is_free(ours, "{x}"), is_free(ours, "1")
print(*function(1))
"""
    )
    assert printed.split() == ["False", "True", "True", "False"]


def test_without_a_lock_path(tmp_path):
    printed = run_python(
        "import os; os.environ.pop('LOCKUTILS_LOCK_PATH', None)\n"
        "os.environ.pop('OSLO_LOCK_PATH', None)"
        + START
        + """
from oslo_config import cfg
try:
    theirs.external_lock("name")
except cfg.RequiredOptError:
    print("refused")
print(ours.get_lock_path())
"""
    )
    refused, path = printed.split()
    assert refused == "refused"
    assert path.endswith(f"lockutils-{os.geteuid()}")


def test_locks_of_both_in_one_process_do_not_exclude_each_other(tmp_path):
    printed = run_python(
        START
        + """
with theirs.lock("name"):
    print(is_free(ours, "name"))
with theirs.lock("name", external=True, lock_path=sys.argv[1]):
    print(is_free(ours, "name", external=True, lock_path=sys.argv[1]))
""",
        str(tmp_path),
    )
    assert printed.split() == ["True", "True"]
