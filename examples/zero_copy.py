"""One memory, several libraries: a NumPy array, a krnlpy buffer and, where it is installed, a PyTorch tensor.

Whatever says ``copy=False`` shares, or raises. On the host any buffer can; on other devices memory of the process is
shared where the driver can (VK_EXT_external_memory_host).

    python examples/zero_copy.py [--device DEVICE]
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from krnlpy import Buffer, Device, Feature, ItemMut, f32, kernel


@kernel
def brighten(gain: f32, pixel: ItemMut[f32]) -> None:
    pixel = min(pixel * gain, 1.0)


def in_place(device: Device, image: np.ndarray) -> str:
    """A kernel works in the array itself; the right half alone, so that the buffer is a strided view."""
    half = image[:, image.shape[1] // 2 :]
    before = half.copy()
    if Feature.SHARED_HOST_MEMORY in device.info.features:
        brighten(2.0, Buffer.from_numpy(half, device, copy=False))
        device.wait()  # the kernel is queued: until it is done, the array is the device's
        how = "the kernel worked in the array's memory"
    else:
        there = Buffer.from_numpy(half, device)  # a copy on the device
        brighten(2.0, there)
        there.numpy(out=half)  # and back into the array that is there
        how = "the device can't share: up and down again, into the same array"
    np.testing.assert_array_equal(half, np.minimum(before * 2, 1))
    return how


def with_numpy(image: np.ndarray) -> str:
    """The host's buffers and NumPy's arrays, both ways."""
    buffer = Buffer.from_numpy(image, copy=False)
    view = buffer[::-1, ::2].numpy(copy=False)  # every other column, from below
    assert np.shares_memory(view, image)
    assert np.from_dlpack(buffer)[0, 0] == image[0, 0]
    return "array, buffer and a view of it with steps are one memory"


def with_torch(image: np.ndarray) -> str:
    """A buffer as a tensor, and a tensor as a buffer, by DLPack."""
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed"
    import torch

    buffer = Buffer.from_numpy(image, copy=False)
    tensor = torch.utils.dlpack.from_dlpack(buffer)
    tensor[0] = 0.25
    assert (image[0] == 0.25).all()
    brighten(2.0, Buffer.from_dlpack(tensor.T, copy=False)[:, 0])  # the first row once more
    assert (image[0] == 0.5).all()
    weights = Buffer.from_dlpack(torch.ones(4, dtype=torch.bfloat16))  # NumPy has no bf16, krnlpy has
    return f"tensor and buffer are one memory; weights of {weights.dtype}"


def run(device: Device, rows: int = 480, columns: int = 640) -> list[str]:
    """All of it, checked; what was done, line by line."""
    image = np.random.default_rng(0).random((rows, columns), np.float32)
    return [
        f"{device!r}: {in_place(device, image)}",
        f"NumPy: {with_numpy(image)}",
        f"PyTorch: {with_torch(image)}",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One memory, several libraries.")
    parser.add_argument("--device", help="host, an index or a part of a name; the best unless told")
    chosen = parser.parse_args().device
    device = Device.best() if chosen is None else Device(int(chosen) if chosen.isdecimal() else chosen)
    print("\n".join(run(device)))
