"""The kernels of update rules: of one parameter, of several small ones at once, and of the clocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from autograph.functions.sources import function_of
from krnlpy import Buffer, Func, Global, GlobalMut, Item, ItemMut, ScalarType, i32, kernel
from krnlpy.dsl import barrier, global_id, group_array, group_id, thread_id

SMALL = 1 << 14
"""Numbers of a buffer: with fewer, a launch takes longer than its work."""
_BINDINGS = 28
"""Buffers of a launch: some devices grant 30 in all."""


class Wanted(NamedTuple):
    """What a kernel of a rule is made for.

    Attributes:
        dtype: of the parameter.
        gradient: of the gradient.
        numbers: how many are handed to the rule.
        has_factor: whether the gradient is multiplied by a number on the device, and nothing is done where that is 0.
        is_apart: whether the rule's result goes into a buffer of its own, and the parameter stays.
        has_master: whether a narrow parameter has an f32 copy.
    """

    dtype: ScalarType
    gradient: ScalarType
    numbers: int
    has_factor: bool = False
    is_apart: bool = False
    has_master: bool = True


class Clocks(NamedTuple):
    """How a rule's clocks go.

    Attributes:
        numbers: how many a clock has.
        tick: from them to the next ones.
        counts_only: ``tick`` takes no other numbers.
        given: how many numbers the rule's function takes in their place.
        derive: from them to those numbers; None if they are the same.
    """

    numbers: int
    tick: Func
    counts_only: bool
    given: int
    derive: Func | None


class RuleKernels:
    """The kernels of a rule, each made when it is first needed.

    Args:
        name: the rule's.
        function: of a number of a parameter.
        state: how many numbers are kept for each.
        clocks: how its clocks go.
    """

    def __init__(self, name: str, function: Func, state: int, clocks: Clocks) -> None:
        self._name, self._function, self._clocks = name, function, clocks
        self._state = [f"s{i}" for i in range(state)]
        self._clock = [f"c{i}" for i in range(clocks.numbers)]
        self._derived = [f"d{i}" for i in range(clocks.given)]
        self._made: dict[Any, Any] = {}

    def of_one(self, wanted: Wanted) -> Any:
        """Takes ``rate, scale, *numbers, row`` (if there is a clock), ``factor``, ``*derived, gradient, *state``,
        ``master`` (of narrow types), ``weight``, and a buffer for the result (if it ``is_apart``).
        """
        return self._cached(("one", wanted), self._one, wanted)

    def of_many(self, wanted: Wanted) -> Launcher:
        """Launches the same for several parameters: what belongs to each follows the rest, in the order above."""
        return self._cached(("many", wanted), self._many, wanted)  # type: ignore[no-any-return]

    def ticks(self, compute: ScalarType, numbers: int, has_factor: bool) -> Launcher:
        """Launches, for several clocks, ``rate, *numbers, first, factor, *derived`` and the numbers of each clock.

        The rate is not used: where it is none, this launch says so before anything has changed.
        """
        return self._cached(("ticks", compute, numbers, has_factor), self._ticks, compute, numbers, has_factor)  # type: ignore[no-any-return]

    def _cached(self, key: Any, make: Callable[..., Any], *arguments: Any) -> Any:
        if key not in self._made:
            self._made[key] = make(*arguments)
        return self._made[key]

    def _kept(self, wanted: Wanted) -> list[str]:
        is_narrow = wanted.dtype is not wanted.dtype.compute
        return [*self._state, "master"] if is_narrow and wanted.has_master else self._state

    def _body(self, wanted: Wanted, row: str) -> list[str]:
        """From ``w``, ``g`` and what is kept to ``v`` and the new numbers of the latter."""
        kept, numbers = self._kept(wanted), [f"n{i}" for i in range(wanted.numbers)]
        # Where the weight is not what the master rounds to, somebody set it: then the weight is right.
        weight = "master if F(master) == w else C(w)" if "master" in kept else "C(w)"
        gradient = "C(g) * by" if wanted.has_factor else "C(g)"
        given = ["weight", gradient, *self._state, *(f"{name}[{row}]" for name in self._derived), "rate * scale"]
        results = ["v", *(f"v{i}" for i in range(len(self._state)))]
        return [f"weight = {weight}", f"{', '.join(results)} = function({', '.join([*given, *numbers])})"]

    def _results(self, wanted: Wanted) -> list[tuple[str, str]]:
        """What is stored where."""
        stored = [(name, f"v{i}") for i, name in enumerate(self._state)]
        if wanted.is_apart:
            return [*stored, ("out", "v")]
        return [*stored, ("w", "F(v)"), *([("master", "v")] if "master" in self._kept(wanted) else [])]

    def _head(self, wanted: Wanted) -> list[str]:
        head = ["rate: C", "scale: C", *(f"n{i}: C" for i in range(wanted.numbers))]
        head += ["row: i32"] if self._derived else []
        head += ["factor: Global[C, 1]"] if wanted.has_factor else []
        return [*head, *(f"{name}: Global[C, 1]" for name in self._derived)]

    def _one(self, wanted: Wanted) -> Any:
        kept = self._kept(wanted)
        parameters = [*self._head(wanted), "g: Item[G]", *(f"{name}: ItemMut[C]" for name in kept)]
        parameters += ["w: Item[F]", "out: ItemMut[C]"] if wanted.is_apart else ["w: ItemMut[F]"]
        lines = self._body(wanted, "row")
        lines += [f"{name} = {value}" for name, value in self._results(wanted)]
        if wanted.has_factor:
            lines = ["by = factor[0]", "if by != 0.0:", *(f"    {line}" for line in lines)]
        return self._kernel(self._name, self._function, parameters, lines, wanted.dtype, wanted.gradient)

    def _many(self, wanted: Wanted) -> Launcher:
        own = [
            ("g", "Global[G, 1]"),
            *((name, "GlobalMut[C, 1]") for name in self._kept(wanted)),
            ("w", "GlobalMut[F, 1]"),
        ]
        head, name = self._head(wanted), f"{self._name}_of_many"
        guard = "place < last"
        if wanted.has_factor:
            guard += " and factor[0] != 0.0"
        body = ["by = factor[0]"] if wanted.has_factor else []
        body += self._body(wanted, "row + which")
        parameters, lines, count = _segments(head, own, guard, body, self._results(wanted))
        return Launcher(
            self._kernel(name, self._function, parameters, lines, wanted.dtype, wanted.gradient, True), count, len(own)
        )

    def _ticks(self, compute: ScalarType, numbers: int, has_factor: bool) -> Launcher:
        given = [f"n{i}" for i in range(numbers)]
        head = ["rate: C", *(f"{name}: C" for name in given), "first: i32"]
        head += ["factor: Global[C, 1]"] if has_factor else []
        head += [f"{name}: GlobalMut[C, 1]" for name in self._derived]
        own = [(name, "GlobalMut[C, 1]") for name in self._clock]
        times = [f"t{i}" for i in range(len(self._clock))]
        taken = self._clock if self._clocks.counts_only else [*self._clock, *given]
        body = [f"{', '.join(times)} = tick({', '.join(taken)})"]
        values = times
        if self._clocks.derive is not None:
            values = [f"u{i}" for i in range(len(self._derived))]
            body.append(f"{', '.join(values)} = derive({', '.join([*times, *given])})")
        body += [f"{name}[first + place] = {value}" for name, value in zip(self._derived, values, strict=True)]
        guard = "place < last and factor[0] != 0.0" if has_factor else "place < last"
        stored = list(zip(self._clock, times, strict=True))
        parameters, lines, count = _segments(head, own, guard, body, stored)
        made = self._kernel(f"{self._name}_tick", self._function, parameters, lines, compute, compute, True)
        return Launcher(made, count, len(own))

    def _kernel(
        self, name: str, like: Func, parameters: list[str], lines: list[str], dtype: ScalarType, gradient: ScalarType,
        in_groups: bool = False,
    ) -> Any:  # fmt: skip
        text = "\n".join([f"def {name}({', '.join(parameters)}) -> None:", *(f"    {line}" for line in lines)]) + "\n"
        names = {"function": self._function, "tick": self._clocks.tick, "derive": self._clocks.derive}
        types = {"F": dtype, "C": dtype.compute, "G": gradient, "i32": i32}
        language = {"global_id": global_id, "Global": Global, "GlobalMut": GlobalMut, "Item": Item, "ItemMut": ItemMut}
        function = function_of(text, name, {**names, **types, **language}, like.function)
        return kernel(threads=_THREADS, unchecked=True)(function) if in_groups else kernel(function)


_THREADS = 64


def _segments(
    head: list[str], own: list[tuple[str, str]], guard: str, body: list[str], stored: list[tuple[str, str]]
) -> tuple[list[str], list[str], int]:
    """A kernel's parameters and lines that do for the elements of several buffers what the body does for one.

    A thread finds its element by chains of conditions: the body is compiled once.

    Args:
        head: parameters that are there once.
        own: names and types of the buffers of each segment; they are equally long.
        guard: for which threads the body is run.
        body: its lines; they see the elements by the buffers' names, the thread's ``place`` among all elements and
            ``which`` segment it is in.
        stored: the buffers that are written to, and the values.

    Returns:
        Parameters, lines, and how many segments there are.
    """
    once = sum("Global" in parameter for parameter in head)
    count = (_BINDINGS - once) // len(own)
    lead, places = own[-1][0], range(count)
    parameters = [*head, *(f"{name}_{k}: {kind}" for k in places for name, kind in own)]
    lines = ["place = global_id()", "end0 = 0", "which = 0"]
    lines += [f"end{k + 1} = end{k} + len({lead}_{k})" for k in places]
    lines += [f"last = end{count}", *(f"{name} = C(0)" for name, _ in own)]

    def chain(entries: Callable[[int], list[str]]) -> list[str]:
        result = []
        for k in places:
            result.append(f"{'elif' if k else 'if'} place < end{k + 1}:")
            result += [f"    {line}" for line in entries(k)]
        return result

    lines += chain(lambda k: [f"which = {k}", *(f"{name} = {name}_{k}[place - end{k}]" for name, _ in own)])
    stores = chain(lambda k: [f"{name}_{k}[place - end{k}] = {value}" for name, value in stored])
    return parameters, [*lines, f"if {guard}:", *(f"    {line}" for line in [*body, *stores])], count


class Launcher:
    """A kernel of several segments, launched as often as needed for any number of them.

    Args:
        kernel: its last parameters are the buffers of so many segments.
        count: how many segments it takes.
        width: how many buffers each has.

    Attributes:
        count: how many segments it takes.
    """

    def __init__(self, kernel: Any, count: int, width: int) -> None:
        self._kernel, self.count, self._width = kernel, count, width
        self._grids: dict[int, Any] = {}

    def __call__(self, head: Sequence[Any], segments: Sequence[Sequence[Buffer]], groups: int = 0) -> None:
        """Launches it for at most ``count`` segments.

        Args:
            head: its first arguments.
            segments: contiguous buffers of one axis.
            groups: of threads; 0 for a thread for each element.
        """
        threads = 0
        arguments = list(head)
        for segment in segments:
            arguments += segment
            threads += segment[-1].size
        missing = self.count - len(segments)
        if missing:
            arguments += [buffer[:0] for buffer in segments[0]] * missing
        size = groups * _THREADS or threads
        grid = self._grids.get(size)
        if grid is None:
            grid = self._grids[size] = self._kernel.with_global_threads(size)
        grid(*arguments)


@cache
def squares_of_many(dtype: ScalarType, compute: ScalarType) -> Launcher:
    """Launches, for ``first, sums`` and a buffer for each segment, a group a segment, which puts the sum of its squares
    into ``sums[first + group]``."""
    places = range(_BINDINGS - 1)
    parameters = ["first: i32", "sums: GlobalMut[C, 1]", *(f"g_{k}: Global[G, 1]" for k in places)]
    lines = ["parts = group_array(C, COUNT)", "own = thread_id()", "total = C(0)"]
    for k in places:
        lines += [f"{'elif' if k else 'if'} group_id() == {k}:", f"    for i in range(own, len(g_{k}), COUNT):"]
        lines += [f"        total += C(g_{k}[i]) * C(g_{k}[i])"]
    lines += ["parts[own] = total", "barrier()", "half = COUNT // 2", "while half > 0:", "    if own < half:"]
    lines += ["        parts[own] += parts[own + half]", "    barrier()", "    half //= 2"]
    lines += ["if own == 0:", "    sums[first + group_id()] = parts[0]"]
    text = "\n".join([f"def squares_of_many({', '.join(parameters)}) -> None:", *(f"    {line}" for line in lines)])
    names = {"C": compute, "G": dtype, "i32": i32, "Global": Global, "GlobalMut": GlobalMut, "COUNT": _THREADS}
    language = {"barrier": barrier, "group_array": group_array, "group_id": group_id, "thread_id": thread_id}
    function = function_of(text + "\n", "squares_of_many", {**names, **language}, _segments)
    return Launcher(kernel(threads=_THREADS)(function), len(places), 1)
