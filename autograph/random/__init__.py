"""Random numbers that are the same on every device, from generators whose state is two numbers."""

from .continuous import exponential, gumbel, normal, uniform
from .discrete import bernoulli, categorical, integers, permutation
from .generator import Generator
from .truncated import truncated_normal

__all__ = [
    "Generator",
    "bernoulli",
    "categorical",
    "exponential",
    "gumbel",
    "integers",
    "normal",
    "permutation",
    "truncated_normal",
    "uniform",
]
