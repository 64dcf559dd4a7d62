"""All that can happen among a few processes that use one lock file."""

import re

import pytest
from configurations import CURES, OTHER_REASONS, SMALL, machine
from explore import explore
from mapping import PAGE, STATES, states_row


@pytest.mark.parametrize("name", SMALL)
def test_nothing_is_wrong_in_any_state(name):
    model = machine(name)

    found = explore(model)

    assert found.wrong is None, f"{found.wrong}\n{model.told(found.trace)}"
    assert found.ends
    assert states_row(name, found) in STATES.read_text()


def test_the_documentation_has_the_sums():
    rows = re.findall(r"- (.*)\n     - (\d+)\n     - (\d+)\n", STATES.read_text())
    ours = [(int(states), int(steps)) for name, states, steps in rows if name in SMALL]
    assert len(ours) == len(SMALL)

    states, steps = (sum(column) for column in zip(*ours, strict=True))

    told = f"{len(ours)} configurations, {states:,} states, {steps:,} steps"
    assert told in " ".join(PAGE.read_text().split())


@pytest.mark.parametrize("cure", CURES)
def test_without_a_cure_something_is(cure):
    name, wrong = CURES[cure]
    model = machine(name, [cure])

    found = explore(model)

    assert found.wrong == wrong
    assert model.told(found.trace)


@pytest.mark.parametrize("reason", OTHER_REASONS)
def test_what_is_not_needed_for_this(reason):
    assert explore(machine(OTHER_REASONS[reason], [reason])).wrong is None


@pytest.mark.parametrize(
    ("name", "calls", "wrong"),
    [
        ("three, default", ["_flock_try", "_record_try"], "two hold at a time"),
        ("readers and a writer", ["_flock_try"], "two hold at a time"),
        ("slots", ["_slot_try"], "more hold than there are slots"),
    ],
)
def test_too_many_holders_are_seen(monkeypatch, name, calls, wrong):
    """The kernel alone keeps them apart: so without it."""
    model = machine(name)
    for call in calls:
        monkeypatch.setattr(model._kernel, call, lambda process, *_: [(True, process)])

    assert explore(model).wrong == wrong
