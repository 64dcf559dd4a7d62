"""The parker of a trio task."""

import types
from time import monotonic

import pytest
import trio

from lockutils.parking.deadline import Deadline
from lockutils.parking.tasks import TrioParker


class Interrupted(BaseException):
    pass


def test_one_that_was_interrupted_before_it_slept_is_not_woken_elsewhere():
    async def main():
        parker = TrioParker()
        parker._trio = types.SimpleNamespace(
            move_on_after=trio.move_on_after,
            lowlevel=types.SimpleNamespace(
                current_task=trio.lowlevel.current_task, wait_task_rescheduled=interrupt
            ),
            RunFinishedError=trio.RunFinishedError,
        )
        with pytest.raises(Interrupted):
            await parker.park(Deadline(None, monotonic))
        parker._trio = trio
        parker.wake()

        with trio.move_on_after(0) as scope:
            await trio.sleep_forever()  # trio fails if anybody else wakes it
        assert scope.cancelled_caught

    def interrupt(_):
        # what a signal handler raises in the instant before the task is asleep
        raise Interrupted

    trio.run(main)
