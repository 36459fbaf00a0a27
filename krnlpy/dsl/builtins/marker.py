"""What makes a function one that only kernels call; and what they do not call."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from krnlpy.errors import KrnlpyError

F = TypeVar("F", bound=Callable[..., Any])


def builtin(function: F) -> F:
    """Outside a kernel, calling the function is an error; inside, the compiler knows it by identity."""

    @wraps(function)
    def outside(*_: Any, **__: Any) -> Any:
        raise KrnlpyError(f"{function.__name__}() works only inside a kernel or @func")

    return outside  # type: ignore[return-value]


class Launched:
    """What is launched from Python: a kernel. Kernels can't call one."""
