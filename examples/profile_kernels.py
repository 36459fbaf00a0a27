"""Where the time of a program goes: a table of its kernels, by name and by part, and a trace to look at.

The program is Jacobi's method for a system of equations; what it does in a step has labels. The trace opens in
https://ui.perfetto.dev.

    python examples/profile_kernels.py --device 0 --trace jacobi.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from krnlpy import Buffer, Device, Global, Item, ItemMut, Out, Profile, f32, kernel
from krnlpy.dsl import global_id
from krnlpy.errors import KrnlpyError


@kernel
def product(a: Global[f32, 2], x: Global[f32, 1], ax: Out[f32, 1]) -> None:
    row = global_id(0)
    if row < a.shape[0]:
        total = 0.0
        for column in range(a.shape[1]):
            total += a[row, column] * x[column]
        ax[row] = total


@kernel
def improve(diagonal: Item[f32], b: Item[f32], ax: Item[f32], x: ItemMut[f32]) -> None:
    x += (b - ax) / diagonal


def solve(device: Device, size: int, steps: int) -> tuple[Buffer, Profile]:
    """Solves a system whose solution is all ones, under a profile; checks it."""
    rng = np.random.default_rng(0)
    # Jacobi's method converges where the diagonal outweighs the rest of its row: here four times.
    matrix = rng.random((size, size), np.float32) / np.float32(size)
    np.fill_diagonal(matrix, 2.0)
    with device.profile() as p:
        with device.label("upload"):
            a = Buffer.from_numpy(matrix, device)
            b = Buffer.from_numpy(matrix.sum(axis=1), device)
            diagonal = Buffer.from_numpy(matrix.diagonal().copy(), device)
            x, ax = Buffer.zeros(size, f32, device), Buffer.empty(size, f32, device)
        for _ in range(steps):
            with device.label("step"):
                product.with_global_threads(size)(a, x, ax)
                improve(diagonal, b, ax, x)
        with device.label("download"):
            solution = x.numpy()
    # A step leaves at most 1/2 of the error (the sum of a row without its diagonal, divided by that); what remains is
    # the rounding of the last one: of the product's size terms, which add up to less than 4, and of b's.
    np.testing.assert_allclose(solution, 1.0, atol=0.5**steps + 2 * (size + 4) * 4 * 2**-24)
    return x, p


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", default="host", help="host, interpreter, an index or a part of a name")
    parser.add_argument("--size", type=int, default=1000, help="equations (default: 1000)")
    parser.add_argument("--steps", type=int, default=20, help="steps (default: 20)")
    parser.add_argument("--trace", type=Path, help="where the trace goes")
    arguments = parser.parse_args()
    if arguments.size < 1 or arguments.steps < 1:
        parser.error("at least one equation, and one step")
    selector = arguments.device
    try:
        device = Device(int(selector) if selector.isdecimal() else selector)
        _, p = solve(device, arguments.size, arguments.steps)
        print(p)
        print(p.table("label"))
        if arguments.trace is not None:
            p.to_chrome_trace(arguments.trace)
    except (KrnlpyError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
