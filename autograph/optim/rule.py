"""Update rules: optimizers written as functions of numbers, as operations are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from numbers import Real
from typing import Any, NamedTuple

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.checks import require_dtype
from autograph.tensor.base import require_tensor
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, Device, Func, LaunchError, ScalarType, bf16, f16, f32, f64

from .entries import Entry
from .groups import parameters_of
from .kernels import SMALL, Clocks, RuleKernels, Wanted


def _count(step: Any) -> Any:
    """The number of this step, from that of the one before."""
    return step + 1


_COUNT = Func(_count)


def _move(w: Any, g: Any, rate: Any, length: Any, decay: Any) -> Any:
    return w - rate * decay * w - rate * length * g


_MOVE = RuleKernels("move", Func(_move), 0, Clocks(0, _COUNT, True, 0, None))


class Update(NamedTuple):
    """What an optimizer changes: a parameter, and the gradient by which it does.

    Attributes:
        parameter: of floats.
        gradient: of the parameter's shape and device; of its dtype, or of that which the rule computes in.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.optim import Update
    >>> Update(Parameter(Tensor.ones(2)), Tensor.zeros(2)).gradient.tolist()
    [0.0, 0.0]
    """

    parameter: Parameter
    gradient: Tensor


def updates_of(parameters: Mapping[str, Parameter]) -> list[Update]:
    """Those parameters that have a gradient, and these.

    Raises:
        DtypeError: it is no dict of parameters.
    """
    pairs = [(parameter, parameter.grad) for parameter in parameters_of(parameters).values()]
    return [Update(parameter, gradient) for parameter, gradient in pairs if gradient is not None]


class UpdateRule:
    """How a number of a parameter changes by that of its gradient: an optimizer, for all devices and dtypes.

    Everything is computed in f32 (f64 for parameters of f64), and so are the numbers that the rule keeps for each
    number of a parameter. Of f16 and bf16 parameters an f32 copy, the ``master``, is kept and changed, and the
    parameter is that copy rounded: steps too small to change a rounded weight would otherwise be lost.

    Args:
        function: in the language of kernels. Its parameters are the weight, the gradient, a number for each name in
            ``state``, one for each in ``clock`` (or in ``derived``), the learning rate, and ``numbers``; it returns the
            new weight and the new numbers of ``state``, or the weight alone where there are none.
        state: names of what is kept for each number of a parameter. It begins with 0.
        clock: names of what is kept for a parameter as a whole, such as the number of steps. It begins with
            ``clock_start``.
        tick: from the numbers of ``clock``, and ``numbers``, to the next ones, before each step; None counts steps.
        clock_start: what the numbers of ``clock`` begin with; 0 if not given.
        derived: names of what the function takes in place of the clock: computed once for a parameter, not once for
            each of its numbers.
        derive: from the numbers of ``clock``, and ``numbers``, to those of ``derived``.

    Raises:
        LaunchError: ``function``, ``tick`` or ``derive`` is not a function made by ``def``.
        AutographError: ``state``, ``clock`` or ``derived`` are not names, ``clock_start`` not as many numbers, or one
            of ``derived`` and ``derive`` is given without the other, or without a clock.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.optim import UpdateRule
    >>> def sign_descent(weight, gradient, rate):
    ...     return weight - (rate if gradient > 0.0 else -rate)
    >>> weight = Parameter(Tensor.ones(2))
    >>> UpdateRule(sign_descent).update(weight, Tensor.from_numpy([3.0, -4.0]).cast("f32"), 0.25)
    >>> weight.numpy().tolist()
    [0.75, 1.25]
    """

    def __init__(
        self,
        function: Callable[..., Any],
        state: Sequence[str] = (),
        clock: Sequence[str] = (),
        *,
        tick: Callable[..., Any] | None = None,
        clock_start: Sequence[float] = (),
        derived: Sequence[str] = (),
        derive: Callable[..., Any] | None = None,
    ) -> None:
        self.function = _func(function)
        self.state = _names("state", state)
        self.clock = _names("clock", clock)
        self.clock_start = numbers_of("clock_start", clock_start) or (0.0,) * len(self.clock)
        self.derived = _names("derived", derived)
        if len(self.clock_start) != len(self.clock):
            raise AutographError(f"UpdateRule: clock_start={clock_start!r} for clock={clock!r}; expected as many")
        if bool(self.derived) != (derive is not None) or (self.derived and not self.clock):
            raise AutographError("UpdateRule: derived and derive come together, and with a clock")
        self._kernels = RuleKernels(self.name, self.function, len(self.state), self._clocks(tick, derive))

    def _clocks(self, tick: Callable[..., Any] | None, derive: Callable[..., Any] | None) -> Clocks:
        return Clocks(
            len(self.clock),
            _COUNT if tick is None else _func(tick),
            tick is None,
            len(self.derived) or len(self.clock),
            None if derive is None else _func(derive),
        )

    @property
    def name(self) -> str:
        """The function's name."""
        name = self.function.__name__.lstrip("_")
        return name if name.isidentifier() else "update"

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset((*self.state, *self.clock))

    @cached_property
    def _names_and_master(self) -> frozenset[str]:
        return self._names | {"master"}

    def update(
        self, parameter: Parameter, gradient: Tensor, learning_rate: float, numbers: Sequence[float] = ()
    ) -> None:
        """Changes a parameter by its gradient, in place; nothing is read back.

        Args:
            parameter: what is changed; its ``state`` has what the rule keeps, and nothing that another one kept.
            gradient: of the parameter's shape and device; of its dtype, or of that which the rule computes in.
            learning_rate: a number, or a parameter of the graph that is being captured.
            numbers: the last arguments of the function.

        Raises:
            DtypeError: the parameter is none, or not of floats, or the gradient has another dtype.
            ShapeError: the gradient has another shape.
            LaunchError: the gradient lies on another device, or the learning rate is not a number.
            AutographError: ``numbers`` are not numbers.

        >>> from autograph import Parameter, Tensor
        >>> from autograph.optim import UpdateRule
        >>> def descent(weight, gradient, rate, decay):
        ...     return weight - rate * (gradient + decay * weight)
        >>> weight = Parameter(Tensor.full(1, 2.0))
        >>> UpdateRule(descent).update(weight, Tensor.ones(1), 0.25, [0.5])
        >>> weight.item()
        1.5
        """
        self.update_all([Update(parameter, gradient)], learning_rate, numbers)

    def update_all(
        self,
        updates: Sequence[Update],
        learning_rate: float,
        numbers: Sequence[float] = (),
        *,
        scale: float = 1.0,
        factor: Tensor | None = None,
    ) -> None:
        """Changes parameters by their gradients, to the same bits as :meth:`update` one by one, by few launches: small
        parameters share them.

        Args:
            updates: parameters, each of which occurs once, and their gradients.
            learning_rate: a number, or a parameter of the graph that is being captured.
            numbers: the last arguments of the function.
            scale: times the learning rate.
            factor: a tensor of one element: each gradient is multiplied by it. Where it is 0, nothing is changed.

        Raises:
            DtypeError, ShapeError, LaunchError, AutographError: as by :meth:`update`, before anything is changed.

        >>> from autograph import Parameter, Tensor
        >>> from autograph.optim import Update, UpdateRule
        >>> def descent(weight, gradient, rate):
        ...     return weight - rate * gradient
        >>> weights = [Parameter(Tensor.zeros(n)) for n in (1, 2)]
        >>> updates = [Update(weight, Tensor.ones(weight.shape)) for weight in weights]
        >>> UpdateRule(descent).update_all(updates, 0.25, scale=2.0)
        >>> [weight.numpy().tolist() for weight in weights]
        [[-0.5], [-0.5, -0.5]]
        """
        for together, given in self._groups(updates, numbers, factor):
            self._change(together, given, (learning_rate, scale))

    def change(
        self, update: Update, learning_rate: float, numbers: Sequence[float] = (), *, factor: Tensor | None = None
    ) -> Tensor:
        """What the function gives for a parameter, which stays as it is; what is kept for it changes.

        It is for optimizers that need more of it than a number at a time, such as its norm.

        Args:
            update: a parameter and its gradient.
            learning_rate: as in :meth:`update`.
            numbers: the last arguments of the function.
            factor: as in :meth:`update_all`; where it is 0, the result is nothing in particular.

        Returns:
            A tensor of the dtype that the rule computes in.

        Raises:
            DtypeError, ShapeError, LaunchError, AutographError: as by :meth:`update`.

        >>> from autograph import Parameter, Tensor
        >>> from autograph.optim import Update, UpdateRule
        >>> def velocity(weight, gradient, velocity, rate):
        ...     return velocity + gradient, velocity + gradient
        >>> weight, rule = Parameter(Tensor.ones(1)), UpdateRule(velocity, state=["velocity"])
        >>> for _ in range(2):
        ...     change = rule.change(Update(weight, Tensor.full(1, 0.5)), 0.1)
        >>> change.item(), weight.item()
        (1.0, 1.0)
        """
        groups = self._groups([update], numbers, factor)
        parameter = update.parameter
        result = Tensor.zeros(parameter.shape, parameter.dtype.compute, parameter.device)
        for together, given in groups:  # none where the parameter has no elements
            self._change(together, given, (learning_rate, 1.0), result)
        return result

    def move(
        self, parameter: Parameter, change: Tensor, learning_rate: float, *, scale: float = 1.0, decay: float = 0.0,
        length: float = 1.0, factor: Tensor | None = None,
    ) -> None:  # fmt: skip
        """Moves a parameter by what :meth:`change` gave, or by what was made of it: ``w -= rate * (decay * w + length *
        change)``, where rate is ``learning_rate * scale``.

        Args:
            parameter: what :meth:`change` was called with.
            change: of the parameter's shape, in the dtype that the rule computes in.
            learning_rate: as in :meth:`update`.
            scale: times the learning rate.
            decay: the share of the weight that is taken away.
            length: of the change.
            factor: a tensor of one element, times the change. Where it is 0, nothing is changed.

        Raises:
            DtypeError, ShapeError, LaunchError: as by :meth:`update`.

        >>> from autograph import Parameter, Tensor, vector_norm
        >>> from autograph.optim import Update, UpdateRule
        >>> def gradient(weight, gradient, rate):
        ...     return gradient
        >>> weight, rule = Parameter(Tensor.ones(2)), UpdateRule(gradient)
        >>> change = rule.change(Update(weight, Tensor.from_numpy([3.0, 4.0]).cast("f32")), 0.1)
        >>> rule.move(weight, change / vector_norm(change), 0.5)
        >>> [round(w, 4) for w in weight.tolist()]
        [0.7, 0.6]
        """
        for _, given in self._groups([Update(parameter, change)], [length, decay], factor):
            buffers = [change.buffer]
            if parameter.dtype is not given.compute:
                buffers.append(self._kept(parameter, given.compute)["master"].writable())
            wanted = Wanted(parameter.dtype, change.dtype, 2, bool(given.factor))
            head = [learning_rate, scale, *given.numbers, *given.factor]
            _MOVE.of_one(wanted)(*head, *buffers, parameter.writable())

    # ------------------------------------------------------------------------------------------------------ checks

    def _groups(
        self, updates: Sequence[Update], numbers: Sequence[float], factor: Tensor | None
    ) -> list[tuple[list[Update], _Given]]:
        """What is changed together: what lies on one device and is computed in one dtype. All is checked."""
        numbers = numbers_of("numbers", numbers)
        if factor is not None:
            require_tensor(self.name, factor)
            if factor.size != 1:
                raise ShapeError(f"{self.name}: a factor of shape {factor.shape}; expected one element")
        if not isinstance(updates, list | tuple) or not all(isinstance(update, Update) for update in updates):
            raise DtypeError(f"{self.name}: expected a list of autograph.optim.Update")
        groups: dict[Any, list[Update]] = {}
        for update in updates:
            self._check(*update)
            if update.parameter.size:
                dtype = update.parameter.dtype
                groups.setdefault((update.parameter.device, dtype.compute), []).append(update)
        found = []
        for (device, compute), together in groups.items():
            factors = () if factor is None else (factor.to_device(device).cast(compute).buffer.reshape(1),)
            found.append((together, _Given(device, compute, numbers, factors)))
        return found

    def _check(self, parameter: Any, gradient: Any) -> None:
        if not isinstance(parameter, Parameter):
            raise DtypeError(f"{self.name} takes a Parameter, not {type(parameter).__name__}")
        require_tensor(self.name, gradient)
        dtype = parameter.dtype
        if not dtype.is_float:
            require_dtype(self.name, parameter, f16, bf16, f32, f64)
        if gradient.dtype is not dtype and gradient.dtype is not dtype.compute:
            raise DtypeError(f"{self.name}: a gradient of {gradient.dtype} for a parameter of {dtype}")
        if gradient.shape != parameter.shape:
            raise ShapeError(f"{self.name}: a gradient of shape {gradient.shape} for a parameter of {parameter.shape}")
        if gradient.device != parameter.device:
            raise LaunchError(
                f"{self.name}: a gradient on {gradient.device!r} for a parameter on {parameter.device!r};"
                " .to_device() moves it"
            )

    # ---------------------------------------------------------------------------------------------------- launches

    def _change(
        self, updates: list[Update], given: _Given, rates: tuple[float, float], result: Tensor | None = None
    ) -> None:
        """Changes parameters, or puts what the function gives for the only one into ``result``."""
        alone: list[Entry] = []
        shared: dict[Wanted, list[Entry]] = {}
        count, has_factor, is_apart = len(given.numbers), bool(given.factor), result is not None
        for parameter, gradient in updates:
            wanted = Wanted(parameter.dtype, gradient.dtype, count, has_factor, is_apart)
            entry = self._entry(parameter, gradient, wanted)
            if is_apart or parameter.size > SMALL or not all(buffer.is_contiguous() for buffer in entry.buffers):
                alone.append(entry)
            else:
                shared.setdefault(entry.wanted, []).append(entry)
        for wanted, entries in list(shared.items()):
            if len(entries) == 1:
                alone += shared.pop(wanted)
        # Launches of several find what the clocks give side by side.
        entries = [*(entry for some in shared.values() for entry in some), *alone]
        derived = self._ticked([entry.clock for entry in entries], given, rates[0])
        row = 0
        for wanted, some in shared.items():
            many = self._kernels.of_many(wanted)
            for begin in range(0, len(some), many.count):
                part = [entry.flat for entry in some[begin : begin + many.count]]
                many(self._head(given, rates, row, derived), part)
                row += len(part)
        more = () if result is None else (result.writable(),)
        for entry in alone:
            self._kernels.of_one(entry.wanted)(*self._head(given, rates, row, derived), *entry.buffers, *more)
            row += 1
        for entry in entries:
            entry.gradient = None  # its memory is free

    def _entry(self, parameter: Parameter, gradient: Tensor, wanted: Wanted) -> Entry:
        state = self._kept(parameter, parameter.dtype.compute)
        names = self.state if parameter.dtype is parameter.dtype.compute else (*self.state, "master")
        kept = [state[name].writable() for name in names]
        kept.append(parameter.buffer if wanted.is_apart else parameter.writable())
        clock = [state[name].writable() for name in self.clock]
        entry = parameter.prepared
        if not isinstance(entry, Entry) or not entry.is_of(self._kernels, wanted, kept, clock):
            entry = parameter.prepared = Entry(self._kernels, wanted, kept, clock)
        entry.gradient = gradient.buffer
        return entry

    def _head(self, given: _Given, rates: tuple[float, float], row: int, derived: list[Buffer]) -> list[Any]:
        rows = [row] if derived else []
        return [*rates, *given.numbers, *rows, *given.factor, *derived]

    def _ticked(self, clocks: list[list[Buffer]], given: _Given, rate: float) -> list[Buffer]:
        """Goes from one step to the next; what the function takes of it, for each clock."""
        if not self.clock:
            return []
        derived = [
            Buffer.empty(len(clocks), given.compute, given.device) for _ in range(len(self.derived) or len(self.clock))
        ]
        ticks = self._kernels.ticks(given.compute, len(given.numbers), bool(given.factor))
        for first in range(0, len(clocks), ticks.count):
            ticks([rate, *given.numbers, first, *given.factor, *derived], clocks[first : first + ticks.count])
        return derived

    def _kept(self, parameter: Parameter, compute: ScalarType) -> dict[str, Tensor]:
        """What is kept for a parameter; of another dtype than the rule computes in, it is converted."""
        names = self._names if parameter.dtype is compute else self._names_and_master
        state = parameter.state
        if state.keys() != names:
            for name in state.keys() - names:  # of another optimizer, or of the time before the parameter was cast
                del state[name]
            shape, device = parameter.shape, parameter.device
            if "master" in names and "master" not in state:
                state["master"] = parameter.detach().cast(compute)
            for name in self.state:
                if name not in state:
                    state[name] = Tensor.zeros(shape, compute, device)
            for name, start in zip(self.clock, self.clock_start, strict=True):
                if name not in state:
                    state[name] = Tensor.full((), start, compute, device)
        for name, kept in state.items():
            if kept.dtype is not compute:
                state[name] = kept.cast(compute)
        return state


class _Given(NamedTuple):
    """What all updates of a group are handed."""

    device: Device
    compute: ScalarType
    numbers: tuple[float, ...]
    factor: tuple[Buffer, ...]


def _func(function: Any) -> Func:
    return function if isinstance(function, Func) else Func(function)


def _names(what: str, given: Any) -> tuple[str, ...]:
    if isinstance(given, list | tuple) and all(isinstance(name, str) for name in given):
        return tuple(given)
    raise AutographError(f"UpdateRule: {what}={given!r}; expected a list of names")


def numbers_of(what: str, given: Any) -> tuple[float, ...]:
    """A list of numbers.

    Raises:
        AutographError: it is something else.
    """
    if isinstance(given, list | tuple) and all(isinstance(number, Real) for number in given):
        return tuple(given)
    raise AutographError(f"{what}={given!r}: expected a list of numbers")
