"""Determinants and inverses of matrices of any size, by elimination with the greatest pivot of each column.

G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th edition, algorithm 3.4.1; the inverse is Gauss and Jordan's.
"""

from __future__ import annotations

from typing import Any

from krnlpy.dsl.frontend.syntax.functions import func


@func
def determinant_in_place(a: Any, n: Any) -> Any:
    """The determinant of the array ``a`` of n rows and columns, whose content is lost."""
    result = a.dtype(1)
    for k in range(n):
        chosen = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[chosen, k]):
                chosen = i
        if chosen != k:
            result = -result
            for j in range(k, n):
                a[k, j], a[chosen, j] = a[chosen, j], a[k, j]
        pivot = a[k, k]
        result *= pivot
        if pivot != 0.0:
            for i in range(k + 1, n):
                factor = a[i, k] / pivot
                for j in range(k + 1, n):
                    a[i, j] -= factor * a[k, j]
    return result


@func
def inverse_in_place(a: Any, b: Any, n: Any) -> None:
    """Makes the array ``b``, which holds zeros, the inverse of ``a``, whose content is lost. Of a singular one, not all
    elements are finite."""
    for k in range(n):
        b[k, k] = a.dtype(1)
    for k in range(n):
        chosen = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[chosen, k]):
                chosen = i
        if chosen != k:
            for j in range(n):
                a[k, j], a[chosen, j] = a[chosen, j], a[k, j]
                b[k, j], b[chosen, j] = b[chosen, j], b[k, j]
        pivot = a[k, k]
        for j in range(n):
            a[k, j] /= pivot
            b[k, j] /= pivot
        for i in range(n):
            if i != k:
                factor = a[i, k]
                for j in range(n):
                    a[i, j] -= factor * a[k, j]
                    b[i, j] -= factor * b[k, j]
