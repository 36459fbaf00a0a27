"""The interpreter: kernels as plain Python, one thread at a time, every access checked. Slow, and always right."""

from .backend import open_interpreter

__all__ = ["open_interpreter"]
