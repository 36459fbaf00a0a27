"""krnlpy's side of the benchmark ``first``: ``python first_krnlpy.py SELECTOR``, where krnlpy can be imported."""

import json
import sys

import numpy as np

from krnlpy import Buffer, Device, Item, ItemMut, f32, kernel

FACTORS = 0.5, 2.0


@kernel
def combine(alpha: f32, beta: f32, x: Item[f32], y: Item[f32], z: ItemMut[f32]) -> None:
    z = alpha * x + beta * y


selector = sys.argv[1]
device = Device(int(selector) if selector.isdecimal() else selector)
x = Buffer.from_numpy(np.arange(256, dtype=np.float32), device)
z = Buffer.empty(256, f32, device)
combine(*FACTORS, x, x, z)
print(json.dumps(z.numpy().tolist()), flush=True)
