"""What kernels of krnl can do or get wrong, row by row; docs/parity.md says which row is which test."""

from __future__ import annotations

import importlib.util
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    Device,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    KernelIndexError,
    LaunchError,
    LimitExceeded,
    Spec,
    bf16,
    config,
    f32,
    func,
    i32,
    kernel,
    u8,
)
from krnlpy.dsl import global_id, group_id, item_id, items, thread_id
from tests.support.kernels import saxpy

T = TypeVar("T")


def module(path: Path, source: str) -> ModuleType:
    """A module of kernels with this source."""
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


# ------------------------------------------------------------------------------------------------ items and features


def test_several_items_need_no_narrow_integers() -> None:
    assert "needs         no optional feature" in saxpy.inspect("features")
    assert "needs         no optional feature" in saxpy.inspect("features", strided=True, debug=True)


def test_items_counts_what_runs(device: Device) -> None:
    @kernel
    def count(x: Item[i32], out: ItemMut[i32]) -> None:
        out = items() * 100 + item_id() + x

    for length, threads in itertools.product([1, 5, 33], [1, 4, 64]):
        x, out = Buffer.zeros(length, i32, device), Buffer.zeros(length, i32, device)
        count.with_threads(threads)(x, out)
        assert out.numpy().tolist() == [length * 100 + i for i in range(length)]


def test_items_in_fewer_threads_than_items(device: Device) -> None:
    """Where groups are chosen, each thread strides over the items that are left."""

    @kernel
    def increment(x: ItemMut[i32], at: Item[i32]) -> None:
        x += at + 1

    at = np.arange(100, dtype=np.int32)
    for groups in (1, 3):
        x = Buffer.zeros(100, i32, device)
        increment.with_threads(8).with_groups(groups)(x, Buffer.from_numpy(at, device))
        assert np.array_equal(x.numpy(), at + 1)


def test_slices_need_no_alignment(device: Device) -> None:
    """Offsets are counted in elements: any slice can be bound, of any type."""
    for type in (u8, bf16, f32):
        whole = Buffer.zeros(64, type, device)
        ones = Buffer.ones(64, type, device)

        @kernel
        def add(x: Item[T], y: ItemMut[T], table: Global[T]) -> None:
            y = y + x + table[0]

        add(ones[3:34], whole[1:32], ones[5:6])
        want = np.zeros(64)
        want[1:32] = 2
        assert np.array_equal(whole.numpy().astype(np.float64), want)


# ------------------------------------------------------------------------------------------------------- parameters


def test_more_parameters_than_push_constants_hold(device: Device, tmp_path: Path) -> None:
    """Push constants hold 128 bytes everywhere, and 256 at most where the tests run; these take 320."""
    names = [f"a{i}" for i in range(80)]
    source = "from krnlpy import ItemMut, f32, kernel, u8\n\n\n@kernel\ndef many("
    source += ", ".join(f"{n}: {'u8' if i % 5 == 0 else 'f32'}" for i, n in enumerate(names))
    source += ", x: ItemMut[f32]):\n    x += " + " + ".join(f"{i + 1}.0 * f32({n})" for i, n in enumerate(names))
    many = module(tmp_path / "many_parameters.py", source + "\n").many
    x = Buffer.zeros(5, f32, device)
    for factor in (1, 2):
        many(*[factor * (i % 7) for i in range(80)], x)
    total = sum((i + 1) * (i % 7) for i in range(80))
    assert x.numpy().tolist() == [3 * total] * 5


@pytest.mark.parametrize("count", [9, 40, 140])
def test_many_buffers_work_or_are_refused_by_number(device: Device, tmp_path: Path, count: int) -> None:
    names = [f"b{i}" for i in range(count)]
    source = "from krnlpy import Item, ItemMut, i32, kernel\n\n\n@kernel\ndef many("
    source += ", ".join(f"{n}: Item[i32]" for n in names)
    source += ", y: ItemMut[i32]):\n    y = " + " + ".join(f"{i + 1} * {n}" for i, n in enumerate(names)) + "\n"
    many = module(tmp_path / "many_buffers.py", source).many
    buffers = [Buffer.full(3, i % 5, i32, device) for i in range(count)]
    y = Buffer.zeros(3, i32, device)
    # A parameter block that does not fit push constants is one buffer more.
    if count + 2 > device.info.extra.get("max_storage_buffers", count + 2):
        with pytest.raises(LimitExceeded, match=rf"many: ({count + 1}|{count + 2}) buffers .* grants \d+"):
            many(*buffers, y)
    else:
        many(*buffers, y)
        assert y.numpy().tolist() == [sum((i + 1) * (i % 5) for i in range(count))] * 3


def test_all_kinds_of_parameters_in_one_kernel(device: Device) -> None:
    @kernel
    def mixed(
        a: f32, x: Item[i32], table: Global[f32], y: ItemMut[f32], log: GlobalMut[i32], flag: bool, N: Spec[i32]
    ) -> None:
        log[item_id()] = x * N
        y = (table[x] if flag else 0.0) + a

    x = Buffer.from_numpy(np.array([2, 0, 1], np.int32), device)
    table = Buffer.from_numpy(np.array([10, 20, 30], np.float32), device)
    y, log = Buffer.zeros(3, f32, device), Buffer.zeros(3, i32, device)
    mixed.specialize(N=-2)(0.5, x, table, y, log, True)
    assert y.numpy().tolist() == [30.5, 10.5, 20.5]
    assert log.numpy().tolist() == [-4, 0, -2]


# --------------------------------------------------------------------------------------------------- kernel objects


def test_builders_come_in_any_order(device: Device) -> None:
    @kernel
    def fill(out: GlobalMut[i32], N: Spec[i32]) -> None:
        out[global_id()] = N * 100 + group_id() * 10 + thread_id()

    steps: list[Callable[[Any], Any]] = [
        lambda k: k.with_threads(2),
        lambda k: k.specialize(N=3),
        lambda k: k.with_groups(3),
    ]
    for order in itertools.permutations(steps):
        run = fill
        for step in order:
            run = step(run)
        out = Buffer.zeros(6, i32, device)
        run(out)
        assert out.numpy().tolist() == [300, 301, 310, 311, 320, 321]


def test_builders_leave_the_kernel_as_it_was(device: Device) -> None:
    @kernel
    def fill(out: ItemMut[i32], N: Spec[i32] = 1) -> None:
        out = N

    out = Buffer.zeros(2, i32, device)
    fill.specialize(N=5).with_threads(1).with_groups(1)(out)
    fill(out)
    assert out.numpy().tolist() == [1, 1]


def test_a_missing_step_is_an_error_at_the_call(device: Device) -> None:
    @kernel
    def fill(out: GlobalMut[i32], N: Spec[i32]) -> None:
        out[global_id()] = N

    out = Buffer.zeros(2, i32, device)
    with pytest.raises(LaunchError, match=r"fill: N has no value and no default; \.specialize\(N=\.\.\.\)"):
        fill.with_groups(1)(out)
    with pytest.raises(LaunchError, match=r"fill has no items to count; \.with_groups\(\) or"):
        fill.specialize(N=1)(out)


def test_empty_buffers_are_no_error(device: Device) -> None:
    saxpy(1.0, Buffer.zeros(0, f32, device), Buffer.zeros(0, f32, device))

    @kernel
    def lengths(x: Global[f32], y: GlobalMut[f32], out: GlobalMut[i32]) -> None:
        if global_id() < len(x):
            y[global_id()] = x[global_id()]
        if global_id() == 0:
            out[0], out[1] = len(x), y.size

    out = Buffer.ones(2, i32, device)
    lengths.with_groups(1)(Buffer.zeros(0, f32, device), Buffer.zeros(0, f32, device), out)
    assert out.numpy().tolist() == [0, 0]


def test_a_changed_body_is_never_stale(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caches on disk go by content: neither file, name nor parameters tell two kernels apart."""
    monkeypatch.setattr(config, "cache_dir", tmp_path / "cache")
    source = "from krnlpy import ItemMut, f32, kernel\n\n\n@kernel\ndef fill(x: ItemMut[f32]):\n    x = {}\n"
    results = []
    for i, value in enumerate(("1.0", "2.0", "1.0")):
        folder = tmp_path / str(i)
        folder.mkdir()
        x = Buffer.zeros(1, f32, device)
        module(folder / "changed.py", source.format(value)).fill(x)
        results.append(x.numpy()[0])
    assert results == [1, 2, 1]


def test_functions_run_on_the_host_too(device: Device) -> None:
    @func
    def smoothstep(low, high, x):
        t = min(max((x - low) / (high - low), 0.0), 1.0)
        return t * t * (3.0 - 2.0 * t)

    @kernel
    def apply(x: ItemMut[f32]) -> None:
        x = smoothstep(0.0, 4.0, x)

    x = [-1.0, 0.0, 1.0, 2.0, 5.0]
    got = Buffer.from_numpy(np.array(x, np.float32), device)
    apply(got)
    assert got.numpy().tolist() == [smoothstep(0.0, 4.0, v) for v in x]


# --------------------------------------------------------------------------------------------------- indices


def test_index_and_length_stand_in_their_places(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "debug", True)

    @kernel(threads=1)
    def read(x: Global[f32], at: i32, y: GlobalMut[f32]) -> None:
        y[0] = x[at]

    x, y = Buffer.ones(3, f32, device), Buffer.zeros(1, f32, device)
    for at in (7, -2):
        with pytest.raises(KernelIndexError, match=rf"index {re.escape(str(at))} is out of range.* length 3"):
            read.with_groups(1)(x, at, y)


def test_a_thread_goes_on_after_an_index_out_of_range(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """krnl ends the thread; here a load gives 0, a store does nothing, and what follows is run."""
    if device.info.kind == "interpreter":
        pytest.skip("the interpreter reports it")
    monkeypatch.setattr(config, "debug", False)

    @kernel
    def shift(x: Global[f32], at: Item[i32], y: GlobalMut[f32], z: ItemMut[f32]) -> None:
        v = x[at]
        y[at] = v + 10.0
        z = v + 1.0

    at = Buffer.from_numpy(np.array([0, -1, 2, 3, 1], np.int32), device)
    y, z = Buffer.zeros(3, f32, device), Buffer.zeros(5, f32, device)
    shift(Buffer.full(3, 5, f32, device), at, y, z)
    assert y.numpy().tolist() == [15, 15, 15]
    assert z.numpy().tolist() == [6, 1, 6, 1, 6]
