"""The locks of a run: which are there, where they are, and what is done to them."""

from __future__ import annotations

import random
from dataclasses import dataclass

#: how many hold a lock with slots at a time
SLOTS = 3
#: more than the default directory keeps of files that nobody uses
ONCE = 600

#: by the first letter of the name: how many there are, and how often one is picked
KINDS = {
    "x": (3, 30),  # in a directory that was named
    "d": (2, 20),  # in the default directory
    "s": (2, 20),  # with slots
    "o": (2, 10),  # other tools lock it, too
    "f": (2, 10),  # whose files are removed and replaced, locked or not
    "n": (ONCE, 10),  # in the default directory, so many that it is swept
}


@dataclass(frozen=True)
class Place:
    """Where the locks of a run are."""

    #: a directory of the run's own
    home: str
    #: of the names in the default directory, which others may use as well
    prefix: str

    def path_of(self, key: str) -> str | None:
        """Return the lock directory of a key; ``None`` is the default."""
        if key[0] in "dn":
            return None
        return f"{self.home}/tampered" if key[0] == "f" else f"{self.home}/locks"

    def prefix_of(self, key: str) -> str | None:
        return self.prefix if key[0] in "dn" else None

    def file_of(self, key: str) -> str:
        """Return the path of the lock file of a key of a named directory."""
        return f"{self.path_of(key)}/{key}"


def is_slotted(key: str) -> bool:
    return key[0] == "s"


def is_tampered(key: str) -> bool:
    return key[0] == "f"


def pick(chance: random.Random, kinds: str = "".join(KINDS)) -> str:
    (kind,) = chance.choices(kinds, [KINDS[kind][1] for kind in kinds])
    return f"{kind}{chance.randrange(KINDS[kind][0])}"


def names(kinds: str) -> list[str]:
    return [f"{kind}{number}" for kind in kinds for number in range(KINDS[kind][0])]
