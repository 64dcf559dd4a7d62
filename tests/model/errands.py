"""The steps of Python of those who wait with a time-out, and of their helpers."""

from shared import put
from steps import own

WAITING = "backends/file/waiting.py"


@own(WAITING, "Wait.until_held", "_abandoned.pop(", "looks for an errand to adopt")
def POPS(shared):
    return [(shared.abandoned, shared._replace(abandoned=None))]


@own(WAITING, "Errand.adopt", "self._wait = wait", "adopts the errand")
def ADOPTS(shared, me, errand):
    """The result is whether it was not over."""
    if errand in shared.guards:
        return []
    if errand in shared.over or errand in shared.through:
        return [(False, shared)]
    posts = put(put(shared.posts, errand, shared.posts[me]), me, None)
    errands = put(shared.errands, errand, me)
    unwanted = shared.unwanted - {errand}
    return [(True, shared._replace(posts=posts, errands=errands, unwanted=unwanted))]


@own(WAITING, "Wait.until_held", "helpers.run(errand.run)", "starts a helper")
def STARTS(shared, me):
    return [(None, shared._replace(errands=put(shared.errands, me, me)))]


@own(WAITING, "Errand.end", "await waiter.park(deadline)", "waits for the helper, or gives up")
def END(shared, errand):
    if errand in shared.over:
        return [(True, shared)]
    return [(False, shared)]


@own(WAITING, "Errand.leave", "with self._guard:", "takes the guard of the errand")
def TAKES_GUARD(shared, errand):
    """The result is whether the helper has ended, or has not begun."""
    if errand in shared.guards:
        return []
    ended = errand in shared.over or errand not in shared.begun
    return [(ended, shared._replace(guards=shared.guards | {errand}))]


@own(WAITING, "Errand.leave", "self._wait = None", "the errand is nobody's")
def ABANDONS(shared, errand, ended):
    return [
        (
            None,
            shared._replace(
                errands=put(shared.errands, errand, None),
                abandoned=shared.abandoned if ended else errand,
                guards=shared.guards - {errand},
            ),
        )
    ]


@own(WAITING, "Errand.run", "self._started = True", "the helper begins", parks=True)
def BEGINS(shared, errand):
    if errand in shared.guards or shared.errands[errand] is None:
        return []  # not yet, or never: it was given up before
    return [(None, shared._replace(begun=shared.begun | {errand}))]


@own(WAITING, "Errand.run", "self._done = True", "the helper has come to an end")
def ENDS(shared, errand, held):
    """The result is whom the lock is for; 'again' if there is more to do."""
    if errand in shared.guards:
        return []
    waiter = shared.errands[errand]
    if waiter is not None and not held:
        return [("again", shared)]
    abandoned = shared.abandoned
    if waiter is None:
        abandoned = None
    return [(waiter, shared._replace(over=shared.over | {errand}, abandoned=abandoned))]
