"""Every exception that autograph raises for a user's mistake or a damaged file.

Those that krnlpy has too are kinds of krnlpy's: ``except krnlpy.errors.ShapeError`` catches both, whether it was the
tensor that found the mistake or the buffer below it, and ``except krnlpy.errors.KrnlpyError`` catches everything.
"""

from __future__ import annotations

import krnlpy.errors


class AutographError(krnlpy.errors.KrnlpyError):
    """Base of all autograph errors."""


class ShapeError(AutographError, krnlpy.errors.ShapeError):
    """Shapes do not fit each other or the operation."""


class AxisError(ShapeError, IndexError):
    """An axis, or a place along one, that a tensor does not have."""


class DtypeError(AutographError, krnlpy.errors.DtypeError):
    """Scalar types do not fit each other or the operation."""


class DeviceError(AutographError, krnlpy.errors.DeviceError, ValueError):
    """Tensors of one operation are on different devices, or on one that cannot do it."""


class CaptureError(AutographError, krnlpy.errors.CaptureError):
    """A function cannot be captured as it is written, or is given what it cannot be given."""


class DatasetError(AutographError, ValueError):
    """A data set is not there, cannot be had, or is not what it should be."""


class DownloadError(DatasetError):
    """No mirror could be reached, or none delivered the whole file."""


class CheckpointError(AutographError, ValueError):
    """A saved file is damaged, or does not fit the model it is loaded into."""


class OnnxError(AutographError, ValueError):
    """An ONNX file is damaged, or what is asked cannot be said in ONNX or run here."""
