"""A device that compiles and does not run: it collects the shaders of all kernels that are launched on it.

For each kernel that it is given it makes the shader for every kind of device. Its memory holds zeros, whatever is
written to it; reading a result back gives zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from krnlpy.backend.memory_stats import MemoryStats
from krnlpy.backend.protocol import Binding
from krnlpy.backend.timing import HostTimer
from krnlpy.device import Device
from krnlpy.device_info import DeviceInfo, DeviceKind
from krnlpy.dsl import ir
from krnlpy.dsl.glsl.devices import shaders_for_all
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.spirv.module import content_hash
from krnlpy.features import Feature

_Array = np.ndarray[Any, Any]
_MANY = (1 << 31) - 1


@dataclass(frozen=True)
class Nothing:
    """Memory that is not there."""

    nbytes: int
    address: int = 0
    is_shared: bool = False


@dataclass
class Executable:
    """A kernel that was compiled, and will not run."""

    name: str
    threads: tuple[int, int, int]

    def tells(self, groups: object, parameters: bytes) -> bool:
        return False


class CompileBackend:
    """Collects the shaders of what is built.

    Args:
        kind: of the device that it passes for.
        folder: kernels written elsewhere are left out.

    Attributes:
        shaders: GLSL by its content hash, with the kernel's name.
    """

    def __init__(self, kind: DeviceKind, folder: Path) -> None:
        self._folder = folder
        self.info = _describe(kind)
        self.lost = False
        self.shaders: dict[str, tuple[str, str]] = {}
        self._seen: set[tuple[ir.Program, Variant]] = set()

    def device(self) -> Device:
        """The device that this is the backend of."""
        device = Device.__new__(Device)
        device.backend = self
        return device

    def add(self, program: ir.Program, variant: Variant) -> None:
        """Collects the shaders of a program, for every kind of device."""
        if (program, variant) in self._seen or not Path(program.file).resolve().is_relative_to(self._folder):
            return
        self._seen.add((program, variant))
        for shader in shaders_for_all(program, variant):
            self.shaders[content_hash(shader.source)] = (program.name, shader.source)

    # -- the protocol of backends

    def defects(self) -> tuple[()]:
        return ()

    def allocate(self, nbytes: int) -> Nothing:
        return Nothing(nbytes)

    def adopt(self, array: _Array) -> tuple[Nothing, int]:
        return Nothing(array.nbytes), 0

    def window(self, memory: Nothing, first: int, end: int) -> tuple[Nothing, int]:
        return memory, 0

    def memory_stats(self) -> MemoryStats:
        return MemoryStats(0, 0, 0)

    def view(self, memory: Nothing) -> None:
        return None

    def planes(self, memory: Nothing, is_written: bool = False) -> tuple[()]:
        return ()

    def upload(self, memory: Nothing, offset: int, data: _Array) -> None:
        pass

    def download(self, memory: Nothing, offset: int, out: _Array) -> None:
        out[...] = 0

    def copy(self, source: Nothing, source_offset: int, to: Nothing, to_offset: int, nbytes: int) -> None:
        pass

    def fill(self, memory: Nothing, offset: int, nbytes: int, pattern: bytes) -> None:
        pass

    def build(
        self,
        program: ir.Program,
        variant: Variant,
        specs: Mapping[str, int | float | bool],
        threads: tuple[int, int, int],
        debug: bool,
    ) -> Executable:
        self.add(program, variant)
        return Executable(program.name, threads)

    def launch(
        self, executable: Executable, groups: tuple[int, int, int], bindings: Sequence[Binding], parameters: bytes
    ) -> None:
        pass

    def launch_indirect(
        self, executable: Executable, counts: Binding, bindings: Sequence[Binding], parameters: bytes
    ) -> None:
        pass

    def timer(self) -> HostTimer:
        return HostTimer()

    def record(self, pieces: Sequence[Any], previous: None) -> None:
        pass

    def replay(self, recording: None) -> None:
        pass

    def wait(self) -> None:
        pass

    def close(self) -> None:
        pass


def _describe(kind: DeviceKind) -> DeviceInfo:
    return DeviceInfo(
        index=None,
        name=f"compiler for devices of kind {kind}",
        kind=kind,
        backend="compiler",
        vendor="",
        driver="",
        api_version="",
        features=frozenset(Feature),
        max_threads=1024,
        max_threads_xyz=(1024, 1024, 1024),
        max_groups_xyz=(_MANY, _MANY, _MANY),
        max_group_memory=_MANY,
        max_buffer_bytes=_MANY,
        max_binding_bytes=_MANY,
        max_parameter_bytes=256,
        subgroup_threads=32,
        subgroup_sizes=(4, 8, 16, 32, 64, 128),
        memory_bytes=_MANY,
    )
