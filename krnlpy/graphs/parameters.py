"""What of a graph can be changed between replays: numbers and buffers that stand for others."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from krnlpy.backend.recorder import StandIn
from krnlpy.buffers.buffer import Buffer
from krnlpy.buffers.struct_buffer import StructBuffer
from krnlpy.errors import CaptureError, DtypeError, LaunchError, ShapeError
from krnlpy.kernels.kernel import Kernel
from krnlpy.scalar import ScalarType
from krnlpy.views.layout import Layout
from krnlpy.views.strides import Shape, Strides

if TYPE_CHECKING:
    from .graph import Graph


class Number(StandIn):
    """What stands for a number. Python's arithmetic with it gives what stands for the result."""

    __slots__ = ()
    __array_ufunc__ = None  # NumPy's numbers leave the arithmetic to it

    def parameters(self) -> set[Parameter]:
        """The parameters that it depends on."""
        raise NotImplementedError

    def value(self, values: Mapping[str, Any]) -> Any:
        """The number, for these values of the parameters."""
        raise NotImplementedError

    def mapped(self, function: Callable[[Any], Any]) -> Any:
        if not callable(function):
            raise CaptureError(f"mapped takes a function, not {type(function).__name__}")
        return Expression(function, (self,))

    def _unknown(self, *_: object) -> Any:
        raise CaptureError(
            f"{self!r} changes between replays, so a graph can't depend on what it is while it is captured; it can be"
            " handed to kernels, and computed with by + - * / // % ** and abs()"
        )

    __float__ = __int__ = __index__ = __complex__ = __bool__ = __round__ = __trunc__ = __floor__ = __ceil__ = _unknown
    __lt__ = __le__ = __gt__ = __ge__ = _unknown


def _define_arithmetic() -> None:
    """Gives numbers Python's operators."""

    def binary(operation: Callable[[Any, Any], Any], is_reflected: bool) -> Callable[[Any, Any], Any]:
        def method(self: Number, other: Any) -> Any:
            if not isinstance(other, int | float | np.generic | Number):
                return NotImplemented
            return Expression(operation, (other, self) if is_reflected else (self, other))

        return method

    def unary(operation: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda self: Expression(operation, (self,))

    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
        operation = getattr(operator, name)
        setattr(Number, f"__{name}__", binary(operation, False))
        setattr(Number, f"__r{name}__", binary(operation, True))
    for name in ("neg", "pos", "abs"):
        setattr(Number, f"__{name}__", unary(getattr(operator, name)))


class Expression(Number):
    """What stands for the result of an operation on numbers of which some change between replays.

    Attributes:
        operation: the function.
        operands: numbers, and what stands for such.
        first: the result at first.
    """

    __slots__ = ("operands", "operation")

    def __init__(self, operation: Callable[..., Any], operands: tuple[Any, ...]) -> None:
        self.operation = operation
        self.operands = operands
        self.first = self._result([o.first if isinstance(o, Number) else o for o in operands])

    def __repr__(self) -> str:
        names = ", ".join(sorted(parameter.name for parameter in self.parameters()))
        return f"<number computed from {names} of a graph>"

    def parameters(self) -> set[Parameter]:
        return {p for operand in self.operands if isinstance(operand, Number) for p in operand.parameters()}

    def value(self, values: Mapping[str, Any]) -> Any:
        return self._result([o.value(values) if isinstance(o, Number) else o for o in self.operands])

    def _result(self, numbers: list[Any]) -> Any:
        try:
            return self.operation(*numbers)
        except ArithmeticError as error:
            given = ", ".join(map(repr, numbers))
            raise LaunchError(f"{self!r}: {self.operation.__name__} of {given}: {error}") from error


_define_arithmetic()


class Parameter(Number):
    """A name in a graph, and what kernels are given for it.

    Attributes:
        graph: the graph.
        name: its name.
        first: the value that it had when it was made; what takes its place is like it.
    """

    __slots__ = ("graph", "name")

    def __init__(self, graph: Graph, name: str, first: Any) -> None:
        self.graph = graph
        self.name = name
        self.first = first

    def __repr__(self) -> str:
        return f"<parameter {self.name} of a graph>"

    def parameters(self) -> set[Parameter]:
        return {self}

    def value(self, values: Mapping[str, Any]) -> Any:
        return values[self.name]

    def placeholder(self) -> Any:
        """What the user hands to kernels."""
        first = self.first
        if isinstance(first, StructBuffer):
            return StructBuffer(_BufferParameter(self, first.storage), first.dtype, first.shape)
        return _BufferParameter(self, first) if isinstance(first, Buffer) else self

    def check(self, value: Any) -> None:
        """Raises an error unless the value can take the place of the first one. What kernels say to a number, they say
        when they are launched with it."""
        first, what = self.first, f"the graph's parameter {self.name}"
        if isinstance(first, StructBuffer):
            if not isinstance(value, StructBuffer):
                raise LaunchError(f"{what} is a StructBuffer; got {type(value).__name__}")
            if value.dtype != first.dtype:
                raise DtypeError(f"{what} is of structs {first.dtype}; got {value.dtype}")
            first, value = first.storage, value.storage
        if not isinstance(first, Buffer):
            if isinstance(value, Buffer | StructBuffer | Number):
                raise LaunchError(f"{what} is a number; got {type(value).__name__}")
            return
        if not isinstance(value, Buffer):
            raise LaunchError(f"{what} is a buffer; got {type(value).__name__}")
        if value.device != first.device:
            raise LaunchError(f"{what} is on {first.device!r}; got a buffer on {value.device!r}: .to_device() moves it")
        if value.dtype is not first.dtype:
            raise DtypeError(f"{what} is a buffer of {first.dtype}; got one of {value.dtype}")
        if value.shape != first.shape:
            raise ShapeError(f"{what} has the shape {first.shape}; got a buffer of shape {value.shape}")
        if value.strides != first.strides:
            hint = ": .contiguous() copies" if first.is_contiguous() else ""
            raise ShapeError(f"{what} has the strides {first.strides}; got a buffer of strides {value.strides}{hint}")


class _BufferParameter(Buffer):
    """A buffer that stands for others of its type, shape and strides; its views are such buffers too."""

    __slots__ = ("parameter",)

    def __init__(self, parameter: Parameter, view: Buffer) -> None:
        super().__init__(view.device, view.dtype, view.memory, view.shape, view.strides, view.offset)
        self.parameter = parameter

    def _view(self, shape: Shape, strides: Strides, offset: int, dtype: ScalarType | None = None) -> Self:
        memory = self.memory if 0 not in shape else None
        view = Buffer(self.device, dtype or self.dtype, memory, shape, strides, offset if memory is not None else 0)
        return type(self)(self.parameter, view)

    def _seen(self, layout: Layout) -> Self:
        return self._view(layout.shape, layout.strides, self.offset)

    def of(self, value: Buffer) -> Buffer:
        """The same view of the buffer that has taken the first one's place."""
        first = self.parameter.first
        first = first.storage if isinstance(first, StructBuffer) else first
        if self.memory is None:
            return Buffer(self.device, self.dtype, None, self.shape, self.strides, 0)
        size = self.dtype.size
        start = self.offset * size + (value.offset - first.offset) * first.dtype.size
        if start % size:
            raise ShapeError(
                f"the graph's parameter {self.parameter.name} is used as elements of {self.dtype}; the offset of the"
                f" buffer given, {value.offset} elements of {value.dtype}, is not a multiple of their size"
            )
        return Buffer(self.device, self.dtype, value.memory, self.shape, self.strides, start // size)


def parameters_in(argument: Any) -> set[Parameter]:
    """The parameters that an argument of a call stands for."""
    if isinstance(argument, Number):
        return argument.parameters()
    if isinstance(argument, _BufferParameter):
        return {argument.parameter}
    if isinstance(argument, StructBuffer):
        return parameters_in(argument.storage)
    if isinstance(argument, Kernel):
        return parameters_in(argument.geometry.counts)
    if isinstance(argument, list | tuple):
        return {parameter for part in argument for parameter in parameters_in(part)}
    return set()


def resolved(argument: Any, values: Mapping[str, Any]) -> Any:
    """An argument with the values of the parameters in their places."""
    if isinstance(argument, Number):
        return argument.value(values)
    if isinstance(argument, _BufferParameter):
        value = values[argument.parameter.name]
        return argument.of(value.storage if isinstance(value, StructBuffer) else value)
    if isinstance(argument, StructBuffer):
        return StructBuffer(resolved(argument.storage, values), argument.dtype, argument.shape)
    if isinstance(argument, Kernel) and argument.geometry.counts is not None:
        return argument.with_groups_from(resolved(argument.geometry.counts, values))
    if isinstance(argument, list | tuple):
        return [resolved(part, values) for part in argument]
    return argument


def is_same(a: Any, b: Any) -> bool:
    """Whether a value of a parameter may stay when it is given again."""
    if isinstance(a, StructBuffer) and isinstance(b, StructBuffer):
        a, b = a.storage, b.storage
    if isinstance(a, Buffer) and isinstance(b, Buffer):
        return a.memory is b.memory and a.offset == b.offset
    # Numbers by their repr: 0.0 and -0.0 are equal, and NaN not even to itself.
    return a is b or (isinstance(a, int | float) and a.__class__ is b.__class__ and repr(a) == repr(b))
