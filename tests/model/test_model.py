"""All that can happen to the queue of the fair lock, in small."""

import pytest
from configurations import CURES, OTHER_REASONS, SMALL, machine
from explore import explore
from mapping import PAGE


@pytest.mark.parametrize("name", SMALL)
def test_nothing_is_wrong_in_any_state(name):
    model = machine(name)

    found = explore(model)

    assert found.wrong is None, f"{found.wrong}\n{model.told(found.trace)}"
    assert found.ends
    assert f"   * - {name}\n     - {found.states}\n     - {found.steps}\n" in PAGE.read_text()


def test_the_documentation_has_all_cures():
    rows = [f"   * - {cure}\n     - {wrong}\n" for cure, (_, _, wrong) in CURES.items()]
    assert "".join(rows) in PAGE.read_text()


@pytest.mark.parametrize("cure", CURES)
def test_without_a_cure_something_is(cure):
    name, options, wrong = CURES[cure]
    model = machine(name, [cure], **options)

    found = explore(model)

    assert found.wrong == wrong
    assert model.told(found.trace)


@pytest.mark.parametrize("reason", OTHER_REASONS)
def test_what_is_not_needed_for_this(reason):
    for name in ("three processes", "two processes, another tool"):
        assert explore(machine(name, [reason])).wrong is None


def test_two_that_hold_at_a_time_are_seen(monkeypatch):
    """The kernel alone keeps them apart: so without it."""
    model = machine("three processes")
    monkeypatch.setattr(model._kernel, "_flock_try", lambda process, *_: [(True, process)])
    monkeypatch.setattr(model._kernel, "_record_try", lambda process, *_: [(True, process)])

    assert explore(model).wrong == "two hold at a time"
