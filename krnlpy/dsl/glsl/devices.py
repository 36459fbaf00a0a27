"""What the GLSL of a program needs to know of a device, and which kinds of devices there are."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from krnlpy.dsl import ir
from krnlpy.dsl.ir.layout import Variant, layout_of
from krnlpy.dsl.passes.cooperative_expansion import expanded
from krnlpy.features import FLOAT_ATOMICS, FLOAT_PRESERVE, Feature, Features
from krnlpy.scalar import f64

from . import emit as glsl
from .context import leaves_loops
from .cooperative import is_native

if TYPE_CHECKING:
    from krnlpy.device_info import DeviceInfo

_PUSH_BYTES = (128, 256)
"""Of parameters: what every device takes, and what most take."""
_SUBGROUPS = frozenset(feature for feature in Feature if feature.startswith("subgroup"))
_LANES = (32, 4, 8, 16, 64, 128)
"""Threads of a subgroup."""
_STORAGE: tuple[Features, ...] = (
    frozenset((Feature.STORAGE8, Feature.STORAGE16)),
    frozenset((Feature.STORAGE16,)),
    frozenset(),
)
_ATOMICS: tuple[Features, ...] = (
    FLOAT_ATOMICS,
    frozenset((Feature.FLOAT32_ATOMIC_ADD, Feature.GROUP_FLOAT32_ATOMIC_ADD)),
    frozenset(),
)
_PRESERVE: tuple[Features, ...] = (FLOAT_PRESERVE, frozenset((Feature.FLOAT32_PRESERVE,)), frozenset())


class _EveryShape(Collection[Any]):
    """The products of cooperative matrices of a device that has them all."""

    def __contains__(self, shape: object) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True)
class Capabilities:
    """What the GLSL of a program needs to know of a device; by default, one that has every feature.

    Attributes:
        shapes: the products of cooperative matrices that it has: m, n, k and the types of a, b and c.
        forgets, strays: whether its driver has the defects that GlslOptions describes.
    """

    features: Features = frozenset(Feature)
    max_parameter_bytes: int = _PUSH_BYTES[0]
    subgroup_threads: int = _LANES[0]
    shapes: Collection[Any] = _EveryShape()
    forgets: bool = False
    strays: bool = False

    @classmethod
    def of(cls, info: DeviceInfo) -> Capabilities:
        """Those of a device."""
        shapes = frozenset((s.m, s.n, s.k, s.a, s.b, s.c) for s in info.cooperative_shapes)
        return cls(info.features, info.max_parameter_bytes, info.subgroup_threads, shapes)


def shader_for(
    program: ir.Program, variant: Variant, capabilities: Capabilities, debug: bool, **changes: Any
) -> tuple[ir.Program, glsl.Shader]:
    """The shader of a program for a device, and the program that it was made from, with cooperative matrices expanded
    where the device lacks them. ``changes``: further options of GLSL."""
    lanes = program.subgroup_threads or capabilities.subgroup_threads
    if debug or not is_native(program, variant, capabilities.shapes):
        program = expanded(program, lanes)
    options = glsl.GlslOptions.of(capabilities.features, capabilities.max_parameter_bytes, debug, lanes)
    return program, glsl.emit(
        program, variant, replace(options, forgets=capabilities.forgets, strays=capabilities.strays, **changes)
    )


def shaders_for_all(
    program: ir.Program, variant: Variant, threads: tuple[int, int, int] | None
) -> Iterator[glsl.Shader]:
    """The shaders of a program for devices of every kind, some of them equal, but for those dispatched in parts.

    Args:
        threads: of a group, where they are known.

    Devices with only some subgroup operations or float atomics do not count as a kind: kernels that use several of
    these may lack a shader there. Nor do drivers that stray: they are for CPUs, where there is a compiler.
    """
    for capabilities in _device_classes(program, variant):
        yield shader_for(program, variant, capabilities, debug=False, threads=threads)[1]


def _device_classes(program: ir.Program, variant: Variant) -> Iterator[Capabilities]:
    nodes = [node for body in (program.body, *(f.body for f in program.functions)) for node in ir.walk(body)]
    places = (*program.buffers, *program.group_arrays)
    sizes = {place.type.size for place in places}

    def choices_if(relevant: bool, choices: Sequence[Any]) -> Sequence[Any]:
        return choices if relevant else choices[:1]

    is_cooperative = program.has_cooperative_matrices
    has_collectives = is_cooperative or any(isinstance(node, ir.Collective) for node in nodes)
    has_atomics = any(isinstance(node, ir.Atomic) and node.place.type.is_float for node in nodes)
    has_doubles = any(p.type is f64 for p in program.parameters) or any(
        isinstance(node, ir.Expr) and node.type is f64 for node in nodes
    )
    for storage, atomics, preserve, subgroups, lanes, push, shapes, forgets in itertools.product(
        _STORAGE if 1 in sizes else (_STORAGE[0], _STORAGE[2]) if 2 in sizes else _STORAGE[:1],
        choices_if(has_atomics, _ATOMICS),
        _PRESERVE if has_doubles else (_PRESERVE[0], _PRESERVE[2]),
        choices_if(has_collectives, (_SUBGROUPS, frozenset((Feature.SUBGROUP_BASIC,)))),
        choices_if(has_collectives and not program.subgroup_threads, _LANES),
        choices_if(layout_of(program, variant).size > _PUSH_BYTES[0], _PUSH_BYTES),
        choices_if(is_cooperative, (_EveryShape(), ())),
        choices_if(leaves_loops(program), (False, True)),
    ):
        others = frozenset((Feature.INT64, Feature.FLOAT64, Feature.INT64_ATOMICS, Feature.GROUP_INT64_ATOMICS))
        yield Capabilities(storage | atomics | preserve | subgroups | others, push, lanes, shapes, forgets)


__all__ = ["Capabilities", "shader_for", "shaders_for_all"]
