"""What tests of several folders share; more of it is in modules beside this one."""

import gc
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for those modules, in any import mode

from lock_peers import Peers

WITHOUT_GIL = not getattr(sys, "_is_gil_enabled", lambda: True)()
_GREENTHREADS = "gevent cannot be installed without the GIL, and eventlet brings it back"
_FORK = "in a child of 3.13t, the lock of a dict that another thread was using stays locked"
#: a part of the names of tests -> why they cannot be run without the GIL
_NEED_GIL = {
    "gevent": _GREENTHREADS,
    "eventlet": _GREENTHREADS,
    "greenthread": _GREENTHREADS,
    "howto/celery": "celery's fork of multiprocessing loads greenlet, which brings the GIL back",
    "test_a_handler_forks_in_an_acquisition": _FORK,
    "test_a_child_that_a_handler_forked": _FORK,
    "stuck[forks": _FORK,
    "test_a_short_run": _FORK,
    "test_a_subinterpreter_ends": "without the GIL it clears modules before what is held in them",
}


def pytest_collection_modifyitems(items):
    for item in items if WITHOUT_GIL else ():
        for part, why in _NEED_GIL.items():
            if part in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=why))


def pytest_collection_finish():
    """Tests that collect garbage need not look at all of pytest each time."""
    gc.collect()
    # Without the GIL, 3.13 frees frozen objects that are in use, and then crashes or hangs.
    if not WITHOUT_GIL:
        gc.freeze()


@pytest.fixture
def peers():
    started = Peers()
    yield started
    started.close()
