"""Small kernels that many tests launch, where what a kernel computes is not what is tested."""

from __future__ import annotations

from typing import TypeVar

from krnlpy import Item, ItemMut, f32, kernel, u32

T = TypeVar("T")


@kernel
def saxpy(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
    y += alpha * x


@kernel
def axpy(alpha: T, x: Item[T], y: ItemMut[T]) -> None:
    y += alpha * x


@kernel
def accumulate(x: Item[f32], y: ItemMut[f32]) -> None:
    y += x


@kernel
def double(x: ItemMut[f32]) -> None:
    x *= 2.0


@kernel
def increment(x: ItemMut[u32]) -> None:
    x += u32(1)
