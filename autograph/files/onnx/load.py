"""ONNX files as layers: graphs whose operators are autograph's functions, with initialisers as parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

from autograph.errors import AutographError, OnnxError
from autograph.nn.layer import Layer
from autograph.tensor.base import TensorBase
from autograph.tensor.layer_tensor import LayerBuffer
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Device, files
from krnlpy.errors import KrnlpyError

from .node import Node
from .operators import numbers, recurrent, reductions, shapes, windows
from .operators.numbers import on
from .package import onnx_package
from .tensors import array_of

OPERATORS: dict[str, Callable[..., Any]] = {
    **numbers.OPERATORS,
    **shapes.OPERATORS,
    **reductions.OPERATORS,
    **windows.OPERATORS,
    **recurrent.OPERATORS,
}
_MOST_BYTES = 1 << 31
_ATTRIBUTES = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}
_STATISTICS = {"BatchNormalization": (3, 4)}
"""Inputs that are not trained."""


def load_onnx(path: str | PathLike[str], device: Device | None = None) -> OnnxModel:
    """An ONNX file as a layer, which runs and trains like any other. Nothing in the file is executed.

    Args:
        path: the file.
        device: where the weights are to be; None is the host.

    Raises:
        OnnxError: the file is damaged, or has operators that autograph does not know, all of which the message lists;
            or the package onnx is missing.
        FileMissing: there is no such file.
        FileError: the file cannot be opened, or is not a plain file.

    >>> import tempfile
    >>> from autograph import Dense, Tensor, export_onnx, load_onnx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(Dense(4, 3, seed=0), Tensor.ones((2, 4)), f"{folder}/model.onnx")
    ...     model = load_onnx(f"{folder}/model.onnx")
    >>> [name for name, _ in model.named_parameters()], model.inputs, model(Tensor.ones((1, 4))).shape
    (['weights.weight'], ['x'], (1, 3))
    """
    onnx = onnx_package()
    content = files.read(path, _MOST_BYTES)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
        return OnnxModel(model.graph, _version(model), device)
    except KrnlpyError as error:
        raise OnnxError(f"{path}: {error}") from None
    except Exception as error:  # Protocol Buffers has several kinds, by its implementation
        raise OnnxError(f"{path} is damaged or not of ONNX: {type(error).__name__}: {error}") from error


class OnnxModel(Layer):
    """The graph of an ONNX file. Made by :func:`load_onnx`.

    Attributes:
        weights: its initialisers by name: those of floats that are vectors, matrices or larger are parameters, other
            numbers and running statistics are buffers.
        inputs: the names of its arguments.
        outputs: the names of its results.
    """

    def __init__(self, graph: Any, version: int, device: Device | None) -> None:
        nodes = [_node(proto, version, i) for i, proto in enumerate(graph.node)]
        _require_known(graph, nodes)
        arrays = {proto.name: array_of(proto) for proto in graph.initializer}
        statistics = {
            name
            for node in nodes
            for place in _STATISTICS.get(node.kind, ())
            for name in node.inputs[place : place + 1]
        }
        self.weights: dict[str, Parameter | LayerBuffer] = {}
        self._names: dict[str, str] = {}
        self._numbers: dict[str, Tensor] = {}  # which shapes are made of: they stay on the host
        for name, array in arrays.items():
            value = Tensor.from_numpy(array, Device.host())
            if not value.dtype.is_float:
                self._numbers[name] = value
                continue
            key = name.replace(".", "/") or "unnamed"
            while key in self.weights:
                key += "_"
            is_parameter = value.ndim > 0 and name not in statistics
            value = value if device is None else value.to_device(device)
            self.weights[key] = Parameter(value) if is_parameter else LayerBuffer(value)
            self._names[name] = key
        self.inputs = [info.name for info in graph.input if info.name not in arrays]
        self.outputs = [info.name for info in graph.output]
        self._nodes = nodes
        self._last = _last_uses(nodes, self.outputs)
        _require_order(nodes, {*self.inputs, *arrays}, self.outputs)

    def forward(self, *inputs: Tensor) -> Any:
        """Runs the graph.

        Args:
            *inputs: a tensor for each of ``inputs``.

        Returns:
            The result, or a tuple if there are several.

        Raises:
            OnnxError: other inputs are given, or an operator cannot take what it gets.
        """
        if len(inputs) != len(self.inputs) or not all(isinstance(x, TensorBase) for x in inputs):
            raise OnnxError(f"the model takes tensors for {', '.join(self.inputs)}; {len(inputs)} arguments are given")
        values: dict[str, Any] = {"": None, **self._numbers, **dict(zip(self.inputs, inputs, strict=True))}
        values.update({name: self.weights[key] for name, key in self._names.items()})
        for place, node in enumerate(self._nodes):
            given = [values[name] for name in node.inputs]
            try:
                results = OPERATORS[node.kind](node, *given)
            except (AutographError, KrnlpyError) as error:
                raise OnnxError(f"{node.title}: {error}") from error
            except (TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
                listed = ", ".join(f"{x.dtype} {x.shape}" if isinstance(x, TensorBase) else "nothing" for x in given)
                raise OnnxError(f"{node.title} cannot take {listed}: {error}") from error
            several = results if isinstance(results, tuple) else (results,)
            values.update(zip(node.outputs, several, strict=False))
            for name in self._last[place]:
                del values[name]
        device = next((x.device for x in inputs), Device.host())
        found = tuple(on(values[name], device) for name in self.outputs)
        return found[0] if len(found) == 1 else found

    def describe(self) -> str:
        return f"({len(self._nodes)} nodes)"


def _version(model: Any) -> int:
    """The version of the operator set.

    Raises:
        OnnxError: the file has none.
    """
    versions = [int(opset.version) for opset in model.opset_import if opset.domain in ("", "ai.onnx")]
    if len(versions) != 1 or not model.graph.output:
        raise OnnxError("it is damaged or not of ONNX: it has no operator set, or no outputs")
    return versions[0]


def _node(proto: Any, version: int, place: int) -> Node:
    title = f"{proto.op_type} {proto.name or f'(node {place})'}"
    attributes: dict[str, Any] = {}
    for attribute in proto.attribute:
        if attribute.type not in _ATTRIBUTES:
            continue  # graphs, which no operator has that is known
        value = getattr(attribute, _ATTRIBUTES[attribute.type])
        if attribute.type == 4:
            value = array_of(value)
        elif isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif attribute.type == 8:
            value = [text.decode("utf-8", "replace") for text in value]
        elif attribute.type in (6, 7):
            value = list(value)
        attributes[attribute.name] = value
    kind = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
    return Node(kind, tuple(proto.input), tuple(proto.output), attributes, version, title)


def _require_known(graph: Any, nodes: Sequence[Node]) -> None:
    unknown = Counter(node.kind for node in nodes if node.kind not in OPERATORS)
    unknown["sparse initialisers"] += len(graph.sparse_initializer)
    listed = "\n".join(f"  {kind} ({count})" for kind, count in sorted(unknown.items()) if count)
    if listed:
        raise OnnxError(f"it has operators that autograph does not know:\n{listed}")


def _require_order(nodes: Sequence[Node], known: set[str], outputs: Sequence[str]) -> None:
    """Every value must be there before it is used, and made once."""
    known.add("")
    for node in nodes:
        for name in node.inputs:
            if name not in known:
                raise OnnxError(f"{node.title} takes {name!r}, which nothing before it gives")
        for name in node.outputs:
            if name in known and name:
                raise OnnxError(f"{node.title} gives {name!r}, which is there before")
            known.add(name)
    for name in outputs:
        if name not in known or not name:
            raise OnnxError(f"the output {name!r} is nowhere made")


def _last_uses(nodes: Sequence[Node], outputs: Sequence[str]) -> list[list[str]]:
    """For each node, the values that nobody needs after it."""
    seen = {*outputs, ""}
    made = {name for node in nodes for name in node.outputs}
    last: list[list[str]] = []
    for node in reversed(nodes):
        done = [name for name in dict.fromkeys((*node.inputs, *node.outputs)) if name in made and name not in seen]
        seen.update(done)
        last.append(done)
    return last[::-1]
