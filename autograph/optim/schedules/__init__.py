"""Learning rates as functions of the step."""

from .curves import (
    constant,
    cosine,
    cosine_with_restarts,
    exponential,
    inverse_square_root,
    linear,
    multi_step,
    one_cycle,
    polynomial,
    step,
)
from .phases import sequential, warm_up
from .plateau import Plateau
from .schedule import Schedule

__all__ = [
    "Plateau",
    "Schedule",
    "constant",
    "cosine",
    "cosine_with_restarts",
    "exponential",
    "inverse_square_root",
    "linear",
    "multi_step",
    "one_cycle",
    "polynomial",
    "sequential",
    "step",
    "warm_up",
]
