"""What tests tell mypy: what is there, and what is of another type on purpose."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """A value that may be None by its type and must not be here, such as a gradient."""
    assert value is not None
    return value


def untyped(value: object) -> Any:
    """An argument that mypy is not to judge: what is tested is how one of a wrong type is refused, say."""
    return value


def instance(kind: type[T], value: object) -> T:
    """A value that must be of a class here, and may be of others by its type, such as a field of structs."""
    assert isinstance(value, kind)
    return value
