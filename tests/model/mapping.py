"""Where in the code a step is."""

import ast
from pathlib import Path

import calls
import errands  # noqa: F401
import shared  # noqa: F401
import steps

_ROOT = Path(__file__).parents[2]
PACKAGE = _ROOT / "lockutils"
#: what readers are told of the model
PAGE = _ROOT / "docs/explanation/model.rst"


def steps_in_order():
    """Return all steps that are somewhere in the code, first those of the kernel."""
    assert calls.TRIES_NUMBER in steps.SYSTEM
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
    """Return the table of the documentation: what a step does, and where it is."""
    rows = []
    for step in steps_in_order():
        rows += [f"   * - {step.what}", f"     - ``{step.file}``, ``{step.function}``"]
        rows.append(f"     - ``{step.text.strip()}``")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
