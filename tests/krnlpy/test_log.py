"""What is logged, and where to: the logger ``krnlpy`` and no other. And kernels run one by one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from krnlpy import Buffer, ConfigError, Device, DeviceLost, ItemMut, config, f32, kernel
from krnlpy.backend.interposition import Rank
from krnlpy.backend.serialization import serialize
from tests.support import process
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device

PROGRAM = """
import logging, sys
{before}
import krnlpy
from krnlpy import Buffer, Device, ItemMut, f32, kernel

@kernel
def double(x: ItemMut[f32]):
    x *= 2.0

device = Device({selector!r})
x = Buffer.ones(3, f32, device)
double(x)
double(x)
x.numpy()
logging.getLogger("krnlpy").warning("a warning")
print([type(h).__name__ for h in logging.getLogger().handlers], logging.getLogger().level)
"""


def run(tmp_path: Path, selector: Any, before: str = "", **environment: Any) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(selector=selector, before=before))
    return process.run(path, **{"KRNLPY_LOG": "", **environment})


def selector(device: Device) -> Any:
    return device.info.backend if device.info.index is None else device.info.index


def test_silent_unless_asked(tmp_path: Path) -> None:
    done = run(tmp_path, "host")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "[] 30\n")


def test_levels(tmp_path: Path, device: Device) -> None:
    done = run(tmp_path, selector(device), KRNLPY_LOG="Info")
    lines = done.stderr.splitlines()
    assert done.stdout == "[] 30\n"  # the root logger is as it was
    assert all(re.match(r"\d{4}-\d\d-\d\d [\d:,]+ (INFO|WARNING) krnlpy", line) for line in lines), lines
    assert any(f"opened {device.info.backend}: {device.info.name}" in line for line in lines)
    assert any(re.search(r"built double for .* in [\d.]+ ms$", line) for line in lines)
    assert lines[-1].endswith("WARNING krnlpy: a warning")


def test_a_higher_level(tmp_path: Path) -> None:
    done = run(tmp_path, "host", KRNLPY_LOG="warning")
    assert [line.split(" ", 2)[2] for line in done.stderr.splitlines()] == ["WARNING krnlpy: a warning"]


def test_debug_and_one_kernel_at_a_time(tmp_path: Path, device: Device) -> None:
    if device.info.index is None:
        pytest.skip("only Vulkan has queues and blocks of memory")
    lines = run(tmp_path, selector(device), KRNLPY_LOG="debug", KRNLPY_SERIALIZE="1").stderr
    assert re.search(r"DEBUG krnlpy: .*: a block of \d+ bytes", lines)
    assert re.search(r"DEBUG krnlpy: pipeline of double: [\d.]+ ms in the driver", lines)
    assert (
        len(re.findall(r"DEBUG krnlpy: submit batch \d: \d commands, kernels \['double'\]$", lines, re.MULTILINE)) == 2
    )


def test_a_programs_own_handlers_get_it(tmp_path: Path) -> None:
    before = 'logging.basicConfig(format="own: %(message)s")'
    lines = run(tmp_path, "host", before, KRNLPY_LOG="info").stderr.splitlines()
    assert lines and all(line.startswith("own: ") for line in lines), lines


def test_wrong_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRNLPY_LOG", "loud")
    with pytest.raises(ConfigError, match="KRNLPY_LOG=loud: expected debug, info, warning, error, critical"):
        config._level("KRNLPY_LOG")


def test_importing_krnlpy_does_not_import_logging() -> None:
    program = "import sys, krnlpy; assert 'logging' not in sys.modules, 'logging'; assert 'json' not in sys.modules"
    process.output("-c", program, KRNLPY_LOG="debug")


# -- one kernel at a time


@kernel
def first(x: ItemMut[f32]) -> None:
    x += 1.0


@kernel
def second(x: ItemMut[f32]) -> None:
    x += 1.0


def open_alone(device: Device) -> Device:
    """A device that is this test's own."""
    from krnlpy import vulkan

    if device.info.index is None:
        pytest.skip("what others queue is only done by them")
    own = Device.__new__(Device)
    own.backend = vulkan.open_device(device.info.index)
    return own


def test_serialized_kernels_are_waited_for(device: Device) -> None:
    own = open_alone(device)
    backend: Any = own.backend
    serialize(backend)
    assert [layer.rank for layer in backend._interposed if layer.rank != Rank.LABELS] == [Rank.SERIALIZATION]
    x = Buffer.ones(10, f32, own)
    for _ in range(3):
        first(x)
        assert backend._queue.completed == backend._queue.open_value - 1
    with own.profile() as p:
        second(x)
    assert [r.name for r in p.records] == ["second"]
    assert (x.numpy() == 5).all()
    with own.capture() as graph:
        first(x)
        second(x)
    before = backend._queue.open_value
    graph.replay()
    assert backend._queue.completed == backend._queue.open_value - 1 == before + 1  # a batch for each
    assert (x.numpy() == 7).all()
    backend.close()


def test_a_lost_device_names_the_kernel(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    own = open_alone(device)
    backend: Any = own.backend
    serialize(backend)
    x = Buffer.ones(10, f32, own)
    first(x)
    second(x)
    first(x)
    lost = backend._device.api.VK_ERROR_DEVICE_LOST
    monkeypatch.setattr(backend._device.functions, "vkWaitSemaphores", lambda *_: lost)
    with pytest.raises(DeviceLost, match=r"it was lost in second, \(1, 1, 1\) groups of \(\d+, 1, 1\) threads$"):
        second(x)
    assert backend.lost
    backend._queue.failure = None  # so that the driver, which has lost nothing, is left in order
    backend.close()
