"""Processes of several users for tests of attacks, and directories that they share."""

import json
import os
import sys
from pathlib import Path

ACTOR = Path(__file__).with_name("actor.py")
IS_ROOT = os.geteuid() == 0
#: neither needs to be in the passwd file
VICTIM, ATTACKER = 65533, 65534


class Refused(AssertionError):
    """What an actor was told to do raised.

    :ivar kind: the names of the exception's classes, most derived first
    :ivar text: its message
    :ivar said: its ``repr()``
    :ivar filename: the path that it names, if it is an OSError
    """

    def __init__(self, answer):
        super().__init__(f"{answer['kind'][0]}: {answer['text']}")
        self.kind = answer["kind"]
        self.text = answer["text"]
        self.said = answer["said"]
        self.filename = answer["filename"]


class Actor:
    """A process of one user, which does what it is told, in Python.

    Whatever it is told it has to have done within the deadline of the peers: an attack that
    hangs it fails the test.
    """

    def __init__(self, peers, user, environment=None, groups=()):
        who = [] if user is None else [str(user), *map(str, groups)]
        self.peer = peers.start(sys.executable, ACTOR, *who, env=environment)
        assert self.peer.hear() == "ready"

    @property
    def pid(self):
        return self.peer.process.pid

    def tell(self, source, **values):
        """Have it evaluate or execute ``source``, and do not wait for that."""
        self.peer.tell(json.dumps([source, {name: _plain(one) for name, one in values.items()}]))

    def answer(self):
        """What came of it.

        :raises Refused: if it raised
        """
        line = self.peer.hear()
        assert line, "it has ended"
        answer = json.loads(line)
        if "kind" in answer:
            raise Refused(answer)
        return answer["value"]

    def __call__(self, source, **values):
        self.tell(source, **values)
        return self.answer()


def _plain(value):
    return os.fspath(value) if isinstance(value, os.PathLike) else value
