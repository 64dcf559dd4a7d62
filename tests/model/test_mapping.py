"""Each step of the model is a line of the code, and stands in the table beside it."""

import pytest
from mapping import STEPS, places, steps_in_order, table


@pytest.mark.parametrize("step", steps_in_order(), ids=lambda step: f"{step.function}: {step.what}")
def test_a_step_is_in_one_place(step):
    assert places(step) == 1


def test_the_table_has_all_steps():
    assert STEPS.read_text() == table()
