"""Reports to the host in GLSL: the report's block, and the functions that write to it."""

from __future__ import annotations

from collections.abc import Callable

from krnlpy.dsl import ir
from krnlpy.dsl.ir.reports import HEADER, LoopSite, Sites, word_count
from krnlpy.scalar import ScalarType, boolean, f32, f64


class Reporter:
    """Writes what prints, asserts and checks of indices become.

    Args:
        need: includes a support fragment.
        type: the GLSL type of values of a type.

    Attributes:
        sites: those that the code written so far has.
    """

    NAMES = ("report", "Report", "reporting_thread", "print_record", "fail_assert")

    def __init__(self, need: Callable[[str], None], type: Callable[[ScalarType], str]) -> None:
        self.sites = Sites()
        self._need = need
        self._type = type
        self._functions: dict[tuple[str, ...], str] = {}

    def access(self, place: ir.Place, axes: int, where: ir.Location) -> str:
        """The number of an access, which ``in_range`` checks."""
        self._need("in_range")
        return f"{self.sites.access(place.name, axes, where)}u"

    def call(self, statement: ir.Print | ir.Assert, values: list[str]) -> str:
        """The statement that prints, or that says that an assert failed."""
        name = "print_record" if isinstance(statement, ir.Print) else "fail_assert"
        types = [value.type for value in statement.values]
        signature = (name, *map(self._type, types))
        if signature not in self._functions:
            self._functions[signature] = self._function(name, types)
        return f"{name}({', '.join([f'{self.sites.statement(statement)}u', *values])});"

    def last_loop(self, where: ir.Location, budget: int) -> list[str]:
        """The last statement of a kernel, which finds out whether the driver has ended one of its loops: a loop of two
        passes, which the driver then ends after the first. The number of passes is read from memory, so that no
        compiler knows it."""
        self._need("first_failure")
        return [
            "uint last_passes = 0u, last_wanted = 2u + (report.capacity >> 31);",
            "while (last_passes < last_wanted) ++last_passes;",
            f"if (last_passes != last_wanted) first_failure({self.sites.number(LoopSite(where, budget))}u);",
        ]

    def _function(self, name: str, types: list[ScalarType]) -> str:
        parameters = ["uint site", *(f"{self._type(type)} v{i}" for i, type in enumerate(types))]
        words = [word for i, type in enumerate(types) for word in _words(f"v{i}", type)]
        if name == "print_record":
            self._need("begin_record")
            # A record never starts the report, so 0 is never the position of values.
            start = [f"    uint at = begin_record(site, {word_count(types)}u);", "    if (at != 0u) {"]
            stores = [f"        report.words[at{f' + {i}u' if i else ''}] = {word};" for i, word in enumerate(words)]
        else:
            self._need("first_failure")
            start = ["    if (first_failure(site)) {"]
            stores = [f"        report.words[{i}] = {word};" for i, word in enumerate(words)]
        return "\n".join([f"void {name}({', '.join(parameters)}) {{", *start, *stores, "    }", "}"]) + "\n"

    @property
    def functions(self) -> str:
        """The functions that the code written so far calls."""
        return "\n".join(self._functions.values())

    def declarations(self, binding: int, thread: str) -> list[str]:
        """The report's block, and a function that says which thread it is."""
        return [
            f"layout(std430, binding = {binding}) restrict buffer Report {{",
            *(f"    uint {word};" for word in HEADER),
            "    uint words[];",
            "} report;",
            f"uvec3 reporting_thread() {{ return {thread}; }}",
        ]


def _words(name: str, type: ScalarType) -> list[str]:
    """The words of a value."""
    if type is f64:
        return [f"unpackDouble2x32({name}).x", f"unpackDouble2x32({name}).y"]
    if type.size == 8:
        return [f"uint({name})", f"uint({name} >> 32)"]
    if type is f32:
        return [f"floatBitsToUint({name})"]
    return [name if type.kind == "uint" and type is not boolean else f"uint({name})"]
