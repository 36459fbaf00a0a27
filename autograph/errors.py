"""Every exception that autograph raises for a user's mistake or a damaged file."""

from __future__ import annotations


class AutographError(Exception):
    """Base of all autograph errors."""


class ShapeError(AutographError, ValueError):
    """Shapes do not fit each other or the operation."""


class DtypeError(AutographError, TypeError):
    """Scalar types do not fit each other or the operation."""


class DeviceError(AutographError, ValueError):
    """Tensors of one operation are on different devices, or on one that cannot do it."""


class DatasetError(AutographError, ValueError):
    """A data set is not there, cannot be had, or is not what it should be."""


class CheckpointError(AutographError, ValueError):
    """A saved file is damaged, or does not fit the model it is loaded into."""
