"""Injects faults into processes that share locks, and tells what a witness has seen.

The seed gives every process its turns and the director its faults, so that two runs of one seed
try the same; what the system makes of it is never quite the same.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
import tempfile

from chaos import director, keys, verdict
from chaos.director import Goal
from chaos.faults import WEIGHTS
from chaos.life import Job
from chaos.turns import MODES
from chaos.worker import KINDS


def main() -> int:
    options = parse()
    for variable in ("LOCKUTILS_LOCK_PATH", "OSLO_LOCK_PATH"):
        os.environ.pop(variable, None)
    home = tempfile.mkdtemp(prefix="lockutils-torture-", dir=options.directory)
    os.chmod(home, 0o755)
    job = Job(
        process="",
        kind="",
        seed=options.seed,
        number=0,
        home=home,
        prefix=f"torture-{os.getpid()}-",
        modes={mode: MODES[mode] for mode in options.modes},
        keys="".join(options.keys),
        faults=options.faults,
        bound=options.bound,
    )
    kinds = [kind for kind in options.kinds for _ in range(KINDS[kind])]
    goal = Goal(options.time, options.turns, options.kills)
    verdict.say_what(job, kinds, goal)
    outcome = director.run(job, kinds, goal, options.bound)
    is_good = verdict.tell(job, outcome, options.json)
    if is_good:
        shutil.rmtree(home)
    else:
        print(f"what is left of it: {home}")
    return 0 if is_good else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    number = parser.add_argument
    number("--time", type=float, default=0.0, metavar="S", help="at least so many seconds")
    number("--turns", type=int, default=0, metavar="N", help="at least so many turns")
    number("--kills", type=int, default=0, metavar="N", help="at least so many SIGKILLs")
    number("--seed", default=None, help="by default a new one; it is printed")
    number("--bound", type=float, default=20.0, metavar="S", help="how long anybody may wait")
    number("--directory", metavar="DIR", help="where to put the locks, instead of $TMPDIR")
    number("--json", metavar="FILE", help="write the verdict there, too")
    for name, choices in (
        ("faults", list(WEIGHTS)),
        ("kinds", list(KINDS)),
        ("modes", list(MODES)),
        ("keys", list(keys.KINDS)),
    ):
        number(
            f"--{name}",
            type=_some_of(choices),
            default=choices,
            metavar="A,B",
            help=f"only these of {', '.join(choices)}",
        )
    options = parser.parse_args()
    if not (options.time or options.turns or options.kills):
        options.time = 20.0
    options.seed = options.seed or secrets.token_hex(4)
    return options


def _some_of(choices: list[str]):
    def parse_list(text: str) -> list[str]:
        chosen = text.split(",") if text else []
        for one in chosen:
            if one not in choices:
                raise argparse.ArgumentTypeError(f"{one!r} is not one of {', '.join(choices)}")
        return chosen

    return parse_list


if __name__ == "__main__":
    sys.exit(main())
