"""Seeds of layers: what they draw their first weights from, and what Dropout draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

import numpy as np

from autograph.errors import AutographError
from autograph.random.generator import Generator

Seed: TypeAlias = "int | np.random.Generator | Generator | None"
"""An int; or a generator, drawn from by one layer after the other; or None for a different start each time, or within
:func:`seeded` for one that follows from its seed."""

_within: ContextVar[np.random.SeedSequence | None] = ContextVar("seeded", default=None)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Makes a model follow from one number: each layer that is made within, and is given no seed, has one of its own.

    So no two layers begin with the same weights, or drop the same elements. The k-th layer that asks for a seed gets
    the k-th that follows from the number, whatever the sizes of those before it. It is a decorator, too.

    Args:
        seed: a whole number of at least 0.

    Raises:
        AutographError: it is none.

    >>> from autograph import Dense, Dropout, Sequential, seeded
    >>> def model():
    ...     with seeded(7):
    ...         return Sequential(Dense(4, 4), Dropout(0.5), Dense(4, 4))
    >>> a, b = model(), model()
    >>> (a[0].weight == b[0].weight).all().item(), (a[0].weight == a[2].weight).all().item()
    (True, False)
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise AutographError(f"seeded({seed!r}): expected a whole number of at least 0")
    token = _within.set(np.random.SeedSequence(int(seed)))
    try:
        yield
    finally:
        _within.reset(token)


def generator(seed: Seed) -> np.random.Generator:
    """The generator of first weights that a seed stands for.

    Raises:
        AutographError: it is not a seed.
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, Generator):
        return np.random.default_rng(seed.spawn(1)[0].seed)
    return np.random.default_rng(_sequence(seed))


def draws(seed: Seed) -> Generator:
    """The generator that a seed stands for, of what layers draw at each call.

    Raises:
        AutographError: it is not a seed.
    """
    if isinstance(seed, Generator):
        return seed
    if isinstance(seed, np.random.Generator):
        return Generator(int(seed.integers(1 << 64, dtype=np.uint64)))
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool):
        return Generator(int(seed))
    return Generator(int(_sequence(seed).generate_state(1, np.uint64)[0]))


def _sequence(seed: int | None) -> np.random.SeedSequence:
    if seed is None:
        around = _within.get()
        return np.random.SeedSequence() if around is None else around.spawn(1)[0]
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0:
        return np.random.SeedSequence(int(seed))
    raise AutographError(f"seed={seed!r}; expected a whole number of at least 0, a generator, or None")
