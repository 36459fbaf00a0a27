"""The functions that kernels call and Python does not have. Outside a kernel, calling one is an error.

Kernels also know ``range``, ``len``, ``min``, ``max``, ``abs``, ``int`` (i32), ``float`` (f32), ``bool``, the scalar
types as conversions, and the functions of ``math`` and NumPy of the names in :mod:`.math_builtins` and
:mod:`.bit_builtins`.
"""

from __future__ import annotations

from typing import Any

from .marker import builtin as _builtin

# ------------------------------------------------------------------------------------------ coordinates, all i32


@_builtin
def global_id(axis: int = 0) -> Any:
    """Id of the thread in the dispatch along an axis (0 is x)."""


@_builtin
def global_threads(axis: int = 0) -> Any:
    """Threads of the dispatch along an axis."""


@_builtin
def group_id(axis: int = 0) -> Any:
    """Id of the thread's group along an axis."""


@_builtin
def groups(axis: int = 0) -> Any:
    """Groups of the dispatch along an axis."""


@_builtin
def thread_id(axis: int = 0) -> Any:
    """Id of the thread in its group along an axis."""


@_builtin
def threads(axis: int = 0) -> Any:
    """Threads of a group along an axis."""


@_builtin
def subgroup_id() -> Any:
    """Id of the thread's subgroup in its group."""


@_builtin
def subgroups() -> Any:
    """Subgroups of a group."""


@_builtin
def subgroup_thread_id() -> Any:
    """Id of the thread in its subgroup."""


@_builtin
def subgroup_threads() -> Any:
    """Threads of a subgroup: the device's subgroup size."""


@_builtin
def item_id() -> Any:
    """Row-major index of the item; only in kernels with items."""


@_builtin
def items() -> Any:
    """Count of items; only in kernels with items."""


# ------------------------------------------------------------------------------------------------ arrays, groups


@_builtin
def local_array(type: Any, shape: Any) -> Any:
    """An array of the thread's own, of zeros; ``shape`` of constants and Spec values."""


@_builtin
def group_array(type: Any, shape: Any) -> Any:
    """An array that the threads of a group share, of zeros; ``shape`` of constants and Spec values."""


@_builtin
def barrier() -> None:
    """Waits until every thread of the group is here; what they wrote before is seen after."""


# ---------------------------------------------------------------------------------------------------------- atomics
#
# Each changes an element of a GlobalMut buffer or a group array, without another thread's coming in between, and
# returns what the element was before. They order no other accesses: for the threads of a group, barrier() does.


@_builtin
def atomic_add(element: Any, value: Any) -> Any:
    """``old = atomic_add(a[i, j], value)``: adds to the element."""


@_builtin
def atomic_sub(element: Any, value: Any) -> Any:
    """``old = atomic_sub(a[i], value)``: subtracts from the element."""


@_builtin
def atomic_min(element: Any, value: Any) -> Any:
    """``old = atomic_min(a[i], value)``: the element becomes ``value if value < old else old``."""


@_builtin
def atomic_max(element: Any, value: Any) -> Any:
    """``old = atomic_max(a[i], value)``: the element becomes ``value if value > old else old``."""


@_builtin
def atomic_and(element: Any, value: Any) -> Any:
    """``old = atomic_and(a[i], value)``: the element becomes ``old & value``."""


@_builtin
def atomic_or(element: Any, value: Any) -> Any:
    """``old = atomic_or(a[i], value)``: the element becomes ``old | value``."""


@_builtin
def atomic_xor(element: Any, value: Any) -> Any:
    """``old = atomic_xor(a[i], value)``: the element becomes ``old ^ value``."""


@_builtin
def atomic_exchange(element: Any, value: Any) -> Any:
    """``old = atomic_exchange(a[i], value)``: the element becomes ``value``."""


@_builtin
def atomic_compare_exchange(element: Any, expected: Any, value: Any) -> Any:
    """``old = atomic_compare_exchange(a[i], expected, value)``: the element becomes ``value`` if it has the bits of
    ``expected``, that is, if the same bits are returned."""


@_builtin
def cooperative_multiply_add(a: Any, b: Any, c: Any) -> Any:
    """``a @ b + c`` of cooperative matrices, by all threads of the subgroup together."""


@_builtin
def unroll(values: Any) -> Any:
    """``for i in unroll(range(4))``: the loop's body written out for each value, which is known while compiling."""


# ----------------------------------------------------------------------------------------------- vectors, matrices


@_builtin
def dot(a: Any, b: Any) -> Any:
    """The inner product of two vectors."""


@_builtin
def cross(a: Any, b: Any) -> Any:
    """The vector product of two vectors of three."""


@_builtin
def length(v: Any) -> Any:
    """The Euclidean length of a vector."""


@_builtin
def distance(a: Any, b: Any) -> Any:
    """The Euclidean length of ``a - b``."""


@_builtin
def normalize(v: Any) -> Any:
    """A vector divided by its length."""


@_builtin
def outer(a: Any, b: Any) -> Any:
    """The matrix of the products of all elements of two vectors: ``a[i] * b[j]``."""


@_builtin
def transpose(m: Any) -> Any:
    """A matrix with rows and columns exchanged, as ``m.T``."""


@_builtin
def determinant(m: Any) -> Any:
    """The determinant of a square matrix."""


@_builtin
def inverse(m: Any) -> Any:
    """The inverse of a square matrix; of a singular one, infinities and NaN."""
