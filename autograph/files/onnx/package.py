"""The package onnx, which not everybody has."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from autograph.errors import OnnxError


def onnx_package() -> Any:
    """The package.

    Raises:
        OnnxError: it is not installed.
    """
    try:
        return import_module("onnx")
    except ImportError as error:
        raise OnnxError(f"ONNX needs the package onnx: pip install 'autograph-krnlpy[onnx]' ({error})") from error
