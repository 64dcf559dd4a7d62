"""The backend of the tests that is as an engine on the network: see memory.py."""

import threading

import memory
import pytest
from conformance import (
    BackendConformance,
    BackgroundConformance,
    OrderConformance,
    SharingConformance,
)
from lock_peers import until
from memory import MemoryBackend, Server
from processes import InMemory


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def sessions(server):
    made = []

    def session():
        made.append(MemoryBackend(server))
        return made[-1]

    yield session
    for one in made:
        one.close()


class TestMemoryBackend(
    BackendConformance, SharingConformance, OrderConformance, BackgroundConformance
):
    tries = False
    ways = ("start",)
    modules = memory.__file__

    @pytest.fixture
    def backend(self, sessions):
        return sessions()

    @pytest.fixture
    def elsewhere(self, sessions):
        return lambda **mode: InMemory(sessions(), mode)

    def is_in_line(self, request):
        until(lambda: request.is_enqueued, "it stands in line")

    is_waiting = is_in_line


def test_replies_are_lost_and_nobody_is_twice_in_line(server, sessions):
    backend = sessions()
    for _ in range(30):
        request, held = backend.request("key"), threading.Event()
        request.start(held.set)
        assert held.wait(30)
        assert len(server.nodes()) == 1
        request.cancel()

    assert server.lost > 5
