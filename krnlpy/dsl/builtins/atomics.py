"""Changes of an element that no other thread can come between, and reads and writes beside them.

Each changes an element of a GlobalMut buffer or a group array, and returns what the element was before. They order no
other accesses: for the threads of a group ``barrier()`` does, for all ``memory_fence()`` before and after atomics.
"""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "atomic_add", "atomic_and", "atomic_compare_exchange", "atomic_exchange", "atomic_load", "atomic_max", "atomic_min",
    "atomic_or", "atomic_store", "atomic_sub", "atomic_xor",
]  # fmt: skip


@builtin
def atomic_add(element: Any, value: Any) -> Any:
    """``old = atomic_add(a[i, j], value)``: adds to the element.

    Raises:
        KernelTypeError: the element is not one of a GlobalMut buffer or a group array, or the value does not fit it.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_add, thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     atomic_add(x[0], thread_id())
    >>> x = Buffer.full(1, 100, i32)
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [106]
    """


@builtin
def atomic_sub(element: Any, value: Any) -> Any:
    """``old = atomic_sub(a[i], value)``: subtracts from the element.

    Raises:
        KernelTypeError: the element is not one of a GlobalMut buffer or a group array, or the value does not fit it.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_sub, thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     atomic_sub(x[0], thread_id())
    >>> x = Buffer.full(1, 100, i32)
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [94]
    """


@builtin
def atomic_min(element: Any, value: Any) -> Any:
    """``old = atomic_min(a[i], value)``: the element becomes ``value if value < old else old``.

    Raises:
        KernelTypeError: the element is not one of a GlobalMut buffer or a group array, or the value does not fit it.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_min, thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     atomic_min(x[0], 5 - thread_id())
    >>> x = Buffer.full(1, 100, i32)
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [2]
    """


@builtin
def atomic_max(element: Any, value: Any) -> Any:
    """``old = atomic_max(a[i], value)``: the element becomes ``value if value > old else old``.

    Raises:
        KernelTypeError: the element is not one of a GlobalMut buffer or a group array, or the value does not fit it.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_max, thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     atomic_max(x[0], 10 * thread_id())
    >>> x = Buffer.full(1, 7, i32)
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [30]
    """


@builtin
def atomic_and(element: Any, value: Any) -> Any:
    """``old = atomic_and(a[i], value)``: the element becomes ``old & value``.

    Raises:
        KernelTypeError: the element is no integer or bool of a GlobalMut buffer or group array; the value does not fit.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_and, thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     atomic_and(x[0], ~(1 << thread_id()))
    >>> x = Buffer.full(1, 0xff, i32)
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [240]
    """


@builtin
def atomic_or(element: Any, value: Any) -> Any:
    """``old = atomic_or(a[i], value)``: the element becomes ``old | value``.

    Of a bool, the first thread that sets it knows: ``if not atomic_or(visited[i], True)``.

    Raises:
        KernelTypeError: the element is no integer or bool of a GlobalMut buffer or group array; the value does not fit.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_or, thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     atomic_or(x[0], 1 << thread_id())
    >>> x = Buffer.full(1, 0, i32)
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [15]
    """


@builtin
def atomic_xor(element: Any, value: Any) -> Any:
    """``old = atomic_xor(a[i], value)``: the element becomes ``old ^ value``.

    Raises:
        KernelTypeError: the element is no integer or bool of a GlobalMut buffer or group array; the value does not fit.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_xor, thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     atomic_xor(x[0], 1 << thread_id())
    >>> x = Buffer.full(1, 0b0101, i32)
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [10]
    """


@builtin
def atomic_exchange(element: Any, value: Any) -> Any:
    """``old = atomic_exchange(a[i], value)``: the element becomes ``value``.

    Raises:
        KernelTypeError: the element is not one of a GlobalMut buffer or a group array, or the value does not fit it.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_exchange
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     x[1] = atomic_exchange(x[0], 7)
    >>> x = Buffer.full(2, 3, i32)
    >>> run.with_groups(1).with_threads(1)(x)
    >>> x.numpy().tolist()
    [7, 3]
    """


@builtin
def atomic_compare_exchange(element: Any, expected: Any, value: Any) -> Any:
    """``old = atomic_compare_exchange(a[i], expected, value)``: changes the element if it is as expected.

    The element becomes ``value`` if it has the bits of ``expected``, which are then returned.

    Raises:
        KernelTypeError: the element is not one of a GlobalMut buffer or a group array, or the value does not fit it.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_compare_exchange, thread_id
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     atomic_compare_exchange(x[0], 0, 1 + thread_id())
    >>> x = Buffer.full(1, 0, i32)
    >>> run.with_groups(1).with_threads(1)(x)
    >>> x.numpy().tolist()
    [1]
    """


@builtin
def atomic_load(element: Any) -> Any:
    """``value = atomic_load(a[i, j])``: reads an element that other threads may change by atomics at the same time.

    It reads what one of them wrote, and is never torn. A plain read is for elements that no thread changes meanwhile:
    the compiler may do it once for several times, or earlier. The order is relaxed, as of all atomics.

    Raises:
        KernelTypeError: the element is not one of a GlobalMut buffer or a group array.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_add, atomic_load
    >>> @kernel
    ... def run(x: GlobalMut[i32]):
    ...     if atomic_load(x[0]) < 10:
    ...         atomic_add(x[0], 1)
    >>> x = Buffer.full(1, 5, i32)
    >>> run.with_groups(1).with_threads(4)(x)
    >>> x.numpy().tolist()
    [9]
    """


@builtin
def atomic_store(element: Any, value: Any) -> None:
    """``atomic_store(a[i, j], value)``: writes an element that other threads may access by atomics at the same time.

    It is a statement; ``atomic_exchange`` also gives what the element was. The order is relaxed, as of all atomics.

    Raises:
        KernelTypeError: the element is not one of a GlobalMut buffer or a group array, or the value does not fit it.

    >>> from krnlpy import Buffer, GlobalMut, i32, kernel
    >>> from krnlpy.dsl import atomic_store, thread_id
    >>> @kernel
    ... def found(x: GlobalMut[i32]):
    ...     if thread_id() > 2:
    ...         atomic_store(x[0], 1)
    >>> x = Buffer.zeros(1, i32)
    >>> found.with_groups(1).with_threads(8)(x)
    >>> x.numpy().tolist()
    [1]
    """
