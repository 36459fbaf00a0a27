"""Tracebacks of a user's mistakes show the user's lines, and in debug mode krnlpy's, too."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import krnlpy
from krnlpy import (
    Buffer,
    Device,
    GlobalMut,
    ItemMut,
    KernelIndexError,
    KrnlpyError,
    Spec,
    autotune,
    config,
    f32,
    i32,
    kernel,
)
from krnlpy.errors import DeviceLost, InternalCompilerError
from krnlpy.tracebacks import hide_own_frames, hiding_own_frames

OWN = str(Path(krnlpy.__file__).parent)


@kernel
def wrong(x: ItemMut[f32]) -> None:
    x = nothing  # type: ignore[name-defined]  # noqa: F821


@autotune([{"threads": 64}])
@kernel
def tuned(x: ItemMut[f32], N: Spec[i32] = 1) -> None:
    x = nothing  # type: ignore[name-defined]  # noqa: F821


@kernel
def out_of_range(x: GlobalMut[f32], i: i32) -> None:
    x[i] = 1.0


class Method:
    @kernel
    def run(self, x: ItemMut[f32]) -> None:
        x = self.nothing  # type: ignore[attr-defined]


def decorated() -> None:
    @kernel
    def without(x) -> None:  # type: ignore[no-untyped-def]
        pass


MISTAKES: dict[str, Callable[[Buffer], Any]] = {
    "body": wrong,
    "argument": lambda x: wrong(1),
    "prepare": lambda x: wrong.prepare(x),
    "inspect": lambda x: wrong.inspect(),
    "specialize": lambda x: wrong.specialize(M=1),
    "decorator": lambda x: decorated(),
    "tuned": lambda x: tuned(x),
    "tuned specs": lambda x: tuned(x, N=3),
    "config_for": lambda x: tuned.config_for(x),
    "method": lambda x: Method().run(x),
    "text": lambda x: krnlpy.kernel_from_source("x = 1"),
}


def own_frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno}" for frame in frames if frame.filename.startswith(OWN)]


@pytest.mark.parametrize("name", MISTAKES)
def test_only_the_users_frames_are_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = Buffer.ones(1, f32)
    with pytest.raises(KrnlpyError) as raised:
        MISTAKES[name](x)
    assert not own_frames(raised.value)
    assert traceback.extract_tb(raised.value.__traceback__)[0].name == "test_only_the_users_frames_are_shown"
    monkeypatch.setattr(config, "debug", True)
    with pytest.raises(KrnlpyError) as raised:
        MISTAKES[name](x)
    assert len(own_frames(raised.value)) > 1


def test_a_kernels_own_frames_are_the_users() -> None:
    """The interpreter runs the kernel's lines; a debugger may look at them afterwards."""
    with pytest.raises(KernelIndexError) as raised:
        out_of_range.with_groups(1).with_threads(1)(Buffer.zeros(3, f32, Device.interpreter()), 7)
    frames = traceback.extract_tb(raised.value.__traceback__)
    assert [frame.name for frame in frames][-1] == "out_of_range"
    assert frames[-1].line == "x[i] = 1.0"
    assert not own_frames(raised.value)


def test_what_is_not_the_users_keeps_its_frames() -> None:
    def raised(error: KrnlpyError) -> BaseException:
        try:
            hiding_own_frames(fail)(error)
        except KrnlpyError as found:
            return found
        raise AssertionError

    def fail(error: KrnlpyError) -> None:
        raise error

    for error in (DeviceLost("gone"), InternalCompilerError("a defect")):
        assert own_frames(raised(error))
    bare = KrnlpyError("never raised")
    hide_own_frames(bare)
    assert bare.__traceback__ is None
