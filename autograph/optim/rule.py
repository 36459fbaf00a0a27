"""Update rules: optimizers written as functions of numbers, as operations are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from numbers import Real
from typing import Any, TypeAlias

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.checks import is_number, require_dtype
from autograph.functions.sources import function_of
from autograph.tensor.base import require_tensor
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Func, Global, Item, ItemMut, ScalarType, bf16, f16, f32, f64, kernel

Setting: TypeAlias = "float | int | str | bool"


def _count(step: Any) -> Any:
    """The number of this step, from that of the one before."""
    return step + 1


_COUNT = Func(_count)


class UpdateRule:
    """How a number of a parameter changes by that of its gradient: an optimizer, for all devices and dtypes.

    Everything is computed in f32 (f64 for parameters of f64), and so are the numbers that the rule keeps for each
    number of a parameter. Of f16 and bf16 parameters an f32 copy, the ``master``, is kept and changed, and the
    parameter is that copy rounded: steps too small to change a rounded weight would otherwise be lost.

    Args:
        function: in the language of kernels. Its parameters are the weight, the gradient, a number for each name in
            ``state``, one for each in ``clock``, the learning rate, and ``numbers``; it returns the new weight and the
            new numbers of ``state``, or the weight alone where there are none.
        state: names of what is kept for each number of a parameter. It begins with 0.
        clock: names of what is kept for a parameter as a whole, such as the number of steps. It begins with
            ``clock_start``.
        tick: from the numbers of ``clock``, and ``numbers``, to the next ones, before each step; None counts steps.
        clock_start: what the numbers of ``clock`` begin with; 0 if not given.

    Raises:
        LaunchError: ``function`` or ``tick`` is not a function made by ``def``.
        AutographError: ``state`` or ``clock`` are not names, or ``clock_start`` not as many numbers.

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
    ) -> None:
        self.function = function if isinstance(function, Func) else Func(function)
        self.state = _names("state", state)
        self.clock = _names("clock", clock)
        self.tick: Func = _COUNT if tick is None else tick if isinstance(tick, Func) else Func(tick)
        self.clock_start = _numbers("clock_start", clock_start) or (0.0,) * len(self.clock)
        if len(self.clock_start) != len(self.clock):
            raise AutographError(f"UpdateRule: clock_start={clock_start!r} for clock={clock!r}; expected as many")
        self._kernels: dict[tuple[ScalarType, int], Any] = {}
        self._ticks: dict[tuple[ScalarType, int], Any] = {}

    @property
    def name(self) -> str:
        """The function's name."""
        name = self.function.__name__.lstrip("_")
        return name if name.isidentifier() else "update"

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset((*self.state, *self.clock))

    def update(
        self, parameter: Parameter, gradient: Tensor, learning_rate: float, numbers: Sequence[float] = ()
    ) -> None:
        """Changes a parameter by its gradient, in place; nothing is read back.

        Args:
            parameter: what is changed; its ``state`` has what the rule keeps, and nothing that another one kept.
            gradient: of the parameter's shape, dtype and device.
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
        if not isinstance(parameter, Parameter):
            raise DtypeError(f"{self.name} takes a Parameter, not {type(parameter).__name__}")
        require_tensor(self.name, gradient)
        require_dtype(self.name, parameter, f16, bf16, f32, f64)
        if gradient.dtype is not parameter.dtype:
            raise DtypeError(f"{self.name}: a gradient of {gradient.dtype} for a parameter of {parameter.dtype}")
        if gradient.shape != parameter.shape:
            raise ShapeError(f"{self.name}: a gradient of shape {gradient.shape} for a parameter of {parameter.shape}")
        numbers = _numbers("numbers", numbers)
        if not parameter.size:
            return
        compute = parameter.dtype.compute
        state = self._kept(parameter, compute)
        clock = [state[name].writable() for name in self.clock]
        if clock:
            self._tick(compute, len(numbers))(*numbers, *clock)
        arguments = [state[name].writable() for name in self.state]
        if parameter.dtype is not compute:
            arguments.append(state["master"].writable())
        views = [number.reshape(1) for number in clock]
        step = self._kernel(parameter.dtype, len(numbers))
        step(learning_rate, *numbers, *views, gradient.buffer, *arguments, parameter.writable())

    def _kept(self, parameter: Parameter, compute: ScalarType) -> dict[str, Tensor]:
        """What is kept for a parameter; of another dtype than the rule computes in, it is converted."""
        names = self._names if parameter.dtype is compute else self._names | {"master"}
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
        for name in names:
            if state[name].dtype is not compute:
                state[name] = state[name].cast(compute)
        return state

    def _kernel(self, dtype: ScalarType, count: int) -> Any:
        """The kernel for parameters of a dtype and so many numbers."""
        if (dtype, count) not in self._kernels:
            compute = dtype.compute
            clock, state = [f"c{i}" for i in range(len(self.clock))], [f"s{i}" for i in range(len(self.state))]
            numbers = [f"n{i}" for i in range(count)]
            parameters = [f"{name}: C" for name in ("rate", *numbers)]
            parameters += [f"{name}: Global[C, 1]" for name in clock]
            parameters += ["g: Item[F]", *(f"{name}: ItemMut[C]" for name in state)]
            lines = []
            if dtype is not compute:
                parameters.append("master: ItemMut[C]")
                # Where the weight is not what the master rounds to, somebody set it: then the weight is right.
                lines.append("    weight = master if F(master) == w else C(w)")
            else:
                lines.append("    weight = w")
            parameters.append("w: ItemMut[F]")
            given = ["weight", "C(g)", *state, *(f"{name}[0]" for name in clock), "rate", *numbers]
            results = ["v", *(f"v{i}" for i in range(len(state)))]
            lines.append(f"    {', '.join(results)} = function({', '.join(given)})")
            lines += [f"    s{i} = v{i}" for i in range(len(state))]
            lines += ["    w = F(v)", *(["    master = v"] if dtype is not compute else [])]
            self._kernels[dtype, count] = self._made(self.name, self.function, parameters, lines, dtype)
        return self._kernels[dtype, count]

    def _tick(self, compute: ScalarType, count: int) -> Any:
        """The kernel that goes from one step to the next."""
        if (compute, count) not in self._ticks:
            clock, numbers = [f"c{i}" for i in range(len(self.clock))], [f"n{i}" for i in range(count)]
            parameters = [*(f"{name}: C" for name in numbers), *(f"{name}: ItemMut[C]" for name in clock)]
            taken = [*clock, *numbers] if self.tick is not _COUNT else clock
            results = [f"v{i}" for i in range(len(clock))]
            lines = [f"    {', '.join(results)} = function({', '.join(taken)})"]
            lines += [f"    {name} = {result}" for name, result in zip(clock, results, strict=True)]
            self._ticks[compute, count] = self._made(f"{self.name}_tick", self.tick, parameters, lines, compute)
        return self._ticks[compute, count]

    def _made(self, name: str, function: Func, parameters: list[str], lines: list[str], dtype: ScalarType) -> Any:
        text = "\n".join([f"def {name}({', '.join(parameters)}) -> None:", *lines]) + "\n"
        names = {"function": function, "F": dtype, "C": dtype.compute}
        language = {"Global": Global, "Item": Item, "ItemMut": ItemMut}
        return kernel(function_of(text, name, {**names, **language}, self.function.function))


class RuleOptimizer:
    """An optimizer by an :class:`UpdateRule`: what its subclasses share.

    Args:
        rule: the rule.
        settings: as they are written in checkpoints.
        numbers: the last arguments of the rule's function.

    Raises:
        DtypeError: ``rule`` is not an UpdateRule, or ``settings`` no mapping.
        AutographError: ``numbers`` are not numbers.

    >>> from autograph.optim import RuleOptimizer, UpdateRule
    >>> def descent(weight, gradient, rate, decay):
    ...     return weight - rate * (gradient + decay * weight)
    >>> class Descent(RuleOptimizer):
    ...     def __init__(self, decay):
    ...         super().__init__(UpdateRule(descent), {"decay": decay}, [decay])
    >>> Descent(decay=0.5)
    Descent(decay=0.5)
    """

    def __init__(self, rule: UpdateRule, settings: Mapping[str, Setting], numbers: Sequence[float]) -> None:
        if not isinstance(rule, UpdateRule):
            raise DtypeError(f"RuleOptimizer takes an UpdateRule, not {type(rule).__name__}")
        if not isinstance(settings, Mapping):
            raise DtypeError(f"RuleOptimizer: settings are a mapping from names, not {type(settings).__name__}")
        self._rule = rule
        self._settings = dict(settings)
        self._numbers = _numbers("numbers", numbers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._settings.items())})"

    def settings(self) -> dict[str, Setting]:
        """The settings, by name, as they are written in checkpoints.

        >>> from autograph import SGD
        >>> SGD(momentum=0.9).settings()["momentum"]
        0.9
        """
        return dict(self._settings)

    def update(self, parameter: Parameter, gradient: Tensor, learning_rate: float) -> None:
        """Changes a parameter by its gradient, in place; nothing is read back.

        Args:
            parameter: what is changed; what the optimizer remembers is in its ``state``.
            gradient: of the parameter's shape, dtype and device.
            learning_rate: a number, or a parameter of the graph that is being captured.

        Raises:
            DtypeError: the parameter is none, or not of floats, or the gradient has another dtype.
            ShapeError: the gradient has another shape.
            LaunchError: the gradient lies on another device, or the learning rate is not a number.

        >>> from autograph import SGD, Parameter, Tensor
        >>> weight, optimizer = Parameter(Tensor.zeros(1)), SGD(momentum=0.5)
        >>> for _ in range(2):
        ...     optimizer.update(weight, Tensor.ones(1), learning_rate=1.0)
        >>> weight.item()  # the second step is half as long again
        -2.5
        """
        self._rule.update(parameter, gradient, learning_rate, self._numbers)


def _names(what: str, given: Any) -> tuple[str, ...]:
    if isinstance(given, list | tuple) and all(isinstance(name, str) for name in given):
        return tuple(given)
    raise AutographError(f"UpdateRule: {what}={given!r}; expected a list of names")


def _numbers(what: str, given: Any) -> tuple[float, ...]:
    if isinstance(given, list | tuple) and all(isinstance(number, Real) for number in given):
        return tuple(given)
    raise AutographError(f"{what}={given!r}: expected a list of numbers")


def require_settings(optimizer: str, **ranges: tuple[Any, float, float]) -> None:
    """Settings must be numbers, each from a least one to below a limit.

    Args:
        optimizer: its name, for the message.
        ranges: by name, the value, the least and the limit.

    Raises:
        AutographError: one is not.
    """
    for name, (value, least, limit) in ranges.items():
        if not (is_number(value) and least <= value < limit):
            upper = "" if limit == float("inf") else f" to below {limit:g}"
            raise AutographError(f"{optimizer}: {name}={value!r}; expected a number from {least:g}{upper}")
