"""What must not be in any state, and what the documentation lets a stopped process do."""

import calls
from process import locks_of
from program_slots import SLOTS
from steps import SERVED


class Checks:
    """Looks at all processes of a state."""

    def __init__(self, threads):
        self._threads = threads

    def wrong(self, processes):
        """Return what is wrong, or ``None``."""
        holders = {1: 0, SLOTS: 0}  # by how many may hold together
        readers = sleepers = 0
        for process in processes:
            for stands in process.threads:
                step, arguments = self._threads.asks_of(stands)
                if step is SERVED:
                    together = process.shared.together[arguments[0]]
                    if together in holders:
                        holders[together] += 1
                    else:
                        readers += 1
                elif step is calls.WAITS_FLOCK:
                    sleepers += process.shared.taken[arguments[0]] is not None
        if holders[1] > 1 or (holders[1] and readers):
            return "two hold at a time"
        if holders[SLOTS] > SLOTS:
            return "more hold than there are slots"
        return "three sleep on the lock file" if sleepers > 2 else None

    def is_excused(self, processes):
        """Whether others may have to wait for a stopped process.

        It has the lock, or all slots; or it has a ticket, and there is strict order.
        """
        stopped = [locks_of(process) for process in processes if process.stopped]
        if sum(locks.slots.bit_count() for locks in stopped) >= SLOTS:
            return True
        if any(locks.flock for locks in stopped):
            return True
        return any(locks.tickets for locks in stopped) and any(
            process.shared.strict[one]
            for process in processes
            for one in (*process.shared.in_line, *process.shared.queue)
        )
