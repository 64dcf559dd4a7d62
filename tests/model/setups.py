"""The processes that a search begins with."""

from process import NO_LOCK, Call, Process, Shared
from program_request import DEFAULT, FAIR, READER, SLOT
from program_slots import SLOTS

_TOGETHER = {DEFAULT: 1, FAIR: 1, READER: 99, SLOT: SLOTS}


class Setup:
    """A process before its first step.

    :param modes: of its acquisitions
    :param programs: of its threads, by name, with their arguments
    :param restless: threads whose waiters may give up
    :param number: the ticket that its only acquisition has, if it has one
    :param stopped: whether it never takes a step
    :param shared: what is otherwise than usual
    """

    def __init__(self, modes, programs, restless=(), number=None, stopped=False, **shared):
        self.modes = modes
        self._programs = programs
        self._restless = frozenset(restless)
        self._ticket = number
        self._stopped = stopped
        self._shared = shared

    def process(self, protocol, threads, start, limit):
        count = len(self.modes)
        helped = {arguments[0] for name, *arguments in self._programs if name == "helper"}
        none = (None,) * count
        shared = Shared(
            ring=protocol.ring,
            start=start,
            limit=limit,
            strict=tuple(mode != DEFAULT for mode in self.modes),
            together=tuple(_TOGETHER[mode] for mode in self.modes),
            taken=none,
            calls=tuple(Call() if one in helped else None for one in range(count)),
        )._replace(**self._shared)
        tickets = 0
        if self._ticket is not None:
            number = self._ticket
            tickets = (1 if self.modes[0] == DEFAULT else 3) << 2 * number
            shared = shared._replace(
                queue=(0,),
                came=1,
                users=frozenset((0,)),
                claimed=frozenset((number,)),
                numbers=(number,),
                newest=number,
                taken=(number,),
                in_line=frozenset((0,)),
            )
        started = tuple(
            threads.start(getattr(protocol, name), *arguments)
            for name, *arguments in self._programs
        )
        return Process(
            tickets=tickets,
            files=(NO_LOCK,) * count,
            watches=none,
            shared=shared,
            threads=started,
            restless=self._restless,
            stopped=self._stopped,
        )


def comes(mode, times=1, tries=True, waits=True, gives_up=False):
    """A process with one thread, which comes so many times.

    :param tries: ``False`` if it finds the lock held when it comes
    :param waits: ``False`` if it tries once
    :param gives_up: whether it may, once, at any step
    """
    restless = (0,) if gives_up else ()
    program = ("native", 0, times - 1, mode, tries, waits)
    return Setup((mode,) * times, [program], restless, barges=times > 1 and mode == DEFAULT)


def in_line(number, mode, gives_up=False, stopped=False):
    """A process that has this ticket."""
    return Setup((mode,), [("in_line", 0, mode)], (0,) if gives_up else (), number, stopped)


def threads(*modes, gives_up=()):
    """A process with a thread for each mode, which finds the lock held when it comes."""
    programs = [("native", one, one, mode, False) for one, mode in enumerate(modes)]
    return Setup(modes, programs, gives_up, several=True)


def helped(mode, times=1, tries=False, callable=True, patient=True):  # noqa: A002
    """A process whose waiter has a helper, and may give up once.

    :param callable: whether the helper can be called back
    :param patient: whether the waiter waits until it has left, however long that takes
    """
    programs = [("with_helper", 0, times - 1, mode, tries)]
    programs += [("helper", one, mode, callable) for one in range(times)]
    return Setup((mode,) * times, programs, (0,), callable=callable, patient=patient)
