"""The losses of all models beside PyTorch's: ``python -m tests.models --device 0``."""

from __future__ import annotations

import argparse

import torch

from krnlpy import Device

from .test_models import CASES


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="host")
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    device = Device(int(arguments.device) if arguments.device.isdecimal() else arguments.device)
    for name, case in CASES.items():
        found = case.losses(device, arguments.steps)
        theirs = case.peer_losses(torch, arguments.steps, torch.float32)
        difference = max(abs(a - b) for a, b in zip(found, theirs, strict=True))
        print(f"{name:12} {found[0]:.6f} -> {found[-1]:.6f}  PyTorch {theirs[-1]:.6f}  at most {difference:.1e} apart")


if __name__ == "__main__":
    main()
