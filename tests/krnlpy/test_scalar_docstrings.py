"""The scalar types' docstrings, which are not written in classes: their examples run too."""

from __future__ import annotations

import doctest

import pytest

from krnlpy.scalar import SCALAR_TYPES, ScalarType


@pytest.mark.parametrize("type", SCALAR_TYPES, ids=str)
def test_examples(type: ScalarType, capsys: pytest.CaptureFixture[str]) -> None:
    test = doctest.DocTestParser().get_doctest(type.__doc__ or "", {}, type.name, None, 0)
    runner = doctest.DocTestRunner()
    runner.run(test)
    assert runner.summarize(verbose=False).failed == 0, capsys.readouterr().out
    assert runner.tries > 1
