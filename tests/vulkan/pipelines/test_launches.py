"""Kernels on each Vulkan device: order, batches, parameters, debugging, limits."""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest

from krnlpy.dsl.builtins import group_array, thread_id
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Spec
from krnlpy.errors import DeviceLost, KernelIndexError, LimitExceeded, MissingFeatures
from krnlpy.features import Feature
from krnlpy.scalar import f32, f64, i32, u8, u32


def increment(x: ItemMut[u32]) -> None:
    x += u32(1)


def saxpy(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
    y += alpha * x


def gather(x: Global[u32, 1], at: Item[i32], y: ItemMut[u32]) -> None:
    y = x[at]


def scaled(x: ItemMut[f32], FACTOR: Spec[f32], SHIFT: Spec[i32], DOUBLE: Spec[bool]) -> None:
    x = x * FACTOR + f32(SHIFT)
    if DOUBLE:
        x *= 2.0


def double(x: ItemMut[f64]) -> None:
    x *= 2.0


def bytes_increment(x: ItemMut[u8]) -> None:
    x += u8(1)


def large_group(x: GlobalMut[f32, 1], LENGTH: Spec[u32]) -> None:
    values = group_array(f32, (LENGTH,))
    values[thread_id(0)] = 1.0
    x[thread_id(0)] = values[0]


def many(
    a0: Global[u32, 1], a1: Global[u32, 1], a2: Global[u32, 1], a3: Global[u32, 1], a4: Global[u32, 1],
    a5: Global[u32, 1], a6: Global[u32, 1], a7: Global[u32, 1], a8: Global[u32, 1], a9: Global[u32, 1],
    b0: Global[u32, 1], b1: Global[u32, 1], b2: Global[u32, 1], b3: Global[u32, 1], b4: Global[u32, 1],
    b5: Global[u32, 1], b6: Global[u32, 1], b7: Global[u32, 1], b8: Global[u32, 1], b9: Global[u32, 1],
    c0: u32, c1: u32, c2: u32, c3: u32, c4: u32, c5: u32, c6: u32, c7: u32, c8: u32, c9: u32,
    d0: u32, d1: u32, d2: u32, d3: u32, d4: u32, d5: u32, d6: u32, d7: u32, d8: u32, d9: u32,
    e0: u32, e1: u32, e2: u32, e3: u32, e4: u32, e5: u32, e6: u32, e7: u32, e8: u32, e9: u32,
    y: ItemMut[u32],
) -> None:  # fmt: skip
    y += a0[0] + a1[0] + a2[0] + a3[0] + a4[0] + a5[0] + a6[0] + a7[0] + a8[0] + a9[0]
    y += b0[0] + b1[0] + b2[0] + b3[0] + b4[0] + b5[0] + b6[0] + b7[0] + b8[0] + b9[0]
    y += c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + d0 + d1 + d2 + d3 + d4 + d5 + d6 + d7 + d8 + d9
    y += e0 + e1 + e2 + e3 + e4 + e5 + e6 + e7 + e8 + e9


def test_launches_in_order_over_many_batches(build: Any, store: Any, load: Any) -> None:
    kernel, memory = build(increment), store(np.zeros(100, np.uint32))
    for _ in range(1000):
        kernel((memory, 0, 100))
    assert (load(memory, np.uint32, 100) == 1000).all()


def test_chain_through_two_memories(build: Any, store: Any, load: Any) -> None:
    kernel = build(saxpy)
    x, y = store(np.ones(1000, np.float32)), store(np.ones(1000, np.float32))
    want_x = want_y = 1
    for _ in range(15):  # Fibonacci's numbers, up to 1346269, which an f32 holds
        kernel(1.0, (x, 0, 1000), (y, 0, 1000))
        want_y += want_x
        kernel(1.0, (y, 0, 1000), (x, 0, 1000))
        want_x += want_y
    assert (load(x, np.float32, 1000) == want_x).all()
    assert (load(y, np.float32, 1000) == want_y).all()


def test_parts_of_one_memory(build: Any, store: Any, load: Any) -> None:
    kernel, memory = build(increment), store(np.zeros(96, np.uint32))
    for part in (0, 32, 64):
        for _ in range(part + 1):
            kernel((memory, part, 32))
    kernel((memory, 16, 32))
    want = np.repeat([1, 33, 65], 32)
    want[16:48] += 1
    assert np.array_equal(load(memory, np.uint32, 96), want)


def test_neighbouring_bytes(build: Any, store: Any, load: Any, backend: Any) -> None:
    """Where the device has no bytes, they are parts of words, of which other commands write other parts."""
    kernel, memory = build(bytes_increment), store(np.zeros(64, np.uint8))
    for _ in range(50):
        kernel((memory, 0, 5))
        backend.upload(memory, 5, np.array([7, 8], np.uint8))
        kernel((memory, 7, 57))
    want = np.full(64, 50, np.uint8)
    want[5:7] = 7, 8
    assert np.array_equal(load(memory, np.uint8, 64), want)


def test_uploads_between_launches(build: Any, store: Any, load: Any, backend: Any) -> None:
    kernel = build(saxpy)
    x, y = store(np.zeros(300, np.float32)), store(np.zeros(300, np.float32))
    for i in range(100):
        backend.upload(x, 0, np.full(300, i, np.float32).view(np.uint8))
        kernel(2.0, (x, 0, 300), (y, 0, 300))
    assert (load(y, np.float32, 300) == 2 * sum(range(100))).all()


def test_a_parameter_block_too_large_for_push_constants(build: Any, store: Any, load: Any, backend: Any) -> None:
    most = backend.info.extra["max_storage_buffers"]
    if most < 22:
        pytest.skip(f"the device grants {most} buffers")
    kernel = build(many)
    assert kernel.layout.size > backend.info.max_parameter_bytes
    ones, y = store(np.ones(4, np.uint32)), store(np.zeros(50, np.uint32))
    for factor in range(3000):  # goes round the ring in which the blocks lie
        kernel(*[(ones, 1, 2)] * 20, *[factor] * 30, (y, 0, 50))
    want = sum(20 + 30 * factor for factor in range(3000))
    assert (load(y, np.uint32, 50) == want).all()


def test_specialization(build: Any, store: Any, load: Any) -> None:
    x = store(np.arange(10, dtype=np.float32))
    build(scaled, FACTOR=0.5, SHIFT=-3, DOUBLE=True)((x, 0, 10))
    build(scaled, FACTOR=4.0, SHIFT=1, DOUBLE=False)((x, 0, 10))
    assert np.array_equal(load(x, np.float32, 10), (np.arange(10) * 0.5 - 3) * 2 * 4 + 1)


def test_memory_freed_while_work_uses_it(build: Any, store: Any, load: Any, backend: Any) -> None:
    kernel, count = build(saxpy), 20_000
    y = store(np.zeros(count, np.float32))
    addresses = set()
    for i in range(200):
        x = store(np.full(count, i, np.float32))
        addresses.add(x.address)
        kernel(1.0, (x, 0, count), (y, 0, count))
        del x
        backend.fill(backend.allocate(4 * count), 0, 4 * count, b"\xff")
    assert (load(y, np.float32, count) == sum(range(200))).all()
    assert len(addresses) <= 4  # what is freed is used again, before the work on it is done


def test_thousands_of_launches_take_no_more_memory(build: Any, store: Any, backend: Any) -> None:
    kernel, y = build(saxpy), store(np.zeros(64, np.float32))
    queue, pool, descriptors = backend._queue, backend._memory, backend._descriptors

    def launch(count: int) -> tuple[int, ...]:
        for _ in range(count):
            x = store(np.ones(64, np.float32))
            kernel(1.0, (x, 0, 64), (y, 0, 64))
        backend.wait()
        gc.collect()
        return (len(queue._spare) + len(queue._pending), len(pool._blocks), descriptors._count, len(queue._retired))

    before = launch(2000)
    assert before[0] <= 17
    after = launch(2000)
    assert after[1:] == before[1:]
    assert after[0] <= 17


def test_more_descriptor_sets_than_are_kept(build: Any, store: Any, load: Any, backend: Any, monkeypatch: Any) -> None:
    from krnlpy.vulkan.pipelines import descriptors

    monkeypatch.setattr(descriptors, "_MAX_SETS", 20)
    kernel = build(increment)
    memories = [store(np.zeros(8, np.uint32)) for _ in range(30)]
    for _ in range(10):
        for memory in memories:
            kernel((memory, 0, 8))
    assert all((load(memory, np.uint32, 8) == 10).all() for memory in memories)
    assert backend._descriptors._count <= 20


def test_executables_are_freed(build: Any, store: Any, load: Any, backend: Any) -> None:
    memory = store(np.zeros(8, np.uint32))
    for _ in range(20):
        build(increment)((memory, 0, 8))  # gone before it has run
    assert (load(memory, np.uint32, 8) == 20).all()
    backend.wait()
    backend.wait()
    assert len(backend._builder._pipelines) <= 1


def test_index_out_of_range(build: Any, store: Any, load: Any) -> None:
    x, y = store(np.arange(10, dtype=np.uint32)), store(np.full(4, 5, np.uint32))
    at = store(np.array([1, 2, 10, 3], np.int32))
    kernel = build(gather, debug=True)
    with pytest.raises(KernelIndexError, match=r"10.*length 10") as caught:
        kernel((x, 0, 10), (at, 0, 4), (y, 0, 4))
    assert "y = x[at]" in str(caught.value)
    assert caught.value.file == __file__
    # Without debugging it reads 0, and with valid indices nothing is raised.
    build(gather)((x, 0, 10), (at, 0, 4), (y, 0, 4))
    assert load(y, np.uint32, 4).tolist() == [1, 2, 0, 3]
    kernel((x, 0, 10), (at, 0, 2), (y, 0, 2))


def test_missing_features(build: Any, backend: Any) -> None:
    if Feature.FLOAT64 in backend.info.features:
        pytest.skip("the device has float64")
    with pytest.raises(MissingFeatures, match="double needs float64.*" + backend.info.name[:5]):
        build(double)


def test_limits(build: Any, backend: Any) -> None:
    info = backend.info
    with pytest.raises(LimitExceeded, match="increment: groups of"):
        build(increment, threads=info.max_threads + 1)
    build(large_group, LENGTH=info.max_group_memory // 4)
    with pytest.raises(LimitExceeded, match=f"group arrays take {info.max_group_memory + 4} bytes"):
        build(large_group, LENGTH=info.max_group_memory // 4 + 1)
    with pytest.raises(LimitExceeded, match="a buffer has at most"):
        backend.allocate(info.max_buffer_bytes + 1)


def test_threads(build: Any, store: Any, load: Any) -> None:
    """Several Python threads use one device, each on its own memory."""
    kernel = build(increment)
    memories = [store(np.zeros(1000, np.uint32)) for _ in range(4)]
    failures: list[BaseException] = []

    def work(memory: Any) -> None:
        try:
            for i in range(1, 101):
                kernel((memory, 0, 1000))
                if i % 10 == 0:
                    assert (load(memory, np.uint32, 1000) == i).all()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(memory,)) for memory in memories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_device_lost(build: Any, store: Any, backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, memory = build(increment), store(np.zeros(8, np.uint32))
    kernel((memory, 0, 8))
    with monkeypatch.context() as broken:
        lost = -4  # VK_ERROR_DEVICE_LOST
        broken.setattr(backend._device.functions, "vkQueueSubmit", lambda *_: lost)
        with pytest.raises(DeviceLost, match="the last kernels were increment"):
            backend.wait()
    for attempt in (lambda: kernel((memory, 0, 8)), lambda: backend.allocate(10), backend.wait):
        with pytest.raises(DeviceLost):
            attempt()
