"""Every call of Vulkan's may fail: typed errors, no leak, nothing lost, and the process goes on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import krnlpy
from krnlpy import Buffer, Device, ItemMut, config, kernel, u32, vulkan
from krnlpy.errors import DeviceLost, DeviceUnavailable, OutOfMemory
from krnlpy.vulkan.loading.api import Functions, load
from tests.support.tiers import deep

from .campaign import Misbehaviour, check, faults, sites
from .codes import CODES, MEMORY
from .layer import Fault, Layer, injected
from .workload import forget_kernels

_DEVICES = range(len(krnlpy.devices()))

pytestmark = pytest.mark.skipif(not _DEVICES, reason="no Vulkan device")


@kernel
def increment(x: ItemMut[u32]) -> None:
    x += u32(1)


@kernel
def double(x: ItemMut[u32]) -> None:
    x *= u32(2)


@pytest.fixture(autouse=True)
def only_young_objects() -> Iterator[None]:
    """After each fault garbage is collected, which takes seconds where thousands of tests left objects."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of what these tests build is left for others."""
    monkeypatch.setattr(config, "cache_dir", tmp_path)
    yield
    forget_kernels()


@pytest.mark.parametrize(
    ("is_discrete", "half"),
    [
        pytest.param(False, 0, id="shared-memory"),
        pytest.param(True, 1, id="memory-apart"),
        pytest.param(False, 1, id="shared-memory-others", marks=deep),
        pytest.param(True, 0, id="memory-apart-others", marks=deep),
    ],
)
def test_every_call_may_fail(is_discrete: bool, half: int) -> None:
    """A device of each kind here, a fault of each kind at each place, for each change on one of the devices; `python -m
    tests.faults` takes all."""
    selector = _DEVICES[0 if is_discrete else -1]
    places: dict[Any, Fault] = {}
    for fault in faults(sites(selector, is_discrete), every=False):
        places.setdefault((fault.site[:2], "memory" if fault.code in MEMORY else fault.code), fault)
    chosen = list(places.values())[half::2]
    taken = 0
    wrong = []
    for fault in chosen:
        try:
            taken += check(selector, is_discrete, fault) is not None
        except Misbehaviour as error:
            wrong.append(str(error))
    assert not wrong, "\n".join(wrong)
    assert taken >= len(chosen) - 3


@pytest.fixture
def layer() -> Iterator[Layer]:
    """A layer, below a device to be opened."""
    layer = Layer()
    known = [k.definition for k in (increment, double)]
    with injected(layer):
        yield layer
        for definition in known:
            definition.forget()
    assert not layer.alive
    assert not layer.strangers


def _fail(backend: Any, function: str, code: str, times: int = 1) -> Any:
    """Makes the next calls of a function fail; returns what counts them."""
    functions = backend._device.functions
    working = getattr(functions, function)
    calls: list[int] = []

    def failing(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) >= times:
            setattr(functions, function, working)
        return getattr(backend._device.api, code)

    setattr(functions, function, failing)
    return calls


def test_work_that_cannot_be_submitted_stays_and_runs_once(layer: Layer) -> None:
    device = Device(0)
    x = Buffer.zeros(100, u32, device)
    device.wait()
    for _ in range(5):
        increment(x)
    calls = _fail(device.backend, "vkQueueSubmit", "VK_ERROR_OUT_OF_DEVICE_MEMORY")
    with pytest.raises(OutOfMemory, match="submit work"):
        device.wait()
    for _ in range(100):  # over the end of a batch
        increment(x)
    assert (x.numpy() == 105).all()
    assert len(calls) == 1


def test_a_batch_that_is_full_while_memory_is_short(layer: Layer) -> None:
    """Each launch that raised did not happen, each that did not raise did."""
    device = Device(0)
    x = Buffer.zeros(100, u32, device)
    device.wait()
    _fail(device.backend, "vkQueueSubmit", "VK_ERROR_OUT_OF_HOST_MEMORY", times=20)
    launched = failed = 0
    for _ in range(200):
        try:
            increment(x)
        except OutOfMemory:
            failed += 1
        else:
            launched += 1
    assert failed
    assert (x.numpy() == launched).all()


def test_what_did_not_fit_in_a_batch_is_a_loss(layer: Layer) -> None:
    """Commands that are gone left buffers without what they should hold."""
    device = Device(0)
    x = Buffer.zeros(100, u32, device)
    increment(x)
    _fail(device.backend, "vkEndCommandBuffer", "VK_ERROR_OUT_OF_HOST_MEMORY")
    with pytest.raises(DeviceLost, match=r"lost what was recorded.*OUT_OF_HOST_MEMORY.*last kernels were increment"):
        x.numpy()
    with pytest.raises(DeviceLost):
        increment(x)


def test_a_lost_device(layer: Layer) -> None:
    device = Device(0)
    x = Buffer.zeros(100, u32, device)
    increment(x)
    double(x)
    increment(x)
    _fail(device.backend, "vkQueueSubmit", "VK_ERROR_DEVICE_LOST")
    with pytest.raises(DeviceLost, match=r"stopped answering.*kernels were increment, double, increment$"):
        device.wait()
    attempts: list[Callable[[], Any]] = [
        lambda: increment(x),
        x.numpy,
        x.copy,
        device.wait,
        lambda: Buffer.zeros(9, u32, device),
    ]
    for attempt in attempts:
        with pytest.raises(DeviceLost):
            attempt()
    again = Device(0)
    assert again.backend is not device.backend
    assert again != device
    assert Device(0) == again
    assert layer.counts()["VkDevice"] == 1  # what was lost is given back
    for attempt in attempts:  # and is as lost as before
        with pytest.raises(DeviceLost):
            attempt()
    y = Buffer.zeros(100, u32, again)
    increment(y)
    assert (y.numpy() == 1).all()
    assert all(key[0] is again.backend for key in increment.definition.executables)


def test_a_driver_without_a_function(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    api = load()
    functions = api.functions

    def without_submit(names: Any, get: Any, handle: Any) -> Functions:
        if "vkQueueSubmit" in names:
            raise DeviceUnavailable("the Vulkan driver has no function vkQueueSubmit")
        return functions(names, get, handle)

    with monkeypatch.context() as broken:
        broken.setattr(api, "functions", without_submit)
        with pytest.raises(DeviceUnavailable, match="vkQueueSubmit"):
            Device(0)
    assert (Buffer.ones(9, u32, Device(0)).numpy() == 1).all()


def test_codes_are_negative() -> None:
    """As Vulkan has them: the package's own constants lack the sign of some."""
    api = load()
    names = {code for codes in CODES.values() for code in codes if code.startswith("VK_ERROR")}
    assert all(getattr(api, name) < 0 for name in names)
    assert all(api.result_name(getattr(api, name)) == name for name in names)


def test_the_layer_sees_leaks() -> None:
    """The judge itself: an object that is forgotten, or destroyed twice, is noticed."""
    layer = Layer()
    with injected(layer):
        backend: Any = Device(0).backend
        device = backend._device
        semaphore = backend._queue._semaphore
        device.create(
            "vkCreateCommandPool",
            "VkCommandPool",
            device.api.struct("VkCommandPoolCreateInfo", queueFamilyIndex=device.physical.queue_family),
        )
        layer.alive["VkSemaphore", int(device.api.ffi.cast("uintptr_t", semaphore))] -= 1
    assert layer.counts() == {"VkCommandPool": 1}
    assert len(layer.strangers) == 1
    if config.validate:  # whose layer notices it too
        assert "COMMAND_POOL" in "".join(vulkan.take_validation_messages())


def test_faults_of_a_site() -> None:
    from collections import Counter

    site = ("vkQueueSubmit", "x")
    assert [f.code for f in faults(Counter({site: 3}), every=False)] == list(CODES["vkQueueSubmit"])
    assert [f.skipped for f in faults(Counter({site: 2}), every=True)] == [0] * 3 + [1] * 3
    assert str(Fault(site, 1, "VK_TIMEOUT")) == "VK_TIMEOUT of call 1 at vkQueueSubmit < x"
