"""What notebooks show of buffers, devices and profiles: well-formed, escaped, small."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pytest

import autograph
from krnlpy import Buffer, Device, StructBuffer, f32
from krnlpy.buffers import summary as summaries
from krnlpy.columns import as_html
from krnlpy.dsl import vec2
from krnlpy.errors import DeviceLost


@dataclass
class Ball:
    centre: vec2
    mass: f32


def shown(value: object) -> tuple[str, str]:
    """The title, and all text, of what is well-formed."""
    html = value._repr_html_()  # type: ignore[attr-defined]
    root = ElementTree.fromstring(html)
    assert len(html) < 10_000
    return root.findtext("strong") or "", " ".join(root.itertext())


def test_buffers(device: Device) -> None:
    title, text = shown(Buffer.from_numpy(np.arange(6, dtype=np.float32).reshape(2, 3), device))
    assert title == f"Buffer (2, 3) of f32 on {device!r}, 24 bytes"
    assert "[[0., 1., 2.]" in text
    title, text = shown(Buffer.zeros((1000, 1000), f32, device)[::2])
    assert title.endswith("2,000,000 bytes") and "..." in text
    assert shown(Buffer.empty((0, 3), f32, device))[0].startswith("Buffer (0, 3)")
    title, text = shown(autograph.Tensor.ones((), device=device))
    assert title.startswith("Tensor () of f32") and "1." in text
    assert shown(autograph.Parameter(autograph.Tensor.ones(2, device=device)))[0].startswith("Parameter (2,)")


def test_structs() -> None:
    points = StructBuffer.zeros(3, Ball, Device.host())
    title, text = shown(points)
    assert title == "StructBuffer (3,) on Device.host()"
    assert "mass" in text and "centre" in text and "float32" in text


def test_devices(device: Device) -> None:
    title, text = shown(device)
    assert device.info.name in title and device.info.driver in text and "GiB" in text


def test_profiles() -> None:
    profile = Device.host().profile()
    assert "not begun" in shown(profile)[0]
    with profile:
        Buffer.ones(1000)
        assert "open" in shown(profile)[0]
    title, text = shown(profile)
    assert title == profile.table().splitlines()[0]
    assert all(word in text for word in ("fill", "100.0 %", "GB/s"))


def test_models() -> None:
    model = autograph.Sequential(autograph.Dense(4, 8, bias=True), autograph.BatchNorm1(8))
    _, text = shown(model)
    assert "layers.0: Dense(4, 8, bias=True)" in text and "parameters: 56, all trained, 224 bytes" in text
    assert "(2, 8)" in shown(model.summary((2, 4)))[1]


def test_a_lost_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_: Buffer) -> str:
        raise DeviceLost("the device was lost <now>")

    monkeypatch.setattr(summaries, "summary", lost)
    assert shown(Buffer.ones(2))[1].endswith("the device was lost <now>")


def test_text_is_escaped() -> None:
    html = as_html("<a>", [("<b>",), ("<c>&",)], text="<script>")
    assert [element.text for element in ElementTree.fromstring(html).iter() if element.text] == [
        *("<a>", "<b>", "<c>&", "<script>")
    ]
