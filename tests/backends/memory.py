"""A backend in memory, which behaves as an engine on the network does.

It answers late, and from a thread of its own.  It loses replies: then the command is repeated,
and must do no more than it has done.  A process has one session, all of whose nodes for a key
are alike: the request that is first in the process uses the first node that is granted.
"""

import itertools
import os
import random
import threading
import time
from queue import Empty, SimpleQueue

from lockutils.backends.base import Grant
from lockutils.errors import Holder, SlotsMismatchError

#: seconds between two looks at nodes that wait, since a notice may be lost, too
_LOOK = 0.02


class Server:
    """What all sessions share: the nodes of each key, in the order of their arrival."""

    def __init__(self, seed=0, loses=0.3, at_most_late=0.001):
        self._random = random.Random(seed)
        self._loses = loses
        self._at_most_late = at_most_late
        self._guard = threading.Lock()
        self._nodes = {}
        self._tokens = itertools.count(1)
        #: how many replies were lost
        self.lost = 0

    def call(self, command, *args):
        """Do what a session asks for, until a reply comes through."""
        while True:
            time.sleep(self._random.random() * self._at_most_late)
            with self._guard:
                reply = getattr(self, f"_{command}")(*args)
                notices = self._grant()
                is_lost = self._random.random() < self._loses
                self.lost += is_lost
            for node in notices:
                node.session.tell("look", node.key)
            if not is_lost:
                return reply

    def _enqueue(self, node):
        line = self._nodes.setdefault(node.key, [])
        if node not in line:
            in_use = {other.slots for other in line} - {node.slots}
            if in_use:
                return SlotsMismatchError(node.key, node.slots, in_use.pop())
            line.append(node)
        return None

    def _remove(self, node):
        line = self._nodes.get(node.key, [])
        if node in line:
            line.remove(node)

    def _drop(self, session):
        for line in self._nodes.values():
            line[:] = [node for node in line if node.session is not session]

    def _grant(self):
        """Give tokens to those that hold now; return them."""
        new = []
        for line in self._nodes.values():
            for number, node in enumerate(line):
                before = line[:number]
                if not (
                    not before
                    or (node.shared and all(other.shared for other in before))
                    or (node.slots > 1 and number < node.slots)
                ):
                    break
                if node.token is None:
                    node.token = next(self._tokens)
                    new.append(node)
        return new

    def nodes(self, key="key"):
        """All that holds or wants the lock."""
        with self._guard:
            return list(self._nodes.get(key, []))


class _Node:
    """What a session has at the server."""

    def __init__(self, session, key, shared, slots):
        self.session = session
        self.key = key
        self.shared = shared
        self.slots = slots
        #: once it is granted
        self.token = None


class MemoryBackend:
    """A session, and the thread that alone speaks to the server.  See backends/base.py."""

    shares = True
    #: names the place, as the directory of files does
    path = b"memory"

    def __init__(self, server=None):
        self.server = Server() if server is None else server
        self._pid = os.getpid()
        self._commands = SimpleQueue()
        #: by key and mode
        self._free_nodes = {}
        self._started = {}
        threading.Thread(target=self._serve, daemon=True).start()

    def request(self, key, *, shared=False, slots=1, fair=False):
        return MemoryRequest(self, key, shared, slots)

    def status(self, key, *, waiters=True):
        nodes = [
            (Holder(node.session._pid), node.token is not None) for node in self.server.nodes(key)
        ]
        holders = [who for who, holds in nodes if holds]
        return holders, [who for who, holds in nodes if not holds] if waiters else []

    def is_held(self, key):
        return bool(self.status(key, waiters=False)[0])

    def close(self):
        self.tell(None)

    def kill(self):
        """As if the process were killed."""
        self.close()
        self.server.call("drop", self)

    def tell(self, *command):
        """From any thread, handler or finaliser."""
        if self._pid == os.getpid():  # a forked child has no such thread
            self._commands.put(command)

    # --- in its own thread

    def _serve(self):
        while True:
            try:
                command, *args = self._commands.get(
                    timeout=_LOOK if any(self._started.values()) else None
                )
            except Empty:
                for key, *_ in list(self._started):
                    self._look(key)
                continue
            if command is None:
                return
            getattr(self, f"_{command}")(*args)

    def _enqueue(self, request):
        if request.cancelled or request.is_enqueued:
            return
        node = _Node(self, *request.mode)
        error = self.server.call("enqueue", node)
        if error is None:
            request.is_enqueued = True
            self._free_nodes.setdefault(request.mode, []).append(node)
        else:
            request.refused = error

    def _start(self, request, changed):
        if request.cancelled:
            return
        request.changed = changed
        if request.refused is not None:
            request.error = request.refused
            changed()
            return
        self._started.setdefault(request.mode, []).append(request)
        self._look(request.mode[0])

    def _look(self, key):
        for mode, requests in list(self._started.items()):
            if mode[0] != key:
                continue
            for node in list(self._free_nodes.get(mode, [])):
                if node.token is not None and requests:
                    self._give(requests.pop(0), node)
            if not requests:
                self._started.pop(mode, None)

    def _give(self, request, node):
        self._free_nodes[request.mode].remove(node)
        request.node = node
        request.grant = Grant(node.token)
        if request.cancelled:  # the command that says so is on its way
            request.grant = None
        elif request.changed() is False:
            request.cancel()

    def _cancel(self, request):
        waiting = self._started.get(request.mode, [])
        if request in waiting:
            waiting.remove(request)
        node = request.node
        if node is None and request.is_enqueued:
            # not its own: the first of the session is for whoever is first there
            free = self._free_nodes[request.mode]
            node = free.pop()
        request.node, request.is_enqueued = None, False
        if node is not None:
            self.server.call("remove", node)
        self._look(request.mode[0])


class MemoryRequest:
    """One contender.  See :class:`lockutils.backends.base.Request`."""

    def __init__(self, backend, key, shared, slots):
        self._backend = backend
        self.mode = (key, shared, slots)
        self.grant = None
        self.error = None
        self.cancelled = False
        # what only the thread of the session uses
        self.node = None
        self.is_enqueued = False
        self.refused = None
        self.changed = None

    def try_now(self, barging=False):
        return self.grant is not None  # more would need the server

    def enqueue(self):
        self._backend.tell("enqueue", self)

    def block(self, deadline):
        return None

    def start(self, changed):
        self.enqueue()
        self._backend.tell("start", self, changed)
        return True

    def cancel(self):
        self.cancelled = True
        self.grant = None
        self._backend.tell("cancel", self)

    def hand_to_children(self):
        raise RuntimeError("nothing can be inherited")
