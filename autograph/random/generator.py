"""Where random numbers come from: a seed, and a count of what was drawn."""

from __future__ import annotations

import operator
import threading
from collections.abc import Mapping
from typing import Any

from autograph.errors import AutographError
from autograph.tensor.observing import observing

_WORD = 0xFFFFFFFF
_DRAWS, _CHILDREN = 0, 1  # the last word of the counter: what its numbers are for


class Generator:
    """A source of random numbers. Functions such as :func:`autograph.random.uniform` take one.

    There is no hidden state. Element ``i`` of the ``k``-th draw is a function of the seed, of ``k`` and of ``i``: the
    same on every device, and whatever else is computed. Each call of a function is one draw, of any size.

    The method is counter-based: Philox4x32-10 of J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random
    Numbers: As Easy as 1, 2, 3", SC '11. Seed and count are encrypted to the key of a draw, which encrypts ``i``.

    Args:
        seed: a whole number from 0 to ``2**64 - 1``.
        counter: how many draws are passed over.

    Attributes:
        seed: as given.
        counter: the number of the next draw.

    Raises:
        AutographError: seed or counter is no such number.

    >>> from autograph import random
    >>> generator = random.Generator(42)
    >>> print(random.uniform(generator, 2).numpy().round(4))
    [0.0668 0.4424]
    >>> random.Generator(42, generator.counter).state_dict() == generator.state_dict()
    True
    """

    def __init__(self, seed: int, counter: int = 0) -> None:
        self._lock = threading.Lock()
        self.load_state_dict({"seed": seed, "counter": counter})

    def __reduce__(self) -> Any:
        return Generator, tuple(self.state_dict().values())

    def __repr__(self) -> str:
        return f"Generator(seed={self.seed}, counter={self.counter})"

    def state_dict(self) -> dict[str, int]:
        """The state, as numbers to save: ``seed`` and ``counter``.

        >>> from autograph import random
        >>> random.Generator(1).state_dict()
        {'seed': 1, 'counter': 0}
        """
        with self._lock:
            return {"seed": self.seed, "counter": self.counter}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Sets the state to one that :meth:`state_dict` gave.

        Raises:
            AutographError: it is no such state; the generator stays as it was.

        >>> from autograph import random
        >>> generator = random.Generator(1)
        >>> generator.load_state_dict({"seed": 2, "counter": 7})
        >>> generator
        Generator(seed=2, counter=7)
        """
        if not isinstance(state, Mapping) or {*state} != {"seed", "counter"}:
            raise AutographError(f"the state of a generator is its seed and counter, not {state!r}")
        seed, counter = _whole("seed", state["seed"]), _whole("counter", state["counter"])
        with self._lock:
            self.seed, self.counter = seed, counter

    def spawn(self, count: int) -> list[Generator]:
        """Generators whose numbers are independent of this one's and of each other's: one draw, of their seeds.

        Args:
            count: how many.

        Raises:
            AutographError: ``count`` is not a whole number of at least 0.
            CaptureError: in a captured function.

        >>> from autograph import random
        >>> first, second = random.Generator(0).spawn(2)
        >>> first.seed == second.seed
        False
        """
        count = _whole("count", count)
        if (observer := observing.observer) is not None:
            observer.refuses("makes generators, whose seeds each replay would use again")
        seed, draw = self._next()
        seeds = [philox(((draw & _WORD), draw >> 32, i, _CHILDREN), (seed & _WORD, seed >> 32)) for i in range(count)]
        return [Generator(low | high << 32) for low, high, *_ in seeds]

    def key(self) -> tuple[int, int]:
        """The key of the next draw, which is counted: for a kernel of your own, the ``seed`` and ``stream`` that
        :func:`krnlpy.dsl.philox`, :func:`krnlpy.dsl.random_uniform` and their kin take as ``u32``.

        >>> from autograph import random
        >>> generator = random.Generator(0)
        >>> generator.key(), generator.counter
        ((1713891541, 3781805453), 1)
        """
        if (observer := observing.observer) is not None:
            return observer.draws(self)
        seed, draw = self._next()
        key = philox((draw & _WORD, draw >> 32, 0, _DRAWS), (seed & _WORD, seed >> 32))
        return key[0], key[1]

    def _next(self) -> tuple[int, int]:
        """Seed and number of the next draw, which is counted."""
        with self._lock:
            draw = self.counter
            self.counter = draw + 1 & 0xFFFFFFFFFFFFFFFF
            return self.seed, draw


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """What :func:`krnlpy.dsl.philox4x32` gives, of Python's numbers.

    >>> [hex(word) for word in philox((0, 0, 0, 0), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    (a, b, c, d), (low, high) = counter, key
    for _ in range(10):
        left, right = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = right >> 32 ^ b ^ low, right & _WORD, left >> 32 ^ d ^ high, left & _WORD
        low, high = low + 0x9E3779B9 & _WORD, high + 0xBB67AE85 & _WORD
    return a, b, c, d


def _whole(name: str, value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if isinstance(value, bool) or not 0 <= number < 1 << 64:
        raise AutographError(f"{name}={value!r}: expected a whole number from 0 to 2**64 - 1")
    return number


def require_generator(operation: str, value: Any) -> Generator:
    """The argument must be a generator."""
    if not isinstance(value, Generator):
        raise AutographError(
            f"{operation} takes a Generator first, not {type(value).__name__}; random.Generator(seed) makes one"
        )
    return value
