"""A device that is used from signal handlers and finalizers, which may interrupt any call of it, anywhere."""

from __future__ import annotations

import contextlib
import gc
import itertools
import signal
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import krnlpy
from autograph import Dense, load_checkpoint, save_checkpoint
from krnlpy import Buffer, Device, DeviceBusy, Global, GlobalMut, ItemMut, f32, kernel, u32
from krnlpy.dsl import global_id
from tests.support.kernels import increment
from tests.support.tiers import deep

from .bytecodes import HANDLERS, OPERATIONS, interrupt, interrupt_some

_PLACES = 12
"""Of each operation and handler, where it is interrupted; ``make test-deep`` interrupts everywhere."""


@kernel
def printing(x: ItemMut[u32]) -> None:
    x += u32(1)
    print(x)


@kernel
def spread(x: Global[u32], y: GlobalMut[u32]) -> None:
    i = global_id()
    if i < y.shape[0]:
        y[i] = x[0]


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_interrupted_at_bytecodes(device: Device, operation: str, handler: str) -> None:
    """At some in each run; which ones depends on all three, so that most kinds of places are among them."""
    number = zlib.crc32(f"{device!r} {operation} {handler}".encode())

    def places(count: int) -> range:
        step = max(count // _PLACES, 1)
        return range(1 + number % step, count + 1, step)

    assert interrupt(device, operation, handler, places)


@deep
@pytest.mark.parametrize("first", range(1, 5))
@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_interrupted_at_every_bytecode(device: Device, operation: str, handler: str, first: int) -> None:
    """At every fourth in each of four tests. Where Python itself runs kernels, of which most are, at fewer."""
    step = 97 * 4 if device.info.backend == "interpreter" else 4
    assert interrupt(device, operation, handler, lambda count: range(first, count + 1, step))


def test_a_launch_that_prints_within_another(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = Buffer.zeros(2, u32, device), Buffer.zeros(1, u32, device)
    increment(x)
    printing(y)
    assert capsys.readouterr().out == "1\n"
    runs = 1
    for is_done in interrupt_some(lambda: increment(x), lambda: printing(y), 20):
        runs += 1
        assert capsys.readouterr().out == (f"{y.numpy()[0]}\n" if is_done else "")
    assert x.numpy().tolist() == [runs] * 2 and y.numpy()[0] > 10


def test_groups_that_are_counted_within_a_launch(device: Device) -> None:
    x = Buffer.zeros(2, u32, device)
    one, y = Buffer.full(1, 7, u32, device), Buffer.zeros(600, u32, device)
    counts = Buffer.from_numpy(np.array([2, 1, 1], np.uint32), device)
    increment(x)
    spread.with_groups_from(counts)(one, y)
    y.fill(0)
    for is_done in interrupt_some(lambda: increment(x), lambda: spread.with_groups_from(counts)(one, y), 20):
        assert y.numpy().tolist() == [7 * is_done] * 512 + [0] * 88
        y.fill(0)


def test_a_kernel_is_built_within_a_launch(device: Device) -> None:
    x = Buffer.zeros(2, u32, device)
    increment(x)
    numbers = itertools.count(1000)

    def build() -> None:
        def scale(y: ItemMut[f32], BY: krnlpy.Spec[u32] = 1) -> None:
            y *= f32(BY)

        y, number = Buffer.ones(3, f32, device), next(numbers)
        kernel(scale).specialize(BY=number)(y)
        assert y.numpy().tolist() == [number] * 3

    runs = 1 + len(list(interrupt_some(lambda: increment(x), build, 5)))
    assert x.numpy().tolist() == [runs] * 2 and next(numbers) > 1000


def test_profiles_and_graphs_within_a_launch(device: Device) -> None:
    """What a handler profiles or captures is what it does itself."""
    x, y = Buffer.zeros(2, u32, device), Buffer.zeros(2, u32, device)
    increment(x)

    def measure() -> None:
        with device.profile() as profile:
            increment(y)
        assert [record.name for record in profile.records] == ["increment"]
        with device.capture() as graph:
            increment(y)
        graph.replay()
        graph.replay()

    done = list(interrupt_some(lambda: increment(x), measure, 30))
    assert x.numpy().tolist() == [len(done) + 1] * 2 and y.numpy().tolist() == [3 * sum(done)] * 2


def test_a_profiled_launch_is_interrupted(device: Device) -> None:
    x, y = Buffer.zeros(2, u32, device), Buffer.zeros(2, u32, device)
    increment(x)

    def work() -> None:
        with device.profile() as profile:
            increment(x)
        assert "increment" in [record.name for record in profile.records]

    def handle() -> None:
        increment(x)
        increment(y)
        y.numpy()

    done = []
    for is_done in interrupt_some(work, handle, 40):
        done.append(is_done)
        assert x.numpy().tolist() == [1 + len(done) + sum(done)] * 2 and y.numpy().tolist() == [sum(done)] * 2


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="the system has no such signals")
def test_handlers_that_interrupt_handlers(device: Device, tmp_path: Any) -> None:
    """Three deep, each within a call of the device, and each saves a checkpoint."""
    lock = getattr(device.backend, "_lock", contextlib.nullcontext())
    model, x = Dense(3, 2, device=device), Buffer.zeros(5, u32, device)
    depths: list[int] = []

    def handle(number: int, frame: object) -> None:
        depth = len(depths) + 1
        depths.append(depth)
        with lock:
            increment(x)
            if depth < 3:
                signal.raise_signal(signal.SIGUSR1)
            save_checkpoint(tmp_path / f"{depth}", model, None, step=depth)
            assert (x.numpy() >= depth).all()

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with lock:
            increment(x)
            signal.raise_signal(signal.SIGUSR1)
            increment(x)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert depths == [1, 2, 3] and x.numpy().tolist() == [5] * 5
    for depth in depths:
        copy = Dense(3, 2, device=device)
        assert load_checkpoint(tmp_path / f"{depth}", copy)["step"] == depth
        assert np.array_equal(copy.weight.numpy(), model.weight.numpy())


def test_finalizers_that_work(device: Device) -> None:
    """Objects in cycles, whose ends the garbage collector chooses, launch and read."""
    x, other = Buffer.zeros(100, u32, device), Buffer.zeros(100, u32, device)
    ended = []
    wrong: list[Any] = []

    class Working:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            try:
                increment(other)
                found = other.numpy()
                ended.append(1)
                if not (found == len(ended)).all():
                    wrong.append(found)
            except BaseException as error:
                wrong.append(error)

    with device.capture() as graph:
        increment(x)
    before = gc.get_threshold()
    gc.set_threshold(7, 2, 2)
    try:
        for i in range(60):
            Working()
            increment(x)
            graph.replay()
            y = Buffer.from_numpy(np.full(10, i, np.uint32), device)
            y.copy_from(y.copy()[::-1])
            assert (y.numpy() == i).all()
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert not wrong and len(ended) == 60
    assert (x.numpy() == 120).all() and (other.numpy() == 60).all()


def test_what_is_read_after_it_was_postponed(device: Device) -> None:
    """Where a launch runs at once, what a handler asks of its memory waits for its end; to read that is refused."""
    if device.info.backend != "interpreter":
        pytest.skip("is interrupted between launches, not in them")
    x = Buffer.full(4, 2, u32, device)
    refused = []

    def fill_and_read() -> None:
        x[1:3].fill(50)
        try:
            found = x.numpy()
        except DeviceBusy as error:
            refused.append(str(error))
        else:
            assert found[1:3].tolist() in ([50, 50], [51, 51])

    for is_done in interrupt_some(lambda: increment(x), fill_and_read, 60):
        assert x.numpy().tolist() in ([[3, 50, 50, 3], [3, 51, 51, 3]] if is_done else [[3, 3, 3, 3]])
        x.fill(2)
    assert refused and "can't be read before" in refused[0]


@pytest.mark.parametrize(
    "name",
    ["Device.host()", *(pytest.param(f"Device({i})", marks=[deep] * (i > 0)) for i in range(len(krnlpy.devices())))],
)
@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="the system has no such signal")
def test_checkpoints_of_a_signal_handler(python: Callable[..., str], tmp_path: Path, name: str) -> None:
    """A loop trains; meanwhile a handler saves the model at times that nobody chose. Each file is a whole one, and the
    loop ends where it ends without them."""
    printed = python(_TRAINING, name, tmp_path / "model")
    count, same = printed.split()
    assert int(count) > 3 and same == "True"


_TRAINING = """
import itertools, os, signal, sys, threading, time
import numpy as np
from autograph import SGD, Dense, Tensor, load_checkpoint, save_checkpoint
from krnlpy import Device

device = eval(sys.argv[1])
rng = np.random.default_rng(1)
inputs = Tensor.from_numpy(rng.standard_normal((8, 16)).astype(np.float32), device)
start = rng.standard_normal((16, 4)).astype(np.float32)
classes = Tensor.from_numpy((np.arange(8) % 4).astype(np.uint8), device)


def new_model():
    model = Dense(16, 4, device=device)
    model.weight.assign(Tensor.from_numpy(start, device))
    return model


def train(model, is_enough):
    # Returns how many steps it took.
    optimizer = SGD(momentum=0.5)
    for step in itertools.count():
        if is_enough(step):
            return step
        model.init_parameter_grads()
        model(inputs).cross_entropy_loss(classes).backward()
        model.update(0.01, optimizer)


saved = 0


def save(number, frame):
    global saved
    save_checkpoint(sys.argv[2], model, None, count=saved)
    copy = new_model()
    assert load_checkpoint(sys.argv[2], copy)["count"] == saved
    assert all(np.isfinite(p.numpy()).all() for p in copy.parameters())
    saved += 1
    is_done.set()


model = new_model()
signal.signal(signal.SIGUSR1, save)
is_over, is_done = threading.Event(), threading.Event()


def send():
    while not is_over.wait(0.001 + 0.003 * np.random.rand()):
        is_done.clear()
        os.kill(os.getpid(), signal.SIGUSR1)
        is_done.wait()


sender = threading.Thread(target=send)
sender.start()
steps = train(model, lambda step: step >= 400 and saved > 3)
is_over.set()
sender.join()
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
undisturbed = new_model()
train(undisturbed, lambda step: step == steps)
pairs = zip(model.parameters(), undisturbed.parameters(), strict=True)
print(saved, all(np.array_equal(p.numpy(), q.numpy()) for p, q in pairs))
"""
