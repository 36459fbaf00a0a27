"""The mean of weights over the last steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.checks import is_number
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor

from .rule import Update, UpdateRule


def _average(w: Any, g: Any, rate: Any) -> Any:
    return w + rate * (g - w)


_RULE = UpdateRule(_average)


class HasNamedParameters(Protocol):
    """What is averaged: a model, or any of its layers."""

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Names and parameters."""


class MovingAverage:
    """The exponential moving average of a model's parameters: ``average = decay * average + (1 - decay) * weight``.

    Of f16 and bf16 parameters it is kept in f32. Buffers, such as running statistics, are the model's own.

    Args:
        model: the average begins with its parameters as they are.
        decay: how much remains from step to step, from 0 to below 1.

    Raises:
        AutographError: ``decay`` is out of range.
        DtypeError: ``model`` has no parameters.

    >>> from autograph import SGD, Dense, Tensor
    >>> from autograph.optim import MovingAverage
    >>> model = Dense(1, 1, seed=0)
    >>> model.weight.fill(1)
    >>> average = MovingAverage(model, decay=0.75)
    >>> model.weight.fill(2)  # a step of training
    >>> average.update()
    >>> with average.swapped_in():
    ...     print(model.weight.item())  # the model is evaluated
    1.25
    >>> model.weight.item()
    2.0
    """

    def __init__(self, model: HasNamedParameters, decay: float = 0.999) -> None:
        if not (is_number(decay) and 0 <= decay < 1):
            raise AutographError(f"MovingAverage: decay={decay!r}; expected a number from 0 to below 1")
        if not callable(getattr(model, "named_parameters", None)) or isinstance(model, type):
            raise DtypeError(f"MovingAverage takes a layer, not {type(model).__name__}")
        self._model, self._decay = model, float(decay)
        self._averages: dict[str, Parameter] = {}
        self._is_swapped = False
        for name, parameter in self._trained():
            self._averages[name] = _own(parameter)

    def _trained(self) -> list[tuple[str, Parameter]]:
        return [(name, one) for name, one in self._model.named_parameters() if one.dtype.is_float]

    def _pairs(self) -> list[tuple[Parameter, Parameter]]:
        """Each average and its parameter, on one device."""
        pairs = []
        for name, parameter in self._trained():
            average = self._averages.get(name)
            if average is None or average.shape != parameter.shape:
                raise ShapeError(f"MovingAverage: the model has had no {name} of shape {parameter.shape} before")
            if average.device != parameter.device:
                average.move(device=parameter.device)
            pairs.append((average, parameter))
        return pairs

    def update(self) -> None:
        """Goes one step on, after ``model.update``; nothing is read back. It can be part of a captured step.

        Raises:
            AutographError: the averages are swapped in.
            ShapeError: the model has other parameters than before.

        >>> from autograph import Dense
        >>> from autograph.optim import MovingAverage
        >>> average = MovingAverage(Dense(2, 3))
        >>> average.update()
        """
        if self._is_swapped:
            raise AutographError("MovingAverage: the averages are swapped in; update() belongs to training")
        updates = []
        for average, parameter in self._pairs():
            updates.append(Update(average, _wide(parameter)))
        _RULE.update_all(updates, 1 - self._decay)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """In a ``with`` block the model has the averages; after it, its own parameters again. No elements are copied.

        Raises:
            AutographError: they are swapped in already.
            ShapeError: the model has other parameters than before.

        >>> from autograph import Dense
        >>> from autograph.optim import MovingAverage
        >>> average = MovingAverage(Dense(2, 3))
        >>> with average.swapped_in():
        ...     pass  # evaluate the model
        """
        if self._is_swapped:
            raise AutographError("MovingAverage: the averages are swapped in already")
        pairs = self._pairs()
        own = [parameter.detach() for _, parameter in pairs]
        self._is_swapped = True
        try:
            for average, parameter in pairs:
                parameter.set(average.detach().cast(parameter.dtype))
            yield
        finally:
            for (_, parameter), value in zip(pairs, own, strict=True):
                parameter.set(value)
            self._is_swapped = False

    def state(self) -> dict[str, Tensor]:
        """The averages by the parameters' names, for a checkpoint.

        >>> from autograph import Dense
        >>> from autograph.optim import MovingAverage
        >>> {name: tensor.shape for name, tensor in MovingAverage(Dense(2, 3)).state().items()}
        {'weight': (2, 3)}
        """
        return {name: average.detach() for name, average in self._averages.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes averages that :meth:`state` gave.

        Raises:
            DtypeError: they are no dict of tensors of floats.
            AutographError: of other parameters. ShapeError: of other shapes.

        >>> from autograph import Dense
        >>> from autograph.optim import MovingAverage
        >>> average, other = (MovingAverage(Dense(2, 3, seed=seed)) for seed in (0, 1))
        >>> other.restore(average.state())
        >>> (other.state()["weight"] == average.state()["weight"]).all().item()
        True
        """
        if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
            raise DtypeError("MovingAverage: expected a dict of tensors, as state() gives it")
        if state.keys() != self._averages.keys():
            differences = sorted(map(str, state.keys() ^ self._averages.keys()))
            raise AutographError(f"MovingAverage: a state of other parameters: {', '.join(differences)}")
        for name, value in state.items():
            if value.shape != self._averages[name].shape:
                raise ShapeError(
                    f"MovingAverage: {name} has the shape {value.shape}; expected {self._averages[name].shape}"
                )
        for name, value in state.items():
            old = self._averages[name]
            self._averages[name] = Parameter(value.to_device(old.device).cast(old.dtype))


def _own(parameter: Parameter) -> Parameter:
    """A copy. It is one at once: where one were made later, a captured step would make it anew each time."""
    return Parameter(_wide(parameter).copy())


def _wide(parameter: Parameter) -> Tensor:
    """The weight in the dtype that is computed in: of a narrow one, the optimizer's f32 copy where there is one."""
    return parameter.state.get("master", parameter).detach().cast(parameter.dtype.compute)
