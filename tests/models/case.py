"""What is asked of a model: the same weights, the same batches, and the losses of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from autograph import Layer, Optimizer, Tensor
from krnlpy import Device

Arrays = tuple[np.ndarray[Any, Any], ...]


@dataclass(frozen=True)
class Case:
    """A model and its peer.

    Attributes:
        model: makes it on a device.
        loss: of the model and a batch.
        peer: the same loss, by PyTorch: of the module ``torch``, the parameters by name, and a batch.
        batch: of a step.
        optimizer: makes autograph's.
        peer_optimizer: makes PyTorch's, of the module and the parameters.
        rate: the learning rate of both.
    """

    model: Callable[[Device], Layer]
    loss: Callable[..., Tensor]
    peer: Callable[..., Any]
    batch: Callable[[int], Arrays]
    optimizer: Callable[[], Optimizer]
    peer_optimizer: Callable[[ModuleType, list[Any]], Any]
    rate: float

    def losses(self, device: Device, steps: int) -> list[float]:
        """autograph's losses."""
        model, optimizer = self.model(device), self.optimizer()
        losses = []
        for step in range(steps):
            batch = [Tensor.from_numpy(_of_32_bits(array), device) for array in self.batch(step)]
            model.init_parameter_grads()
            loss = self.loss(model, *batch)
            loss.backward()
            model.update(self.rate, optimizer)
            losses.append(loss)
        return [float(loss.item()) for loss in losses]

    def peer_losses(self, torch: ModuleType, steps: int, dtype: Any) -> list[float]:
        """PyTorch's losses, from the same weights on."""
        parameters = {
            name: torch.nn.Parameter(torch.from_numpy(parameter.numpy().copy()).to(dtype))
            for name, parameter in self.model(Device.host()).named_parameters()
        }
        optimizer, losses = self.peer_optimizer(torch, list(parameters.values())), []
        for step in range(steps):
            batch = [torch.from_numpy(array) for array in self.batch(step)]
            batch = [x.to(dtype) if x.is_floating_point() else x for x in batch]
            optimizer.zero_grad()
            loss = self.peer(torch, parameters, *batch)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses


def _of_32_bits(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Classes as every device takes them; PyTorch asks for 64 bits."""
    return array.astype(np.int32) if array.dtype == np.int64 else array
