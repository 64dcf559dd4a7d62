"""Run one of oslo.concurrency's own test modules against lockutils, in an interpreter of its own.

``oslo_concurrency.lockutils`` and ``oslo_concurrency.fixture.lockutils`` become modules over
lockutils; the private names that the tests use are adapted here.  Printed is one line of JSON:
test -> "ok", or what went wrong.
"""

import importlib
import json
import logging
import subprocess
import sys
import types
import unittest
import warnings

import oslo_concurrency.tests  # noqa: F401  patches, where $TEST_EVENTLET says so
from outcomes import Outcomes

warnings.simplefilter("ignore")

from oslo_config import cfg  # noqa: E402

import lockutils  # noqa: E402
import lockutils.fixture  # noqa: E402
import lockutils.opts  # noqa: E402


def lock_wrapper(argv):
    main = "from lockutils.cli.wrapper import main; main()"
    return subprocess.call([sys.executable, "-c", main, *argv[1:]])


def as_module(name, content):
    module = types.ModuleType(name)
    module.__dict__.update(content)
    package, _, attribute = name.rpartition(".")
    sys.modules[name] = module
    setattr(importlib.import_module(package), attribute, module)


def install():
    lock_module = sys.modules["lockutils.front.lock"]
    public = {name: getattr(lockutils, name) for name in lockutils.__all__}
    private = {
        "CONF": cfg.CONF,
        "LOG": logging.getLogger("lockutils"),
        "_get_lock_path": None,  # to be replaced by a mock
        "_lock_wrapper": lock_wrapper,
        "_opts": lockutils.opts.list_opts()[0][1],
        "_register_opts": lockutils.opts.register_opts,
        "_semaphores": lock_module._default_registry,
    }
    as_module("oslo_concurrency.lockutils", {**public, **private})
    lockutils.opts.register_opts(cfg.CONF)  # as theirs does when it is imported
    as_module("oslo_concurrency.fixture.lockutils", vars(lockutils.fixture))


class OutcomesOfModule(Outcomes):
    def name_of(self, test):
        return super().name_of(test).removeprefix(f"{type(test).__module__}.")


if __name__ == "__main__":
    install()
    result = OutcomesOfModule()
    unittest.defaultTestLoader.loadTestsFromName(sys.argv[1]).run(result)
    print(json.dumps(result.outcomes))
