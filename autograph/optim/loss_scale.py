"""Loss scaling: small gradients of narrow types, made large enough to be numbers."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from autograph.errors import AutographError, DtypeError
from autograph.functions.checks import is_number
from autograph.functions.type_variables import T
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Device, Global, GlobalMut, f32, kernel
from krnlpy.dsl import isfinite

from .gradients import HasParameters, multiply_gradients, squares_of, with_gradients
from .groups import Configured, Groups, parameters_of
from .rule import updates_of


@kernel(threads=1)
def _judge(
    squares: Global[T], growth: f32, backoff: f32, every: f32, scale: GlobalMut[f32], good: GlobalMut[f32],
    factor: GlobalMut[f32],
) -> None:  # fmt: skip
    """What gradients are multiplied by: 0 where one is infinite or NaN; and the scale of the next step."""
    total = T(0)
    for i in range(len(squares)):
        total += squares[i]
    if isfinite(total):
        factor[0] = 1.0 / scale[0]
        good[0] += 1.0
        if good[0] >= every:
            scale[0] = min(scale[0] * growth, 1.0e38)
            good[0] = 0.0
    else:
        factor[0] = 0.0
        scale[0] = max(scale[0] * backoff, 1.0e-30)
        good[0] = 0.0


class LossScale(Configured):
    """An optimizer for f16: gradients are those of the loss times a scale, so that small ones are not rounded to 0.

    Where a gradient is infinite or NaN, the step is skipped and the scale is multiplied by ``backoff``; after ``every``
    steps without, it is multiplied by ``growth``. All of this happens on the device; nothing is read back. Micikevicius
    et al., "Mixed precision training", 2018.

    Args:
        optimizer: one of this package's; groups are given to it.
        scale: that of the first step.
        growth: what the scale is multiplied by from time to time, above 1.
        backoff: what it is multiplied by after a step that was skipped, below 1.
        every: so many steps in a row without one, and the scale grows.

    Raises:
        DtypeError: ``optimizer`` is none of this package's.
        AutographError: a setting is out of range.

    >>> from autograph import SGD, Dense, Tensor
    >>> from autograph.optim import LossScale
    >>> model = Dense(2, 1, seed=0)
    >>> model.cast("f16")
    >>> optimizer = LossScale(SGD(), scale=1024.0)
    >>> model.init_parameter_grads()
    >>> loss = model(Tensor.full((1, 2), 2.0**-20).cast("f16")).sum()
    >>> optimizer.scaled(loss).backward()
    >>> model.weight.grad.tolist()
    [[0.0009765625], [0.0009765625]]
    >>> model.update(0.5, optimizer)
    """

    def __init__(
        self,
        optimizer: Configured,
        scale: float = 32768.0,
        *,
        growth: float = 2.0,
        backoff: float = 0.5,
        every: int = 2000,
    ) -> None:
        if not isinstance(optimizer, Configured) or isinstance(optimizer, LossScale):
            raise DtypeError(f"LossScale takes an optimizer of autograph.optim, not {type(optimizer).__name__}")
        for name, value, least, most in (
            ("scale", scale, 0, inf), ("growth", growth, 1, inf), ("backoff", backoff, 0, 1), ("every", every, 0, 1e6)
        ):  # fmt: skip
            if not (is_number(value) and least < value and (value < most)):
                limit = "" if most == inf else f" and below {most:g}"
                raise AutographError(f"LossScale: {name}={value!r}; expected a number above {least:g}{limit}")
        self._optimizer = optimizer
        self._steps = float(growth), float(backoff), float(every)
        self._start = float(scale), 0.0
        self._kept: tuple[Tensor, Tensor] | None = None
        self._factor: Tensor | None = None
        super().__init__({**optimizer.settings(), "loss_scale": float(scale)})

    def __repr__(self) -> str:
        growth, backoff, every = self._steps
        scale = self._settings["loss_scale"]
        return f"LossScale({self._optimizer!r}, {scale}, growth={growth}, backoff={backoff}, every={every:g})"

    def _on(self, device: Device) -> tuple[Tensor, Tensor]:
        """The scale, and how many steps in a row were good."""
        if self._kept is None:
            scale, good = (Tensor.full((), value, f32, device) for value in self._start)
            self._kept = scale, good
        elif self._kept[0].device != device:
            scale, good = (tensor.to_device(device) for tensor in self._kept)
            self._kept = scale, good
        return self._kept

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss times the scale, from which to go backwards.

        Args:
            loss: of floats; of f16 and bf16 the product is f32.

        Raises:
            DtypeError: it is no tensor of floats.

        >>> from autograph import SGD, Tensor
        >>> from autograph.optim import LossScale
        >>> LossScale(SGD(), scale=8.0).scaled(Tensor.full((), 0.5)).item()
        4.0
        """
        if not isinstance(loss, Tensor) or not loss.dtype.is_float:
            what = loss.dtype if isinstance(loss, Tensor) else type(loss).__name__
            raise DtypeError(f"LossScale.scaled takes a loss of floats, not {what}")
        wide = loss.dtype.compute
        scale = self._on(loss.device)[0].copy()
        return (loss if loss.dtype is wide else loss.cast(wide)) * scale.cast(wide)

    def unscale(self, model: HasParameters) -> None:
        """Divides the gradients by the scale now, so that they can be clipped before ``model.update``. Where one is
        infinite or NaN, they stay as they are, and the step is skipped.

        Raises:
            DtypeError: ``model`` has no parameters. DeviceError: they lie on several devices.

        >>> from autograph import SGD, Dense, Tensor
        >>> from autograph.optim import LossScale, clip_gradients_by_norm
        >>> model, optimizer = Dense(2, 1, seed=0), LossScale(SGD())
        >>> model.init_parameter_grads()
        >>> optimizer.scaled(model(Tensor.from_numpy([[3.0, 4.0]]).cast("f32")).sum()).backward()
        >>> optimizer.unscale(model)
        >>> clip_gradients_by_norm(model, 1.0).item()
        5.0
        >>> model.update(0.5, optimizer)
        """
        parameters = with_gradients("unscale", model)
        if parameters:
            factor = self._judged(parameters)
            multiply_gradients(parameters, factor)
            self._factor = (factor != 0).cast(f32)

    def _judged(self, parameters: list[Parameter]) -> Tensor:
        device = parameters[0].device
        scale, good = self._on(device)
        factor = Tensor.empty((), f32, device)
        kept = [tensor.writable().reshape(1) for tensor in (scale, good, factor)]
        _judge.with_groups(1)(squares_of(parameters, device), *self._steps, *kept)
        return factor

    def group(self, *patterns: str, **settings: Any) -> Groups:
        """Groups belong to the optimizer within: this is an error.

        Raises:
            AutographError: always.

        >>> from autograph.optim import SGD, LossScale
        >>> LossScale(SGD()).group("*.bias", rate=2.0)
        Traceback (most recent call last):
        ...
        autograph.errors.AutographError: give groups to the optimizer within: LossScale(optimizer.group(...))
        """
        raise AutographError("give groups to the optimizer within: LossScale(optimizer.group(...))")

    def with_settings(self, **settings: Any) -> Configured:
        """Settings belong to the optimizer within: this is an error.

        Raises:
            AutographError: always.

        >>> from autograph.optim import SGD, LossScale
        >>> LossScale(SGD()).with_settings(momentum=0.5)
        Traceback (most recent call last):
        ...
        autograph.errors.AutographError: give settings to the optimizer within LossScale
        """
        raise AutographError("give settings to the optimizer within LossScale")

    def update(self, parameter: Parameter, gradient: Tensor, learning_rate: float) -> None:
        """Whether a step is skipped, all gradients decide: this is an error.

        Raises:
            AutographError: always.

        >>> from autograph import Parameter, Tensor
        >>> from autograph.optim import SGD, LossScale
        >>> LossScale(SGD()).update(Parameter(Tensor.ones(1)), Tensor.ones(1), 0.1)
        Traceback (most recent call last):
        ...
        autograph.errors.AutographError: LossScale needs all gradients: model.update(learning_rate, optimizer)
        """
        raise AutographError("LossScale needs all gradients: model.update(learning_rate, optimizer)")

    def update_all(
        self,
        parameters: Mapping[str, Parameter],
        learning_rate: float,
        *,
        scale: float = 1.0,
        factor: Tensor | None = None,
    ) -> None:
        """Changes all parameters that have a gradient, unless one of these is infinite or NaN.

        Args:
            parameters: by name.
            learning_rate: a number, or a parameter of the graph that is being captured.
            scale: times the learning rate.
            factor: times the gradients, besides.

        Raises:
            DtypeError, ShapeError, LaunchError: as by the optimizer.
            DeviceError: parameters lie on several devices.

        >>> from autograph import Dense
        >>> from autograph.optim import SGD, LossScale
        >>> LossScale(SGD()).update_all(dict(Dense(2, 1).named_parameters()), 0.1)  # without gradients, nothing changes
        """
        trained = [update.parameter for update in updates_of(parameters)]
        own, self._factor = self._factor, None
        if own is None and trained:
            own = self._judged(with_gradients("LossScale", _Bag(trained)))
        if own is not None and factor is not None:
            own = own * factor.cast(f32).reshape(())
        self._optimizer.update_all(parameters_of(parameters), learning_rate, scale=scale, factor=own)

    def state(self) -> dict[str, float]:
        """The scale and the steps since it last changed, for a checkpoint; waits for them.

        >>> from autograph.optim import SGD, LossScale
        >>> LossScale(SGD(), scale=8.0).state()
        {'scale': 8.0, 'good': 0.0}
        """
        scale, good = self._start if self._kept is None else (float(tensor.item()) for tensor in self._kept)
        return {"scale": scale, "good": good}

    def restore(self, state: Mapping[str, float]) -> None:
        """Takes what :meth:`state` gave.

        Raises:
            AutographError: it is something else.

        >>> from autograph.optim import SGD, LossScale
        >>> optimizer = LossScale(SGD())
        >>> optimizer.restore({"scale": 16.0, "good": 3.0})
        >>> optimizer.state()
        {'scale': 16.0, 'good': 3.0}
        """
        expected = {"scale", "good"}
        if not isinstance(state, Mapping) or state.keys() != expected or not all(map(is_number, state.values())):
            raise AutographError(f"LossScale: state={state!r}; expected numbers for scale and good")
        self._start, self._kept = (float(state["scale"]), float(state["good"])), None


class _Bag:
    """Parameters, as a model has them."""

    def __init__(self, parameters: list[Parameter]) -> None:
        self._parameters = parameters

    def parameters(self) -> list[Parameter]:
        return self._parameters
