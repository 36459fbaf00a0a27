"""Taichi's side of the benchmark ``launch``, in a process of its own: ``python -m benches.launch_taichi ARCH``."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benches.launch_work import ALPHA, BETA, inputs
from benches.peer_process import serve


class Launch:
    """The kernel of the benchmark."""

    def __init__(self, arch: str) -> None:
        import taichi as ti

        ti.init(arch=getattr(ti, arch), offline_cache=False, log_level=ti.ERROR)
        found = ti.lang.impl.current_cfg().arch
        if arch == "vulkan" and found != ti.vulkan:
            raise RuntimeError(f"taichi {ti.__version__} has no Vulkan device; it took {found}")
        array = ti.types.ndarray(dtype=ti.f32, ndim=1)

        def combine(alpha, beta, x, y, z):  # type: ignore[no-untyped-def]
            for i in z:
                z[i] = alpha * x[i] + beta * y[i]

        combine.__annotations__ = {"alpha": ti.f32, "beta": ti.f32, "x": array, "y": array, "z": array}
        self._sync, self._combine = ti.sync, ti.kernel(combine)
        x, y = inputs()
        self._x, self._y, self._z = (ti.ndarray(ti.f32, len(x)) for _ in range(3))
        self._x.from_numpy(x)
        self._y.from_numpy(y)

    def run(self, iterations: int) -> None:
        combine, x, y, z = self._combine, self._x, self._y, self._z
        for _ in range(iterations):
            combine(ALPHA, BETA, x, y, z)

    def wait(self) -> None:
        self._sync()

    def result(self) -> np.ndarray[Any, Any]:
        self.run(1)
        found: np.ndarray[Any, Any] = self._z.to_numpy()
        return found


if __name__ == "__main__":
    serve(lambda: Launch(sys.argv[1]))
