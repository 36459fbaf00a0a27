"""The arguments of a captured function: tensors and numbers that may change, and all else, of which each value is
recorded for itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import numpy as np

from autograph.errors import CaptureError
from autograph.random import Generator
from autograph.tensor.base import TensorBase
from autograph.tensor.observing import is_state
from autograph.tensor.tensor import Tensor
from krnlpy import Device, ScalarType

_VALUES = (bool, int, str, bytes, type(None), Enum, Device, ScalarType, np.dtype, np.integer, np.bool_)


class Arguments:
    """What a function is called with, taken apart.

    Attributes:
        tensors: those that may change from call to call, each once.
        numbers: the floats.
        key: of all else: the structure, the tensors' shapes, dtypes and devices, and what cannot change.
        objects: what the key names by identity, so that it lives as long as the key is used.
    """

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], owner: Any = None) -> None:
        self.tensors: list[Tensor] = []
        self.numbers: list[float] = []
        self.objects: list[Any] = [] if owner is None else [owner]
        self._places: dict[int, int] = {}
        self._kwargs = tuple(sorted(kwargs))
        self._values = (args, tuple(kwargs[name] for name in self._kwargs))
        parts = (self._taken(args, "argument"), self._kwargs)
        named = tuple(self._taken(value, name) for name, value in zip(self._kwargs, self._values[1], strict=True))
        self.key: Hashable = (id(owner) if owner is not None else None, *parts, named)

    def _taken(self, value: Any, path: str) -> Hashable:
        """What a part of the arguments adds to the key."""
        if isinstance(value, TensorBase) and not is_state(value):
            if value.tracked:
                raise CaptureError(
                    f"{path} was computed from parameters whose gradients are recorded; a captured function takes"
                    " .detach() of it, or computes it itself"
                )
            place = self._places.setdefault(id(value), len(self.tensors))
            if place == len(self.tensors):
                self.tensors.append(value)  # type: ignore[arg-type]
            return "tensor", place, value.shape, value.dtype, value.device
        if isinstance(value, float | np.floating):
            self.numbers.append(float(value))
            return "number"
        if isinstance(value, _VALUES):
            return type(value), value
        if isinstance(value, dict):
            return dict, tuple((_key_of(key, path), self._taken(v, f"{path}[{key!r}]")) for key, v in value.items())
        if isinstance(value, list | tuple):
            return type(value), tuple(self._taken(v, f"{path}[{i}]") for i, v in enumerate(value))
        if is_dataclass(value) and not isinstance(value, type):
            return type(value), tuple(self._taken(getattr(value, f.name), f"{path}.{f.name}") for f in fields(value))
        if is_state(value) or isinstance(value, Generator) or callable(value) or _is_optimizer(value):
            self.objects.append(value)
            return "object", id(value)
        hint = ": Tensor.from_numpy makes a tensor of it" if isinstance(value, np.ndarray) else ""
        raise CaptureError(
            f"{path} is a {type(value).__name__}{hint}; a captured function takes tensors, numbers, strings, layers,"
            " optimizers, functions, and lists, tuples, dicts and dataclasses of them"
        )

    def replaced(self, tensors: list[Tensor], numbers: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with others in the places of tensors and numbers."""
        given = iter(numbers)

        def other(value: Any) -> Any:
            if isinstance(value, TensorBase) and not is_state(value):
                return tensors[self._places[id(value)]]
            return next(given) if isinstance(value, float | np.floating) else value

        args, named = self._values
        return mapped(args, other), dict(zip(self._kwargs, mapped(named, other), strict=True))


def mapped(value: Any, of: Callable[[Any], Any]) -> Any:
    """A structure of lists, tuples, dicts and dataclasses with a function of each part that is none of these."""
    if isinstance(value, dict):
        return {key: mapped(part, of) for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[mapped(part, of) for part in value])
    if isinstance(value, list | tuple):
        return type(value)([mapped(part, of) for part in value])
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: mapped(getattr(value, f.name), of) for f in fields(value) if f.init})
    return of(value)


def _is_optimizer(value: Any) -> bool:
    return callable(getattr(value, "update", None)) and callable(getattr(value, "settings", None))


def _key_of(key: Any, path: str) -> Hashable:
    if not isinstance(key, _VALUES):
        raise CaptureError(f"{path} has the key {key!r}; expected strings or numbers")
    return type(key), key
