"""One change of a model's parameters, by one batch or several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograph.captures import capture
from autograph.errors import AutographError
from autograph.nn.layer import Layer
from autograph.optim import LossScale, MovingAverage, Optimizer, clip_gradients_by_norm, clip_gradients_by_value
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor

from .batches import Count, on_device
from .scores import Scores

Forward = Callable[[Any, Any], tuple[Any, ...]]
"""From a model and a batch to the arguments of the loss and of metrics."""


class Step:
    """What a step does. The arguments are those of :class:`Trainer`."""

    def __init__(
        self,
        model: Layer,
        optimizer: Optimizer,
        loss: Callable[..., Tensor],
        forward: Forward | None,
        count: Count,
        clip_norm: float | None,
        clip_value: float | None,
        average: MovingAverage | None,
        captured: bool,
    ) -> None:
        self._model, self._optimizer, self._loss, self._count = model, optimizer, loss, count
        self._forward = self._predict if forward is None else forward
        self._clip_norm, self._clip_value, self._average = clip_norm, clip_value, average
        self._first: Parameter | None = None
        self._change: Any = capture(self._eager) if captured else self._eager

    def find(self) -> None:
        """Finds where the model lies, by its first parameter. That takes a walk, and is not for every step."""
        self._first = next(self._model.parameters(), None)

    def scored(self, batch: Any) -> tuple[Tensor, int, tuple[Any, ...]]:
        """The loss of a batch, how many examples it has, and what the loss and metrics are of."""
        batch = on_device(batch, None if self._first is None else self._first.device)
        count = self._count(batch)
        outputs = self._forward(self._model, batch)
        return self._loss(*outputs), count, outputs

    def take(self, group: list[Any], rate: float, scores: Scores) -> Tensor:
        """Changes the parameters by the mean over the batches' examples.

        Returns:
            The last batch's loss.
        """
        group = [on_device(batch, None if self._first is None else self._first.device) for batch in group]
        counts = [self._count(batch) for batch in group]
        for (last, outputs), count in zip(self._change(group, counts, rate), counts, strict=True):
            scores.add(last, count, outputs)
        loss: Tensor = last
        return loss

    def _eager(self, group: list[Any], counts: list[int], rate: float) -> list[tuple[Tensor, tuple[Any, ...]]]:
        """The step, and for each batch its loss and what that and metrics are of."""
        total = sum(counts)
        results = []
        self._model.init_parameter_grads()
        for batch, count in zip(group, counts, strict=True):
            outputs = self._forward(self._model, batch)
            loss = self._loss(*outputs)
            # The gradient of a mean over batches needs to know how large all are, before the first goes backwards.
            share = loss * (count / total) if len(group) > 1 else loss
            (self._optimizer.scaled(share) if isinstance(self._optimizer, LossScale) else share).backward()
            results.append((loss.detach(), tuple(x.detach() if isinstance(x, Tensor) else x for x in outputs)))
        self._clip()
        self._model.update(rate, self._optimizer)
        if self._average is not None:
            self._average.update()
        return results

    def _predict(self, model: Layer, batch: Any) -> tuple[Any, ...]:
        """What the model makes of all of a batch but the last, and the last: the input and the target, most often."""
        if not isinstance(batch, tuple) or len(batch) < 2:
            raise AutographError(
                f"a batch of type {type(batch).__name__}: expected (input, target); Trainer(..., forward=) takes a"
                " function of the model and the batch that gives the arguments of the loss"
            )
        *inputs, target = batch
        if self._first is not None:
            dtype = self._first.dtype
            inputs = [
                x.cast(dtype) if isinstance(x, Tensor) and x.dtype.is_float and x.dtype != dtype else x for x in inputs
            ]
        return model(*inputs), target

    def _clip(self) -> None:
        if self._clip_norm is None and self._clip_value is None:
            return
        if isinstance(self._optimizer, LossScale):
            self._optimizer.unscale(self._model)
        if self._clip_value is not None:
            clip_gradients_by_value(self._model, self._clip_value)
        if self._clip_norm is not None:
            clip_gradients_by_norm(self._model, self._clip_norm)
