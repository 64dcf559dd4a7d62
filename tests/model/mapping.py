"""Where in the code a step is; as a program, it writes ``STEPS.rst``."""

import ast
from pathlib import Path

import calls
import own_call
import own_tickets  # noqa: F401
import steps

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
PACKAGE = _ROOT / "lockutils"
#: what readers are told of the model
PAGE = _ROOT / "docs/explanation/model.rst"
#: the table of the steps, and that of the states
STEPS, STATES = _HERE / "STEPS.rst", _HERE / "STATES.rst"

_HEAD = """\
Which line of lockutils is which step
=====================================

Written by ``python tests/model/mapping.py``.  A test finds each text once in its function.

.. list-table::
   :header-rows: 1

   * - Step
     - Where
     - Text
"""


def steps_in_order():
    """Return all steps that are somewhere in the code, first those of the kernel."""
    assert calls.LOCKS_NUMBER in steps.SYSTEM
    assert own_call.STARTS in steps.OWN
    return [*steps.SYSTEM, *steps.OWN]


def places(step):
    """Return how often the text of a step is in its function."""
    source = (PACKAGE / step.file).read_text()
    found = ast.parse(source)
    for name in step.function.split("."):
        (found,) = (
            node
            for node in found.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name == name
        )
    return ast.get_source_segment(source, found).count(step.text)


def table():
    """Return the table: what a step does, and where it is."""
    rows = []
    for step in steps_in_order():
        text = " ".join(step.text.split())
        rows.append(f"   * - {step.what}\n     - ``{step.file}``, ``{step.function}``\n")
        rows.append(f"     - ``{text}``\n")
    return _HEAD + "".join(rows)


def states_row(name, found):
    """Return the row of a search in the other table."""
    return f"   * - {name}\n     - {found.states}\n     - {found.steps}\n"


if __name__ == "__main__":
    STEPS.write_text(table())
