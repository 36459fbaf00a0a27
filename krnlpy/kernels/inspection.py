"""What the compiler makes of a kernel, stage by stage, as text."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from krnlpy.device_info import DeviceInfo
from krnlpy.dsl import ir
from krnlpy.dsl.glsl import emit as glsl
from krnlpy.dsl.glsl.devices import Capabilities, shader_for
from krnlpy.dsl.ir import text as ir_text
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.passes.array_sizes import array_bytes
from krnlpy.dsl.passes.cooperative_expansion import expanded
from krnlpy.dsl.spirv import module as spirv
from krnlpy.dsl.spirv.tools import disassemble
from krnlpy.dsl.types.annotations import type_choices
from krnlpy.errors import DtypeError, InspectionError
from krnlpy.scalar import ScalarType, f32, scalar_type

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.signature import Signature
    from krnlpy.host.compiler import Compiler

_STRIDED_RANK = 2
"""Axes of the strided items that code is shown for."""


@dataclass(frozen=True)
class Subject:
    """A kernel with all that the generated code depends on.

    Attributes:
        specs: a function, since only some stages need values for all of them.
        info: the device that code is made for, or None for one that has every feature.
        strided: whether buffers are strided, or contiguous.
    """

    program: ir.Program
    threads: tuple[int, int, int]
    specs: Callable[[], Mapping[str, int | float | bool]]
    info: DeviceInfo | None
    debug: bool
    strided: bool

    @property
    def variant(self) -> Variant:
        rank = _STRIDED_RANK if self.strided and self.program.items else 0
        return Variant(rank, (not self.strided,) * len(self.program.buffers))


def info_of(device: Any) -> DeviceInfo | None:
    """What is known of a device, where there is one.

    Raises:
        InspectionError: it is none.
    """
    if device is None:
        return None
    info = getattr(device, "info", None)
    if not isinstance(info, DeviceInfo):
        raise InspectionError(f"the device is a {type(device).__name__}, expected a Device")
    return info


def choose_types(signature: Signature, types: Mapping[str, Any]) -> dict[TypeVar, ScalarType]:
    """What type variables stand for: as given by name, else f32 where it is allowed, else the first that is.

    Raises:
        InspectionError: no such variable, or not one of its types.
    """
    if not isinstance(types, Mapping):
        raise InspectionError(f"types of a {type(types).__name__}: expected a mapping such as {{'T': 'f32'}}")
    variables = {v.__name__: v for v in signature.type_variables}
    for name in types:
        if name not in variables:
            known = ", ".join(variables) or "none"
            raise InspectionError(f"{signature.name} has no type variable {name}; it has {known}")
    chosen = {}
    for name, variable in variables.items():
        choices = type_choices(variable)
        default = f32 if f32 in choices else choices[0]
        try:
            chosen[variable] = scalar_type(types.get(name, default))
        except DtypeError as error:
            raise InspectionError(f"{signature.name}: {name}: {error}") from None
        if chosen[variable] not in choices:
            names = ", ".join(t.name for t in choices)
            raise InspectionError(f"{signature.name}: {name} is one of {names}; got {chosen[variable]}")
    return chosen


def show(stage: str, subject: Subject) -> str:
    """A stage as text.

    Raises:
        InspectionError: there is no such stage, or the device does not have it.
    """
    if not isinstance(stage, str) or stage not in STAGES:
        raise InspectionError(f"no stage {stage!r}; there are {', '.join(STAGES)}")
    backends, writer = STAGES[stage]
    if subject.info is not None and subject.info.backend not in backends:
        own = ", ".join(name for name, (found, _) in STAGES.items() if subject.info.backend in found)
        raise InspectionError(f"{subject.info.name} ({subject.info.backend}) has no stage {stage}; it has {own}")
    return writer(subject).rstrip("\n")


def _ir(subject: Subject) -> str:
    return ir_text.program_text(subject.program)


def _shader(subject: Subject) -> glsl.Shader:
    capabilities = Capabilities() if subject.info is None else Capabilities.of(subject.info)
    return shader_for(subject.program, subject.variant, capabilities, subject.debug, threads=subject.threads)[1]


def _glsl(subject: Subject) -> str:
    return _shader(subject).source


def _spirv(subject: Subject) -> str:
    return disassemble(spirv.compile_shader(_shader(subject).source, subject.program.name))


@functools.cache
def _compiler() -> Compiler:
    from krnlpy.host.compiler import Compiler  # LLVM comes with the first stage that needs it

    return Compiler()


def _host_code(subject: Subject) -> str:
    from krnlpy.dsl.llvm import emit as llvm
    from krnlpy.host.backend import open_host

    program = expanded(subject.program, open_host().info.subgroup_threads)
    options = llvm.LlvmOptions(subject.debug, _compiler().instructions)
    return llvm.emit(program, subject.variant, subject.specs(), subject.threads, options).text


def _llvm(subject: Subject) -> str:
    return str(_compiler().optimize(_host_code(subject)))


def _asm(subject: Subject) -> str:
    return _compiler().assembly(_host_code(subject))


def _features(subject: Subject) -> str:
    program, shader = subject.program, _shader(subject)
    x, y, z = subject.threads
    specs = subject.specs()
    group_bytes = sum(array_bytes(array, specs) for array in program.group_arrays)
    where = {"none": "", "push": ", as push constants", "buffer": ", in a buffer"}[shader.parameters]
    lines = [
        ("kernel", program.name),
        ("needs", ", ".join(sorted(shader.features)) or "no optional feature"),
        ("group", f"{x} x {y} x {z} threads"),
        ("group memory", f"{group_bytes} bytes"),
        ("parameters", f"{shader.layout.size} bytes{where}"),
    ]
    if subject.info is not None:
        missing = ", ".join(sorted(shader.features - subject.info.features)) or "nothing"
        lines.insert(2, ("missing", f"{missing} on {subject.info.name}"))
    if specs:
        lines.append(("constants", ", ".join(f"{name} = {value}" for name, value in specs.items())))
    uses = zip(program.buffers, shader.buffer_bindings, shader.reads, shader.writes, strict=True)
    for buffer, number, read, written in uses:
        access = " and ".join([*["read"] * read, *["written"] * written]) or "not used"
        lines.append((f"binding {number}", f"{buffer.name}: {buffer.type}, {access}"))
    if shader.parameter_binding is not None:
        lines.append((f"binding {shader.parameter_binding}", "parameters"))
    if shader.report_binding is not None:
        lines.append((f"binding {shader.report_binding}", "report of the first failure and of prints"))
    if shader.tables:
        lines.append((f"binding {shader.binding_count - 1}", f"tables, {len(shader.tables)} bytes"))
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


_ANY = ("vulkan", "host", "interpreter")
STAGES: Mapping[str, tuple[tuple[str, ...], Callable[[Subject], str]]] = {
    "ir": (_ANY, _ir),
    "glsl": (("vulkan",), _glsl),
    "spirv": (("vulkan",), _spirv),
    "llvm": (("host",), _llvm),
    "asm": (("host",), _asm),
    "features": (("vulkan",), _features),
}
"""Each stage: the backends that have it, and what writes it."""
