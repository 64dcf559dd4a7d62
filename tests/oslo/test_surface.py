"""All that oslo.concurrency's ``lockutils`` has is here: name by name, parameter by parameter.

What is compared is read from the oslo.concurrency that is installed, so that a name or parameter
that a later version adds is missed here at once.
"""

import ast
import importlib.util
from pathlib import Path

import pytest
from lock_peers import run_python

OSLO = Path(importlib.util.find_spec("oslo_concurrency").origin).parent
#: by file of oslo.concurrency, what stands in its place
MODULES = {
    "lockutils.py": "lockutils",
    "opts.py": "lockutils.opts",
    "fixture/lockutils.py": "lockutils.fixture",
}

#: what is not here, and why
NOT_HERE = {
    "LOG": "its own logger; ours is the one named lockutils",
    "P": "for its type hints",
    "T": "for its type hints",
    "LockPartialProtocol": "for its type hints",
    "RemovePartialProtocol": "for its type hints",
    "SyncPartialProtocol": "for its type hints",
}
#: parameters that must be given there and need not be here
OPTIONAL = {("get_lock_path", "conf"), ("set_defaults", "lock_path")}

COMPARE = f"""
import importlib, inspect, sys, warnings
warnings.simplefilter("ignore")

def parameters(name, found):
    for parameter in inspect.signature(found).parameters.values():
        optional = (name, parameter.name) in {OPTIONAL}
        yield parameter.replace(
            annotation=parameter.empty,
            default=parameter.empty if optional else parameter.default,
        )

def compare(where, theirs, ours):
    '''Print what differs: ours may have more parameters, after theirs.'''
    for name, found in vars(theirs).items():
        if name.startswith("_") and name not in ("__enter__", "__exit__", "__len__"):
            continue
        if not hasattr(ours, name):
            print(where, name, "missing")
            continue
        mine = getattr(ours, name)
        if callable(found):
            other, own = list(parameters(name, found)), list(parameters(name, mine))
            if own[:len(other)] != other:
                print(where, name, "has", own, "there", other)
            for parameter in own[len(other):]:
                if parameter.default is parameter.empty:
                    print(where, name, "needs", parameter)
        elif type(mine) is not type(found):
            print(where, name, "is", mine, "there", found)
"""


def public_names(file):
    """What the module binds at its top level otherwise than by an import."""
    for node in ast.parse((OSLO / file).read_text()).body:
        targets = []
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            targets = [node.name]
        elif isinstance(node, ast.Assign):
            targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
        yield from (name for name in targets if not name.startswith("_"))


@pytest.mark.parametrize("file", MODULES)
def test_every_name_is_here_with_its_parameters(file):
    names = set(public_names(file))
    assert names
    module = "oslo_concurrency." + file.removesuffix(".py").replace("/", ".")
    printed = run_python(
        COMPARE
        + f"""
theirs = importlib.import_module({module!r})
ours = importlib.import_module({MODULES[file]!r})
for name in sorted({names - NOT_HERE.keys()!r}):
    class Theirs:
        pass
    setattr(Theirs, name, staticmethod(getattr(theirs, name)))
    compare({file!r}, Theirs, ours)
    if isinstance(getattr(theirs, name), type):
        for base in getattr(theirs, name).__mro__:
            if base.__module__ != "builtins":
                compare(name, base, getattr(ours, name, None))
"""
    )
    assert printed.splitlines() == []


def test_what_is_not_here_is_there():
    assert NOT_HERE.keys() <= set(public_names("lockutils.py"))


def test_what_lock_gives_has_what_theirs_gives(tmp_path):
    """A lock file has a path and may exist; a lock of this process has neither."""
    printed = run_python(
        """
import os, sys, warnings, weakref
warnings.simplefilter("ignore")
os.environ["OSLO_LOCK_PATH"] = sys.argv[1]
import lockutils as ours
from oslo_concurrency import lockutils as theirs
for module in theirs, ours:
    with module.lock("in", external=False) as inside, module.lock("out", external=True) as outside:
        print(
            os.fsdecode(outside.path), outside.exists(), hasattr(inside, "path"),
            weakref.ref(inside)() is inside, weakref.ref(outside)() is outside,
        )
        for one in inside, outside:
            one.release()
            print(one.acquire(blocking=False), one.acquire.__name__)
    semaphores = module.Semaphores()
    semaphore = semaphores.get("name")
    print(weakref.ref(semaphore)() is semaphore, weakref.ref(semaphores)() is semaphores)
    print(semaphore.acquire(blocking=False), semaphores.get("name").acquire(blocking=False))
    print(len(semaphores), semaphore.release(), semaphore.acquire(True, 0.1), semaphore.release())
    del semaphore
    print(len(semaphores))
""",
        str(tmp_path),
    )
    lines = printed.splitlines()
    theirs, ours = lines[:7], lines[7:]
    assert ours == theirs
    assert ours[0] == f"{tmp_path}/out True False True True"
