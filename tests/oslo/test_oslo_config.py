"""What the options ``[oslo_concurrency]`` of oslo.config say, where the program has them."""

import pytest
from lock_peers import run_python

START = """
import os, sys, warnings
warnings.simplefilter("ignore")
os.environ.pop("LOCKUTILS_LOCK_PATH", None)
os.environ["OSLO_LOCK_PATH"] = "/environment"
import lockutils
def path(*args):
    return lockutils.get_lock_path(*args)
"""
THEIRS = """
from oslo_concurrency import lockutils as theirs
from oslo_config import cfg
CONF = cfg.CONF
"""
OURS = """
from oslo_config import cfg
from lockutils import opts
CONF = cfg.CONF
opts.register_opts(CONF)
"""
registered = pytest.mark.parametrize("by", [THEIRS, OURS], ids=["oslo.concurrency", "us"])


@registered
def test_what_was_set_there_comes_after_the_argument_and_before_all_else(by, tmp_path):
    (tmp_path / "conf").write_text("[oslo_concurrency]\nlock_path = /file\n")
    printed = run_python(
        START
        + by
        + """
lockutils.set_defaults("/setting")
os.environ["LOCKUTILS_LOCK_PATH"] = "/ours"
print(path())
CONF(["--config-file", sys.argv[1] + "/conf"])
print(path())
CONF.set_override("lock_path", sys.argv[1] + "/override", "oslo_concurrency")
print(path())
with lockutils.lock("name", external=True):
    print(*os.listdir(sys.argv[1] + "/override"))
with lockutils.lock("name", external=True, lock_path=sys.argv[1] + "/argument"):
    print(*os.listdir(sys.argv[1] + "/argument"))
CONF.clear_override("lock_path", "oslo_concurrency")
CONF([])
print(path())
CONF.set_default("lock_path", "/default", "oslo_concurrency")
print(path())
""",
        str(tmp_path),
    )
    assert printed.split() == [
        "/setting",
        "/file",
        f"{tmp_path}/override",
        "name",
        "name",
        "/setting",
        "/default",
    ]


@registered
def test_the_default_of_the_option_comes_where_its_variable_comes(by):
    printed = run_python(
        START
        + by
        + """
print(path())
os.environ["OSLO_LOCK_PATH"] = "/later"
print(path())
os.environ["LOCKUTILS_LOCK_PATH"] = "/ours"
print(path())
"""
    )
    assert printed.split() == ["/environment", "/later", "/ours"]


@registered
def test_a_file_that_says_the_same_as_the_variable_is_not_only_a_default(by, tmp_path):
    (tmp_path / "conf").write_text("[oslo_concurrency]\nlock_path = /environment\n")
    printed = run_python(
        START
        + by
        + """
os.environ["LOCKUTILS_LOCK_PATH"] = "/ours"
CONF(["--config-file", sys.argv[1] + "/conf"])
print(path())
""",
        str(tmp_path),
    )
    assert printed.split() == ["/environment"]


def test_what_oslo_concurrency_was_told_as_default_is_not_only_a_default():
    assert run_python(START + THEIRS + "theirs.set_defaults('/told'); print(path())") == "/told\n"


def test_a_conf_of_ones_own_is_asked():
    printed = run_python(
        START
        + """
from oslo_config import cfg
own = cfg.ConfigOpts()
own([])
print(path(own))
own.set_override("lock_path", "/own", "oslo_concurrency")
print(path(own), path())
print("lock_path" in own.oslo_concurrency, "oslo_concurrency" in cfg.CONF)
"""
    )
    assert printed.split() == ["/environment", "/own", "/environment", "True", "False"]


@registered
def test_without_process_locking_external_locks_are_in_process(by, tmp_path, peers):
    printed = run_python(
        START
        + by
        + """
CONF.set_override("disable_process_locking", True, "oslo_concurrency")
for name in ("one", "two"):
    with lockutils.lock(name, external=True, lock_path=sys.argv[1]):
        print(lockutils.lock(name).acquire(blocking=False), *os.listdir(sys.argv[1]))
lockutils.synchronized("three", external=True)(lambda: None)()
with lockutils.external_lock("four", lock_path=sys.argv[1]):
    print(*os.listdir(sys.argv[1]))
CONF.clear_override("disable_process_locking", "oslo_concurrency")
with lockutils.lock("five", external=True, lock_path=sys.argv[1]):
    print(*sorted(os.listdir(sys.argv[1])))
""",
        str(tmp_path),
    )
    assert printed.splitlines() == ["False", "False", "four", "five four"]


def test_oslo_config_without_the_options_says_nothing(tmp_path):
    printed = run_python(
        START
        + """
from oslo_config import cfg
cfg.CONF.register_opts([cfg.IntOpt("other", default=1)], "oslo_concurrency")
with lockutils.lock("name", external=True, lock_path=sys.argv[1]):
    print(path(), *os.listdir(sys.argv[1]))
""",
        str(tmp_path),
    )
    assert printed.split() == ["/environment", "name"]


def test_a_module_that_is_just_being_imported_says_nothing():
    printed = run_python(
        START + "sys.modules['oslo_config.cfg'] = type(sys)('oslo_config.cfg'); print(path())"
    )
    assert printed.split() == ["/environment"]


@pytest.mark.parametrize("order", [OURS + THEIRS, THEIRS + OURS])
def test_both_may_register_the_options(order):
    printed = run_python(
        START
        + order
        + """
from lockutils.oslo.conf import list_opts
from oslo_concurrency.opts import list_opts as list_their_opts
for opts in (list_opts(), list_their_opts()):
    for group, options in opts:
        CONF.register_opts(options, group)
print(*sorted(CONF.oslo_concurrency))
print(*sorted(option.name for option in list_opts()[0][1]))
try:
    CONF.register_opts([cfg.IntOpt("other")], "oslo_concurrency")
    CONF.register_opts([cfg.StrOpt("other")], "oslo_concurrency")
except cfg.DuplicateOptError:
    print("refused")
"""
    )
    names = "disable_process_locking lock_path"
    assert printed.splitlines() == [names, names, "refused"]


def test_a_path_that_is_none_is_refused_by_its_name():
    printed = run_python(
        START
        + OURS
        + """
CONF.set_override("lock_path", "a\\0b", "oslo_concurrency")
try:
    path()
except ValueError as error:
    print(error)
"""
    )
    assert printed.startswith("[oslo_concurrency] lock_path is not the path of a directory")


# --- lockutils.CONF


def test_conf_is_that_of_oslo_config_with_the_options_as_oslo_has_them():
    program = """
import sys, warnings
warnings.simplefilter("ignore")
{}
from oslo_config import cfg
assert lockutils.CONF is cfg.CONF
for name in sorted(cfg.CONF.oslo_concurrency):
    option = cfg.CONF._get_opt_info(name, "oslo_concurrency")["opt"]
    kind = [kind.__name__ for kind in type(option).__mro__ if kind.__module__ == cfg.__name__][0]
    print(name, kind, option.type, option.default, option.secret, option.required)
"""
    ours, theirs = (
        run_python(program.format(f"{where}import lockutils"))
        for where in ("", "from oslo_concurrency ")
    )
    assert ours == theirs
    assert len(ours.splitlines()) == 2


def test_conf_is_what_the_fixture_of_oslo_config_takes(tmp_path):
    printed = run_python(
        START
        + """
from oslo_config import fixture
with fixture.Config(lockutils.CONF) as config:
    config.config(lock_path=sys.argv[1], group="oslo_concurrency")
    print(path())
    with lockutils.lock("name", external=True):
        print(*os.listdir(sys.argv[1]))
print(path())
""",
        str(tmp_path),
    )
    assert printed.split() == [str(tmp_path), "name", "/environment"]


def test_the_option_shows_what_was_set_as_default():
    """Before it is registered and afterwards, and also where it was looked up already."""
    printed = run_python(
        START
        + """
lockutils.set_defaults("/before")
def option():
    return lockutils.CONF.oslo_concurrency.lock_path
print(option(), path())
lockutils.set_defaults("/later")
print(option(), path())
lockutils.CONF.set_override("lock_path", "/override", "oslo_concurrency")
print(option(), path())
lockutils.CONF.clear_override("lock_path", "oslo_concurrency")
print(option(), path())
lockutils.set_defaults("/last")
print(option(), path())
lockutils.set_defaults(None)
print(option(), path())
"""
    )
    expected = "/before /later /override /later /last /environment"
    assert printed.split() == [path for path in expected.split() for _ in range(2)]


def test_nobody_imports_oslo_config_but_who_asks_for_conf():
    printed = run_python(
        START
        + """
path()
from lockutils import *
dir(lockutils), hasattr(lockutils, "no_such_name")
print("oslo_config" in sys.modules)
from lockutils import CONF
print("oslo_config" in sys.modules)
"""
    )
    assert printed.split() == ["False", "True"]


def test_without_oslo_config_there_is_no_conf():
    printed = run_python(
        """
import lockutils
from unittest import mock
print(hasattr(lockutils, "CONF"), hasattr(mock.create_autospec(lockutils), "lock"))
try:
    lockutils.CONF
except AttributeError as error:
    print(error)
""",
        options=("-S",),
    )
    assert printed.splitlines() == [
        "False True",
        "lockutils.CONF needs oslo_config, which is not installed",
    ]


def test_a_directory_that_cannot_be_used_is_told_with_its_name():
    printed = run_python(
        START
        + OURS
        + """
CONF.set_override("lock_path", "/dev/null", "oslo_concurrency")
try:
    lockutils.lock("name", external=True).acquire()
except lockutils.LockPathError as error:
    print(error)
"""
    )
    assert printed.endswith("'/dev/null/name' (by [oslo_concurrency] lock_path)\n")


def test_without_oslo_config_nothing_is_imported():
    printed = run_python(START + "path(); print('oslo_config' in sys.modules)")
    assert printed.split() == ["False"]
