"""Convolutions, pools, and other sizes of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograph.files.onnx.graph import Dim, Graph, Operand, Unsupported
from autograph.functions.convolution import convolutions, transposed
from autograph.functions.interpolation import interpolate
from autograph.functions.pooling import averages, max_pools

from .shapes import Arguments, Results


def _several(value: Any, ndim: int) -> list[int]:
    """A number for each axis."""
    return list(value) if isinstance(value, tuple) else [value] * ndim


def _weights(a: Arguments) -> list[str | None]:
    return [a["weight"].name, a["bias"].name if a["bias"] else None]


def _conv(g: Graph, a: Arguments, results: Results) -> str:
    x, n = a["x"], a["x"].ndim - 2
    lengths = [int(k) for k in a["weight"].shape[2:]]
    dilations = _several(a["dilation"], n)
    if a["padding"] in ("same", "valid"):
        whole = [d * (k - 1) if a["padding"] == "same" else 0 for d, k in zip(dilations, lengths, strict=True)]
        before, after = [w // 2 for w in whole], [w - w // 2 for w in whole]
    else:
        before = after = _several(a["padding"], n)
    name = x.name
    if a["padding_mode"] != "zeros" and any(before + after):
        pads = g.constant([0, 0, *before, 0, 0, *after], "i64")
        name, before, after = g.add("Pad", name, pads, mode=a["padding_mode"]), [0] * n, [0] * n
    return str(
        g.add(
            "Conv",
            name,
            *_weights(a),
            kernel_shape=lengths,
            strides=_several(a["stride"], n),
            dilations=dilations,
            pads=[*before, *after],
            group=a["groups"],
        )
    )


def _conv_transpose(g: Graph, a: Arguments, results: Results) -> str:
    n = a["x"].ndim - 2
    padding = _several(a["padding"], n)
    return str(
        g.add(
            "ConvTranspose",
            a["x"].name,
            *_weights(a),
            kernel_shape=[int(k) for k in a["weight"].shape[2:]],
            strides=_several(a["stride"], n),
            dilations=_several(a["dilation"], n),
            pads=[*padding, *padding],
            output_padding=_several(a["output_padding"], n),
            group=a["groups"],
        )
    )


def _window(a: Arguments, n: int) -> dict[str, Any]:
    padding = _several(a["padding"], n)
    return {
        "kernel_shape": _several(a["filter"], n),
        "strides": _several(a["filter"] if a["stride"] is None else a["stride"], n),
        "pads": [*padding, *padding],
        "ceil_mode": int(a["ceil_mode"]),
    }


def _max_pool(g: Graph, a: Arguments, results: Results) -> str:
    n = a["x"].ndim - 2
    return str(g.add("MaxPool", a["x"].name, **_window(a, n), dilations=_several(a["dilation"], n)))


def _avg_pool(g: Graph, a: Arguments, results: Results) -> str:
    counted = int(a["count_include_pad"])
    return str(g.add("AveragePool", a["x"].name, **_window(a, a["x"].ndim - 2), count_include_pad=counted))


def _adaptive(kind: str) -> Callable[..., str]:
    def emit(g: Graph, a: Arguments, results: Results) -> str:
        x: Operand = a["x"]
        source, size = x.shape[2:], _several(a["size"], x.ndim - 2)
        if all(n == 1 for n in size):
            return str(g.add(f"Global{kind}", x.name))
        if any(isinstance(n, Dim) or n % m for n, m in zip(source, size, strict=True)):
            raise Unsupported(f"a size {tuple(size)} that does not divide {source}")
        lengths = [int(n) // m for n, m in zip(source, size, strict=True)]  # type: ignore[arg-type]
        return str(g.add(kind, x.name, kernel_shape=lengths, strides=lengths))

    return emit


def _interpolate(g: Graph, a: Arguments, results: Results) -> str:
    where = "asymmetric" if a["mode"] == "nearest" else "align_corners" if a["align_corners"] else "half_pixel"
    sizes = g.lengths(results[0].shape)
    nearest = "floor" if a["mode"] == "nearest" else None
    if a["scale"] is not None and any(float(s) % 1 for s in _several(a["scale"], results[0].ndim - 2)):
        raise Unsupported("a scale with a fraction")
    rules: dict[str, Any] = {"coordinate_transformation_mode": where, "nearest_mode": nearest}
    return str(g.add("Resize", a["x"].name, None, None, sizes, mode=a["mode"], **rules))


def _pixel_shuffle(g: Graph, a: Arguments, results: Results) -> str:
    return str(g.add("DepthToSpace", a["x"].name, blocksize=a["factor"], mode="CRD"))


EMITTERS: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((convolutions.conv1, convolutions.conv2, convolutions.conv3), _conv),
    **dict.fromkeys((transposed.conv_transpose1, transposed.conv_transpose2), _conv_transpose),
    transposed.conv_transpose3: _conv_transpose,
    **dict.fromkeys((max_pools.max_pool1, max_pools.max_pool2, max_pools.max_pool3), _max_pool),
    **dict.fromkeys((averages.avg_pool1, averages.avg_pool2, averages.avg_pool3), _avg_pool),
    **dict.fromkeys(
        (averages.adaptive_avg_pool1, averages.adaptive_avg_pool2, averages.adaptive_avg_pool3),
        _adaptive("AveragePool"),
    ),
    **dict.fromkeys(
        (max_pools.adaptive_max_pool1, max_pools.adaptive_max_pool2, max_pools.adaptive_max_pool3),
        _adaptive("MaxPool"),
    ),
    interpolate.interpolate: _interpolate,
    interpolate.pixel_shuffle: _pixel_shuffle,
}
