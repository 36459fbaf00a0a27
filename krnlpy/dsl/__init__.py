"""The kernel language: what a kernel may call. ``from krnlpy.dsl import barrier, exp, global_id``."""

from importlib import import_module
from typing import Any

from . import builtins
from .builtins import *
from .types import composites, cooperative
from .types.composites import *
from .types.cooperative import *

# Functions of the language that are written in it, and of the compiler: they come when the compiler does.
_RANDOM = (
    "philox",
    "philox4x32",
    "random_integers",
    "random_normal",
    "random_normal4",
    "random_uniform",
    "random_uniform4",
)
_LAZY = {
    **dict.fromkeys(_RANDOM, ".library.random"),
    **dict.fromkeys(("define_partials", "derivative", "value_and_partials"), ".frontend.derivatives"),
}

__all__ = [*builtins.__all__, *composites.__all__, *cooperative.__all__, *_LAZY]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
