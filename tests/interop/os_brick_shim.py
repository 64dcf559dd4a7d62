"""Run os-brick's own tests on lockutils, or on what os-brick has been written for.

    os_brick_shim.py lockutils|oslo_concurrency.lockutils

lockutils is put in the place of ``oslo_concurrency.lockutils`` as it is, without any adapter.
Printed is one line of JSON: the module that os-brick locks by, and test -> outcome.
"""

import importlib
import importlib.util
import json
import sys
import unittest
import warnings
from pathlib import Path

from outcomes import Outcomes

warnings.simplefilter("ignore")

if __name__ == "__main__":
    module = importlib.import_module(sys.argv[1])
    sys.modules["oslo_concurrency.lockutils"] = module
    importlib.import_module("oslo_concurrency").lockutils = module

    folder = Path(importlib.util.find_spec("os_brick").origin).parent
    tests = unittest.defaultTestLoader.discover(str(folder / "tests"), top_level_dir=folder.parent)
    result = Outcomes()
    tests.run(result)
    from os_brick.initiator.connectors import base

    print(json.dumps([base.lockutils.__name__, result.outcomes]))
