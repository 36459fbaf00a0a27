"""Products on the host: BLAS on one thread, and its work in parts that depend on shapes alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import Tensor
from autograph.functions.products import blas
from krnlpy import Device, config

Array = np.ndarray[Any, Any]

SHAPES = [  # of which each is cut another way
    ((300, 200), (200, 100)),  # rows
    ((90, 200), (200, 530)),  # columns
    ((5, 64, 64), (64, 300)),  # matrices of a stack, each large
    ((70, 1, 40, 40), (3, 40, 40)),  # small matrices of a stack
    ((2, 90, 300), (2, 300, 170)),  # columns of all of a stack
    ((1, 30000), (30000, 200)),  # a row
    ((80, 100), (100, 70)),  # one part
    ((40, 1, 90), (40, 90, 60)),  # rows, for which NumPy has another function
]


class Library:
    """One whose number of threads is written down at each change."""

    def __init__(self) -> None:
        self.number, self.changes = 4, list[int]()
        self.before_change: Callable[[], None] = lambda: None

    def get(self) -> int:
        return self.number

    def set_to(self, number: int) -> None:
        self.before_change()
        self.number = number
        self.changes.append(number)


def test_one_thread_while_anybody_is_within() -> None:
    library = Library()
    threads = blas._Threads(library.get, library.set_to)
    seen = []

    def inner() -> None:
        seen.append(library.number)

    def outer() -> None:
        threads.single(inner, ())
        seen.append(library.number)
        raise ZeroDivisionError

    for number in (4, 7):  # the user may change it in between
        library.number = number
        with pytest.raises(ZeroDivisionError):
            threads.single(outer, ())
        assert seen == [1, 1] and library.number == number
        seen.clear()


def test_several_threads() -> None:
    library = Library()
    threads = blas._Threads(library.get, library.set_to)
    together, seen = threading.Barrier(3), set[int]()

    def work() -> None:
        together.wait()
        for _ in range(200):
            threads.single(lambda: seen.add(library.number), ())

    helpers = [threading.Thread(target=work) for _ in range(2)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    assert seen == {1} and library.number == 4


def test_interrupted_at_a_change() -> None:
    """A handler that comes in between may multiply itself, and may raise."""
    for raises in (False, True):
        for at in range(2):
            library = Library()
            threads = blas._Threads(library.get, library.set_to)

            def handler(library: Library = library, at: int = at, raises: bool = raises) -> None:
                if len(library.changes) == at:
                    library.before_change = lambda: None
                    threads.single(lambda: None, ())  # noqa: B023
                    if raises:
                        raise KeyboardInterrupt

            library.before_change = handler
            if raises:
                with pytest.raises(KeyboardInterrupt):
                    threads.single(lambda: None, ())
            else:
                threads.single(lambda: None, ())
            threads.single(lambda: None, ())
            assert library.number == 4


def test_a_fork_within() -> None:
    library = Library()
    threads = blas._Threads(library.get, library.set_to)

    def forked() -> None:
        threads.reset()
        assert library.number == 4

    threads.single(forked, ())
    assert library.number == 4


def test_numpys_own_number_stays() -> None:
    threads = blas._threads()
    if threads is None:
        pytest.skip("NumPy has another BLAS")
    before, seen = threads._get(), []
    blas.single(lambda: seen.append(threads._get()))
    assert seen == [1] and threads._get() == before
    x = Tensor.from_numpy(np.ones((300, 200), np.float32))
    assert ((x @ x.T).numpy() == 200).all() and threads._get() == before


@pytest.mark.parametrize("is_known", [True, False])
def test_parts_are_the_whole(is_known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits for any number of threads. Numbers of three bits: every sum is exact."""
    if not is_known:
        monkeypatch.setattr(blas, "_found", lambda: None)
        monkeypatch.setattr(blas, "_threads", lambda: None)
    random = np.random.default_rng(0)
    for left, right in SHAPES if is_known else SHAPES[:2]:
        a, b = (random.integers(-3, 4, shape).astype(np.float32) for shape in (left, right))
        for x, y in ((a, b), (np.asfortranarray(a), np.asfortranarray(b))):
            assert ((Tensor.from_numpy(x) @ Tensor.from_numpy(y)).numpy() == a @ b).all()
        c, d = (Tensor.from_numpy(random.standard_normal(shape).astype(np.float32)) for shape in (left, right))
        results = []
        for threads in (1, 2, 5):
            monkeypatch.setattr(config, "host_threads", threads)
            results.append((c @ d).numpy())
        if is_known:
            assert all((result == results[0]).all() for result in results)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_graph_calls_blas_with_the_same_bits(dtype: Any) -> None:
    """Of matrices in either order, and of those that repeat or stand apart, as views do."""
    random = np.random.default_rng(1)
    for left, right in [*SHAPES, ((3, 4), (4, 5)), ((1, 4), (4, 5)), ((0, 4), (4, 5)), ((3, 0), (0, 5))]:
        a, b = (Tensor.from_numpy(random.standard_normal(shape).astype(dtype)) for shape in (left, right))
        apart = Tensor.from_numpy(random.standard_normal((*left[:-1], 2 * left[-1])).astype(dtype))[..., ::2]
        turned = Tensor.from_numpy(np.asfortranarray(b.numpy()))
        for x, y in ((a, b), (a, turned), (b.mT, a.mT), (apart, b)):
            with Device.host().capture() as graph:
                found = x @ y
            graph.replay()
            np.testing.assert_array_equal(found.numpy(), (x @ y).numpy())
            np.testing.assert_allclose(found.numpy(), x.numpy() @ y.numpy(), rtol=1e-3, atol=1e-3)


def test_parts_in_a_graph() -> None:
    x = Tensor.from_numpy(np.ones((300, 200), np.float32))
    with Device.host().capture() as graph:
        y = x @ x.T
    graph.replay()
    assert (y.numpy() == 200).all()
