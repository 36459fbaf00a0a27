"""Every Vulkan device that there is, through the backend protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from krnlpy import vulkan
from tests.support import process
from tests.support.devices import device_parameters, selectors
from tests.support.launching import BuiltKernel, lower


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        devices = [(name, selector) for name, selector in selectors([]) if isinstance(selector, int)]
        metafunc.parametrize("backend", device_parameters(metafunc, devices), indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[vulkan.VulkanBackend]:
    """A device, opened for the test."""
    backend = vulkan.open_device(request.param)
    yield backend
    backend.close()


@pytest.fixture
def build(backend: vulkan.VulkanBackend) -> Callable[..., BuiltKernel]:
    """Builds a kernel for the device."""

    def build(function: Any, threads: int = 64, debug: bool = False, **specs: Any) -> BuiltKernel:
        threads_of_group = (threads, 1, 1)
        program = lower(function, threads_of_group)
        return BuiltKernel(backend, program, threads_of_group, specs=specs, debug=debug)

    return build


@pytest.fixture
def store(backend: vulkan.VulkanBackend) -> Callable[[np.ndarray[Any, Any]], Any]:
    """Puts an array into new memory of the device."""

    def store(array: np.ndarray[Any, Any]) -> Any:
        memory = backend.allocate(array.nbytes)
        backend.upload(memory, 0, array.reshape(-1).view(np.uint8))
        return memory

    return store


@pytest.fixture
def load(backend: vulkan.VulkanBackend) -> Callable[..., np.ndarray[Any, Any]]:
    """Reads elements from memory of the device."""

    def load(memory: Any, dtype: Any, count: int, offset: int = 0) -> np.ndarray[Any, Any]:
        out = np.empty(count, dtype)
        backend.download(memory, offset, out.view(np.uint8))
        return out

    return load


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., str]:
    """Runs a program in a process of its own, with the environment changed; returns what it prints.

    Modules in the test's ``tmp_path`` come before any others.
    """

    def run(program: str, **environment: Any) -> str:
        script = tmp_path / "program.py"
        script.write_text(program)
        done = process.run(script, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
