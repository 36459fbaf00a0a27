"""The operations by torchvulkan, a device of PyTorch's for Vulkan, in a process of its own.

``python -m benches.operations_torchvulkan OPERATION DEVICE``; the device is given by its name.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

from benches.operations import OPERATIONS, PyTorch, sample
from benches.peer_process import serve


class TorchVulkan(PyTorch):
    """PyTorch on the device ``vulkan``."""

    def __init__(self, name: str, device: str) -> None:
        import torchvulkan

        self.synchronize = torchvulkan.synchronize
        names = [torchvulkan.get_device_name(i) for i in range(torchvulkan.device_count())]
        if device not in names:
            raise RuntimeError(f"torchvulkan {torchvulkan.__version__} finds {', '.join(names) or 'no device'}")
        torchvulkan.set_device(names.index(device))
        operation = next(operation for operation in OPERATIONS if operation.name == name)
        super().__init__(operation, operation.inputs(np.random.default_rng(0)), torch, "vulkan")

    def result(self) -> Any:
        return sample(super().result()).astype(np.float32)

    def wait(self) -> None:
        self.synchronize()


if __name__ == "__main__":
    serve(lambda: TorchVulkan(sys.argv[1], sys.argv[2]))
