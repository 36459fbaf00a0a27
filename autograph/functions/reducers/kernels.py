"""The kernels of reductions, written for a reduction's own functions and for the kind of device.

A reduction goes over the middle axis of ``[outer, n, inner]`` in passes. A pass splits the axis into chunks and makes a
state of each; the first pass makes states of elements, the last one results of states. Within a chunk, blocks of
``BLOCK`` are combined before they are added to the whole, so that roundings of long sums do not add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autograph.functions.sources import function_of
from krnlpy import Func, Global, Out, ScalarType, kernel
from krnlpy.dsl import global_id, global_threads, local_array, unroll

Form = Literal["device", "rows", "columns"]
BLOCK = 16
LANES = 64
"""Chunks that are woven into each other where neighbours lie along the reduced axis: so many threads read neighbouring
elements at once, and go on through memory together. (All chunks woven into one took lavapipe seven times as long.)"""
ROW_LANES = 512
"""Independent states in a row on the host: some vectors of any width, and more than what LLVM unrolls to numbers of
their own, of which it makes no vectors."""
_STREAMS = 4
"""Stretches of a row that a thread of the host reads side by side: a CPU fetches ahead along each of them, so that sums
of 10**7 take two thirds of the time."""
COLUMN_LANES = 256
"""Columns that a thread of the host takes at once: a kilobyte of each row."""


@dataclass(frozen=True)
class Step:
    """What a pass does.

    Attributes:
        name: the reduction's.
        map: from elements to states; None: the inputs are states.
        combine: two states to one.
        finish: from a state to results; None: the results are states.
        states: their types.
        inputs: types of the elements of the inputs.
        converted: the types that ``map`` takes.
        results: types of the elements of the results.
        given: the types that ``finish`` gives.
        is_of_elements: ``map`` gives the elements themselves.
        takes_index: ``map`` takes the place on the axis too.
        count: the type of the number of elements, where ``finish`` takes it too.
    """

    name: str
    map: Func | None
    combine: Func
    finish: Func | None
    states: tuple[ScalarType, ...]
    identity: tuple[float, ...]
    inputs: tuple[ScalarType, ...]
    converted: tuple[ScalarType, ...]
    results: tuple[ScalarType, ...]
    given: tuple[ScalarType, ...]
    is_of_elements: bool
    takes_index: bool
    count: ScalarType | None


def written(step: Step, form: Form) -> Any:
    """The kernel of a pass.

    ``device``: a thread makes an element of the results, and neighbouring threads read neighbouring elements. ``rows``:
    a thread of the host takes a chunk of a row. ``columns``: it takes a chunk of some columns.
    """
    writer = Writer(step)
    ndim = 2 if form == "rows" else 3  # neighbours in a row are neighbours in memory: that is seen of two axes only
    parameters = [f"x{i}: Global[X{i}, Literal[{ndim}]]" for i in range(len(step.inputs))]
    parameters += [f"y{i}: Out[Y{i}, Literal[{ndim}]]" for i in range(len(step.results))]
    parameters += ["count: C"] if step.count is not None else []
    body = {"device": writer.device, "rows": writer.rows, "columns": writer.columns}[form]()
    name = f"reduce_{step.name}"
    text = f"def {name}({', '.join(parameters)}) -> None:\n" + "".join(f"    {line}\n" for line in body)
    like = (step.map or step.combine).function
    return kernel(unchecked=True)(function_of(text, name, writer.namespace, like))


class Writer:
    def __init__(self, step: Step) -> None:
        self.step = step
        self.count = len(step.states)
        self.namespace: dict[str, Any] = {
            "Global": Global, "Out": Out, "Literal": Literal, "local_array": local_array,
            "unroll": unroll, "global_id": global_id, "global_threads": global_threads,
            "map": step.map, "combine": step.combine, "finish": step.finish,
        }  # fmt: skip
        for prefix, types in (
            ("X", step.inputs), ("T", step.converted), ("S", step.states), ("Y", step.results),
        ):  # fmt: skip
            self.namespace |= {f"{prefix}{i}": type for i, type in enumerate(types)}
        self.namespace |= {f"I{i}": value for i, value in enumerate(step.identity)}
        if step.count is not None:
            self.namespace["C"] = step.count

    def names(self, form: str) -> str:
        """A name or place for each part of a state."""
        return ", ".join(form.format(i) for i in range(self.count))

    def identity(self, form: str) -> list[str]:
        """Sets a state to what changes nothing."""
        return [f"{form.format(i)} = S{i}(I{i})" for i in range(self.count)]

    def loaded(self, place: str, index: str) -> list[str]:
        """Sets ``e0``, ``e1`` ... to the state of an element."""
        step = self.step
        elements = [f"x{i}[{place}]" for i in range(len(step.inputs))]
        if step.map is None:
            return [f"e{i} = {element}" for i, element in enumerate(elements)]
        arguments = [
            element if type.compute is converted else f"T{i}({element})"
            for i, (element, type, converted) in enumerate(zip(elements, step.inputs, step.converted, strict=True))
        ]
        return [f"{self.names('e{}')} = map({', '.join([*arguments, *([index] if step.takes_index else [])])})"]

    def combined(self, into: str, other: str) -> list[str]:
        """Combines a state with another, in place."""
        return [
            f"{self.names('c{}')} = combine({self.names(into)}, {self.names(other)})",
            *[f"{into.format(i)} = c{i}" for i in range(self.count)],
        ]

    def stored(self, state: str, place: str) -> list[str]:
        """Stores a state, or what is made of it."""
        step = self.step
        lines, values = [], [state.format(i) for i in range(self.count)]
        if step.finish is not None:
            values = [f"r{i}" for i in range(len(step.results))]
            count = ", count" if step.count is not None else ""
            lines.append(f"{', '.join(values)} = finish({self.names(state)}{count})")
        for i, (value, type, given) in enumerate(zip(values, step.results, step.given, strict=True)):
            lines.append(f"y{i}[{place}] = {value}" if type.compute is given else f"y{i}[{place}] = Y{i}({value})")
        return lines

    def device(self) -> list[str]:
        return [
            "chunks = y0.shape[1]",
            "inner = y0.shape[2]",
            "n = x0.shape[1]",
            f"lanes = min(chunks, {LANES}) if inner < {LANES} else 1",
            "length = (n + chunks - 1) // chunks",
            "for item in range(global_id(), y0.size, global_threads()):",
            *_indented(
                "i = item % inner",
                "chunk = item // inner % chunks",
                "o = item // (inner * chunks)",
                "begin = min(chunk // lanes * lanes * length, n)",
                "end = min(begin + lanes * length, n)",
                *self.identity("s{}"),
                *self.blocks(),
                *self.stored("s{}", "o, chunk, i"),
            ),
        ]

    def blocks(self) -> list[str]:
        """Combines the elements of a thread's chunk, block by block.

        Where elements are the states, whole blocks are unrolled, so that loads are under way together: CPU drivers take
        a third of the time. Of functions of elements, compiling them four times would take longer than it saves.
        """
        element = [*self.loaded("o, j, i", "j"), *self.combined("b{}", "e{}")]
        rest = [
            f"for start in range(first + chunk % lanes, end, lanes * {BLOCK}):",
            *_indented(
                *self.identity("b{}"),
                f"for j in range(start, min(start + lanes * {BLOCK}, end), lanes):",
                *_indented(*element),
                *self.combined("s{}", "b{}"),
            ),
        ]
        if not self.step.is_of_elements:
            return ["first = begin", *rest]
        return [
            f"first = begin + (end - begin) // (lanes * {BLOCK}) * (lanes * {BLOCK})",
            f"for start in range(begin + chunk % lanes, first, lanes * {BLOCK}):",
            *_indented(
                *self.identity("b{}"),
                f"for k in range(0, {BLOCK}, 4):",
                *_indented("for u in unroll(range(4)):", *_indented("j = start + (k + u) * lanes", *element)),
                *self.combined("s{}", "b{}"),
            ),
            *rest,
        ]

    def arrays(self, lanes: int) -> list[str]:
        return [f"{name}{i} = local_array(S{i}, ({lanes},))" for name in "tb" for i in range(self.count)]

    def rows(self) -> list[str]:
        # Of functions of elements, compiling them four times would take longer than it saves.
        streams = _STREAMS if self.step.is_of_elements else 1
        lanes = ROW_LANES // streams
        halves: list[str] = []
        half = lanes // 2
        while half:
            halves += [f"for k in range({half}):", *_indented(*self.combined("t{}[k]", f"t{{}}[k + {half}]"))]
            half //= 2
        beside: list[str] = []
        for stream in range(1, streams):
            place = f"j + {stream} * stretch + k"
            beside += ["p0 = e0", *self.loaded(f"o, {place}", place), "e0 = combine(p0, e0)"]
        return [
            *self.arrays(lanes),
            "chunks = y0.shape[1]",
            "n = x0.shape[1]",
            "length = (n + chunks - 1) // chunks",
            "for item in range(global_id(), y0.size, global_threads()):",
            *_indented(
                "chunk = item % chunks",
                "o = item // chunks",
                "begin = min(chunk * length, n)",
                "end = min(begin + length, n)",
                f"stretch = (end - begin) // {ROW_LANES} * {lanes}",
                f"for k in range({lanes}):",
                *_indented(*self.identity("t{}[k]")),
                f"for start in range(begin, begin + stretch, {lanes * BLOCK}):",
                *_indented(
                    f"for k in range({lanes}):",
                    *_indented(*self.identity("b{}[k]")),
                    f"for j in range(start, min(start + {lanes * BLOCK}, begin + stretch), {lanes}):",
                    *_indented(
                        f"for k in range({lanes}):",
                        *_indented(*self.loaded("o, j + k", "j + k"), *beside, *self.combined("b{}[k]", "e{}")),
                    ),
                    f"for k in range({lanes}):",
                    *_indented(*self.combined("t{}[k]", "b{}[k]")),
                ),
                f"for rest in range(begin + stretch * {streams}, end, {lanes}):",
                *_indented(
                    f"for k in range(min({lanes}, end - rest)):",
                    *_indented(*self.loaded("o, rest + k", "rest + k"), *self.combined("t{}[k]", "e{}")),
                ),
                *halves,
                *[f"s{i} = t{i}[0]" for i in range(self.count)],
                *self.stored("s{}", "o, chunk"),
            ),
        ]

    def columns(self) -> list[str]:
        lanes = COLUMN_LANES
        return [
            *self.arrays(lanes),
            "chunks = y0.shape[1]",
            "inner = y0.shape[2]",
            "n = x0.shape[1]",
            "length = (n + chunks - 1) // chunks",
            f"strips = (inner + {lanes - 1}) // {lanes}",
            "for item in range(global_id(), y0.shape[0] * chunks * strips, global_threads()):",
            *_indented(
                f"first = item % strips * {lanes}",
                "chunk = item // strips % chunks",
                "o = item // (strips * chunks)",
                f"width = min({lanes}, inner - first)",
                "begin = min(chunk * length, n)",
                "end = min(begin + length, n)",
                "for k in range(width):",
                *_indented(*self.identity("t{}[k]")),
                f"for start in range(begin, end, {BLOCK}):",
                *_indented(
                    "for k in range(width):",
                    *_indented(*self.identity("b{}[k]")),
                    f"for j in range(start, min(start + {BLOCK}, end)):",
                    *_indented(
                        "for k in range(width):",
                        *_indented(*self.loaded("o, j, first + k", "j"), *self.combined("b{}[k]", "e{}")),
                    ),
                    "for k in range(width):",
                    *_indented(*self.combined("t{}[k]", "b{}[k]")),
                ),
                "for k in range(width):",
                *_indented(*[f"s{i} = t{i}[k]" for i in range(self.count)], *self.stored("s{}", "o, chunk, first + k")),
            ),
        ]


def _indented(*lines: str) -> Sequence[str]:
    return [f"    {line}" for line in lines]
