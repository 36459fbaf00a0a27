"""Models written as ONNX: their operations on example inputs, in a graph whose batch may have any size."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from autograph.errors import CheckpointError, OnnxError
from autograph.nn.layer import Layer
from autograph.tensor.base import TensorBase
from autograph.tensor.tensor import Tensor
from krnlpy import files, scalar_type
from krnlpy.errors import FileError

from .dtypes import IR_VERSION, OPSET, TO_ONNX
from .emitters import elementwise, reductions, sequences, shapes, windows
from .graph import Array, Dim, Graph, Operand, Unsupported, paired
from .package import onnx_package
from .trace import Call, Ref, Trace, tensors_in

_EMITTERS: dict[Any, Callable[..., Any]] = {
    **shapes.EMITTERS,
    **reductions.EMITTERS,
    **windows.EMITTERS,
    **sequences.EMITTERS,
}
_MOST_BYTES = (1 << 31) - (1 << 20)
"""What a file may have: Protocol Buffers end at 2 GiB."""


def export_onnx(
    model: Layer, example: Tensor | Sequence[Tensor], path: str | PathLike[str], *, dynamic_batch: bool = True
) -> None:
    """Writes a model as ONNX (operator set 20): what its ``forward`` does with example inputs, as in ``eval()``.

    Parameters and buffers become initialisers of their names. What the ``forward`` decides by numbers of the inputs is
    fixed as it was for the example.

    Args:
        model: any layer, also with a ``forward`` of its own.
        example: its argument, or several. With ``dynamic_batch``, the first axis of each is the batch.
        path: the file; its folder is made if it is not there. An old one stays until the new one is whole.
        dynamic_batch: the graph takes batches of any size: the model is run with two sizes, and what differs is
            written as a function of the size.

    Raises:
        OnnxError: operations that ONNX cannot say, all of which the message lists; or the model is larger than 2 GiB;
            or it does other things for another batch; or the package onnx is missing.
        CheckpointError: the file cannot be written.

    >>> import tempfile
    >>> from autograph import Dense, Relu, Sequential, Tensor, export_onnx, load_onnx
    >>> model = Sequential(Dense(4, 8, seed=0), Relu(), Dense(8, 3, seed=1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(model, Tensor.ones((2, 4)), f"{folder}/model.onnx")
    ...     load_onnx(f"{folder}/model.onnx")(Tensor.ones((5, 4))).shape
    (5, 3)
    """
    onnx = onnx_package()
    inputs = tuple(example) if isinstance(example, list | tuple) else (example,)
    if not isinstance(model, Layer) or not inputs or not all(isinstance(x, TensorBase) for x in inputs):
        raise OnnxError(
            f"export_onnx of a {type(model).__name__} with {example!r}: expected a Layer, and its tensors as example"
        )
    runs = [inputs, _other_batch(inputs)] if dynamic_batch else [inputs]
    named = [*model.named_parameters(), *model.named_buffers()]
    modes = [(layer, layer.training) for _, layer in model.named_layers()]
    model.eval()
    try:
        traces = []
        for run in runs:
            trace = Trace(operations(), _public())
            trace.run(model, run, [tensor for _, tensor in named])
            traces.append(trace)
    finally:
        for layer, mode in modes:
            layer.training = mode
    content = _Writer(onnx, model, named, runs, traces).model()
    try:
        target = files.checked_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        files.write(target, content)
    except (FileError, OSError) as error:
        raise CheckpointError(str(error)) from error


def operations() -> list[Any]:
    """The functions that are written as a whole."""
    return [*_EMITTERS, *elementwise.EMITTERS]


def _other_batch(inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The inputs with another batch size and their examples in another order."""
    sizes = {x.shape[:1] for x in inputs}
    if len(sizes) != 1 or sizes <= {(), (0,)}:
        raise OnnxError(
            f"inputs of shapes {', '.join(str(x.shape) for x in inputs)} have no common batch as first axis; give such"
            " ones, or dynamic_batch=False"
        )
    arrays = [x.numpy() for x in inputs]
    return tuple(
        x.result(Tensor.from_numpy(np.concatenate([array[::-1], array[:1]]), x.device).buffer)
        for x, array in zip(inputs, arrays, strict=True)
    )


def _public() -> dict[CodeType, str]:
    """The codes of functions with public names, whose calls are looked into."""
    return {
        function.__code__: name
        for module in list(sys.modules.values())
        if module.__name__.startswith(("autograph.functions.", "autograph.random."))
        for name, function in vars(module).items()
        if isinstance(function, FunctionType) and not name.startswith("_") and function.__module__ == module.__name__
    }


class _Writer:
    """What makes a file of two traces."""

    def __init__(
        self,
        onnx: Any,
        model: Layer,
        named: Sequence[tuple[str, Tensor]],
        runs: Sequence[Sequence[Tensor]],
        traces: Sequence[Trace],
    ) -> None:
        self._onnx, self._title = onnx, type(model).__name__
        self._runs = runs[0], runs[-1]
        self._traces = traces[0], traces[-1]
        self._sizes = (len(runs[0][0]), len(runs[1][0])) if len(runs) > 1 else (0, 1)
        names = _names_of_inputs(model, len(runs[0]))
        self._graph = Graph(onnx, names[0] if len(runs) > 1 else None)
        self._names = {Ref("input", i): name for i, name in enumerate(names)}
        self._names |= {Ref("parameter", i): name for i, (name, _) in enumerate(named)}
        self._graph.initializers.update({name: tensor.numpy() for name, tensor in named})
        self._folded: dict[Ref, Array] = {}
        self._unsupported = Counter(traces[0].unsupported)

    def model(self) -> bytes:
        """The bytes of the file."""
        first, second = self._traces
        if [call.operation for call in first.calls] != [call.operation for call in second.calls]:
            raise OnnxError(
                "the model does other operations for another batch size or other numbers; dynamic_batch=False writes"
                " what it does for the example"
            )
        for index, (one, other) in enumerate(zip(first.calls, second.calls, strict=True)):
            self._emit(index, one, other)
        if self._unsupported:
            listed = "\n".join(f"  {name} ({count})" for name, count in sorted(self._unsupported.items()))
            raise OnnxError(f"{self._title} has operations that ONNX or export_onnx cannot say:\n{listed}")
        if not first.outputs:
            raise OnnxError(f"{self._title} gave no tensor")
        given = zip(first.outputs, first.output_tensors, second.output_tensors, strict=True)
        return self._serialized([self._operand(*each) for each in given])

    def _emit(self, index: int, one: Call, other: Call) -> None:
        """Writes a call; or keeps what it gave, if that depends on no input."""
        operation = one.operation
        is_elementwise = operation in elementwise.EMITTERS
        is_known = is_elementwise or operation in _EMITTERS
        if operation is None or self._is_folded(index, one, other, is_known):
            return
        names: Any = ["?"] * len(one.results)
        if not is_known:
            self._unsupported[one.title] += 1
        elif "?" not in (self._names.get(ref) for ref in one.refs):
            try:
                refs = iter(one.refs)
                arguments = {
                    name: self._argument(value, other.arguments[name], refs) for name, value in one.arguments.items()
                }
                results = [self._described("", a, b) for a, b in zip(one.results, other.results, strict=True)]
                if is_elementwise:
                    names = elementwise.EMITTERS[operation](self._graph, arguments, results[0].dtype)
                else:
                    names = _EMITTERS[operation](self._graph, arguments, results)
            except Unsupported as error:
                self._unsupported[f"{one.title} with {error}"] += 1
        for slot, name in enumerate((names,) if isinstance(names, str) else names):
            self._names[Ref("call", index, slot)] = name

    def _is_folded(self, index: int, one: Call, other: Call, is_known: bool) -> bool:
        """Whether a call depends on numbers alone (or, if it cannot be written, on parameters): then its results become
        initialisers, if they are the same in both runs."""
        if not all(
            ref in self._folded or ref.kind == "constant" or (ref.kind == "parameter" and not is_known)
            for ref in one.refs
        ):
            return False
        found = [(a.numpy(), b.numpy()) for a, b in zip(one.results, other.results, strict=True)]
        if not all(a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in found):
            return False
        self._folded.update({Ref("call", index, slot): array for slot, (array, _) in enumerate(found)})
        return True

    def _argument(self, one: Any, other: Any, refs: Iterator[Ref]) -> Any:
        if isinstance(one, TensorBase) and isinstance(other, TensorBase):
            return self._operand(next(refs), one, other)  # type: ignore[arg-type]
        if one is other and next(tensors_in(one), None) is None:
            return one
        if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
            return tuple(self._argument(a, b, refs) for a, b in zip(one, other, strict=True))
        return paired(one, other, self._sizes)

    def _operand(self, ref: Ref, one: Tensor, other: Tensor) -> Operand:
        if ref not in self._names:
            array = self._folded.get(ref)
            if array is None:
                array, second = one.numpy(), other.numpy()
                if array.shape != second.shape or array.tobytes() != second.tobytes():
                    raise Unsupported("a tensor that was computed from an input by other means than operations")
            self._names[ref] = self._graph.constant(array)
        return self._described(self._names[ref], one, other)

    def _described(self, name: str, one: Tensor, other: Tensor) -> Operand:
        return Operand(name, one.dtype, paired(one.shape, other.shape, self._sizes))

    def _serialized(self, outputs: Sequence[Operand]) -> bytes:
        helper = self._onnx.helper
        inputs = [
            self._described(self._names[Ref("input", i)], one, other)
            for i, (one, other) in enumerate(zip(*self._runs, strict=True))
        ]
        results = [
            output._replace(name=name)
            for output, name in zip(outputs, ["output", *(f"output_{i}" for i in range(1, len(outputs)))], strict=False)
        ]
        for output, result in zip(outputs, results, strict=True):
            self._graph.nodes.append(helper.make_node("Identity", [output.name], [result.name], result.name))
        nodes, used = _used(self._graph.nodes, {result.name for result in results})
        arrays = {name: array for name, array in self._graph.initializers.items() if name in used}
        size = sum(array.nbytes for array in arrays.values())
        if size > _MOST_BYTES:
            raise OnnxError(f"{self._title} has {size} bytes of weights; a file of ONNX has at most {_MOST_BYTES}")
        graph = helper.make_graph(
            nodes,
            self._title,
            [_value_info(helper, x) for x in inputs],
            [_value_info(helper, x) for x in results],
            [_initializer(helper, name, array) for name, array in arrays.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="autograph")
        model.ir_version = IR_VERSION
        try:
            self._onnx.checker.check_model(model, full_check=True)
        except Exception as error:  # of several classes, some of C++
            raise OnnxError(f"{self._title} became a graph that onnx.checker refuses: {error}") from error
        content: bytes = model.SerializeToString()
        return content


def _names_of_inputs(model: Layer, count: int) -> list[str]:
    """Those of the parameters of ``forward``; of a container, "input"."""
    parameters = [
        name for name, p in inspect.signature(model.forward).parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    taken = {name for name, _ in [*model.named_parameters(), *model.named_buffers()]}
    names = parameters[:count] if len(parameters) >= count else [f"input_{i}" if i else "input" for i in range(count)]
    return [f"{name}_input" if name in taken else name for name in names]


def _used(nodes: Sequence[Any], wanted: set[str]) -> tuple[list[Any], set[str]]:
    """The nodes that lead to some values, and all values that these use."""
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1], wanted


def _value_info(helper: Any, x: Operand) -> Any:
    def said(n: Any) -> Any:
        if not isinstance(n, Dim):
            return n
        return "batch" if n == (1, 0) else f"{n.factor}*batch+{n.offset}"

    return helper.make_tensor_value_info(x.name, TO_ONNX[x.dtype], [said(n) for n in x.shape])


def _initializer(helper: Any, name: str, array: Array) -> Any:
    elements = array.astype(array.dtype.newbyteorder("<"))
    return helper.make_tensor(name, TO_ONNX[scalar_type(array.dtype)], array.shape, elements.tobytes(), raw=True)
