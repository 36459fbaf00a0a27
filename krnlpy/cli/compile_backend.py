"""A device that compiles and does not run: it collects the shaders of all kernels that are launched on it.

For each kernel that it is given it makes the shader for every kind of device.
"""

from __future__ import annotations

from pathlib import Path

from krnlpy.backend.null import NullBackend, NullExecutable
from krnlpy.backend.protocol import BuildRequest
from krnlpy.device import Device
from krnlpy.device_info import DeviceKind
from krnlpy.dsl import ir
from krnlpy.dsl.glsl.devices import shaders_for_all
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.spirv.module import content_hash

Threads = tuple[int, int, int]


class CompileBackend(NullBackend):
    """Collects the shaders of what is built.

    Args:
        kind: of the device that it passes for.
        folder: kernels written elsewhere are left out.

    Attributes:
        shaders: GLSL by its content hash, with the kernel's name.
    """

    def __init__(self, kind: DeviceKind, folder: Path) -> None:
        super().__init__(kind)
        self._folder = folder
        self.shaders: dict[str, tuple[str, str]] = {}
        self._seen: set[tuple[ir.Program, Variant, Threads | None]] = set()

    def device(self) -> Device:
        """The device that this is the backend of."""
        device = Device.__new__(Device)
        device.backend = self
        return device

    def add(self, program: ir.Program, variant: Variant, threads: Threads | None) -> None:
        """Collects the shaders of a program, for every kind of device."""
        key = program, variant, threads
        if key in self._seen or not Path(program.file).resolve().is_relative_to(self._folder):
            return
        self._seen.add(key)
        for shader in shaders_for_all(program, variant, threads):
            self.shaders[content_hash(shader.source)] = (program.name, shader.source)

    def build(self, request: BuildRequest) -> NullExecutable:
        """Collects the shaders of a program."""
        self.add(request.program, request.variant, request.threads)
        return super().build(request)
