"""Every Vulkan device that there is, through the backend protocol."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from krnlpy import vulkan
from krnlpy.dsl import ir
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.dsl.ir.layout import Layout, Variant, layout_of

_ROOT = Path(__file__).parents[2]
_INFOS = vulkan.enumerate_devices()[0]


@pytest.fixture(params=range(len(_INFOS)), ids=[f"{i.index}-{i.name.split()[0]}" for i in _INFOS])
def backend(request: pytest.FixtureRequest) -> Iterator[vulkan.VulkanBackend]:
    """A device, opened for the test."""
    backend = vulkan.open_device(request.param)
    yield backend
    backend.close()


class BuiltKernel:
    """A kernel built for contiguous buffers, to be launched on ranges of memory."""

    def __init__(self, backend: Any, function: Any, threads: int, debug: bool, specs: dict[str, Any]) -> None:
        self.backend = backend
        self.threads = threads
        self.program: ir.Program = frontend.lower(frontend.read_signature(function), {}, (threads, 1, 1), False)
        buffers = self.program.buffers
        variant = Variant(0, tuple(True for _ in buffers))
        self.layout: Layout = layout_of(self.program, variant)
        values = {p.name: p.default for p in self.program.specs} | specs
        self.executable = backend.build(self.program, variant, values, (threads, 1, 1), debug)

    def __call__(self, *arguments: Any, groups: int | None = None) -> None:
        """Launches on numbers, and on (memory, first element, count) for buffers."""
        parameters = [p for p in self.program.parameters if not isinstance(p, ir.SpecParameter)]
        given = dict(zip([p.name for p in parameters], arguments, strict=True))
        values: dict[str, Any] = dict(given)
        bindings = []
        for parameter in self.program.buffers:
            memory, first, count = given[parameter.name]
            size = parameter.type.size
            bindings.append((memory, first * size, (first + count) * size))
            values[f"{parameter.name}_offset"] = first
            values[f"{parameter.name}_shape"] = count
            if isinstance(parameter, ir.ItemParameter):
                values["items"] = count
        block = self.layout.format.pack(*(values[f.name] for f in self.layout.fields))
        if groups is None:
            groups = -(-values["items"] // self.threads)
        self.backend.launch(self.executable, (groups, 1, 1), bindings, block)


@pytest.fixture
def build(backend: vulkan.VulkanBackend) -> Callable[..., BuiltKernel]:
    """Builds a kernel for the device."""

    def build(function: Any, threads: int = 64, debug: bool = False, **specs: Any) -> BuiltKernel:
        return BuiltKernel(backend, function, threads, debug, specs)

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

    def run(program: str, **environment: str) -> str:
        script = tmp_path / "program.py"
        script.write_text(program)
        paths = os.pathsep.join(map(str, (_ROOT, Path(__file__).parent)))
        done = subprocess.run(
            [sys.executable, "-W", "error", str(script)],
            env={**os.environ, "PYTHONPATH": paths, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
