"""The command: run the rows that are asked for, print the tables, compare with the targets."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time

from benchmarks import (
    contended,
    crowd,
    external,
    handoff,
    idle,
    inprocess,
    machine,
    order,
    picture,
    startup,
    status,
    stopped,
)
from benchmarks.report import Table, missed_targets, print_table

ROWS = {
    "inprocess": inprocess,
    "external": external,
    "handoff": handoff,
    "startup": startup,
    "contended": contended,
    "order": order,
    "idle": idle,
    "stopped": stopped,
    "crowd": crowd,
    "status": status,
}


def main() -> int:
    options = parse()
    # where the default lock directory is measured, it has to be the default
    for variable in ("LOCKUTILS_LOCK_PATH", "OSLO_LOCK_PATH"):
        os.environ.pop(variable, None)
    tables: dict[str, Table] = {}
    with tempfile.TemporaryDirectory(prefix="lockutils-bench-", dir=options.lock_path) as directory:
        facts = machine.facts(directory)
        print("\n".join(f"{name}: {value}" for name, value in facts.items()), flush=True)
        for row in options.rows or ROWS:
            start = time.monotonic()
            tables[row] = ROWS[row].table(options.quick, directory)
            print_table(tables[row], time.monotonic() - start)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            report = {"facts": facts, "quick": options.quick}
            json.dump({**report, "tables": [t.as_json() for t in tables.values()]}, file, indent=1)
    if options.picture:
        drawn = picture.draw(facts, *(tables[row] for row in picture.ROWS))
        with open(options.picture, "w", encoding="utf-8") as file:
            file.write(drawn)
    missed = missed_targets(tables.values())
    print("\n" + ("\n".join(f"missed: {line}" for line in missed) or "all targets met"))
    return 1 if options.check and missed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", choices=[[], *ROWS], metavar="ROW", help=f"of {', '.join(ROWS)}: all"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, under a minute")
    parser.add_argument("--json", metavar="FILE", help="write all figures there, too")
    parser.add_argument(
        "--picture",
        metavar="FILE.svg",
        help=f"draw the rows {' and '.join(picture.ROWS)}, which are to be among those that run",
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 when a target is missed"
    )
    parser.add_argument(
        "--lock-path", metavar="DIR", help="make the lock directory in DIR, and not in $TMPDIR"
    )
    options = parser.parse_args()
    if options.picture and not set(picture.ROWS) <= set(options.rows or ROWS):
        parser.error(f"the picture needs the rows {' and '.join(picture.ROWS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
