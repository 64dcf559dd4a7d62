"""Runs cells in a Jupyter kernel: they await, they block, and they are interrupted.

The kernel's own interpreter runs this.  The last line says "done".
"""

import sys

from jupyter_client.manager import KernelManager

START = """
import asyncio, tempfile
import lockutils
w = [{}, dict(external=True, lock_path=tempfile.mkdtemp())][PLACE]
elsewhere = lockutils.Semaphores() if w else None
async def inner():
    async with lockutils.lock("x", **w):
        return "in"
"""

AWAITS = """
async with lockutils.lock("x", **w):
    print(*lockutils.held())
"""

BLOCKS = """
with lockutils.lock("x", **w):
    print(*lockutils.held())
"""

TASKS = "print(*await asyncio.gather(inner(), inner()))"

HOLDS = """
holder = lockutils.lock("x", semaphores=elsewhere, **w)
print(holder.acquire())
"""

WAITS = """
print("waits", flush=True)
lockutils.lock("x", **w).acquire()
"""

GIVES_UP = """
try:
    await asyncio.wait_for(inner(), 0.05)
except asyncio.TimeoutError:
    print("gave up")
"""

RELEASES = """
holder.release()
with lockutils.lock("x", timeout=30, **w):
    print("free")
"""


def main():
    manager = KernelManager(
        kernel_cmd=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    )
    manager.start_kernel()
    try:
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        for place in range(2):
            run_cells(manager, client, place)
    finally:
        manager.shutdown_kernel(now=True)
    print("done")


def run_cells(manager, client, place):
    def cell(source, interrupt=False):
        printed = []

        def hear(message):
            content = message["content"]
            if message["header"]["msg_type"] == "stream":
                printed.append(content["text"].strip())
                if interrupt:
                    manager.interrupt_kernel()
            elif message["header"]["msg_type"] == "error":
                printed.append(content["ename"])

        client.execute_interactive(source, output_hook=hear, timeout=60)
        return " ".join(printed)

    assert cell(START.replace("PLACE", str(place))) == ""
    assert cell(AWAITS) == "x"
    assert cell(BLOCKS) == "x"
    assert cell(TASKS) == "in in"
    assert cell(HOLDS) == "True"
    assert cell(WAITS, interrupt=True) == "waits KeyboardInterrupt"
    assert cell(GIVES_UP) == "gave up"
    assert cell(RELEASES) == "free"


if __name__ == "__main__":
    main()
