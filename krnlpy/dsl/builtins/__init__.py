"""What kernels may call and Python does not have.

Kernels also know ``range``, ``len``, ``min``, ``max``, ``abs``, ``int`` (i32), ``float`` (f32), ``bool``, the scalar
types as conversions, and the functions of Python's ``math`` and of NumPy that have the same names.
"""

from . import (
    arrays,
    atomics,
    barriers,
    bits,
    decompositions,
    fast,
    ids,
    math,
    numbers,
    quaternions,
    rounding,
    trigonometry,
    vectors,
)
from .arrays import *
from .atomics import *
from .barriers import *
from .bits import *
from .collectives import moves, reductions, scans, votes
from .collectives.moves import *
from .collectives.reductions import *
from .collectives.scans import *
from .collectives.votes import *
from .decompositions import *
from .fast import *
from .ids import *
from .math import *
from .numbers import *
from .quaternions import *
from .rounding import *
from .trigonometry import *
from .vectors import *

__all__ = [
    *arrays.__all__, *atomics.__all__, *barriers.__all__, *bits.__all__, *decompositions.__all__, *fast.__all__,
    *ids.__all__, *math.__all__, *moves.__all__, *numbers.__all__, *quaternions.__all__, *reductions.__all__,
    *rounding.__all__, *scans.__all__, *trigonometry.__all__, *vectors.__all__, *votes.__all__,
]  # fmt: skip
