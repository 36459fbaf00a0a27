"""What a namespace of the standard tells of itself: devices, dtypes, abilities."""

from __future__ import annotations

from autograph import isdtype
from autograph.errors import DtypeError
from krnlpy import Device, Feature, ScalarType, devices

from . import dtypes

_KINDS = ("bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric")


class NamespaceInfo:
    """What :func:`__array_namespace_info__` returns.

    >>> from autograph import array_api
    >>> info = array_api.__array_namespace_info__()
    >>> info.default_device(), info.default_dtypes()["real floating"]
    (Device.host(), f32)
    """

    def capabilities(self) -> dict[str, bool | int | None]:
        """Which optional parts of the standard there are; tensors have any number of axes.

        >>> from autograph import array_api
        >>> array_api.__array_namespace_info__().capabilities()
        {'boolean indexing': True, 'data-dependent shapes': True, 'max dimensions': None}
        """
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": None}

    def default_device(self) -> Device:
        """Where tensors are made if no device is named: the host.

        >>> from autograph import array_api
        >>> array_api.__array_namespace_info__().default_device()
        Device.host()
        """
        return Device.host()

    def devices(self) -> tuple[Device, ...]:
        """The host and every Vulkan device, which are opened.

        >>> from autograph import array_api
        >>> array_api.__array_namespace_info__().devices()[0]
        Device.host()
        """
        return (Device.host(), *(Device(i) for i in range(len(devices()))))

    def default_dtypes(self, *, device: Device | None = None) -> dict[str, ScalarType]:
        """The dtypes of numbers and of places where none is named: all devices compute with them.

        >>> from autograph import array_api
        >>> array_api.__array_namespace_info__().default_dtypes()
        {'real floating': f32, 'integral': i32, 'indexing': i32}
        """
        return {"real floating": dtypes.float32, "integral": dtypes.int32, "indexing": dtypes.int32}

    def dtypes(
        self, *, device: Device | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, ScalarType]:
        """The standard's dtypes with which a device computes.

        Args:
            device: None is the host. Devices without 64-bit arithmetic have fewer.
            kind: a kind of dtypes as of :func:`autograph.isdtype`, or several; None means all.

        Raises:
            DtypeError: there is no such kind.

        >>> from autograph import array_api
        >>> array_api.__array_namespace_info__().dtypes(kind="real floating")
        {'float32': f32, 'float64': f64}
        """
        kinds = ("bool", "numeric") if kind is None else kind if isinstance(kind, tuple) else (kind,)
        for name in kinds:
            if name not in _KINDS:
                raise DtypeError(f"dtypes(kind={kind!r}): expected some of {', '.join(_KINDS)}")
        features = (device or self.default_device()).info.features
        return {
            name: dtype
            for name, dtype in dtypes.STANDARD.items()
            if isdtype(dtype, kinds)
            and (dtype.size < 8 or (Feature.FLOAT64 if dtype.is_float else Feature.INT64) in features)
        }


def __array_namespace_info__() -> NamespaceInfo:  # noqa: N807  # the standard's name
    """What this namespace tells of itself.

    >>> from autograph import array_api
    >>> len(array_api.__array_namespace_info__().dtypes())
    11
    """
    return NamespaceInfo()
