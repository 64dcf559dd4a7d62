"""The order of service: who was in line before whom.

For each acquisition that has begun there is a row: for each other process, how many of its
acquisitions kept their ticket by then, and are still to be served before.  Nobody passes a
waiter in strict order, and a waiter in strict order passes nobody.
"""

from own_tickets import is_before, lowest
from process import put


def in_line(shared, strict):
    """Return how many wait that a newcomer may not pass."""
    return sum(1 for one in shared.in_line if strict or shared.strict[one])


def begun(parts, processes, position, me):
    """Return the parts when an acquisition begins."""
    number, _ = parts[position]
    strict = processes[number].shared.strict[me]
    row = tuple(
        0 if other == position else in_line(processes[other_number].shared, strict)
        for other, (other_number, _) in enumerate(parts)
    )
    return _with_row(parts, position, me, row)


def ended(parts, processes, position, me, left_line):
    """Return the parts when an acquisition is served, or gave up.

    :param left_line: whether it had its place until now
    """
    number, _ = parts[position]
    parts = _with_row(parts, position, me, (0,) * len(parts))
    if not left_line:
        return parts
    was_strict = processes[number].shared.strict[me]
    new = list(parts)
    for other, (other_number, other_rows) in enumerate(parts):
        if any(row[position] for row in other_rows):
            strict = processes[other_number].shared.strict
            new[other] = (
                other_number,
                tuple(
                    put(row, position, max(0, row[position] - 1))
                    if was_strict or strict[one]
                    else row
                    for one, row in enumerate(other_rows)
                ),
            )
    return new


def without(parts, gone, number, rows=()):
    """Return the parts when a process does not count any more."""
    return [
        (number, rows)
        if position == gone
        else (other, tuple(put(row, gone, 0) for row in other_rows))
        for position, (other, other_rows) in enumerate(parts)
    ]


def passes(shared, me, others):
    """Whether, by the numbers of the tickets, somebody is passed who may not be."""
    if not shared.numbers:
        return False
    mine = lowest(shared)
    return any(
        (strict or shared.strict[me]) and is_before(number, mine, shared.ring)
        for other in others
        for number, strict in other.kept
    )


def _with_row(parts, position, me, row):
    number, rows = parts[position]
    new = list(parts)
    new[position] = number, put(rows, me, row)
    return new
