"""A partial derivative that is wrong by a percent is noticed: each rule is broken once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from krnlpy import func
from krnlpy.dsl.frontend.callables import Func
from krnlpy.dsl.frontend.derivatives import parameters_of
from krnlpy.dsl.library import (
    error_function,
    exponentials,
    gamma,
    inverse_trigonometric,
    logarithms,
    logistic,
    parts,
    remainders,
    roots,
)
from krnlpy.dsl.library import partials as rules
from krnlpy.host.backend import HostBackend
from krnlpy.scalar import f64
from tests.support.launching import Launcher
from tests.support.tiers import sampled

from .derivative_table import CASES
from .test_derivatives_of_functions import assert_close, run


def broken(partial: Callable[..., Any]) -> Callable[..., Any]:
    """A partial derivative with one percent too much."""
    assert isinstance(partial, Func)
    count = len(parameters_of(partial))
    if count == 1:

        @func
        def wrong(x):
            return partial(x) * 1.01
    elif count == 2:

        @func
        def wrong(x, y):
            return partial(x, y) * 1.01
    else:

        @func
        def wrong(x, y, z):
            return partial(x, y, z) * 1.01

    return wrong


def library_functions(name: str) -> list[Func]:
    modules = (
        error_function, exponentials, gamma, inverse_trigonometric, logarithms, logistic, parts, remainders, roots,
    )  # fmt: skip
    found = [vars(module).get(f"{name}{suffix}") for module in modules for suffix in ("", "_f32", "_f64")]
    return [f for f in found if isinstance(f, Func) and f.partials is not None]


RULES = {name: partials for name, partials in {**rules.OPERATIONS, **rules.FUNCTIONS}.items() if name in CASES}
BREAKABLE = [(name, i) for name, partials in RULES.items() for i, partial in enumerate(partials) if partial is not None]


@pytest.mark.parametrize(("name", "place"), sampled(BREAKABLE, 4))
def test_a_broken_rule_is_noticed(name: str, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tuple(broken(p) if i == place and p is not None else p for i, p in enumerate(RULES[name]))
    if name in rules.OPERATIONS:
        monkeypatch.setitem(rules.OPERATIONS, name, wrong)
    else:
        functions = library_functions(name)
        assert functions
        for function in functions:
            monkeypatch.setattr(function, "partials", wrong)
    case = CASES[name]
    arguments = [a.astype(f64.dtype) for a in case.arguments()]
    _, got = run(Launcher(HostBackend()), name, arguments)
    for i, partial in enumerate(case.partials):
        exact = partial(*(a.astype(np.longdouble) for a in arguments))
        if i == place:
            with pytest.raises(AssertionError):
                assert_close(got[i], exact, case.ulps)
        else:
            assert_close(got[i], exact, case.ulps)
