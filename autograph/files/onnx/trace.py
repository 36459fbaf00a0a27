"""What a model does with example inputs: its operations, with their arguments, in order.

Functions need no hook for it, so that eager operations cost what they cost: while the model runs, Python tells of each
call (:func:`sys.setprofile`), and calls of functions that ONNX can say are recorded as a whole. Other public functions
are looked into; if what they do is not made of recorded calls, they are noted as unsupported.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import CodeType, FrameType
from typing import Any, NamedTuple

from autograph.functions.elementwise.operation import Elementwise
from autograph.functions.reductions.operation import Reduction
from autograph.tensor.base import TensorBase, recording
from autograph.tensor.tensor import Tensor


class Ref(NamedTuple):
    """Where a tensor comes from.

    Attributes:
        kind: "input", "parameter", "constant" or "call".
        place: which one.
        slot: of a call, which of its results.
    """

    kind: str
    place: int
    slot: int = 0


class Call(NamedTuple):
    """A recorded call.

    Attributes:
        operation: the function; None for something that was not recorded.
        title: for messages.
        arguments: by the names of its parameters.
        refs: where the tensors among these come from, in the order of :func:`tensors_in`.
        results: the tensors that it gave.
    """

    operation: Any
    title: str
    arguments: dict[str, Any]
    refs: list[Ref]
    results: list[Tensor]


class Trace:
    """The operations of a model's run.

    Args:
        operations: the functions that are recorded.
        public: by code, the names of functions that are looked into.

    Attributes:
        calls: what was recorded.
        constants: tensors that were there before the run or made in it of numbers.
        outputs: where what the model gave comes from.
        unsupported: what cannot be exported, with counts.
    """

    def __init__(self, operations: Collection[Any], public: Mapping[CodeType, str]) -> None:
        self._codes = {f.__code__: f for f in operations if not isinstance(f, Elementwise)}
        self._public = public
        self._known: dict[int, Ref] = {}
        self._kept: list[Any] = []  # so that no other tensor gets the id of one that is known
        self._unit: tuple[FrameType, Any, dict[str, Any]] | None = None
        self._open: list[tuple[FrameType, str, dict[str, Any]]] = []
        self._is_dependent: list[bool] = []
        self.calls: list[Call] = []
        self.constants: list[Tensor] = []
        self.outputs: list[Ref] = []
        self.output_tensors: list[Tensor] = []
        self.unsupported: Counter[str] = Counter()

    def run(self, model: Callable[..., Any], inputs: Sequence[Tensor], parameters: Sequence[Tensor]) -> None:
        """Runs the model, without recording gradients."""
        for kind, tensors in (("input", inputs), ("parameter", parameters)):
            for i, tensor in enumerate(tensors):
                self._know(tensor, Ref(kind, i))
        recorded, before = recording.on, sys.getprofile()
        recording.on = False
        sys.setprofile(self._event)
        try:
            given = model(*inputs)
        finally:
            sys.setprofile(before)
            recording.on = recorded
        self.output_tensors = list(tensors_in(given))
        self.outputs = [self._ref(tensor) for tensor in self.output_tensors]

    def _event(self, frame: FrameType, event: str, value: Any) -> None:
        if self._unit is not None:
            if event == "return" and frame is self._unit[0]:
                _, operation, arguments = self._unit
                self._unit = None
                self._record(operation, arguments, value)
            return
        code = frame.f_code
        if event == "call":
            operation, arguments = self._entered(code, frame)
            if operation is not None:
                self._unit = (frame, operation, arguments)
            elif code in self._public:
                self._open.append((frame, self._public[code], dict(frame.f_locals)))
        elif event == "return":
            if self._open and self._open[-1][0] is frame:
                _, name, arguments = self._open.pop()
                self._left(name, arguments, value)
            elif (code is _RESULT or code is _VIEW) and self._depends(frame.f_locals["self"]):
                back = frame.f_back
                self._taint(value, back.f_code.co_qualname if back else "an operation")

    def _entered(self, code: CodeType, frame: FrameType) -> tuple[Any, dict[str, Any]]:
        """The operation that a call begins, if it is one that is recorded as a whole, with its arguments."""
        if code is _ELEMENTWISE:
            given = frame.f_locals
            return given["self"], _bound(given["self"], given["operands"], given["named"])
        if code is _REDUCTION:
            given = dict(frame.f_locals)
            return given.pop("self"), given
        if code is _DETACH:
            return _DETACH, dict(frame.f_locals)
        if code in _READS or code in _CHANGES:
            return code, dict(frame.f_locals)
        return self._codes.get(code), dict(frame.f_locals) if code in self._codes else {}

    def _record(self, operation: Any, arguments: dict[str, Any], value: Any) -> None:
        given = list(tensors_in(arguments))
        if operation is _DETACH:
            source = arguments["self"]
            if id(source) in self._known and isinstance(value, TensorBase):
                self._know(value, self._known[id(source)])
            return
        if isinstance(operation, CodeType):
            depending = any(map(self._depends, given))
            if depending and operation in _READS:
                self.unsupported[f"{_READS[operation]}() of what depends on an input"] += 1
            elif depending:
                self.unsupported[f"{_CHANGES[operation]}, which changes a tensor in place"] += 1
            return
        if not isinstance(value, TensorBase | tuple | list):
            return
        results = list(tensors_in(value))
        refs = [self._ref(tensor) for tensor in given]
        call = len(self.calls)
        self._is_dependent.append(any(map(self._depends, given)))
        name = getattr(operation, "__name__", None) or operation.name
        self.calls.append(Call(operation, self._open[0][1] if self._open else name, arguments, refs, results))
        self._kept.append(arguments)
        for slot, result in enumerate(results):
            self._know(result, Ref("call", call, slot))

    def _left(self, name: str, arguments: dict[str, Any], value: Any) -> None:
        """A public function that was looked into has returned."""
        if any(map(self._depends, tensors_in(arguments))):
            for tensor in tensors_in(value):
                if id(tensor) not in self._known:
                    self._taint(tensor, name)

    def _taint(self, value: Any, name: str) -> None:
        for tensor in tensors_in(value):
            if id(tensor) not in self._known:
                title = self._open[0][1] if self._open else name
                self.unsupported[title] += 1
                self._is_dependent.append(True)
                self.calls.append(Call(None, title, {}, [], [tensor]))
                self._know(tensor, Ref("call", len(self.calls) - 1))

    def _depends(self, value: Any) -> bool:
        """Whether a tensor was computed from an input; what comes of numbers alone, and of parameters, does not."""
        ref = self._known.get(id(value))
        if ref is None or ref.kind in ("constant", "parameter"):
            return False
        return ref.kind == "input" or self._is_dependent[ref.place]

    def _ref(self, tensor: Tensor) -> Ref:
        if id(tensor) not in self._known:
            self._know(tensor, Ref("constant", len(self.constants)))
            self.constants.append(tensor)
        return self._known[id(tensor)]

    def _know(self, tensor: Any, ref: Ref) -> None:
        self._known[id(tensor)] = ref
        self._kept.append(tensor)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in arguments or results, also in lists, tuples and maps, in order."""
    if isinstance(value, TensorBase):
        yield value  # type: ignore[misc]  # of which Tensor is the only kind
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from tensors_in(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from tensors_in(entry)


def _bound(operation: Elementwise, operands: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    names, defaults = operation.parameters, operation.function.__defaults__ or ()
    given = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    given.update(zip(names, operands, strict=False))
    given.update(named)
    return {name: given[name] for name in names if name in given}


_ELEMENTWISE = Elementwise.__call__.__code__
_REDUCTION = Reduction.__call__.__code__
_DETACH = Tensor.detach.__code__
_RESULT, _VIEW = Tensor.result.__code__, Tensor.view.__code__
_READS: dict[CodeType, str] = {
    getattr(TensorBase, name).__code__: name for name in ("item", "numpy", "tolist", "__array__", "__dlpack__")
}
_CHANGES: dict[CodeType, str] = {
    Tensor.__setitem__.__code__: "x[key] = value",
    **{getattr(Tensor, name).__code__: name for name in ("fill", "assign", "add_assign", "scaled_add")},
}
