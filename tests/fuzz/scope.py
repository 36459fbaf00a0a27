"""What a drawn program can name at a place, and what it may do there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from krnlpy.scalar import ScalarType

from .kinds import Draw, Type

NAMES = (
    "x", "y", "z", "acc", "total", "i", "n", "input", "output", "sample", "half", "float4", "buffer", "shared", "main",
    "texture", "active", "filter", "common", "precise", "vec", "uint", "double", "long", "union", "this", "a__b", "_x",
    "x_", "größe", "value", "index", "items_x", "flat", "gl", "kernel_", "define", "i8_", "entry", "ret", "phi",
)  # fmt: skip
"""Names of variables, some of which mean something to a target."""


@dataclass(eq=False)
class Variable:
    """A local variable.

    Attributes:
        uniform: all threads of a group have the same value.
        fixed: it must not be assigned: something relies on it.
        below: if it is 0 or more and less than this.
        stored: the storage type it was annotated with, if another than ``type``.
    """

    name: str
    type: Type
    uniform: bool = False
    fixed: bool = False
    below: int | None = None
    stored: ScalarType | None = None


@dataclass(eq=False)
class Array:
    """A place with elements.

    Attributes:
        type: the elements' type of computation.
        extents: the lengths, as numbers where they are known, else as text.
        readable: whether any element may be read anywhere.
        own: the subscripts of the elements that are this thread's alone, with ``{}`` for an index below ``spare``.
        uniform: all threads of a group see the same elements.
        group: it is a group array.
        is_counted: its lengths are known while compiling.
    """

    name: str
    type: Type
    extents: tuple[int | str, ...]
    readable: bool = True
    writable: bool = False
    own: str = ""
    spare: int = 1
    uniform: bool = False
    group: bool = False
    is_counted: bool = False


@dataclass(eq=False)
class Function:
    """A ``@func`` that was drawn. A parameter of type ``Generic`` takes any type; all of them take the same."""

    name: str
    parameters: tuple[tuple[str, Type], ...]
    results: tuple[Type, ...]
    array: ScalarType | None
    """The element type of the array that it takes first, if it takes one."""
    writes: bool = False
    uniform: bool = True
    defaults: tuple[str, ...] = ()
    """The parameters at its end that may be left out."""


@dataclass
class Scope:
    """What can be named, and the state of control.

    Attributes:
        uniform_flow: all threads of a group are here together.
        uniform_only: only values that all threads of a group share may be written.
        writing: group arrays of which each thread writes and reads its own elements here, and nobody else's.
        nonzero: what is written here becomes part of a float: no constant zeros, which drivers fold wrongly.
        trips: how often a statement here may run in one thread.
        loop: None outside loops, else whether the innermost one's threads stay together.
    """

    variables: list[Variable] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    uniform_leaves: list[tuple[str, Type]] = field(default_factory=list)
    leaves: list[tuple[str, Type]] = field(default_factory=list)
    in_function: bool = False
    has_items: bool = False
    has_barriers: bool = False
    returns: str = ""
    uniform_flow: bool = True
    uniform_only: bool = False
    writing: frozenset[str] = frozenset()
    nonzero: bool = False
    trips: int = 1
    loop: bool | None = None
    can_jump: bool = True

    @contextmanager
    def within(self, **changes: Any) -> Iterator[None]:
        """Other attributes for a while; variables and arrays made meanwhile go out of scope."""
        before = {name: getattr(self, name) for name in changes}
        count, arrays = len(self.variables), len(self.arrays)
        vars(self).update(changes)
        try:
            yield
        finally:
            vars(self).update(before)
            del self.variables[count:], self.arrays[arrays:]

    def new_name(self, random: Draw) -> str:
        """A name that nothing here has; a name of a variable that is gone may come again."""
        taken = {v.name for v in self.variables} | {a.name for a in self.arrays} | self.used
        if random.chance(0.3):
            name = random.choice(NAMES)
            if name not in taken:
                self.used.add(name)
                return name
        self.count += 1
        name = f"v{self.count}"
        self.used.add(name)
        return name

    count: int = 0
    used: set[str] = field(default_factory=set)
    """Names that mean something for good: a variable keeps its type in the whole function."""
