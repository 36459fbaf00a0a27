"""A matrix product that chooses its tile: it measures how large a tile, and how many rows a thread, suit the device.

The choice is remembered in krnlpy's cache directory, so that the second run measures nothing; ``--save`` writes it to a
file that can be shipped with a program, which ``--load`` reads.

    python examples/autotune.py --device 0 --size 512
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from krnlpy import Buffer, Device, Global, Out, Spec, autotune, f32, i32, kernel
from krnlpy.dsl import barrier, group_array, group_id, local_array, thread_id
from krnlpy.errors import KrnlpyError

CONFIGS = [
    {"TILE": tile, "EACH": each, "threads": (tile, tile // each)}
    for tile in (8, 16, 32)
    for each in (1, 4)
    if tile * tile // each <= 256
]
"""A group computes a square of TILE x TILE elements of c, a thread EACH of them, one below the other."""


def groups(config: Any, a: Buffer, b: Buffer, c: Buffer) -> tuple[int, int]:
    """As many as cover c."""
    return -(-c.shape[1] // config["TILE"]), -(-c.shape[0] // config["TILE"])


# All configurations add the same products in the same order, so that they agree to the bit.
@autotune(CONFIGS, key=["a", "b"], groups=groups)
@kernel
def matmul(a: Global[f32, 2], b: Global[f32, 2], c: Out[f32, 2], TILE: Spec[i32], EACH: Spec[i32]) -> None:
    a_tile = group_array(f32, (TILE, TILE))
    b_tile = group_array(f32, (TILE, TILE))
    total = local_array(f32, EACH)
    x, y = thread_id(0), thread_id(1) * EACH
    row, column = group_id(1) * TILE + y, group_id(0) * TILE + x
    for start in range(0, a.shape[1], TILE):
        for i in range(EACH):
            # Zeros past the edges add nothing: no shape needs a special case.
            k = start + x
            a_tile[y + i, x] = a[row + i, k] if row + i < a.shape[0] and k < a.shape[1] else 0.0
            k = start + y + i
            b_tile[y + i, x] = b[k, column] if k < b.shape[0] and column < b.shape[1] else 0.0
        barrier()
        for k in range(TILE):
            right = b_tile[k, x]
            for i in range(EACH):
                total[i] += a_tile[y + i, k] * right
        barrier()
    for i in range(EACH):
        if row + i < c.shape[0] and column < c.shape[1]:
            c[row + i, column] = total[i]


def run(device: Device, size: int) -> Any:
    """Multiplies two matrices of about ``size`` rows and columns, checks the product, and returns the configuration."""
    m, k, n = size, size + 5, size + 3
    rng = np.random.default_rng(0)
    a, b = rng.random((m, k), np.float32), rng.random((k, n), np.float32)
    operands = Buffer.from_numpy(a, device), Buffer.from_numpy(b, device)
    c = Buffer.empty((m, n), f32, device)
    matmul(*operands, c)
    # k products of positive numbers and their sum in turn: at most k roundings of 2**-24 each.
    np.testing.assert_allclose(c.numpy(), a.astype(np.float64) @ b.astype(np.float64), rtol=(k + 1) * 2**-24)

    with device.profile() as p:
        for _ in range(3):
            matmul(*operands, c)
    best = min(record.seconds for record in p.records)
    config = matmul.config_for(*operands, c)
    print(f"{device.name}: {dict(config)}: {1e3 * best:.3f} ms, {2e-9 * m * k * n / best:.2f} GFLOP/s")
    return config


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", default="host", help="host, interpreter, an index or a part of a name")
    parser.add_argument("--size", type=int, default=256, help="rows of the product (default: 256)")
    parser.add_argument("--load", type=Path, help="a file that --save wrote")
    parser.add_argument("--save", type=Path, help="where the choices go")
    arguments = parser.parse_args()
    if arguments.size < 1:
        parser.error("a matrix has at least one row")
    selector = arguments.device
    try:
        if arguments.load is not None:
            matmul.load_tuning(arguments.load)
        run(Device(int(selector) if selector.isdecimal() else selector), arguments.size)
        if arguments.save is not None:
            matmul.save_tuning(arguments.save)
    except (KrnlpyError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
