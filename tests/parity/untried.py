"""The public functions that no trial calls, each with its reason. A test asserts that all others are tried."""

from __future__ import annotations

import inspect

import autograph as ag
from autograph import special

from .networks import LINES
from .trial import OPERATIONS

_GROUPS = {
    "of no numbers: it tells or converts dtypes and shapes": (
        "asarray", "broadcast_shapes", "can_cast", "finfo", "from_dlpack", "iinfo", "isdtype", "result_type",
    ),
    "its elements are whatever memory holds": ("empty", "empty_like"),
    "it makes operations of functions, or captures and derives them": (
        "capture", "elementwise", "grad", "gradcheck", "reduction", "value_and_grad",
    ),
    "its numbers are random, and not PyTorch's": ("dropout", "seeded"),
    "of files, not of numbers": (
        "export_onnx", "load_checkpoint", "load_onnx", "load_safetensors", "load_weights", "read_checkpoint",
        "read_safetensors_header", "save_checkpoint", "save_safetensors",
    ),
    "PyTorch has no such function; tests/autograph/functions/test_attention.py has": (
        "rotary_embedding", "sinusoidal_positions",
    ),
    "PyTorch, which computes in f64, has another neighbour; tests/conformance has": ("nextafter",),
    "it changes the gradients of a model; tests/autograph/optim has": (
        "clip_gradients_by_norm", "clip_gradients_by_value",
    ),
}  # fmt: skip

UNTRIED = {name: reason for reason, names in _GROUPS.items() for name in names}


def functions() -> set[str]:
    """The names of the public functions: of autograph, then of ``autograph.special``."""
    found = set()
    for module in (ag, special):
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value) and not inspect.isclass(value):
                found.add(name)
    return found


def tried() -> set[str]:
    """The names of what trials, or the lines of `networks.py`, call."""
    names = {name.split()[0] for name in OPERATIONS}
    return names | {line.ours.partition("(")[0] for line in LINES["losses"]}
