"""Every public function, class and method says what CONTRIBUTING promises: what it is, what it raises, an example."""

from __future__ import annotations

import builtins
import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import autograph
import autograph.autograd
import autograph.data
import autograph.data.transforms
import autograph.metrics
import autograph.nn
import autograph.nn.initializers
import autograph.optim
import autograph.optim.schedules
import autograph.random
import autograph.train
import krnlpy
import krnlpy.dsl

PUBLIC: dict[str, ModuleType] = {
    module.__name__: module
    for module in (
        krnlpy,
        krnlpy.dsl,
        autograph,
        autograph.autograd,
        autograph.data,
        autograph.metrics,
        autograph.data.transforms,
        autograph.nn,
        autograph.nn.initializers,
        autograph.optim,
        autograph.optim.schedules,
        autograph.random,
        autograph.train,
    )
}
ERRORS = {*dir(builtins), *vars(krnlpy.errors), *vars(autograph.errors)}
"""The exceptions that there are."""


def members(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What is public of a module, and the methods and properties that its classes define or inherit from ours."""
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            continue
        yield name, value
        if not inspect.isclass(value) or issubclass(value, BaseException):
            continue
        for key in dir(value):
            member = inspect.getattr_static(value, key)
            function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            if key.startswith("_") or not (inspect.isfunction(function) or isinstance(function, property)):
                continue
            home = getattr(getattr(function, "fget", function), "__module__", "")
            if home.startswith(("krnlpy", "autograph")):
                yield f"{name}.{key}", function


def parameters(value: Callable[..., Any]) -> list[str]:
    """What a caller hands over."""
    return [name for name in inspect.signature(value).parameters if name not in ("self", "cls")]


# Each once, by the first of its names.
UNIQUE = {
    id(value): (f"{module}.{name}", value) for module in reversed(PUBLIC) for name, value in members(PUBLIC[module])
}
CASES = [pytest.param(value, id=name) for name, value in UNIQUE.values()]


@pytest.mark.parametrize("value", CASES)
def test_parts(value: Any) -> None:
    text = inspect.getdoc(value) or ""
    assert text, "has no docstring"
    if isinstance(value, property) or not callable(value):
        return
    if inspect.isclass(value) and issubclass(value, BaseException):
        return
    assert ">>> " in text, "has no example"
    if inspect.isfunction(value) and parameters(value):
        raises = re.search(r"^Raises:\n((?: +.*\n?)+)", text, re.MULTILINE)
        assert raises, "does not say what it raises"
        for name in re.findall(r"^    (\w+):", raises[1], re.MULTILINE):
            assert name in ERRORS, f"raises {name}, which nobody knows"
