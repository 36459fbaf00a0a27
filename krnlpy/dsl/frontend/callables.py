"""Functions made by ``@func``, methods of dataclasses, and calls of these and of the language's functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any, NamedTuple

from krnlpy.dsl.ir import Location
from krnlpy.errors import KrnlpyError, LaunchError

from .values import Compound, Static, Value


class Func:
    """A function that kernels call, made by ``@func``. Outside a kernel it is the Python function it was.

    Attributes:
        partials: its partial derivatives by hand, one for each parameter (None: 0); None: it is derived from its body.

    >>> from krnlpy import Func, func
    >>> @func
    ... def half(x):
    ...     return 0.5 * x
    >>> half, isinstance(half, Func), half(3.0)
    (<func half>, True, 1.5)
    """

    partials: tuple[Func | None, ...] | None = None

    def __init__(self, function: Callable[..., Any]) -> None:
        if not isinstance(function, FunctionType):
            raise LaunchError(f"func of a {type(function).__name__}: expected a function, made by def")
        self.function = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if not self.function.__module__.startswith("krnlpy."):
            return self.function(*arguments, **keywords)
        try:
            return self.function(*arguments, **keywords)
        except KrnlpyError:
            raise
        except Exception as error:
            raise LaunchError(
                f"{self.__name__}() outside of kernels, with values that it does not take: {error}"
            ) from error

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method of a dataclass it is bound, outside of kernels too."""
        return self if instance is None else partial(self.function, instance)

    def __repr__(self) -> str:
        return f"<func {self.__name__}>"


class Argument(NamedTuple):
    """An argument that was evaluated, and where it stands."""

    value: Value
    location: Location


@dataclass(frozen=True, eq=False)
class Call:
    """A call whose arguments were evaluated.

    Attributes:
        name: what is called, in the kernel's words.
        named: the keyword arguments in the order of the call; the name of ``**`` is None.
    """

    name: str
    location: Location
    positional: tuple[Argument, ...] = ()
    named: tuple[tuple[str | None, Argument], ...] = ()

    @property
    def values(self) -> list[Value]:
        """The values of the positional arguments."""
        return [argument.value for argument in self.positional]


@dataclass(frozen=True, eq=False)
class Method:
    """A function of a class, bound to a struct or to the object that a method belongs to."""

    function: Func
    owner: Compound | Static
