"""Tracebacks of a user's mistakes: without krnlpy's own frames, which say nothing that the message does not say better.

Debug mode shows them all, and so do errors that are krnlpy's or a driver's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

from . import config
from .errors import CompileError, DeviceError, KrnlpyError, LimitExceeded, MissingFeatures

P = ParamSpec("P")
R = TypeVar("R")

_OWN = f"{Path(__file__).parent}/"


def hide_own_frames(error: KrnlpyError) -> None:
    """Leaves krnlpy's frames out of an error's traceback, if it is the user's.

    What then says ``raise``, and nothing more, is not in the traceback either: Python adds no frame for it.
    """
    is_users = not isinstance(error, CompileError | DeviceError) or isinstance(error, LimitExceeded | MissingFeatures)
    if config.debug or not is_users:
        return
    frames, traceback = [], error.__traceback__
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_OWN):
            frames.append(traceback)
        traceback = traceback.tb_next
    for frame in reversed(frames):
        traceback = TracebackType(traceback, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    error.__traceback__ = traceback


def hiding_own_frames(function: Callable[P, R]) -> Callable[P, R]:
    """Makes a function raise a user's mistakes as if the user's own line had raised them."""

    @wraps(function)
    def wrapper(*arguments: P.args, **keywords: P.kwargs) -> R:
        try:
            return function(*arguments, **keywords)
        except KrnlpyError as error:
            hide_own_frames(error)
            raise

    return wrapper
