"""Ways to take a lock and to release it, and modes of locks, for tests of what all of them do."""

import asyncio

MODES = {
    "exclusive": {},
    "fair": {"fair": True},
    "shared": {"shared": True},
    "slots": {"slots": 2},
    "reentrant": {"reentrant": True},
}


def by_with(lock):
    with lock:
        pass


def by_hand(lock):
    assert lock.acquire()
    lock.release()


def by_task(lock):
    async def take():
        async with lock:
            pass

    asyncio.run(take())
