"""Einstein's summation convention: sums of products of any number of tensors, whose axes are named by letters."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from math import prod
from string import ascii_letters
from typing import TYPE_CHECKING, NamedTuple

from autograph.errors import ShapeError
from autograph.functions.casts import cast
from autograph.functions.elementwise.promotion import promoted
from autograph.functions.indexing.reading import index
from autograph.functions.reducers.sums import sum as sum_over
from autograph.functions.shapes.views import reshape, transpose
from autograph.functions.type_variables import accumulator
from autograph.tensor.base import Shape

from .contractions import contract
from .matrices import require_operands

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Label = str | int
"""A letter; or of the axes that ``...`` stands for, which are counted from the right, a number from 0 on."""
Term = tuple[Label, ...]


class _Operand(NamedTuple):
    """What is done with an operand before it is multiplied.

    Attributes:
        diagonals: axes of one label, one pair after the other: of these the diagonal is taken, as the last axis.
        single: axes that are dropped, since the operand is repeated along them.
        summed: axes that are summed over.
        term: the labels of what is left.
    """

    diagonals: tuple[tuple[int, int], ...]
    single: tuple[int, ...]
    summed: tuple[int, ...]
    term: Term


class _Plan(NamedTuple):
    """How a result is computed: the operands, then which two are multiplied, and what for; the last is the result."""

    operands: tuple[_Operand, ...]
    products: tuple[tuple[int, int, Term], ...]
    order: tuple[int, ...]


def einsum(subscripts: str, /, *operands: Tensor) -> Tensor:
    """Sums of products of elements, by Einstein's convention.

    Each operand's axes have letters; axes of one letter have one index, and letters that the result does not have are
    summed over. So ``"ij,jk->ik"`` is a product of matrices, ``"ii->i"`` a diagonal, ``"ij->j"`` a sum. ``...`` stands
    for axes that broadcast. Without ``->``, the result has the axes of ``...``, then the letters that stand once, in
    the order of the alphabet. Axes of length 1 are repeated where others of the letter are longer.

    Two operands at a time become one, first those of which the least is left: the greedy method of D. Smith and
    J. Gray, "opt_einsum", 2018. Products of narrow types are summed in 32 bits, and rounded once.

    Args:
        subscripts: letters for each operand, separated by commas, and those of the result; spaces do not count.
        *operands: at least one, on one device.

    Raises:
        ShapeError: the text is not such one, or does not fit the operands.
        DtypeError: no dtype holds those of all, or an operand is not a tensor.
        DeviceError: the operands lie on different devices.

    >>> from autograph import Tensor, einsum
    >>> x, y = Tensor.ones((5, 2, 3)), Tensor.ones((4, 3))
    >>> einsum("bij,kj->bik", x, y).shape, einsum("...j->...", x).numpy()[0].tolist()
    ((5, 2, 4), [3.0, 3.0])
    """
    require_operands("einsum", *operands)
    if not isinstance(subscripts, str):
        raise ShapeError(f"einsum of a {type(subscripts).__name__}: expected text such as 'ij,jk->ik' first")
    plan = _plan(subscripts, tuple([x.shape for x in operands]))
    dtype = promoted("einsum", [x.dtype for x in operands])
    wide = accumulator(dtype)
    rounds_early = len(operands) > 2 or dtype.kind == "bool" or any(operand.summed for operand in plan.operands)
    tensors: list[Tensor] = []
    for x, todo in zip(operands, plan.operands, strict=True):
        if dtype is not wide and rounds_early and x.dtype is not wide and plan.products:
            x = cast(x, wide)
        tensors.append(_prepared(x, todo))
    terms = [operand.term for operand in plan.operands]
    for first, second, out in plan.products:
        y, ys = tensors.pop(second), terms.pop(second)
        x, xs = tensors.pop(first), terms.pop(first)
        tensors.append(contract(x, xs, y, ys, out))
        terms.append(out)
    (result,) = tensors
    if plan.order != tuple(range(len(plan.order))):
        result = transpose(result, plan.order)
    return result if result.dtype is dtype else cast(result, dtype)


def _prepared(x: Tensor, todo: _Operand) -> Tensor:
    for first, second in todo.diagonals:
        rest = [axis for axis in range(x.ndim) if axis not in (first, second)]
        x = transpose(x, (*rest, first, second))
        n = x.shape[-1]
        x = index(reshape(x, (*x.shape[:-2], n * n)), (..., slice(None, None, n + 1)))
    if todo.single:
        x = reshape(x, tuple(n for axis, n in enumerate(x.shape) if axis not in todo.single))
    return sum_over(x, todo.summed) if todo.summed else x


@lru_cache(maxsize=1024)
def _plan(subscripts: str, shapes: tuple[Shape, ...]) -> _Plan:
    terms, out = _parsed(subscripts, shapes)
    sizes = _sizes(subscripts, shapes, terms)
    missing = [label for label in out if label not in sizes]
    if missing:
        raise ShapeError(f"einsum({subscripts!r}): {missing[0]!r} of the result is in no operand")
    longer = [
        {label for label, n in zip(term, shape, strict=True) if n == sizes[label]}
        for term, shape in zip(terms, shapes, strict=True)
    ]
    operands = []
    for place, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        others = {label for i, some in enumerate(longer) if i != place for label in some}
        operands.append(_operand(term, shape, sizes, {*others, *out}))
    now, products = [operand.term for operand in operands], []
    while len(now) > 1:
        first, second = min(
            ((i, j) for j in range(len(now)) for i in range(j)), key=lambda pair: _cost(pair, now, out, sizes)
        )
        left = _left(first, second, now, out)
        products.append((first, second, left))
        now = [term for i, term in enumerate(now) if i not in (first, second)] + [left]
    return _Plan(tuple(operands), tuple(products), tuple(now[0].index(label) for label in out))


def _parsed(subscripts: str, shapes: tuple[Shape, ...]) -> tuple[list[Term], Term]:
    """The labels of the operands' axes and of the result's."""
    if not isinstance(subscripts, str):
        raise ShapeError(f"einsum of subscripts {subscripts!r}: expected text, such as 'ij,jk->ik'")
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    texts = inputs.split(",")
    if len(texts) != len(shapes):
        raise ShapeError(f"einsum({subscripts!r}) takes {len(texts)} operands; given were {len(shapes)}")
    terms = [_labels(subscripts, text, len(shape)) for text, shape in zip(texts, shapes, strict=True)]
    broadcast = tuple(reversed(range(max(sum(isinstance(label, int) for label in term) for term in terms))))
    if arrow:
        if broadcast and "..." not in output:
            raise ShapeError(f"einsum({subscripts!r}): the result lacks the axes of '...'")
        names = _labels(subscripts, output, len(output.replace("...", "")) + len(broadcast))
        if len({*names}) != len(names):
            raise ShapeError(f"einsum({subscripts!r}): a letter stands twice in the result")
        return terms, names
    count = Counter(label for term in terms for label in term)
    return terms, (*broadcast, *sorted(label for label, n in count.items() if isinstance(label, str) and n == 1))


def _labels(subscripts: str, text: str, ndim: int) -> Term:
    """The labels of a term of so many axes."""
    before, dots, after = text.partition("...")
    letters = before + after
    if not all(letter in ascii_letters for letter in letters):
        raise ShapeError(f"einsum({subscripts!r}): {text!r} is not made of letters and at most one '...'")
    left = ndim - len(letters)
    if left < 0 or (left and not dots):
        raise ShapeError(f"einsum({subscripts!r}): {text!r} names {len(letters)} axes of a tensor that has {ndim}")
    return (*before, *reversed(range(left)), *after)


def _sizes(subscripts: str, shapes: tuple[Shape, ...], terms: list[Term]) -> dict[Label, int]:
    """The lengths of the labels' axes."""
    sizes: dict[Label, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        own: dict[Label, int] = {}
        for label, n in zip(term, shape, strict=True):
            same, known = own.setdefault(label, n), sizes.get(label, n)
            if same != n or (known != n and 1 not in (known, n)):
                other = known if same == n else same
                raise ShapeError(f"einsum({subscripts!r}) of shapes {shapes}: {label!r} is {other} and {n} long")
        for label, n in own.items():
            sizes[label] = n if sizes.get(label, 1) == 1 else sizes[label]
    return sizes


def _operand(term: Term, shape: Shape, sizes: dict[Label, int], needed: set[Label]) -> _Operand:
    """What is done with an operand; needed are the labels that the others or the result have."""
    diagonals = []
    labels, lengths = list(term), list(shape)
    for label in [label for label, n in Counter(term).items() if n > 1]:
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            diagonals.append((first, second))
            n = lengths[first]
            for axis in (second, first):
                del labels[axis], lengths[axis]
            labels.append(label)
            lengths.append(n)
    single = tuple(a for a, label in enumerate(labels) if lengths[a] != sizes[label])
    labels = [label for a, label in enumerate(labels) if a not in single]
    summed = tuple(a for a, label in enumerate(labels) if label not in needed)
    return _Operand(tuple(diagonals), single, summed, tuple(label for a, label in enumerate(labels) if a not in summed))


def _left(first: int, second: int, terms: list[Term], out: Term) -> Term:
    """The labels that the product of two operands has: those that the others or the result need."""
    needed = {*out, *(label for i, term in enumerate(terms) if i not in (first, second) for label in term)}
    both = dict.fromkeys((*terms[first], *terms[second]))
    if len(terms) == 2:
        return tuple(label for label in out if label in both)
    return tuple(label for label in both if label in needed)


def _cost(pair: tuple[int, int], terms: list[Term], out: Term, sizes: dict[Label, int]) -> tuple[int, int]:
    """By how much the elements become more, and the number of products."""

    def size(labels: Term) -> int:
        return prod(sizes[label] for label in labels)

    x, y = (terms[i] for i in pair)
    return size(_left(*pair, terms, out)) - size(x) - size(y), size(tuple({*x, *y}))
