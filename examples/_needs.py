"""What a program needs beside krnlpy and autograph: asked for before it works, not when it is done."""

from __future__ import annotations

import importlib.util
import sys

_DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn"}
"""Of modules that are not called as what is installed."""


def require(*modules: str) -> None:
    """Ends the program where a module is not installed; says how to install all of them."""
    missing = [_DISTRIBUTIONS.get(name, name) for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"error: {', '.join(missing)} not installed; `pip install {' '.join(missing)}`")
