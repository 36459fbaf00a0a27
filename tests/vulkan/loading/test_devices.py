"""Which devices there are, why others are not, and processes that begin and end oddly."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from krnlpy import vulkan
from krnlpy.errors import DeviceUnavailable
from krnlpy.features import Feature

_LIST = """
from krnlpy import vulkan
devices, reasons = vulkan.enumerate_devices()
print(len(devices))
print(*reasons, sep="\\n")
print(vulkan.explain_unavailable())
"""


def test_enumeration_is_stable() -> None:
    first, second = vulkan.enumerate_devices(), vulkan.enumerate_devices()
    assert first == second
    for index, info in enumerate(first[0]):
        assert info.index == index
        assert info.backend == "vulkan"
        assert info.name
        assert info.driver
        assert info.vendor
        major, minor, _ = map(int, info.api_version.split("."))
        assert (major, minor) >= (1, 2)
        assert info.max_threads >= 128  # what Vulkan promises, here and below
        assert info.max_group_memory >= 16384
        assert info.max_parameter_bytes >= 128
        assert min(info.max_groups_xyz) >= 65535
        assert 1 << 27 <= info.max_buffer_bytes <= info.memory_bytes
        assert Feature.SUBGROUP_BASIC in info.features
        assert info.subgroup_threads & (info.subgroup_threads - 1) == 0


def test_index_out_of_range() -> None:
    count = len(vulkan.enumerate_devices()[0])
    for index in (count, -1):
        with pytest.raises(DeviceUnavailable):
            vulkan.open_device(index)


def test_no_loader(python: Callable[..., str], tmp_path: Path) -> None:
    program = (
        "from krnlpy.vulkan.loading import loader\nloader.candidates = lambda: iter(['libnowhere.so.9'])\n" + _LIST
    )
    count, reason, explained = python(program).splitlines()
    assert count == "0"
    assert "no Vulkan loader" in reason
    assert "install" in explained
    assert "Device.host()" in explained


def test_no_driver(python: Callable[..., str], tmp_path: Path) -> None:
    missing = tmp_path / "missing.json"
    count, *reasons = python(_LIST, VK_DRIVER_FILES=str(missing)).splitlines()
    assert count == "0"
    assert f"{missing}: no such file" in "".join(reasons)


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ("{", "not a driver's manifest"),
        ('{"ICD": {}}', "not a driver's manifest"),
        ('{"ICD": {"library_path": 3, "api_version": "1.3.0"}}', "library_path is 3"),
        ('{"ICD": {"library_path": "", "api_version": "1.3.0"}}', "library_path is ''"),
        ('{"ICD": {"library_path": "libc.so.6", "api_version": "1.3.0"}}', "not a Vulkan driver"),
        ('{"ICD": {"library_path": "./gone.so", "api_version": "new"}}', "api_version is 'new'"),
        ('{"ICD": {"library_path": "./gone.so"}}', "api_version is None"),
        ('{"ICD": {"library_path": "./gone.so", "api_version": "1.3.0"}}', "gone.so does not exist"),
        ('{"ICD": {"library_path": "./broken.so", "api_version": "1.3.0"}}', "cannot be loaded"),
        ('{"ICD": {"library_path": "libnowhere.so.7", "api_version": "1.3.0"}}', "cannot be loaded"),
    ],
)
def test_a_bad_manifest_beside_good_ones(
    python: Callable[..., str], tmp_path: Path, manifest: str, reason: str
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(manifest)
    (tmp_path / "broken.so").write_text("no library")
    good = os.environ.get("VK_DRIVER_FILES", "")
    program = "from krnlpy import vulkan\nfound, reasons = vulkan.enumerate_devices()\nprint(len(found), *reasons)"
    count, _, text = python(program, VK_DRIVER_FILES=os.pathsep.join(filter(None, [str(bad), good]))).partition(" ")
    assert str(bad) in text
    assert reason in text
    if good:
        assert int(count) == len(vulkan.enumerate_devices()[0])


def test_a_manifest_that_cannot_be_read_is_kept_from_the_loader(python: Callable[..., str], tmp_path: Path) -> None:
    """Some loaders crash where a driver's name is a number."""
    bad = tmp_path / "bad.json"
    bad.write_text('{"ICD": {"library_path": 3, "api_version": "1.3.0"}}')
    program = "import os\n" + _LIST + "\nprint(os.environ['VK_DRIVER_FILES'], 'VK_ADD_DRIVER_FILES' in os.environ)"
    count, reason, _, environment = python(program, VK_DRIVER_FILES=str(bad)).splitlines()
    assert count == "0"
    assert reason.startswith("no driver's manifest can be read; ") and f"{bad}: not a driver's manifest" in reason
    assert environment == f"{bad} False", "it is as it was"


def test_importing_loads_no_vulkan(python: Callable[..., str]) -> None:
    assert python("import sys, krnlpy.vulkan; print('_cffi_backend' in sys.modules)") == "False\n"


_FORK = """
import atexit, os
import numpy as np
from krnlpy import vulkan
from krnlpy.errors import DeviceUnavailable
backend = vulkan.open_device(0)
memory = backend.allocate(100)
child = os.fork()
if not child:
    for attempt in (lambda: backend.allocate(10), lambda: vulkan.open_device(0), backend.wait):
        try:
            attempt()
        except DeviceUnavailable as error:
            assert "fork" in str(error), error
        else:
            os._exit(1)
    assert vulkan.enumerate_devices()[0] == []
    backend.close()
    atexit._run_exitfuncs()
    os._exit(0)  # without the driver's own exit handlers: lavapipe 26.1's wait for threads of the parent
status = os.waitpid(child, 0)[1]
backend.upload(memory, 0, np.ones(100, np.uint8))
out = np.zeros(100, np.uint8)
backend.download(memory, 0, out)
print(status, out.sum())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.skipif(not vulkan.enumerate_devices()[0], reason="no Vulkan device")
def test_fork(python: Callable[..., str]) -> None:
    assert python(_FORK) == "0 100\n"


_EXIT = """
import numpy as np
from krnlpy import vulkan
backends = [vulkan.open_device(i) for i in range(len(vulkan.enumerate_devices()[0])) for _ in range(2)]
memories = [backend.allocate(1 << 20) for backend in backends]
for backend, memory in zip(backends, memories):
    for value in range(100):
        backend.fill(memory, 0, 1 << 20, bytes([value]))  # still runs when the process ends
print(len(vulkan.take_validation_messages()))
"""


def test_exit_with_queued_work(python: Callable[..., str]) -> None:
    assert python(_EXIT) == "0\n"


@pytest.mark.skipif(not vulkan.enumerate_devices()[0], reason="no Vulkan device")
def test_closed() -> None:
    backend = vulkan.open_device(0)
    memory = backend.allocate(10)
    backend.close()
    backend.close()
    for attempt in (lambda: backend.allocate(10), backend.wait, lambda: backend.fill(memory, 0, 8, b"\0")):
        with pytest.raises(DeviceUnavailable, match="closed"):
            attempt()


@pytest.mark.skipif(not vulkan.enumerate_devices()[0], reason="no Vulkan device")
def test_wait_returns_when_all_queued_work_is_done() -> None:
    backend = vulkan.open_device(0)
    memory = backend.allocate(1 << 20)
    for value in range(20):
        backend.fill(memory, 0, 1 << 20, bytes([value]))
    queue = backend._queue
    assert queue.completed < queue.open_value
    backend.wait()
    assert queue.poll() == queue.open_value - 1  # of batches that were submitted, the last
    backend.close()
