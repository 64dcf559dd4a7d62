"""Where one contender of this process stands while another process has the lock."""

from __future__ import annotations

from lockutils.backends.file import syscalls
from lockutils.backends.file.descriptors import opened
from lockutils.backends.file.tickets import Ticket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.directory import Directory
    from lockutils.backends.file.queue import Place


class Post:
    """Nothing yet; or a mark that somebody waits; or a ticket."""

    __slots__ = ("_cell", "_directory", "_ended", "_marked", "_place", "ticket")

    def __init__(self, place: Place, directory: Directory) -> None:
        self._place = place
        self._directory = directory
        #: if this one waits in strict order
        self.ticket: Ticket | None = None
        self._marked = False
        #: whether it is too late to stand here in place of another
        self._ended = False
        #: a descriptor of the queue file, for the mark and to wait with
        self._cell: list[int] = []

    def line_up(self, *, in_order: bool) -> bool:
        """Be seen to wait.  One who need not be in order is so all the same if others are.

        :return: ``False`` if this one was seen before
        :raises OSError: if the queue file cannot be used: then he is not seen
        """
        if self.ticket is not None or self._marked:
            return False
        try:
            self._directory.check()  # in another user's one could stand for ever
            if in_order or self._place.is_waited_for_in_order():
                ticket = self.ticket = Ticket(self._place)
                try:
                    ticket.take()
                except FileNotFoundError:
                    self._directory.make()
                    ticket.take()
            else:
                self._mark()
        except OSError:
            self.leave()
            raise
        return True

    def may_try(self) -> bool:
        """Whether nobody with a lower ticket is to be served before."""
        ticket = self.ticket
        return ticket is None or ticket.is_first()

    def wait(self) -> bool:
        """Sleep in the calling native thread until nobody is to be served before.

        :return: ``False`` if this one has left in the meantime
        :raises OSError: if the queue file cannot be used
        """
        ticket = self.ticket
        if ticket is None:
            return True
        self._open()
        return ticket.wait_until_first(self._cell[0])

    def step_out(self) -> None:
        """Be seen no more, in as few steps as possible; the next one may be first.

        Another thread may be in :meth:`wait`.
        """
        if self._marked:
            self._marked = False
            syscalls.span_unlock(self._cell[0], self._place.unmark)
        elif self.ticket is not None:
            self.ticket.drop_number()

    def leave(self) -> None:
        """Be seen no more, and have no ticket.  Another thread may be in :meth:`wait`."""
        self.step_out()
        ticket = self.ticket
        if ticket is not None:
            ticket.give_back()
            self.ticket = None

    def ends_for(self, ticket: Ticket | None) -> bool:
        """Stand here for nobody else from now on; ``False`` if it is not ``ticket`` any more.

        Who took over after the last look whose turn it is might pass others.
        """
        # one step
        if self.ticket is not ticket:
            return False
        self._ended = True
        return True

    def take_over(self, other: Post) -> bool:
        """Stand where ``other`` stands, which then stands nowhere; ``False`` if it is too late."""
        if other.ticket is not None:
            # one step
            if self._ended:
                return False
            self.ticket, other.ticket = other.ticket, None
        elif self._cell:  # else it is just about to be opened by another thread
            try:
                self._mark()
            except OSError:
                pass  # the order is the kernel's, then
            other.leave()
        return True

    def close(self) -> None:
        """Leave, and let go of the descriptor.  Nobody may be in :meth:`wait`."""
        try:
            self.leave()
        finally:
            if self._cell:
                opened.discard(self._cell[0])
                syscalls.close(self._cell)

    def _mark(self) -> None:
        self._open()
        self._marked = True
        syscalls.span_try(self._cell[0], self._place.mark)

    def _open(self) -> None:
        if not self._cell:
            syscalls.open_file(self._cell, self._place.queue)
            opened.add(self._cell[0])
