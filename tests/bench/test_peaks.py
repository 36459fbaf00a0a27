"""What a device does at most: measured once, shown by profiles; and the rate of cooperative matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from krnlpy import Buffer, Device, Roofline
from krnlpy.backend.roofline import rooflines
from krnlpy.bench import basics, matrices, peaks, running
from krnlpy.bench.matrices import Products
from krnlpy.bench.results import DeviceResults
from krnlpy.device_info import CooperativeShape
from krnlpy.errors import BenchmarkError, MissingFeatures
from krnlpy.scalar import ScalarType, bf16, f16, f32, scalar_type
from tests.support.tiers import one_vulkan_device, sampled

from . import fakes


@pytest.fixture
def unknown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """The host, as if nobody had asked for its peaks."""
    host = Device.host()
    known = rooflines.pop(host.backend, None)
    monkeypatch.setattr(peaks, "_PACE", running.Pace(60.0, 0.01, 0.001))
    yield host
    rooflines.pop(host.backend, None)
    if known is not None:
        rooflines[host.backend] = known


def results(*found: Any) -> DeviceResults:
    return fakes.report(*found).devices[0]


def test_the_peaks_are_those_of_the_fastest(unknown: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = 4 << 20, 64 << 20
    found = results(
        *(
            fakes.result("copy", 0.001, small),
            fakes.result("copy", 1.0, large, configuration={"bytes": large, "by": "a"}),
        ),
        fakes.result("copy", 0.5, large, configuration={"bytes": large, "by": "b"}),
        *(fakes.result("fma", 0.1, n, configuration={"dtype": "f32", "items": n}) for n in (10, 30, 20)),
        fakes.result("matrix", status="unsupported", samples=(), configuration={"dtype": "f16"}),
    )
    monkeypatch.setattr(peaks, "measured_on", lambda *_: found)
    roof = unknown.roofline()
    assert roof.copy_bandwidth == pytest.approx(large / 0.5)
    assert roof.fma_rates == {"f32": pytest.approx(300)} and roof.matrix_rates == {}
    monkeypatch.setattr(peaks, "measured_on", lambda *_: pytest.fail("it is known"))
    assert unknown.roofline() is roof
    with pytest.raises(BenchmarkError, match=r"'f64'.*a type of f32"):
        roof.attainable(1.0, "f64")
    assert Roofline(8.0, {}, {"f16": 5.0}).attainable(1.0, "f16", matrices=True) == 5.0


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([fakes.result("copy"), fakes.result("fma", status="wrong", reason="1, not 2", samples=())], "wrong: 1, not 2"),
        ([fakes.result("fma")], "no copy"),
    ],
)
def test_what_is_wrong_is_raised(
    found: list[Any], message: str, unknown: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peaks, "measured_on", lambda *_: results(*found))
    with pytest.raises(BenchmarkError, match=message):
        unknown.roofline()
    assert unknown.backend not in rooflines


def test_profiles_show_shares(unknown: Device) -> None:
    def profiled() -> Any:
        with unknown.profile() as p:
            Buffer.ones(1000, device=unknown).copy()
        return p

    assert profiled().summary()[0].of_copy is None and "of copy" not in profiled().table()
    rooflines[unknown.backend] = Roofline(2e9, {}, {})
    for row in profiled().summary():
        assert row.of_copy == pytest.approx(row.bandwidth / 2e9)
    assert profiled().table().splitlines()[1].endswith("of copy")


def test_the_host_is_measured(unknown: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basics, "BYTES", basics.BYTES[:1])
    monkeypatch.setattr(basics, "CHAIN_ITEMS", (1 << 10,))
    roof = unknown.roofline()
    assert roof.copy_bandwidth > 0 and set(roof.fma_rates) == {"f32", "f16", "f64"} and roof.matrix_rates == {}
    with pytest.raises(BenchmarkError, match="interpreter"):
        Device.interpreter().roofline()


SHAPES = [(size, dtype) for size in ((16, 8, 16), (16, 16, 16), (8, 8, 8)) for dtype in (f16, bf16)]


@one_vulkan_device
@pytest.mark.parametrize(("size", "dtype"), sampled(SHAPES, 7))  # each is compiled anew, which takes seconds
def test_matrices_are_verified(
    size: tuple[int, int, int], dtype: ScalarType, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On devices without them, by ordinary arithmetic."""
    monkeypatch.setattr(matrices, "_FLOPS", 1 << 16)
    work = Products(CooperativeShape(*size, scalar_type(dtype), scalar_type(dtype), scalar_type(f32)), 2, device)
    work.verify()
    work.steps += 1
    with pytest.raises(AssertionError):
        work.verify()


def test_the_largest_shape_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    half, single = scalar_type(f16), scalar_type(f32)
    sizes = ((8, 8, 8), (16, 16, 16), (16, 8, 8), (16, 16, 24))
    shapes = [CooperativeShape(*size, half, half, single) for size in sizes]

    class Info:
        cooperative_shapes = (*shapes, CooperativeShape(64, 64, 64, half, half, half))

    class Fake:
        info = Info

    assert matrices._shape(half, Fake) == shapes[1]  # type: ignore[arg-type]
    with pytest.raises(MissingFeatures, match="bf16"):
        matrices._shape(scalar_type(bf16), Fake)  # type: ignore[arg-type]
