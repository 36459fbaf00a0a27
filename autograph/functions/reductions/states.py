"""Functions of numbers that reductions are made of: what they map to, combine, and finish by."""

from __future__ import annotations

from typing import Any

import numpy as np

from krnlpy import dsl, func


@func
def product(x: Any, y: Any) -> Any:
    return x * y


@func
def greater(x: Any, y: Any) -> Any:
    return np.maximum(x, y)


@func
def smaller(x: Any, y: Any) -> Any:
    return np.minimum(x, y)


@func
def with_place(x: Any, place: Any) -> Any:
    return x, place


@func
def greater_and_place(x: Any, i: Any, y: Any, j: Any) -> Any:
    # The first of equal ones; a NaN is greater than all. What only the identity has, the place -1, is never chosen.
    is_other = i < 0 or (j >= 0 and (y > x or (y != y and x == x) or (j < i and (y == x or (y != y and x != x)))))
    return (y if is_other else x), (j if is_other else i)


@func
def smaller_and_place(x: Any, i: Any, y: Any, j: Any) -> Any:
    is_other = i < 0 or (j >= 0 and (y < x or (y != y and x == x) or (j < i and (y == x or (y != y and x != x)))))
    return (y if is_other else x), (j if is_other else i)


@func
def place(x: Any, place: Any) -> Any:
    return place


@func
def mean(total: Any, count: Any) -> Any:
    return total / count


@func
def square(x: Any) -> Any:
    return x * x


@func
def magnitude(x: Any) -> Any:
    return abs(x)


@func
def root(x: Any) -> Any:
    return dsl.sqrt(x)


@func
def is_nonzero(x: Any) -> Any:
    return 1 if x != 0 else 0


@func
def exponential(x: Any, top: Any) -> Any:
    # Equal ones, infinite ones too, are not subtracted.
    return dsl.exp(x - top) if x != top else 1.0


@func
def is_nonzero_truth(x: Any) -> Any:
    return x != 0


@func
def either(x: Any, y: Any) -> Any:
    return x or y


@func
def both(x: Any, y: Any) -> Any:
    return x and y
