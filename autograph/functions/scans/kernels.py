"""The kernels of scans, written for a scan's own functions and for the kind of device.

A scan goes along the middle axis of ``[outer, n, inner]``, which is split into chunks of one length. One kernel
combines the elements of each chunk; another scans each chunk, beginning with the state before it. Within a chunk,
blocks of ``BLOCK`` are scanned by themselves before they join what stands before them, and so are blocks of blocks:
roundings of long sums do not add up.
"""

from __future__ import annotations

from typing import Any, Literal

from autograph.functions.reducers.kernels import BLOCK, COLUMN_LANES, Form, Step, Writer
from autograph.functions.sources import function_of
from krnlpy import i32, kernel

_LEVELS = 4  # of blocks in blocks: a chunk of BLOCK**5 elements has no more than BLOCK of any size


def written_totals(step: Step, form: Form) -> Any:
    """The kernel that combines the elements of chunks.

    It takes the inputs, a buffer ``[outer, chunks, inner]`` for each part of the state, the length of a chunk, and
    which chunk is the first: 0, or -1, in which there is nothing.
    """
    writer = _ScanWriter(step, form)
    states = [f"t{i}: Out[S{i}, D]" for i in range(writer.count)]
    return writer.written(f"totals_{step.name}", [*states, "length: i32", "first: i32"], writer.totals())


def written_scan(step: Step, form: Form, begins: bool) -> Any:
    """The kernel that scans chunks.

    It takes the inputs, the states before the chunks unless there is one chunk that ``begins``, the results, and the
    length of a chunk.
    """
    writer = _ScanWriter(step, form)
    states = [] if begins else [f"t{i}: Global[S{i}, D]" for i in range(writer.count)]
    results = [f"y{i}: Out[Y{i}, D]" for i in range(len(step.results))]
    return writer.written(f"scan_{step.name}", [*states, *results, "length: i32"], writer.scan(begins))


class _ScanWriter(Writer):
    """A thread has a chunk of a row of ``[outer, n]`` in the form ``rows``, of some neighbouring columns of
    ``[outer, n, inner]`` in the form ``columns``, else of one column."""

    def __init__(self, step: Step, form: Form) -> None:
        super().__init__(step)
        self._form = form
        self._lanes = COLUMN_LANES if form == "columns" else 1
        self.namespace |= {"D": Literal[2 if form == "rows" else 3], "i32": i32}

    def written(self, name: str, parameters: list[str], body: list[str]) -> Any:
        inputs = [f"x{i}: Global[X{i}, D]" for i in range(len(self.step.inputs))]
        text = "\n".join(_under(f"def {name}({', '.join([*inputs, *parameters])}) -> None:", body)) + "\n"
        like = (self.step.map or self.step.combine).function
        return kernel(unchecked=True)(function_of(text, name, self.namespace, like))

    def totals(self) -> list[str]:
        states = [f"t{i}[{self._place('chunk')}] = {self._state('s0_').format(i)}" for i in range(self.count)]
        return self._chunks(
            "t0.shape[1]",
            "max(chunk + first, 0) * length",
            "(chunk + first + 1) * length",
            [*self._columns(self.identity(self._state("s0_"))), *self._blocks(stores=False), *self._columns(states)],
        )

    def scan(self, begins: bool) -> list[str]:
        before = [f"{self._state('s0_').format(i)} = t{i}[{self._place('chunk')}]" for i in range(self.count)]
        return self._chunks(
            "1" if begins else "t0.shape[1]",
            "chunk * length",
            "begin + length",
            [*self._columns(self.identity(self._state("s0_")) if begins else before), *self._blocks(stores=True)],
        )

    def _state(self, name: str) -> str:
        """A place for each part of a state: of each column that a thread has."""
        return f"{name}{{}}[k]" if self._form == "columns" else f"{name}{{}}"

    def _joined(self, into: str, first: str, then: str) -> list[str]:
        states = ", ".join(self.names(self._state(name)) for name in (first, then))
        return [
            f"{self.names('c{}')} = combine({states})",
            *[f"{self._state(into).format(i)} = c{i}" for i in range(self.count)],
        ]

    def _place(self, j: str) -> str:
        return {"rows": f"o, {j}", "columns": f"o, {j}, column + k", "device": f"o, {j}, column"}[self._form]

    def _columns(self, lines: list[str]) -> list[str]:
        """The lines for each column that a thread has."""
        return _under("for k in range(width):", lines) if self._form == "columns" else lines

    def _chunks(self, chunks: str, begin: str, end: str, body: list[str]) -> list[str]:
        """The body for each chunk of each column."""
        if self._form == "columns":
            inner, widths = (
                f"(x0.shape[2] + {self._lanes - 1}) // {self._lanes}",
                [
                    f"column = item % inner * {self._lanes}",
                    f"width = min({self._lanes}, x0.shape[2] - column)",
                ],
            )
        else:
            inner, widths = ("1", []) if self._form == "rows" else ("x0.shape[2]", ["column = item % inner"])
        names = [f"s{level}_" for level in range(_LEVELS + 1)] + [f"before{level}_" for level in range(_LEVELS)]
        arrays = [f"{name}{i} = local_array(S{i}, ({self._lanes},))" for name in names for i in range(self.count)]
        return [
            *(arrays if self._form == "columns" else []),
            f"inner = {inner}",
            f"chunks = {chunks}",
            "for item in range(global_id(), x0.shape[0] * chunks * inner, global_threads()):",
            *_indented(
                [
                    *widths,
                    "chunk = item // inner % chunks",
                    "o = item // (inner * chunks)",
                    f"begin = {begin}",
                    f"end = min({end}, x0.shape[1])",
                    *body,
                ]
            ),
        ]

    def _blocks(self, stores: bool, level: int = 0) -> list[str]:
        """Combines what lies between ``begin`` and ``end`` into the state ``s0_``: blocks of elements into ``s4_``,
        these into ``s3_`` and so on. ``before3_`` is what stands before a block, ``before2_`` what stands before the
        block of blocks that it is part of, and so on."""
        start, stop = ("begin", "end") if not level else (f"from{level}", f"to{level}")
        if level == _LEVELS:
            own, before = self._state(f"s{level}_"), self._state(f"before{level - 1}_")
            element = [*self.loaded(self._place("j"), "j"), *self.combined(own, "e{}")]
            if stores:
                element += [f"{self.names('d{}')} = combine({self.names(before)}, {self.names(own)})"]
                element += self.stored("d{}", self._place("j"))
            return _under(f"for j in range({start}, {stop}):", self._columns(element))
        size, inner = BLOCK ** (_LEVELS - level), level + 1
        begins = self.identity(self._state(f"s{inner}_"))
        if stores and level:
            begins += self._joined(f"before{level}_", f"before{level - 1}_", f"s{level}_")
        elif stores:
            before, state = self._state("before0_"), self._state("s0_")
            begins += [f"{before.format(i)} = {state.format(i)}" for i in range(self.count)]
        return _under(
            f"for from{inner} in range({start}, {stop}, {size}):",
            [
                f"to{inner} = min(from{inner} + {size}, {stop})",
                *self._columns(begins),
                *self._blocks(stores, inner),
                *self._columns(self._joined(f"s{level}_", f"s{level}_", f"s{inner}_")),
            ],
        )


def _under(head: str, lines: list[str]) -> list[str]:
    return [head, *_indented(lines)]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
