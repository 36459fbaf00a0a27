"""What ``self`` means while a method is compiled: an object whose attributes become parameters, constants, functions.

An attribute is looked up when the method first names it. What changes from call to call (numbers, vectors, buffers) is
bound at the call: it becomes a parameter, named by its path, ``self.grid.n``. The rest is compiled in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .signature import Declared


@dataclass(frozen=True)
class Constant:
    """An attribute that is compiled in: a class's number, a function, a type, None."""

    value: Any


@dataclass(frozen=True)
class Number:
    """An attribute that is one of Python's numbers: like a literal it takes the type that it meets."""

    is_float: bool


@dataclass(frozen=True)
class Typed:
    """An attribute that is a number of a type of its own, a vector, matrix, struct or tuple.

    Attributes:
        is_declared: the class says so; any number that fits will do.
    """

    type: Any
    is_declared: bool = False


@dataclass(frozen=True)
class Array:
    """An attribute that is a buffer. ``mutable``: whether it may be written; None: nobody said."""

    type: Any
    ndim: int
    mutable: bool | None = None


@dataclass(eq=False)
class Instance:
    """An object whose attributes are looked up by name.

    Attributes:
        path: what the method calls it: ``self``, ``self.grid``.
        cls: its class.
        after: of ``super()``: the class in whose bases functions are looked for, and the object itself.
        hint: for errors, what to write where it is taken for a buffer.
    """

    path: str
    cls: type
    after: tuple[type, Instance] | None = None
    hint: str = ""


@dataclass(frozen=True)
class Bound:
    """A function of an object's class, or of the class's own."""

    function: Any
    owner: Instance | type


Member = Constant | Number | Typed | Array | Instance | Bound


@dataclass(eq=False)
class Receiver:
    """The object that a method belongs to.

    Attributes:
        root: the object itself.
        look: finds what an attribute of one of its objects is. It raises AttributeError where there is none, and
            DtypeError, which says why, where kernels can't have it.
        members: what was found, by path; a method that is compiled again looks here.
        declared: the parameters that were made of attributes, in the order of their first use.
        handed: the names of parameters of the IR that functions take as GlobalMut.
    """

    root: Instance
    look: Callable[[Instance, str], Member]
    members: dict[str, Member] = field(default_factory=dict)
    declared: list[Declared] = field(default_factory=list)
    handed: set[str] = field(default_factory=set)


def path_of(declared: Declared) -> str:
    """The attribute that a parameter stands for. One of Python's numbers may be a parameter of each type it meets."""
    return declared.name.partition(":")[0]
