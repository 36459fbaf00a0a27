"""The arithmetic of strides, held against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krnlpy.errors import ShapeError
from krnlpy.views import strides as views
from tests.support.typed import untyped

SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


def array_of(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)


def seen(base: np.ndarray[Any, Any], shape: Any, strides: Any, offset: int) -> np.ndarray[Any, Any]:
    return np.ndarray(shape, np.int64, base.reshape(-1), offset * 8, tuple(s * 8 for s in strides))


@st.composite
def strided(draw: st.DrawFn) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], tuple[Any, Any, int]]:
    """A base array, a view of it, and the view's (shape, strides, offset) by our arithmetic."""
    shape = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple))
    base = array_of(shape)
    start, stop, step = draw(st.integers(0, 2)), draw(st.integers(1, 6)), draw(st.sampled_from((1, 2, 3, -1, -2)))
    if step < 0:
        start, stop = stop, start
    axes = draw(st.permutations(range(len(shape))))
    key = (..., slice(start, stop, step))
    view = views.index(shape, views.contiguous_strides(shape), 0, key)
    turned = (*views.transpose(view[0], view[1], axes), view[2])
    return base, base[key].transpose(axes), turned


@given(strided())
def test_slices_and_transposes_are_numpys(case: Any) -> None:
    base, expected, view = case
    assert np.array_equal(seen(base, *view), expected)
    assert views.facts(*view[:2]).contiguous == expected.flags.c_contiguous
    assert views.facts(*view[:2]).size == expected.size


@given(strided(), st.data())
def test_reshape_is_a_view_where_numpys_is(case: Any, data: st.DataObject) -> None:
    base, array, (shape, strides, offset) = case
    divisors = [n for n in range(1, array.size + 1) if array.size % n == 0] or [0]
    first = data.draw(st.sampled_from(divisors))
    to = (first, array.size // first) if first else (0,)
    found = views.reshape_strides(shape, strides, to)
    try:
        view = np.reshape(array, to, copy=False)
    except ValueError:
        assert found is None
    else:
        assert found is not None and np.array_equal(seen(base, to, found, offset), view)


@settings(max_examples=50, deadline=None)
@given(SHAPES, SHAPES)
def test_broadcast_is_numpys(shape: tuple[int, ...], to: tuple[int, ...]) -> None:
    base = array_of(shape)
    strides = views.contiguous_strides(shape)
    try:
        expected = np.broadcast_to(base, to)
    except ValueError:
        with pytest.raises(ShapeError, match="cannot be broadcast"):
            views.broadcast_strides(shape, strides, to)
        return
    found = views.broadcast_strides(shape, strides, to)
    assert views.facts(to, found).size == expected.size
    if expected.size:
        assert np.array_equal(seen(base, to, found, 0), expected)


@given(strided(), strided())
def test_collapse_keeps_the_order_of_items(a: Any, b: Any) -> None:
    base, expected, (shape, strides, offset) = a
    other = views.contiguous_strides(shape)
    merged, (first, second) = views.collapse(shape, (strides, other))
    assert 1 not in merged
    assert np.array_equal(seen(base, merged, first, offset).reshape(-1), expected.reshape(-1))
    assert np.array_equal(seen(array_of(shape), merged, second, 0).reshape(-1), np.arange(expected.size))


def test_collapse_merges_all_it_can() -> None:
    assert views.collapse((2, 3, 4), ((12, 4, 1),)) == ((24,), ((1,),))
    assert views.collapse((2, 1, 4), ((4, 77, 1), (0, 5, 1))) == ((2, 4), ((4, 1), (0, 1)))
    assert views.collapse((2, 3, 4), ((0, 0, 0),)) == ((24,), ((0,),))
    assert views.collapse((1, 1), ((3, 1),)) == ((), ((),))


@given(strided(), st.data())
def test_overlap_is_exact(case: Any, data: st.DataObject) -> None:
    _, _, view = case
    # The same view elsewhere in memory, and the elements of both.
    other = (view[0], view[1], view[2] + data.draw(st.integers(0, 6)))
    places = [
        {v[2] + sum(i * s for i, s in zip(index, v[1], strict=True)) for index in np.ndindex(*v[0])}
        for v in (view, other)
    ]
    assert views.overlap(view, other) == bool(places[0] & places[1])


def test_columns_of_a_matrix_do_not_overlap() -> None:
    left, right = ((4, 5), (10, 1), 0), ((4, 5), (10, 1), 5)
    assert not views.overlap(left, right)
    assert views.overlap(left, ((4, 5), (10, 1), 4))


@pytest.mark.parametrize(
    ("shape", "message"),
    [((2, -1), "negative"), (2.5, "not a shape"), ((1, None), "not a shape"), ("12", "not a shape"), (True, "not a")],
)
def test_wrong_shapes(shape: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        views.as_shape(shape)


def test_shapes_of_numpys_integers() -> None:
    assert views.as_shape(untyped(np.int64(3))) == (3,)
    assert views.as_shape(np.array([2, 3])) == (2, 3)
    assert views.as_shape(()) == ()


def test_overlap_that_is_too_hard_to_tell_is_taken_for_one() -> None:
    """The example of NumPy's documentation, which it takes a minute to solve."""
    hard = ((1049,) * 3, (36674, 61119, 85569), 0), ((1049, 1049, 1), (12223, 12224, 1), 64023025)
    with pytest.raises(np.exceptions.TooHardError):
        a, b = (np.asarray(views._Region(*view)) for view in hard)
        np.shares_memory(a, b, max_work=untyped(100_000))
    assert views.overlap(*hard)
    assert views.overlap(*hard[::-1])


@given(st.lists(st.integers(0, 4), min_size=2, max_size=4).map(tuple), st.integers(-6, 6), st.booleans())
def test_diagonal(shape: tuple[int, ...], above: int, is_reversed: bool) -> None:
    base = array_of(shape)
    view, expected = (shape, views.contiguous_strides(shape), 0), base
    if is_reversed:
        view, expected = views.index(*view, (..., slice(None, None, -1))), base[..., ::-1]
    found = views.diagonal(*view, above)
    diagonal = np.diagonal(expected, above, -2, -1)
    assert found[0] == diagonal.shape
    if diagonal.size:
        np.testing.assert_array_equal(seen(base, *found), diagonal)
    with pytest.raises(ShapeError, match="fewer"):
        views.diagonal(shape[:1], (1,), 0, above)
