"""A thread uses a lock while the main thread forks: forking.py LOCK_DIR HOW PLIGHT OPTIONS.

HOW says how it forks, PLIGHT what the thread does meanwhile: "holds", "waits", "waits with a
time-out", "acquires" all the time.  The children stay; each says which lock files it has open.
After a line the program prints the children and what they said, and kills itself.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import lockutils

LOCK_DIR, HOW, PLIGHT, OPTIONS = sys.argv[1:]
OPTIONS = json.loads(OPTIONS)
FORKS = 60 if PLIGHT == "acquires" else 3
SECONDS = 3.0  # the forks may take so long all together

warnings.simplefilter("ignore")  # threads are there at a fork: that is the point


def lock(**options):
    return lockutils.lock("it", external=True, lock_path=LOCK_DIR, **OPTIONS, **options)


def lock_files_open(pid="self"):
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            path = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            continue
        if path.startswith(f"{LOCK_DIR}/"):
            found.append(path)
    return found


def live_as_child():
    os.write(told, f"{os.getpid()} {json.dumps(lock_files_open())}\n".encode())
    time.sleep(300)


def fork():
    if HOW == "os.fork":
        child = os.fork()
    elif HOW == "gevent.fork":
        child = gevent_os.fork()
    elif HOW == "multiprocessing":
        import multiprocessing

        multiprocessing.get_context("fork").Process(target=live_as_child).start()
        return
    else:
        # the one thing between fork and exec that could keep what is not ours
        child = subprocess.Popen(["sleep", "300"], close_fds=False).pid
        os.write(told, f"{child} {json.dumps(lock_files_open(child))}\n".encode())
        return
    if child == 0:
        live_as_child()


def hold():
    with lock():
        busy.set()
        time.sleep(300)


def acquire_all_the_time():
    while True:
        with lock():
            busy.set()


def wait(**options):
    busy.set()
    lock(**options).acquire()


busy = threading.Event()
heard, told = os.pipe()
if HOW == "gevent.fork":
    import gevent.os as gevent_os
threads = {
    "holds": [hold],
    "waits": [wait],
    "waits with a time-out": [lambda: wait(timeout=300)],
    "acquires": [acquire_all_the_time],
}[PLIGHT]
for thread in threads:
    threading.Thread(target=thread, daemon=True).start()
busy.wait()
print("busy", flush=True)
sys.stdin.readline()
end = time.monotonic() + SECONDS
reports = []
with os.fdopen(heard) as lines:
    while len(reports) < FORKS and time.monotonic() < end:
        fork()
        reports.append(lines.readline())
    print(json.dumps([line.split(" ", 1) for line in reports]), flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
