"""Hooks: who wants to know is told of kernels that are built and launched."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    Device,
    GlobalMut,
    Item,
    ItemMut,
    LaunchError,
    ShapeError,
    Spec,
    config,
    f32,
    hooks,
    kernel,
    u32,
)
from krnlpy.dsl import global_id
from krnlpy.kernels import definition

T = TypeVar("T", f32, u32)


@pytest.fixture(autouse=True)
def no_hook_is_left() -> Iterator[None]:
    yield
    assert definition.compile_hooks == definition.launch_hooks == []


def test_launches(device: Device) -> None:
    @kernel
    def scale(x: ItemMut[f32], factor: Spec[f32] = 2.0) -> None:
        x *= factor

    @kernel
    def count(x: GlobalMut[u32]) -> None:
        x[global_id(0)] += u32(1)

    seen: list[hooks.Launch] = []
    x, y = Buffer.ones(3, f32, device), Buffer.zeros(8, u32, device)
    with hooks.on_launch(seen.append):
        scale(x)
        scale(x, factor=4.0)
        count.with_threads(4).with_groups(2)(y)
        with pytest.raises(LaunchError):
            scale(3)
        count.prepare(y)
    scale(x)
    assert [event.kernel for event in seen] == ["scale", "scale", "count"]
    assert {event.device for event in seen} == {device}
    assert [dict(event.configuration.specs) for event in seen] == [{}, {"factor": 4.0}, {}]
    assert [event.configuration.threads for event in seen] == [None, None, (4, 1, 1)]
    assert [event.geometry.groups for event in seen] == [None, None, (2, 1, 1)]
    assert x.numpy().tolist() == [16.0] * 3 and y.numpy().tolist() == [1] * 8
    with pytest.raises(FrozenInstanceError):
        seen[0].kernel = "another"


def test_launches_of_composites_and_of_tuned_kernels_and_of_krnlpy_itself(device: Device) -> None:
    seen: list[str] = []
    x = Buffer.ones((3, 2), f32, device)
    with hooks.on_launch(lambda event: seen.append(event.kernel)):
        x.cast(u32)
        x.transpose().numpy()
    assert seen[0] == "cast" and set(seen) <= {"cast", "copy"}


def test_a_graph_is_told_when_it_is_captured(device: Device) -> None:
    @kernel
    def double(x: ItemMut[f32]) -> None:
        x *= 2.0

    seen: list[Any] = []
    x = Buffer.ones(3, f32, device)
    with hooks.on_launch(seen.append):
        with device.capture() as graph:
            double(x)
        graph.replay()
        graph.replay()
    assert len(seen) == 1 and x.numpy().tolist() == [4.0] * 3


def test_compilations(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cache_dir", tmp_path)

    def made() -> Any:
        @kernel
        def double(x: ItemMut[T], times: Spec[u32] = 1) -> None:
            for _ in range(times):
                x += x

        return double

    def run(known: Any) -> list[hooks.Compilation]:
        seen: list[hooks.Compilation] = []
        with hooks.on_compile(seen.append):
            for dtype in (f32, u32, f32):
                known(Buffer.ones(3, dtype, device))
            known.prepare(Buffer.ones(3, u32, device))
            known.with_threads(32)(Buffer.ones(3, u32, device))
            known(Buffer.ones((2, 2), f32, device).transpose())
        assert [event.kernel for event in seen] == ["double"] * 4 and {event.device for event in seen} == {device}
        assert [event.configuration.threads for event in seen] == [None, None, (32, 1, 1), None]
        assert all(event.seconds > 0 for event in seen)
        return seen

    first = [event.from_cache for event in run(made())]
    assert not first[0] and not first[1] and not first[3]  # the third has the first's text, where threads are not in it
    is_kept = device.info.backend != "interpreter"
    assert [event.from_cache for event in run(made())] == [is_kept] * 4


def test_several_hooks_come_in_order_and_go() -> None:
    @kernel
    def add(x: Item[f32], y: ItemMut[f32]) -> None:
        y += x

    order: list[str] = []
    x, y = Buffer.ones(3), Buffer.ones(3)
    first = hooks.on_launch(lambda _: order.append("first"))

    def once(_: hooks.Launch) -> None:
        order.append("second")
        second.remove()

    second = hooks.on_launch(once)
    with hooks.on_launch(lambda _: order.append("third")):
        add(x, y)
        add(x, y)
        first.remove()
        first.remove()
        add(x, y)
    add(x, y)
    assert order == ["first", "second", "third", "first", "third", "third"]


def test_what_a_hook_raises_reaches_the_caller(device: Device) -> None:
    @kernel
    def add(x: Item[f32], y: ItemMut[f32]) -> None:
        y += x

    def fail(_: object) -> None:
        raise ShapeError("from a hook")

    x, y = Buffer.ones(3, f32, device), Buffer.ones(3, f32, device)
    with hooks.on_compile(fail), pytest.raises(ShapeError, match="from a hook"):
        add(x, y)
    with hooks.on_launch(fail), pytest.raises(ShapeError, match="from a hook"):
        add(x, y)
    add(x, y)
    assert y.numpy().tolist() == [3.0] * 3  # the first was built and not launched; the second was queued


def test_a_hook_may_use_devices_and_kernels(device: Device) -> None:
    @kernel
    def double(x: ItemMut[f32]) -> None:
        x *= 2.0

    x, y = Buffer.ones(3, f32, device), Buffer.ones(3, f32, device)
    built: list[np.ndarray[Any, Any]] = []

    def use(_: hooks.Compilation) -> None:
        double(y)
        built.append(y.numpy())

    with hooks.on_compile(use):
        double(x)
    assert built[0].tolist() == [2.0] * 3 and x.numpy().tolist() == [2.0] * 3


def test_each_thread_tells_its_own() -> None:
    @kernel
    def double(x: ItemMut[f32]) -> None:
        x *= 2.0

    tellers: list[int] = []
    with hooks.on_launch(lambda _: tellers.append(threading.get_ident())):
        threads = [threading.Thread(target=double, args=(Buffer.ones(3),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        own = {thread.ident for thread in threads}
    assert len(tellers) == 3 and set(tellers) <= own


@pytest.mark.parametrize("callback", [None, 3, "print"])
def test_what_is_no_hook(callback: Any) -> None:
    for register in (hooks.on_compile, hooks.on_launch):
        with pytest.raises(LaunchError, match="expected a function of one argument"):
            register(callback)
