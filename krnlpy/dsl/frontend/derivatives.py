"""Derivatives of ``@func`` functions, as functions that kernels call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from krnlpy.errors import LaunchError

from .callables import Func

P = ParamSpec("P")
R = TypeVar("R")


class Derivative(Func):
    """What :func:`derivative` and :func:`value_and_partials` make. Equal ones are one function of a program.

    Attributes:
        base: the function that is derived.
        arguments: the names of the parameters by which it is derived; None: all that floats can be handed to.
        with_value: it gives a tuple, of which the first is the function's value.
    """

    def __init__(self, base: Func, arguments: tuple[str, ...] | None, with_value: bool) -> None:
        super().__init__(base.function)
        self.base, self.arguments, self.with_value = base, arguments, with_value
        by = "_".join(arguments or ())
        self.__name__ = f"{base.__name__}_and_partials" if with_value else f"d_{base.__name__}_d_{by}"
        self.__doc__ = f"A derivative of {base.__name__}."

    @property
    def root(self) -> Func:
        """The function that was written in Python."""
        return self.base.root if isinstance(self.base, Derivative) else self.base

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise LaunchError(f"{self.__name__}() works only inside a kernel or @func")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Derivative) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        return (self.base, self.arguments, self.with_value)


def derivative(f: Callable[P, R], argument: str | int = 0) -> Callable[P, Any]:
    """The derivative of a pure ``@func`` by one of its parameters: a function of the same parameters.

    It is found by forward mode on the compiled function, through variables, branches, loops and calls, and is exact:
    as a function derived by hand would be. It can be derived again.

    Args:
        f: a ``@func`` without effects: it gives a value, and writes to nothing but its own variables and arrays.
        argument: the parameter, by name or by place; of a float type, or a vector, matrix or struct of floats.

    Returns:
        A function for kernels. Where ``f`` gives a number, it gives the derivative by a number, or the gradient by a
        vector, matrix or struct, which has that type. Where ``f`` gives a vector, struct or tuple and the argument is
        a number, it gives the derivative of each part.

    Raises:
        LaunchError: ``f`` is not a ``@func``, or has no such parameter.

    Where there is no derivative, what is given is stated in docs/numerics.md: of ``abs`` at 0 it is 0, of ``min`` and
    ``max`` of equal numbers the mean of both sides.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, ItemMut, f32, func, kernel
    >>> from krnlpy.dsl import derivative
    >>> @func
    ... def cubic(x, a):
    ...     return a * x * x * x
    >>> @kernel
    ... def slope(x: Item[f32], y: ItemMut[f32]):
    ...     y = derivative(cubic)(x, 2.0)
    >>> slope(Buffer.from_numpy(np.float32([0, 1, 2])), y := Buffer.zeros(3))
    >>> y.numpy()
    array([ 0.,  6., 24.], dtype=float32)
    """
    function = _func(f, "derivative")
    return Derivative(function, (_parameter(function, argument),), with_value=False)


def value_and_partials(f: Callable[P, R], *arguments: str | int) -> Callable[P, Any]:
    """The value of a pure ``@func`` and its derivatives by several parameters, from one pass.

    What they have in common is computed once: two calls, of the function and of its derivative, take about twice the
    time, since no compiler merges them.

    Args:
        f: a ``@func``, as :func:`derivative` takes it.
        arguments: parameters, by name or by place; none: all whose arguments are floats, or vectors, matrices or
            structs of floats, in order.

    Returns:
        A function for kernels of the same parameters, that gives a tuple: the value, then for each of ``arguments``
        what :func:`derivative` gives.

    Raises:
        LaunchError: ``f`` is not a ``@func``, or has no such parameter.

    >>> from krnlpy import Buffer, Item, f32, func, kernel
    >>> from krnlpy.dsl import value_and_partials
    >>> @func
    ... def area(width, height):
    ...     return width * height
    >>> @kernel
    ... def measure(width: Item[f32], height: Item[f32]):
    ...     value, by_width, by_height = value_and_partials(area)(width, height)
    ...     print(value, by_width, by_height)
    >>> measure(Buffer.full(1, 2.0), Buffer.full(1, 3.0))
    6.0 3.0 2.0
    """
    function = _func(f, "value_and_partials")
    names = tuple(_parameter(function, argument) for argument in arguments)
    if len(set(names)) != len(names):
        raise LaunchError(f"value_and_partials of {function.__name__} by {', '.join(names)}: name each parameter once")
    return Derivative(function, names or None, with_value=True)


def define_partials(f: Callable[..., Any], *partials: Callable[..., Any] | None) -> None:
    """Gives a ``@func`` its derivatives by hand: for one that is iterative, or whose derived ones lose digits.

    Args:
        f: a ``@func`` whose parameters are numbers, and which gives one number.
        partials: for each parameter a ``@func``, which is its partial derivative, or None where that is 0. It takes
            the parameters of ``f`` and, if it has one parameter more, the value of ``f``.

    Raises:
        LaunchError: ``f`` or a partial derivative is not a ``@func``, or there are not as many as parameters, or one
            has another number of parameters.

    >>> from krnlpy import func
    >>> from krnlpy.dsl import define_partials, exp
    >>> @func
    ... def logistic(x):
    ...     return 1.0 / (1.0 + exp(-x))
    >>> @func
    ... def logistic_slope(x, y):
    ...     return y * (1.0 - y)
    >>> define_partials(logistic, logistic_slope)
    """
    function = _func(f, "define_partials")
    names = parameters_of(function)
    if len(partials) != len(names):
        raise LaunchError(
            f"define_partials of {function.__name__}: it has {len(names)} parameters ({', '.join(names)}),"
            f" {len(partials)} derivatives given; None stands for 0"
        )
    rules = [None if partial is None else _func(partial, "define_partials") for partial in partials]
    for rule in rules:
        if rule is not None and len(parameters_of(rule)) not in (len(names), len(names) + 1):
            raise LaunchError(
                f"define_partials of {function.__name__}: {rule.__name__} has {len(parameters_of(rule))} parameters;"
                f" it takes {', '.join(names)}, and the value if it has one more"
            )
    function.partials = tuple(rules)


def parameters_of(function: Func) -> tuple[str, ...]:
    """The names of a function's parameters."""
    code = function.function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _func(f: object, what: str) -> Func:
    if not isinstance(f, Func):
        raise LaunchError(f"{what} of {f!r}: expected a function decorated by @func")
    return f


def _parameter(function: Func, argument: object) -> str:
    names = parameters_of(function)
    if isinstance(argument, int) and not isinstance(argument, bool) and 0 <= argument < len(names):
        return names[argument]
    if isinstance(argument, str) and argument in names:
        return argument
    listed = ", ".join(names) or "none"
    raise LaunchError(f"{function.__name__} has no parameter {argument!r}; its parameters are {listed}")
