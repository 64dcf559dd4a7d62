"""Where threads stand in their programs."""

from steps import Interrupt

#: in place of the result of a step: the thread is interrupted before it
INTERRUPTED = "interrupted"
#: where a thread stands that has come to its end
ENDED = -1


class Threads:
    """Where a thread can stand, by number: what it asks for next.

    A program is run as far as it was told the results of its steps.  Two runs of it that stand
    in the same place with the same variables will do the same.
    """

    def __init__(self):
        self._numbers = {}
        self._told = []  # by number: the program, and the results that lead there
        self._asks = []
        self._next = {}

    def start(self, program, *arguments):
        return self._number((program, arguments), ())

    def after(self, number, result):
        key = number, result
        after = self._next.get(key)
        if after is None:
            start, told = self._told[number]
            after = self._next[key] = self._number(start, (*told, result))
        return after

    def asks_of(self, number):
        return self._asks[number] if number != ENDED else (None, ())

    def told(self):
        """Return for each the program and its arguments, and the results that lead there."""
        return list(self._told)

    def _number(self, start, told):
        program, arguments = start
        running = whole = program(*arguments)
        try:
            asks = next(whole)
            for result in told:
                asks = whole.throw(Interrupt) if result == INTERRUPTED else whole.send(result)
        except StopIteration:
            return ENDED
        key = [program]
        while running is not None:  # from the outermost, which keeps the others
            frame = running.gi_frame
            key += [running.gi_code, frame.f_lasti, *sorted(frame.f_locals.items())]
            running = running.gi_yieldfrom
        key = tuple(key)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._told)
            self._told.append((start, told))
            self._asks.append(asks)
        return number
