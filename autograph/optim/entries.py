"""What a rule hands to kernels of a parameter."""

from __future__ import annotations

import operator

from krnlpy import Buffer

from .kernels import RuleKernels, Wanted


class Entry:
    """A parameter's part of the work: the kernel, its buffers, and its clock.

    It is kept from step to step, since views of one axis take longer to make than small kernels to run.

    Attributes:
        kernels: the rule's.
        wanted: which of them.
        kept: what is kept for the parameter, and its value.
        own_clock: its clock.
        clock: the same, with one axis.
        gradient: the gradient of this step; None between steps.
    """

    def __init__(self, kernels: RuleKernels, wanted: Wanted, kept: list[Buffer], clock: list[Buffer]) -> None:
        self.kernels, self.wanted, self.kept, self.own_clock = kernels, wanted, kept, clock
        self.gradient: Buffer | None = None
        self.clock = [buffer.reshape(1) for buffer in clock]
        self._flat: list[Buffer] = []

    def is_of(self, kernels: RuleKernels, wanted: Wanted, kept: list[Buffer], clock: list[Buffer]) -> bool:
        """Whether it is made of the same."""
        return (
            self.kernels is kernels
            and self.wanted == wanted
            and all(map(operator.is_, self.kept, kept))
            and all(map(operator.is_, self.own_clock, clock))
        )

    @property
    def buffers(self) -> list[Buffer]:
        """What the kernel takes of the parameter."""
        return [self._slope, *self.kept]

    @property
    def flat(self) -> list[Buffer]:
        """The same with one axis."""
        if not self._flat:
            self._flat = [of_one_axis(buffer) for buffer in self.kept]
        return [of_one_axis(self._slope), *self._flat]

    @property
    def _slope(self) -> Buffer:
        assert self.gradient is not None, "a step sets it"
        return self.gradient


def of_one_axis(buffer: Buffer) -> Buffer:
    """The elements of a contiguous buffer."""
    return buffer if buffer.ndim == 1 else buffer.reshape(buffer.size)
