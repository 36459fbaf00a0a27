"""Launches on drivers that end loops: which are short enough, which are watched, and which are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from krnlpy.dsl import ir
from krnlpy.dsl.glsl.emit import Shader
from krnlpy.dsl.ir.reports import loops_ended
from krnlpy.dsl.passes.loop_bounds import KnownLaunch, Passes, has_loops, loop_passes

if TYPE_CHECKING:
    from .pipeline import VulkanExecutable

Groups = tuple[int, int, int]

_LAST_PASSES = 3
"""Those with which a loop is left, and those by which a watched kernel finds out: so near to the end it would be told
of what was right."""
_REMEMBERED = 1024
"""The number of launches whose verdicts are remembered."""


class LoopGuard:
    """Decides for each launch of a kernel whether it runs as it is.

    Its loops surely make more passes than the driver lets them: it is refused. It can be shown that they make fewer: it
    runs as it is. Else it runs watched: it is waited for, and says so where the driver ended a loop.
    """

    def __init__(
        self,
        program: ir.Program,
        shader: Shader,
        known: KnownLaunch,
        budget: int,
        watched: Callable[[], VulkanExecutable],
    ) -> None:
        self._program = program
        self._fields = shader.layout.fields
        self._format = shader.layout.format
        self._known = known
        self._budget = budget
        self._retries = shader.retries
        self._build = watched
        self._watched: VulkanExecutable | None = None
        self._verdicts: dict[tuple[Groups | None, bytes], bool] = {}

    def checked(self, executable: VulkanExecutable, groups: Groups, parameters: bytes) -> VulkanExecutable:
        """What is launched: the executable, or one that reports where the driver ended a loop.

        Raises:
            DriverDefect: it would surely end one.
        """
        if not self.may_end(groups, parameters):
            return executable
        if self._watched is None:
            self._watched = self._build()
            self._watched.name = executable.name
        return self._watched

    def may_end(self, groups: Groups | None, parameters: bytes) -> bool:
        """Whether the driver may end a loop of a launch, of any number of groups where ``groups`` is None.

        Raises:
            DriverDefect: it surely would.
        """
        key = groups, parameters
        verdict = self._verdicts.get(key)
        if verdict is None:
            if len(self._verdicts) >= _REMEMBERED:
                self._verdicts.clear()
            low, high = self._passes(groups, parameters)
            if low > self._budget - _LAST_PASSES:
                location = self._program.location
                raise loops_ended(
                    location, self._budget, f"{self._program.name} has at least {low} with these arguments"
                )
            verdict = self._verdicts[key] = self._retries or high > self._budget
        return verdict

    def _passes(self, groups: Groups | None, parameters: bytes) -> Passes:
        values = iter(self._format.unpack(parameters[: self._format.size]))
        found = [(field.name, [next(values) for _ in range(max(field.count, 1))]) for field in self._fields]
        count = len(self._program.scalars)
        scalars = {name: (value[0], value[0]) for name, value in found[:count] if isinstance(value[0], int)}
        others = dict(found[count:])
        launch = replace(
            self._known,
            scalars=scalars,
            shapes={
                p.name: tuple(others[f"{p.name}_shape"]) for p in self._program.buffers if f"{p.name}_shape" in others
            },
        )
        if groups is not None:
            x, y, z = groups
            launch = replace(launch, groups=((x, x), (y, y), (z, z)))
        if self._program.items:
            launch = replace(launch, items=(others["items"][0],) * 2)
        return loop_passes(self._program, launch)


def loop_guard(
    program: ir.Program, shader: Shader, known: KnownLaunch, budget: int, watched: Callable[[], VulkanExecutable]
) -> LoopGuard | None:
    """The guard of a kernel; None where no launch needs one."""
    if not shader.retries and (not has_loops(program) or loop_passes(program, known)[1] <= budget):
        return None
    return LoopGuard(program, shader, known, budget, watched)
