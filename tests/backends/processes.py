"""Contenders for the conformance suite: of another process, for files; of another session."""

import os

from lock_peers import Background, sleeps_for_a_lock, until

# Does what it is told by lines, by requests for one key.
PEER = """
import json, os, sys, time
from time import monotonic
from lockutils.backends.file.directory import Directory
from lockutils.parking.deadline import Deadline
import {module} as module
mode = json.loads(sys.argv[2])
def new():
    if {name!r}:
        return getattr(module, {name!r})("key", Directory(os.fsencode(sys.argv[1])))
    return Directory(os.fsencode(sys.argv[1])).request("key", **mode)
request = new()
for line in sys.stdin:
    word = line.strip()
    if word == "wait":
        if not request.try_now():
            request.enqueue()
            if request.block(Deadline(None, monotonic)) is None:
                while not request.try_now():
                    time.sleep(0.001)
        print("held", flush=True)
    else:
        answer = "released"
        if word == "try":
            answer = "held" if request.try_now() else "busy"
        request.cancel()
        request = new()
        print(answer, flush=True)
"""


class InProcess:
    """A contender of another process."""

    def __init__(self, peers, path, mode, module="lockutils.backends", name=""):
        import json

        source = PEER.format(module=module, name=name)
        self._peer = peers.python(source, os.fsdecode(path), json.dumps(mode))
        self._polls = bool(name)
        self.pid = self._peer.process.pid
        self.hear = self._peer.hear
        self.has_spoken = self._peer.has_spoken
        self.kill = self._peer.kill

    def hold(self):
        assert self._peer.ask("wait") == "held"

    def begin(self):
        self._peer.tell("wait")

    def is_waiting(self):
        """Return when it sleeps in the kernel, if it does."""
        if not self._polls:
            until(lambda: sleeps_for_a_lock(self.pid), "it waits")

    def release(self):
        assert self._peer.ask("release") == "released"

    def try_and_release(self):
        return self._peer.ask("try") == "held"


class InMemory:
    """A contender of another session."""

    def __init__(self, backend, mode):
        self._backend = backend
        self._mode = mode
        self._request = None
        self._waiting = None
        self.pid = os.getpid()

    def begin(self):
        self._request = self._backend.request("key", **self._mode)
        self._waiting = Background(self._wait)

    def _wait(self):
        import threading

        changed = threading.Event()
        self._request.start(changed.set)
        assert changed.wait(30)
        return "held"

    def hear(self):
        return self._waiting.result()

    def has_spoken(self):
        return self._waiting.join(0)

    def hold(self):
        self.begin()
        assert self.hear() == "held"

    def is_waiting(self):
        until(lambda: self._nodes(mine=True), "it stands in line")

    def release(self):
        self._request.cancel()
        until(lambda: not self._nodes(mine=True), "it is gone")

    def kill(self):
        self._backend.kill()

    def try_and_release(self):
        return not self._nodes(mine=False)

    def _nodes(self, *, mine):
        nodes = self._backend.server.nodes()
        return [node for node in nodes if (node.session is self._backend) == mine]
