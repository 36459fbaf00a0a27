"""Short soaks; `python -m tests.soak` takes longer ones."""

from __future__ import annotations

import multiprocessing
import threading
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import autograph.data
import krnlpy
from krnlpy import Buffer, Device, Item, ItemMut, f32, hooks, kernel
from tests.support import process
from tests.support.tiers import deep

from . import training
from .leaks import COUNTS, measure
from .operations import Thread
from .soak import soak

_COUNT = len(krnlpy.devices())
SAMPLE = Path(autograph.data.__file__).parent / "samples" / "mnist-sample"


def told(error: BaseException) -> str:
    """All of a thread's error: what caused it, too."""
    return "".join(traceback.format_exception(error))


needs_vulkan = pytest.mark.skipif(not _COUNT, reason="no Vulkan device")


def test_threads_on_one_device(device: Device) -> None:
    """Random operations of 8 threads, each result compared with NumPy's."""
    if device.info.backend == "interpreter":
        pytest.skip("the interpreter takes long for large buffers")
    figures = soak([device], threads=8, seconds=1.0, seed=1)
    assert not figures.failures, told(figures.failures[0])
    assert figures.operations.total() >= 32


@needs_vulkan
def test_threads_on_all_devices() -> None:
    """Buffers move between all devices of the process."""
    devices = [Device.host(), *map(Device, range(_COUNT))]
    figures = soak(devices, threads=8, seconds=1.0, seed=2)
    assert not figures.failures, told(figures.failures[0])
    assert figures.operations.total() >= 32


def test_the_soak_notices() -> None:
    """A wrong result fails it: the judge itself."""
    thread = Thread([Device.host()], 3)
    x = Buffer.ones(10, krnlpy.u32)
    thread._keep(x, np.zeros(10, np.uint32))
    with pytest.raises(AssertionError):
        thread.check()


def test_threads_that_compile_the_same(device: Device) -> None:
    """The first launches of a kernel, all at once."""

    @kernel
    def axpy(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
        y += alpha * x

    start = threading.Barrier(8)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            x, y = Buffer.ones(100, f32, device), Buffer.zeros(100, f32, device)
            start.wait()
            for _ in range(5):
                axpy(float(number), x, y)
            assert (y.numpy() == 5 * number).all()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    built: list[hooks.Compilation] = []
    with hooks.on_compile(built.append):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures, told(failures[0])
    assert len(built) == 1


# What a repetition may leave behind on average, in bytes: drivers and allocators keep some memory for later, which
# many repetitions share. One object of Vulkan's leaked each time would be more than each of these, and is counted too.
_MOST_BYTES = {"dispatches": 200, "allocations": 2000, "devices": 20_000, "pipelines": 40_000}


@needs_vulkan
@pytest.mark.parametrize("task", COUNTS)
def test_nothing_is_left_behind(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A twentieth of what `python -m tests.soak --leaks` does, on the last device, in a process of its own: the memory
    of this one depends on all the tests before. Without the validation layer, which keeps 5 to 20 KB a device."""
    monkeypatch.setenv("KRNLPY_VALIDATE", "0")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        leak = process.submit(measure, _COUNT - 1, task, COUNTS[task] // 20).result()
    assert leak.is_flat, leak
    assert leak.growth < _MOST_BYTES[task], leak


@pytest.mark.parametrize(("kernels", "most_bytes"), [(100, 6000), pytest.param(300, 2000, marks=deep)])
def test_the_host_frees_kernels(kernels: int, most_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled for the host goes with its kernel, wholly. What Python and C's allocator keep for later comes in
    pieces of some 100 KB: over 240 kernels up to 1.5 KB each, over 80 up to 4.5 KB. LLVM's JIT once kept 9 KB of a
    kernel, and its context as much of what describes the code."""
    monkeypatch.setenv("KRNLPY_NO_CACHE", "1")
    monkeypatch.setenv("KRNLPY_VALIDATE", "0")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        leak = process.submit(measure, "host", "pipelines", kernels).result()
    assert leak.growth < most_bytes, leak


@deep
@pytest.mark.parametrize("network", training.NETWORKS)
def test_training_holds_no_more_with_each_step(network: str) -> None:
    """Buffers, files and the process itself; ``python -m tests.soak --training`` takes 10,000 steps."""
    program = "-m", "tests.soak.training", network, "host", 400
    assert f"{network}, 400 steps" in process.output(*program, AUTOGRAPH_DATA=str(SAMPLE))
