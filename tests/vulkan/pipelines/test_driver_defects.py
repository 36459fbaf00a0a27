"""What drivers compute wrongly: how it is found out, kept, and told."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, DeviceError, GlobalMut, config, kernel, u32, vulkan
from krnlpy.cache.store import Cache
from krnlpy.dsl import subgroup_id, subgroup_thread_id, subgroup_threads, subgroups, thread_id, threads
from krnlpy.vulkan.loading.instance import instance
from krnlpy.vulkan.pipelines import driver_defects
from krnlpy.vulkan.pipelines.driver_defects import Defects, defects_of
from krnlpy.vulkan.pipelines.probe_kernels import PASSES

ALL = Defects(65535, True, True, True, True, True)


@pytest.fixture
def info() -> Any:
    devices = vulkan.enumerate_devices()[0]
    if not devices:
        pytest.skip("no Vulkan device")
    return devices[0]


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is known yet."""
    monkeypatch.setattr(driver_defects, "_asked", {})
    monkeypatch.setattr(config, "cache_dir", tmp_path)


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """How often drivers were probed; each time they have all defects."""
    times: list[Any] = []

    def answer(open_backend: Callable[[], Any], info: Any) -> Defects:
        times.append(open_backend)
        return ALL

    monkeypatch.setattr(driver_defects, "_probed", answer)
    return times


def forget() -> None:
    driver_defects._asked.clear()


def nothing() -> Any:
    raise AssertionError("not opened")


def test_probes_are_run_once_a_driver(info: Any, probed: list[Any]) -> None:
    for _ in range(2):
        assert defects_of(info, nothing) == ALL
        forget()  # as in another process
    assert len(probed) == 1
    for other in (
        replace(info, driver="another 1.0"),
        replace(info, extra={**info.extra, "driver_version": 7}),
        replace(info, extra={**info.extra, "driver_build": "ab" * 16}),
        replace(info, name="another device"),
    ):
        assert defects_of(other, nothing) == ALL
    assert len(probed) == 5


def test_probes_are_run_anew_for_another_kind_of_cpu(
    info: Any, probed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    info = replace(info, kind="cpu")
    for kind in ("a", "b"):
        monkeypatch.setattr(driver_defects, "_cpu", lambda kind=kind: kind)
        defects_of(info, nothing)
    assert len(probed) == 2


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"loop_passes": true}', b"\xff"])
def test_a_damaged_answer_is_asked_for_anew(info: Any, probed: list[Any], tmp_path: Path, content: bytes) -> None:
    cache = Cache.of("probes")
    cache.put(driver_defects._key(info), content)
    assert defects_of(info, nothing) == ALL
    forget()
    assert defects_of(info, nothing) == ALL
    assert len(probed) == 1


def test_switched_off(info: Any, probed: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "probes", False)
    assert defects_of(info, nothing) == Defects()
    assert not probed


def test_a_driver_that_cannot_be_probed(info: Any, caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> Any:
        raise DeviceError("no memory")

    assert defects_of(info, fails) == Defects()
    assert "cannot be probed for defects: no memory" in caplog.text
    assert Cache.of("probes").entries() == [], "the next process tries again"


def test_sentences() -> None:
    assert Defects().sentences() == ()
    assert [s.split()[0] for s in ALL.sentences()] == ["ends", "gives", "loses", "forgets", "ends", "keeps"]


@pytest.mark.parametrize("index", range(len(vulkan.enumerate_devices()[0])))
def test_probes_of_each_driver(index: int) -> None:
    """They run, they leave nothing behind, and what they say is plausible."""
    device = Device(index)
    gc.collect()  # what tests before left
    before = device.memory_stats(), len(instance().open_backends)
    physical = instance().devices[index]
    found = driver_defects._probed(lambda: vulkan.VulkanBackend(instance(), physical, Defects()), device.info)
    assert (device.memory_stats(), len(instance().open_backends)) == before
    assert found.loop_passes == 0 or 1000 < found.loop_passes < PASSES
    assert device.defects == found.sentences()


@pytest.mark.parametrize(
    ("status", "has"), [(0, False), (-11, True), (3, True), (1, False), (None, False), ("late", True)]
)
def test_a_probe_in_a_process_of_its_own(status: int | str | None, has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_apart(code: str, environment: dict[str, str], seconds: float) -> int | None:
        compile(code, "the probe", "exec")
        assert environment["KRNLPY_PROBES"] == "0", "or each process would start another"
        if isinstance(status, str):
            raise subprocess.TimeoutExpired("python", seconds)
        return status

    monkeypatch.setattr(driver_defects, "run_apart", run_apart)
    assert driver_defects._has_stray_loops(0) is has


@kernel
def places(y: GlobalMut[u32, 2]) -> None:
    place = (thread_id(2) * threads(1) + thread_id(1)) * threads(0) + thread_id(0)
    y[place, 0] = u32(subgroup_id() * subgroup_threads() + subgroup_thread_id())
    y[place, 1] = u32(subgroups())


@pytest.mark.parametrize("shape", [(5, 3, 2), (4, 4, 4), (1, 9, 1), (64, 1, 1), (2, 3, 5)])
def test_each_thread_has_a_place_in_a_subgroup(device: Device, shape: tuple[int, int, int]) -> None:
    count = int(np.prod(shape))
    y = Buffer.zeros((count, 2), u32, device)
    places.with_threads(*shape).with_groups(1)(y)
    found = y.numpy()
    assert len(set(found[:, 0].tolist())) == count
    width = device.info.subgroup_threads
    assert set(found[:, 1].tolist()) == {-(-count // width)}
    assert set((found[:, 0] // width).tolist()) == set(range(-(-count // width))), "all but the last are full"
