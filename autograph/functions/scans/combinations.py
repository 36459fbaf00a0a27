"""Functions of numbers that scans are made of: what they map to, combine, and finish by.

Each ``combine`` takes what stands before first, and is associative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from krnlpy import dsl, func


@func
def pair(x: Any, y: Any) -> Any:
    return x, y


@func
def place_if_equal(x: Any, y: Any, place: Any) -> Any:
    """The place of an element that is y, NaN too; else -1."""
    return place if x == y or (x != x and y != y) else -1


@func
def run(total: Any, begins: Any, more: Any, next_begins: Any) -> Any:
    """The sum of a run, which ends where another begins: there, ``begins`` is 1."""
    return (more if next_begins != 0 else total + more), max(begins, next_begins)


@func
def first_of_two(x: Any, y: Any) -> Any:
    return x


@func
def affine(slope: Any, offset: Any, next_slope: Any, next_offset: Any) -> Any:
    """``s * slope + offset``, and then the next of ``s``."""
    return slope * next_slope, offset * next_slope + next_offset


@func
def second_of_two(x: Any, y: Any) -> Any:
    return y


@func
def power(x: Any) -> Any:
    """``exp(x)`` as :func:`weighted_powers` has it."""
    return x, type(x)(1)


@func
def logarithm(top: Any, total: Any) -> Any:
    return top + dsl.log(total)


@func
def weighted_powers(top: Any, total: Any, next_top: Any, next_total: Any) -> Any:
    """``exp(top) * total``, of numbers of either sign, plus the next; without overflow."""
    most = np.maximum(top, next_top)
    # Equal ones, infinite ones too, are not subtracted.
    before = total if top == most else total * dsl.exp(top - most)
    return most, before + (next_total if next_top == most else next_total * dsl.exp(next_top - most))
