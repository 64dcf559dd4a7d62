"""The steps of Python on a BlockingCall, and on the Sleeper of its helper."""

from process import Call, put
from steps import own

CALL = "backends/file/blocking_call.py"


def _set(shared, me, **changed):
    return shared._replace(calls=put(shared.calls, me, shared.calls[me]._replace(**changed)))


@own("backends/file/request.py", "FileRequest.start", "helpers.run(call.run", "starts a helper")
def STARTS(shared, me):
    return [(None, shared._replace(calls=put(shared.calls, me, Call(started=True))))]


# --- of the helper


@own(CALL, "BlockingCall.run", 'self._done_by.setdefault("begin"', "the helper begins", parks=True)
def BEGINS(shared, me):
    """The result is whether it was not cancelled before."""
    call = shared.calls[me]
    if not call.started:
        return []
    return [(call.unbegun, _set(shared, me, unbegun=False))]


@own(CALL, "BlockingCall.run", "sleeper.begin()", "can be called back from now on")
def BEGINS_SLEEPS(shared, me):
    return [(None, _set(shared, me, began=True))]


@own("parking/sleeper.py", "Sleeper.is_over", "return self.over or", "does nobody want it?")
def IS_OVER(shared, me):
    return [(shared.calls[me].over, shared)]


@own(CALL, "BlockingCall.run", 'self._done_by.setdefault("publish"', "may it publish?")
def MAY_PUBLISH(shared, me):
    unpublished = shared.calls[me].unpublished
    return [(unpublished, _set(shared, me, unpublished=False))]


@own(CALL, "BlockingCall.run", "request.grant = HELD", "publishes")
def PUBLISHES(shared, me):
    return [(None, _set(shared, me, granted=True))]


@own("parking/sleeper.py", "Sleeper.end", "self._left.release()", "the helper has left")
def HAS_LEFT(shared, me):
    return [(None, _set(shared, me, left=True))]


# --- of the waiter


@own(
    "front/pending.py",
    "PendingAcquire._wait_outside",
    "while request.grant is None:",
    "waits to be granted",
)
def GRANTED(shared, me):
    return [(True, shared)] if shared.calls[me].granted else []


@own(CALL, "BlockingCall.cancel", "self._sleeper.over = True", "nobody wants it any more")
def SETS_OVER(shared, me):
    """The result is whether there is a call."""
    if not shared.calls[me].started:
        return [(False, shared)]
    return [(True, _set(shared, me, over=True))]


def _take(shared, me, mark):
    call = shared.calls[me]
    if getattr(call, mark):
        shared = _set(shared, me, **{mark: False}, cancelled=call.cancelled | {mark})
    return [(mark in shared.calls[me].cancelled, shared)]


@own(CALL, "BlockingCall.cancel", 'self._done_by.setdefault("begin"', "keeps it from beginning")
def TAKES_UNBEGUN(shared, me):
    return _take(shared, me, "unbegun")


@own(CALL, "BlockingCall.cancel", 'self._done_by.setdefault("publish"', "keeps it from publishing")
def TAKES_UNPUBLISHED(shared, me):
    return _take(shared, me, "unpublished")


@own(CALL, "BlockingCall.cancel", "self._sleeper.call_back(", "calls the helper back")
def CALLS_BACK(shared, me, mine):
    """The result is whether it has left; else it withdraws the request by itself."""
    call = shared.calls[me]
    if call.left:
        return [(True, shared)]
    if call.began and not shared.callable and mine:
        return [(False, shared)]
    return [] if shared.patient or not mine else [(False, shared)]


@own(CALL, "BlockingCall.cancel", 'self._done_by.setdefault("withdraw"', "withdraws in person")
def WITHDRAWS(shared, me):
    return [(True, _set(shared, me, withdrawer="waiter"))]
