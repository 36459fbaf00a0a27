"""Transforms of batches on their device, seeded: crops, flips, rotations, erased parts, mixtures."""

from .compose import Compose

__all__ = ["Compose"]
