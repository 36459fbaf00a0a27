"""The kernels behind buffers: what backends can't do by themselves, in the language of any other kernel."""

from __future__ import annotations

from typing import TypeVar

from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.kernels.kernel import kernel

T = TypeVar("T", bound=float)
U = TypeVar("U", bound=float)


@kernel
def copy(source: Item[T], to: ItemMut[T]) -> None:
    to = source


@kernel
def fill(value: T, to: ItemMut[T]) -> None:
    to = value


@kernel
def cast(source: Item[T], to: ItemMut[U]) -> None:
    to = type(to)(source)
