"""Tuned kernels on every device: what is chosen, remembered, refused, and left untouched."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    CaptureError,
    Device,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    LaunchError,
    LimitExceeded,
    Out,
    Spec,
    TuningError,
    autotune,
    bf16,
    config,
    f16,
    f32,
    i32,
    kernel,
    u32,
)
from krnlpy.backend.timing import Span
from krnlpy.dsl import Vector, barrier, global_id, group_array, thread_id
from krnlpy.errors import FileError
from krnlpy.tuning import autotune as autotuning
from krnlpy.tuning import trials
from krnlpy.tuning.autotune import TunedKernel
from krnlpy.tuning.variation import varied
from tests.support import process
from tests.support.tiers import one_vulkan_device
from tests.support.typed import untyped

pytestmark = one_vulkan_device

THREADS = [{"threads": n} for n in (32, 64, 128)]


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config, "cache_dir", tmp_path / "cache")
    yield


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the kernels that are tuned, in turn. The first configuration wins, whatever the times."""
    names: list[str] = []

    def watched(kernel: str, *arguments: Any) -> Any:
        names.append(kernel)
        return original(kernel, *arguments)

    original = trials.fastest
    monkeypatch.setattr(autotuning, "fastest", watched)
    return names


def make_add(**options: Any) -> TunedKernel:
    @autotune(THREADS, **{"seconds": 0.0, **options})
    @kernel
    def add(x: Item[f32], y: ItemMut[f32]) -> None:
        y += x

    return add


def expected_count(device: Device) -> int:
    """How often something is tuned that is tuned once: not at all where nothing can be measured."""
    return 0 if device.info.backend == "interpreter" else 1


def ones(device: Device, count: int = 100) -> Buffer:
    return Buffer.ones(count, f32, device)


def test_the_buffers_see_one_launch(device: Device, measured: list[str]) -> None:
    add = make_add()
    x, y = ones(device), ones(device)
    add(x, y)
    np.testing.assert_array_equal(y.numpy(), 2.0)
    add(x, y)
    np.testing.assert_array_equal(y.numpy(), 3.0)
    np.testing.assert_array_equal(x.numpy(), 1.0)
    assert measured == ["add"] * expected_count(device)
    assert add.config_for(x, y) in THREADS


def test_tuning_touches_nothing(device: Device) -> None:
    add = make_add()
    x, y = ones(device), ones(device)
    result = add.tune(x, y)
    assert add.config_for(x, y) == result.config
    np.testing.assert_array_equal(y.numpy(), 1.0)
    if device.info.backend == "interpreter":
        assert result.trials == () and result.config == THREADS[0]
        return
    assert [trial.config for trial in result.trials] == THREADS
    assert all(trial.seconds is not None and trial.seconds > 0 and trial.count == 1 for trial in result.trials)
    best = min(result.trials, key=lambda trial: trial.seconds or 0)
    assert result.config == best.config
    assert str(result).count("\n") == 2 and "* threads=" in str(result)


def test_what_shares_memory_goes_on_sharing_it(device: Device) -> None:
    """Views of one buffer, overlapping with what is read, with strides and offsets."""

    @autotune(THREADS, seconds=0.0)
    @kernel
    def shifted(x: Global[f32, 1], y: GlobalMut[f32, 1]) -> None:
        i = global_id(0)
        if i < y.shape[0]:
            y[i] = y[i] * 2.0 + x[0]

    whole = Buffer.from_numpy(np.arange(100, dtype=np.float32), device)
    launch = shifted.with_global_threads(20)
    launch(whole[50:], whole[5:45:2])
    expected = np.arange(100, dtype=np.float32)
    expected[5:45:2] = expected[5:45:2] * 2 + 50
    np.testing.assert_array_equal(whole.numpy(), expected)

    add = make_add()
    reversed_view = Buffer.from_numpy(np.arange(100, dtype=np.float32), device)[89:9:-2]
    add(reversed_view, reversed_view)
    np.testing.assert_array_equal(reversed_view.numpy(), 2 * np.arange(100, dtype=np.float32)[89:9:-2])

    x = Buffer.from_numpy(np.arange(100, dtype=np.float32), device)
    add(x, x)
    np.testing.assert_array_equal(x.numpy(), 2 * np.arange(100, dtype=np.float32))


def test_specs_and_global_threads(device: Device) -> None:
    @autotune([{"TILE": n, "threads": (n, n)} for n in (2, 4, 8)], key=["a", "b"], seconds=0.0)
    @kernel
    def matmul(a: Global[i32, 2], b: Global[i32, 2], c: Out[i32, 2], TILE: Spec[i32]) -> None:
        rows = group_array(i32, (TILE, TILE))
        columns = group_array(i32, (TILE, TILE))
        x, y = thread_id(0), thread_id(1)
        i, j = global_id(1), global_id(0)
        total = 0
        for k in range(0, a.shape[1], TILE):
            rows[y, x] = a[i, k + x] if i < a.shape[0] and k + x < a.shape[1] else 0
            columns[y, x] = b[k + y, j] if k + y < b.shape[0] and j < b.shape[1] else 0
            barrier()
            for n in range(TILE):
                total += rows[y, n] * columns[n, x]
            barrier()
        if i < c.shape[0] and j < c.shape[1]:
            c[i, j] = total

    rng = np.random.default_rng(0)
    for m, k, n in ((5, 7, 6), (9, 3, 10)):
        a, b = rng.integers(-9, 9, (m, k), np.int32), rng.integers(-9, 9, (k, n), np.int32)
        c = Buffer.zeros((m, n), i32, device)
        launch = matmul.with_global_threads(n, m)
        launch(Buffer.from_numpy(a, device), Buffer.from_numpy(b, device), c)
        np.testing.assert_array_equal(c.numpy(), a @ b)


def test_groups_that_depend_on_the_configuration(device: Device) -> None:
    seen = []

    def groups(chosen: Any, x: Buffer) -> int:
        seen.append(dict(chosen))
        return -(-x.size // (32 * int(chosen["EACH"])))

    @autotune([{"EACH": 1}, {"EACH": 3}, {"EACH": 4}], groups=groups, seconds=0.0)
    @kernel(threads=32)
    def count_up(x: GlobalMut[i32, 1], EACH: Spec[i32]) -> None:
        for n in range(EACH):
            i = global_id(0) * EACH + n
            if i < x.shape[0]:
                x[i] += 1

    x = Buffer.zeros(1000, i32, device)
    count_up(x)
    count_up(x)
    np.testing.assert_array_equal(x.numpy(), 2)
    assert seen and all(isinstance(c["EACH"], int) for c in seen)
    count_up.with_groups(40).set_config({"EACH": 1})
    count_up.with_groups(1)(x)
    np.testing.assert_array_equal(x.numpy(), [3] * 32 + [2] * 968)


def test_keys(device: Device, measured: list[str]) -> None:
    once = expected_count(device)
    add = make_add(key=["x"])
    for count in (10, 20, 10, 20):
        add(ones(device, count), ones(device, count))
    assert len(measured) == 2 * once
    add = make_add()
    for count in (10, 20):
        add(ones(device, count), ones(device, count))
    assert len(measured) == 3 * once
    add = make_add(key=lambda x, y: (x.size.bit_length(), "text", None))
    for count in (16, 17, 31, 32):
        add(ones(device, count), ones(device, count))
    assert len(measured) == 5 * once
    with pytest.raises(LaunchError, match="expected a number, a text"):
        make_add(key=lambda x, y: x)(ones(device), ones(device))
    with pytest.raises(LaunchError, match="key names 'z'; its parameters are x, y"):
        make_add(key=["z"])
    with pytest.raises(LaunchError, match=r"expected a list of names: \['x'\]"):
        make_add(key="x")


def test_a_configuration_that_computes_something_else(device: Device) -> None:
    @autotune([{"N": 1}, {"N": 2}], seconds=0.0)
    @kernel
    def wrong(x: ItemMut[f32], N: Spec[i32]) -> None:
        x += f32(N)

    x = ones(device)
    if device.info.backend == "interpreter":
        wrong(x)
        return
    with pytest.raises(TuningError, match=r"N=1 and N=2 compute different values of x, 100 of 100 elements.*\(0,\)"):
        wrong(x)
    np.testing.assert_array_equal(x.numpy(), 1.0)


def test_zeros_prove_nothing(device: Device) -> None:
    """Where elements are all equal, configurations are told apart by other numbers; integers stay as they are."""
    if device.info.backend == "interpreter":
        pytest.skip("nothing is measured")

    @autotune([{"N": 1}, {"N": 2}], seconds=0.0)
    @kernel
    def scaled(x: Global[f32], at: Global[i32], y: ItemMut[f32], N: Spec[i32]) -> None:
        y += x[at[0]] * f32(N)

    x, at, y = Buffer.zeros(3, f32, device), Buffer.zeros(1, i32, device), Buffer.zeros(5, f32, device)
    with pytest.raises(
        TuningError, match=r"N=1 and N=2 compute different values of y, .* with random numbers in place"
    ):
        scaled(x, at, y)
    assert not x.numpy().any() and not at.numpy().any() and not y.numpy().any()
    add = make_add()
    flipped = Buffer.zeros(200, f32, device)[::-2]
    add(flipped, flipped)  # what shares memory shares the other numbers, too
    assert not flipped.numpy().any()
    for type in (f16, bf16):
        narrow = Buffer.full(7, 3.0, type, device)
        (numbers,) = varied((narrow,)) or ()
        values = numbers.numpy().astype(np.float64)
        assert values.min() >= 1.5 and values.max() <= 4.5 and len(set(values)) > 3
    assert varied((Buffer.from_numpy(np.arange(3.0), device), at, 5, Buffer.full(2, np.nan, f32, device))) is None


def test_a_budget(device: Device) -> None:
    """The first configuration that runs always has its turn; others have none once the time is up."""
    if device.info.backend == "interpreter":
        pytest.skip("nothing is measured")
    result = make_add(budget=0.0).tune(ones(device), ones(device))
    assert result.config == THREADS[0]
    assert [bool(trial.count) for trial in result.trials] == [True, *[False] * (len(THREADS) - 1)]
    assert {trial.reason for trial in result.trials[1:]} == {"the budget was used up before its turn"}
    result = make_add(budget=600.0).tune(ones(device), ones(device))
    assert all(trial.count for trial in result.trials)


def make_rounding(**options: Any) -> TunedKernel:
    @autotune([{"STEP": 1.0}, {"STEP": 3.0}], seconds=0.0, **options)
    @kernel
    def rounded(x: ItemMut[f32], STEP: Spec[f32]) -> None:
        x = (x / STEP) * STEP

    return rounded


def test_tolerances(device: Device) -> None:
    if device.info.backend == "interpreter":
        pytest.skip("nothing is measured")
    values = np.array([0.1, 5.3, np.nan, np.inf, 7.7e10], np.float32)

    def rounded(**options: float) -> None:
        make_rounding(**options)(Buffer.from_numpy(np.tile(values, 100), device))

    with pytest.raises(TuningError, match="disagree"):
        rounded()
    # A division and a product, each rounded by at most 2**-24 of the value.
    rounded(rtol=3 * 2**-24)
    with pytest.raises(TuningError, match="disagree"):
        rounded(atol=1e-9)


def test_what_the_device_cant_run_is_left_out(device: Device) -> None:
    @autotune([{"N": 1 << 28}, {"N": 64}, {"N": 128}], seconds=0.0)
    @kernel(threads=64)
    def shared(x: GlobalMut[i32, 1], N: Spec[i32]) -> None:
        values = group_array(i32, N)
        values[thread_id(0)] = 1
        barrier()
        x[thread_id(0)] = values[63 - thread_id(0)]

    x = Buffer.zeros(64, i32, device)
    shared.with_groups(1)(x)
    np.testing.assert_array_equal(x.numpy(), 1)
    result = shared.with_groups(1).tune(x)
    assert result.config["N"] in (64, 128)
    if result.trials:
        assert "group arrays take" in result.trials[0].reason and result.trials[0].seconds is None

    @autotune([{"threads": 1 << 16}, {"threads": 1 << 17}], seconds=0.0)
    @kernel
    def too_large(x: ItemMut[i32]) -> None:
        x = 1

    with pytest.raises(LimitExceeded):
        too_large(x)


def test_remembered_by_other_processes(device: Device, measured: list[str]) -> None:
    x, y = ones(device), ones(device)
    make_add()(x, y)
    make_add()(x, y)  # as another process: a new kernel of the same source
    np.testing.assert_array_equal(y.numpy(), 3.0)
    assert len(measured) == expected_count(device)


def entries() -> list[Path]:
    assert config.cache_dir is not None
    return sorted((config.cache_dir / "tuning").glob("*"))


def test_damaged_memory_is_tuned_anew(device: Device, measured: list[str]) -> None:
    if device.info.backend == "interpreter":
        pytest.skip("nothing is remembered")
    x, y = ones(device), ones(device)
    make_add()(x, y)
    (path,) = entries()
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\x81" * 100_000, whole.replace(b"threads", b"Threads")):
        path.write_bytes(damaged)
        make_add()(x, y)
        assert path.read_bytes() == whole or entries() == [path]
    assert len(measured) == 5


def test_memory_that_says_something_impossible(device: Device, measured: list[str]) -> None:
    """Well-formed and verified, but no configuration of this kernel."""
    if device.info.backend == "interpreter":
        pytest.skip("nothing is remembered")
    from krnlpy.tuning import choices

    x, y = ones(device), ones(device)
    add = make_add()
    add(x, y)
    situation = add._situation(add._call((x, y)))
    cache, key = choices._cache(), choices._cache_key(situation)
    contents: list[Any] = [
        {"config": {"threads": 5}},
        [],
        {"config": {"threads": 32}, "kernel": "another"},
        "[" * 100_000,
    ]
    for content in contents:
        cache.put(key, content.encode() if isinstance(content, str) else json.dumps(content).encode())
        with pytest.warns(RuntimeWarning, match="is damaged; it is tuned anew"):
            make_add()(x, y)
        make_add()(x, y)  # rewritten
    assert len(measured) == 5


def test_switched_off(device: Device, measured: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "autotune", False)
    add = make_add()
    x, y = ones(device), ones(device)
    add(x, y)
    assert add.config_for(x, y) == THREADS[0]
    assert add.tune(x, y).trials == ()
    assert measured == [] and not (
        config.cache_dir and config.cache_dir.exists() and (config.cache_dir / "tuning").exists()
    )
    add.set_config(THREADS[2])
    assert add.config_for(x, y) == THREADS[2]
    np.testing.assert_array_equal(y.numpy(), 2.0)


def test_debug_mode_measures_nothing(device: Device, measured: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    add = make_add()
    x, y = ones(device), ones(device)
    monkeypatch.setattr(config, "debug", True)
    add(x, y)
    assert measured == []
    monkeypatch.setattr(config, "debug", False)
    add(x, y)
    assert len(measured) == expected_count(device)
    np.testing.assert_array_equal(y.numpy(), 3.0)


def test_set_config(device: Device, measured: list[str]) -> None:
    add = make_add()
    x, y = ones(device), ones(device)
    add.set_config({"threads": np.int64(64)})
    add(x, y)
    with device.profile() as p:
        add(x, y)
    assert [record.threads for record in p.records] == [(64, 1, 1)]
    assert measured == []
    with pytest.raises(LaunchError, match=r"no configuration threads=5; there are: threads=32; threads=64"):
        add.set_config({"threads": 5})
    add.set_config(None)
    add(x, y)
    assert len(measured) == expected_count(device)


def test_files_that_are_shipped(device: Device, measured: list[str], tmp_path: Path) -> None:
    x, y = ones(device), ones(device)
    path = tmp_path / "add.json"
    add = make_add()
    chosen = add.tune(x, y).config
    add.save_tuning(path)
    content = json.loads(path.read_text())
    assert len(content["choices"]) == expected_count(device)
    if not content["choices"]:
        return
    # Another machine, with nothing in its cache.
    config.cache_dir = tmp_path / "another"
    other = next(c for c in THREADS if c != chosen)
    content["choices"][0]["config"] = {"threads": other["threads"]}
    content["choices"].append({**content["choices"][0], "device": "a device that is not here"})
    content["choices"].append({**content["choices"][0], "key": "[]", "config": {"threads": 7}})  # not one any more
    path.write_text(json.dumps(content))
    add = make_add()
    assert add.load_tuning(path) == 2
    assert add.config_for(x, y) == other
    assert len(measured) == 1
    add.save_tuning(tmp_path / "both.json")
    assert len(json.loads((tmp_path / "both.json").read_text())["choices"]) == 2
    for damaged in (b"", b"[]", b'{"krnlpy_tuning": 2}', b"[" * 100_000, path.read_bytes()[:-10], b"\xff\xfe"):
        path.write_bytes(damaged)
        with pytest.raises(TuningError, match="damaged"):
            add.load_tuning(path)
    content["choices"][0]["device"] = 3
    path.write_text(json.dumps(content))
    with pytest.raises(TuningError, match="damaged"):
        add.load_tuning(path)
    path.write_text(json.dumps({**content, "kernel": "sub"}))
    with pytest.raises(TuningError, match="is of the kernel 'sub', not of add"):
        add.load_tuning(path)
    with pytest.raises(TuningError, match="can't be read"):
        add.load_tuning(tmp_path / "missing.json")


def test_another_source_is_tuned_anew(device: Device, measured: list[str]) -> None:
    def variant(number: int) -> TunedKernel:
        @autotune(THREADS, seconds=0.0)
        @kernel
        def grow(x: ItemMut[u32]) -> None:
            x += u32(number)

        return grow

    for number in (1, 2, 1):
        variant(number)(Buffer.zeros(10, u32, device))
    assert len(measured) == 2 * expected_count(device)


def test_one_thread_tunes(device: Device, measured: list[str]) -> None:
    add = make_add()
    buffers = [(ones(device), ones(device)) for _ in range(6)]
    threads = [threading.Thread(target=add, args=pair) for pair in buffers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _, y in buffers:
        np.testing.assert_array_equal(y.numpy(), 2.0)
    assert len(measured) == expected_count(device)


def test_launchers(device: Device) -> None:
    @autotune([{"N": 1, "threads": 32}, {"N": 2, "threads": 64}], seconds=0.0)
    @kernel
    def scaled(x: ItemMut[f32], N: Spec[i32], FACTOR: Spec[f32] = 3.0) -> None:
        for _ in range(N):
            x = x * 1.0
        x *= FACTOR

    x = ones(device)
    scaled(x)
    scaled.specialize(FACTOR=5.0)(x)
    scaled(x, FACTOR=2.0)
    np.testing.assert_array_equal(x.numpy(), 30.0)
    with pytest.raises(LaunchError, match="configurations choose N"):
        scaled.specialize(N=1)
    with pytest.raises(LaunchError, match="configurations choose threads"):
        scaled.with_threads(5)
    scaled.kernel.specialize(N=0)(x)
    np.testing.assert_array_equal(x.numpy(), 90.0)
    assert repr(scaled) == "<tuned <kernel scaled(x, N, FACTOR)>, 2 configurations>"
    assert untyped(scaled).__name__ == "scaled"


def test_inspect(capsys: pytest.CaptureFixture[str]) -> None:
    from krnlpy.cli import command as cli

    assert cli.main(["inspect", "examples.autotune:matmul", "--stage", "features"]) in (0, None)
    assert "TILE = 8, EACH = 1" in capsys.readouterr().out


def test_files_that_are_none(tmp_path: Path) -> None:
    """Refused at once: who opens a pipe waits for its other end."""
    add = make_add()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(TuningError, match="expected a plain file"):
            add.load_tuning(path)
        with pytest.raises(FileError, match="expected a plain file"):
            add.save_tuning(path)


def test_where_nothing_can_be_kept(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_text("")
    for directory in (tmp_path / "a file", None):
        monkeypatch.setattr(config, "cache_dir", directory)
        add = make_add()
        x, y = ones(device), ones(device)
        add(x, y)
        np.testing.assert_array_equal(y.numpy(), 2.0)


def test_graphs(device: Device) -> None:
    add = make_add()
    x, y = ones(device), ones(device)
    if expected_count(device):
        with pytest.raises(CaptureError, match=r"add is not tuned .* before"), device.capture():
            add(x, y)
    add.tune(x, y)
    with device.capture() as graph:
        x_now = graph.parameter("x", x)
        add(x_now, y)
    graph.replay()
    graph.replay(x=Buffer.full(100, 5.0, f32, device))
    np.testing.assert_array_equal(y.numpy(), 7.0)


def test_composite_arguments(device: Device) -> None:
    @autotune(THREADS, key=["at"], seconds=0.0)
    @kernel
    def move(by: Vector[f32, 2], at: ItemMut[Vector[f32, 2]]) -> None:
        at += by

    at = Buffer.zeros((50, 2), f32, device)
    move((1.0, 2.0), at)
    np.testing.assert_array_equal(at.numpy(), np.tile(np.array([1, 2], np.float32), (50, 1)))


def test_wrong_configurations() -> None:
    @kernel
    def scaled(x: ItemMut[f32], N: Spec[i32]) -> None:
        x *= f32(N)

    for configs, message in (
        ([], "at least one"),
        ([{"M": 1}], "has no Spec parameter M"),
        ([{"N": 1.5}], "N is i32; got 1.5"),
        ([{"N": 1}, {"N": 1}], "N=1 is given twice"),
        ([{"threads": 0}], "expected numbers of at least 1"),
        ([3], "a configuration is a mapping"),
    ):
        with pytest.raises(LaunchError, match=message):
            autotune(untyped(configs))(scaled)
    with pytest.raises(LaunchError, match="put @autotune"):
        autotune([{"N": 1}])(untyped(lambda x: x))
    with pytest.raises(LaunchError, match="has no buffers among its arguments"):
        autotune([{"N": 1}])(scaled)(1.0)


def test_the_rounds_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that lost take no part any more, and the rest are measured until their medians are known."""
    counts = {0: 0, 1: 0, 2: 0}
    costs = {0: 1e-3, 1: 1.2e-3, 2: 5e-3}

    class Fake:
        clock = "host"

        def time(self, work: Any) -> Any:
            number = work.func
            counts[number] += 1
            noise = 1 + 0.3 * ((counts[number] * 7) % 5 - 2) / 2
            return Span(0, round(costs[number] * noise * 1e9), True)

        def finish(self) -> None:
            pass

    class Work(int):
        pass

    monkeypatch.setattr(trials, "partial", lambda number, _: type("W", (), {"func": number}))
    timer: Any = Fake()
    works: Any = [0, 1, 2]
    twins: Any = type("T", (), {"restore": lambda self: None, "arguments": ()})()
    times = trials._measured([0, 1, 2], works, twins, timer, 60.0)
    assert counts[2] == 3  # its best is 3.5e-3
    assert 3 < counts[0] == counts[1] <= 50
    assert {i: len(found) for i, found in times.items()} == counts
    assert len(trials._measured([0], works[:1], twins, timer, 60.0)[0]) == 1


PROGRAM = """
import numpy as np
from krnlpy import Buffer, ItemMut, autotune, config, f32, kernel
assert config.autotune == {expected}

@autotune([{{"threads": 32}}, {{"threads": 64}}])
@kernel
def double(x: ItemMut[f32]):
    x *= 2.0

double(Buffer.ones(3, f32))
print([p.name for p in config.cache_dir.glob("tuning/*")] != [])
"""


@pytest.mark.parametrize(("text", "expected"), [("0", False), ("", True), ("1", True)])
def test_environment(text: str, expected: bool, tmp_path: Path) -> None:

    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(expected=expected))
    printed = process.output(path, KRNLPY_AUTOTUNE=text, KRNLPY_CACHE_DIR=str(tmp_path / "c"))
    assert printed == f"{expected}\n"
