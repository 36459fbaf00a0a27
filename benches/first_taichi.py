"""Taichi's side of the benchmark ``first``: ``python first_taichi.py ARCH FOLDER``, where Taichi can be imported."""

import json
import sys

import numpy as np
import taichi as ti

FACTORS = 0.5, 2.0

arch, folder = sys.argv[1:]
ti.init(arch=getattr(ti, arch), offline_cache=True, offline_cache_file_path=folder, log_level=ti.ERROR)
if arch == "vulkan" and ti.lang.impl.current_cfg().arch != ti.vulkan:
    sys.exit(f"taichi {ti.__version__} has no Vulkan device")
array = ti.types.ndarray(dtype=ti.f32, ndim=1)


def combine(alpha, beta, x, y, z):  # type: ignore[no-untyped-def]
    for i in z:
        z[i] = alpha * x[i] + beta * y[i]


combine.__annotations__ = {"alpha": ti.f32, "beta": ti.f32, "x": array, "y": array, "z": array}
run = ti.kernel(combine)
x, z = ti.ndarray(ti.f32, 256), ti.ndarray(ti.f32, 256)
x.from_numpy(np.arange(256, dtype=np.float32))
run(*FACTORS, x, x, z)
print(json.dumps(z.to_numpy().tolist()), flush=True)
