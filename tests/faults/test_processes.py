"""Threads, forks, and processes that end oddly: no crash, no hang, nothing on stderr."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

import krnlpy

_COUNT = len(krnlpy.devices())
_DEVICES = [*range(_COUNT), "host", "interpreter"]

_START = """
import atexit, gc, os, signal, sys, threading, time
import numpy as np
import krnlpy
from krnlpy import Buffer, Device, Global, Item, ItemMut, f32, kernel, u32

@kernel
def add(alpha: f32, x: Item[f32], y: ItemMut[f32]):
    y += alpha * x

selector = sys.argv[1]
device = Device(int(selector) if selector.isdecimal() else selector)
x, y = Buffer.ones(3000, f32, device), Buffer.zeros(3000, f32, device)
"""

_ENDS = {
    "globals": """
for _ in range(100):
    add(1.0, x, y)
""",
    "a callback that launches and reads": """
@atexit.register
def last():
    add(1.0, x, y)
    assert y.numpy()[0] == 1
""",
    "a callback of before the import": """
def last():
    for attempt in (y.numpy, lambda: add(1.0, x, y)):
        try:
            attempt()
        except krnlpy.KrnlpyError as error:
            assert "closed" in str(error)
add(1.0, x, y)
atexit.unregister(krnlpy.device._close_all)
atexit.register(last)
atexit.register(krnlpy.device._close_all)
""",
    "cycles of objects": """
class Node: pass
for _ in range(50):
    node = Node()
    node.buffer, node.kernel, node.device, node.self = Buffer.ones(100, f32, device), add, device, node
    add(1.0, node.buffer, node.buffer)
gc.disable()
del device, x, y
""",
    "objects with destructors": """
class Last:
    def __init__(self): self.y = y
    def __del__(self):
        try:
            self.y.numpy()
        except BaseException as error:
            assert isinstance(error, krnlpy.KrnlpyError)
last = Last()
last.self = last
sys.modules["kept"] = Last()
""",
    "modules that are gone": """
for name in list(sys.modules):
    if name.startswith("krnlpy"):
        del sys.modules[name]
del krnlpy, Device, add
""",
    "daemons that work": """
ready = threading.Barrier(4)
def work():
    a, b = Buffer.ones(3000, f32, device), Buffer.zeros(3000, f32, device)
    ready.wait()
    while True:
        for _ in range(10):
            add(1.0, a, b)
        b.numpy()
        b.copy_from(a)
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
ready.wait()
""",
    "a thread that ends later": """
def work():
    time.sleep(0.2)
    for _ in range(100):
        add(1.0, x, y)
    assert y.numpy()[0] == 100
threading.Thread(target=work).start()
""",
    "os._exit with queued work": """
for _ in range(100):
    add(1.0, x, y)
sys.stdout.flush()
os._exit(0)
""",
}


@pytest.mark.parametrize("selector", _DEVICES)
def test_the_end(python: Callable[..., str], selector: object) -> None:
    """Every way to end, one after the other in processes of their own; on further devices those with threads."""
    for name, end in _ENDS.items():
        if selector not in (0, "host") and "thread" not in end:
            continue
        assert python(f"{_START}{end}print('end')", selector) in ("end\n", ""), name


@pytest.mark.parametrize("selector", _DEVICES)
def test_an_exception_at_the_end(python: Callable[..., str], selector: object) -> None:
    """The program's own message, and nothing else."""
    program = f"{_START}\nfor _ in range(100):\n    add(1.0, x, y)\nraise SystemExit('enough')"
    python(program, selector, status=1, stderr="enough\n")


_FORK = """
child = os.fork()
if not child:
    for attempt in (y.numpy, lambda: add(1.0, x, y), lambda: Buffer.ones(3, f32, Device(0)), device.wait):
        try:
            attempt()
        except krnlpy.DeviceUnavailable as error:
            assert "fork" in str(error) and "spawn" in str(error), error
        else:
            os._exit(1)
    host = Buffer.ones(9, f32)
    add(1.0, host, host)  # the host goes on
    assert (host.numpy() == 2).all()
    del x, y, device
    gc.collect()
    sys.exit(0)
status = os.waitpid(child, 0)[1]
add(1.0, x, y)
print(status, y.numpy().sum())
"""

_BUSY_FORK = """
stop = threading.Event()
def work(i):
    while not stop.is_set():
        a = Buffer.ones(3000, f32, device)
        add(1.0, a, a)
        a.numpy()
        kernel(add.__wrapped__)(1.0, a, a)  # is compiled anew
threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
for thread in threads:
    thread.start()
statuses = []
for _ in range(10):
    child = os.fork()
    if not child:
        try:
            y.numpy()
        except krnlpy.DeviceUnavailable:
            krnlpy.Buffer.ones(9, f32, Device("interpreter")).numpy()
            sys.stdout.flush()
            os._exit(0)
        os._exit(1)
    statuses.append(os.waitpid(child, 0)[1])
stop.set()
for thread in threads:
    thread.join()
print(sum(statuses))
"""

_FORK_BEFORE = """
import os, sys
import krnlpy
from krnlpy import Buffer, Device, Item, ItemMut, f32, kernel

@kernel
def add(alpha: f32, x: Item[f32], y: ItemMut[f32]):
    y += alpha * x

def work():
    for i in range(len(krnlpy.devices())):
        x, y = Buffer.ones(3000, f32, Device(i)), Buffer.zeros(3000, f32, Device(i))
        add(2.0, x, y)
        assert (y.numpy() == 2).all()

children = []
for _ in range(2):
    children.append(os.fork())
    if not children[-1]:
        work()
        sys.exit(0)
statuses = [os.waitpid(child, 0)[1] for child in children]
work()
print(statuses)
"""

_SPAWN = """
import multiprocessing
import numpy as np
import krnlpy
from krnlpy import Buffer, Device, ItemMut, kernel, u32

@kernel
def increment(x: ItemMut[u32]):
    x += u32(1)

def work(task):
    index, start = task
    x = Buffer.from_numpy(np.full(100, start, np.uint32), Device(index))
    for _ in range(50):
        increment(x)
    return int(x.numpy().sum())

if __name__ == "__main__":
    mine = work((0, 0))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        sums = pool.map(work, [(i, n) for i in range(len(krnlpy.devices())) for n in (0, 1)])
    print(mine, sums)
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
needs_vulkan = pytest.mark.skipif(not _COUNT, reason="no Vulkan device")


@needs_fork
@needs_vulkan
def test_a_fork_after_use(python: Callable[..., str]) -> None:
    assert python(_START + _FORK, 0) == "0 3000.0\n"


@needs_fork
@needs_vulkan
def test_a_fork_while_threads_work(python: Callable[..., str]) -> None:
    """Whatever lock a thread held, the child is not stuck on it."""
    assert python(_START + _BUSY_FORK, 0, KRNLPY_NO_CACHE="1") == "0\n"


@needs_fork
@needs_vulkan
def test_a_fork_before_use(python: Callable[..., str]) -> None:
    assert python(_FORK_BEFORE) == "[0, 0]\n"


@needs_vulkan
def test_spawned_processes(python: Callable[..., str]) -> None:
    assert python(_SPAWN) == f"5000 {[5000, 5100] * _COUNT}\n"
