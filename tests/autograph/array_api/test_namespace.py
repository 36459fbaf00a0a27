"""The namespace has the standard's names and signatures: those of array-api-strict."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from autograph import array_api
from autograph.errors import AutographError, DtypeError
from krnlpy import Device, Feature
from tests.support.tiers import one_vulkan_device

strict = pytest.importorskip("array_api_strict")

# Complex numbers and the extensions; and what is array-api-strict's own.
LACKING = {"complex64", "complex128", "linalg", "fft"}
ITS_OWN = {
    "ArrayAPIStrictFlags",
    "Device",
    "get_array_api_strict_flags",
    "reset_array_api_strict_flags",
    "set_array_api_strict_flags",
}
FUNCTIONS = sorted(
    name for name in strict.__all__ if inspect.isfunction(getattr(strict, name)) and name not in ITS_OWN | LACKING
)


def parameters(function: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


def test_names() -> None:
    names = {name for name in strict.__all__ if not name.startswith("__")} - ITS_OWN
    assert names - {*array_api.__all__} == LACKING
    assert array_api.__array_api_version__ == strict.__array_api_version__ == "2025.12"
    for name in array_api.__all__:
        assert hasattr(array_api, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures(name: str) -> None:
    ours, theirs = parameters(getattr(array_api, name)), parameters(getattr(strict, name))
    named = {p.name: p for p in ours}
    for place, parameter in enumerate(theirs):
        if parameter.kind is parameter.POSITIONAL_ONLY:  # whose name says nothing
            assert ours[place].kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            assert named[parameter.name].kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        else:
            assert (ours[place].name, ours[place].kind) == (parameter.name, parameter.kind)
        is_told = (
            isinstance(parameter.default, bool | int | float | str) and parameter.kind is not parameter.POSITIONAL_ONLY
        )
        assert not is_told or named[parameter.name].default == parameter.default
    # What the standard does not have is given by name, or not at all.
    assert all(p.default is not p.empty or p.kind is p.VAR_POSITIONAL for p in ours[len(theirs) :])


def test_methods_and_attributes() -> None:
    x, y = array_api.ones((2, 2)), strict.ones((2, 2))
    of_the_standard = {name for name in dir(type(y)) if not name.startswith("_") or name in dir(Standard)}
    assert {name for name in of_the_standard if not hasattr(x, name)} == set()
    assert x.__array_namespace__() is x.__array_namespace__(api_version="2025.12") is array_api
    with pytest.raises(AutographError, match=r"api_version='2019\.12'"):
        x.__array_namespace__(api_version="2019.12")


class Standard:
    """The methods of arrays that have two underscores."""

    __array_namespace__ = __bool__ = __complex__ = __dlpack__ = __dlpack_device__ = __float__ = __getitem__ = None
    __index__ = __int__ = __invert__ = __matmul__ = __setitem__ = None


@one_vulkan_device
def test_what_the_namespace_tells_of_itself(device: Device) -> None:
    info = array_api.__array_namespace_info__()
    assert info.default_device() == Device.host() and info.default_device() in info.devices()
    every = info.dtypes()
    assert {*every} == {name for name in strict.__array_namespace_info__().dtypes() if "complex" not in name}
    assert info.dtypes(kind=("bool", "real floating")) == {name: every[name] for name in ("bool", "float32", "float64")}
    assert info.dtypes(kind="complex floating") == {}
    assert ("float64" in info.dtypes(device=device)) == (Feature.FLOAT64 in device.info.features)
    assert ("int64" in info.dtypes(device=device, kind="integral")) == (Feature.INT64 in device.info.features)
    assert info.default_dtypes(device=device)["indexing"] == array_api.argmax(array_api.ones(2)).dtype
    assert info.default_dtypes(device=device)["integral"] == array_api.asarray(1).dtype
    assert info.default_dtypes(device=device)["real floating"] == array_api.asarray(1.0).dtype
    with pytest.raises(DtypeError, match="kind='float'"):
        info.dtypes(kind="float")
