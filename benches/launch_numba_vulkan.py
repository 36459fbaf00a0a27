"""numba-vulkan's side of the benchmark ``launch``, in a process of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.launch_work import ALPHA, BETA, ELEMENTS, inputs
from benches.peer_process import serve


class Launch:
    """The kernel of the benchmark, on the device that numba-vulkan chooses."""

    def __init__(self) -> None:
        import numba_vulkan as nv

        @nv.jit
        def combine(alpha, beta, x, y, z):  # type: ignore[no-untyped-def]
            i = nv.global_id(0)
            if i < z.shape[0]:
                z[i] = alpha * x[i] + beta * y[i]

        self._launch, self._sync = combine.forall(ELEMENTS), nv.synchronize
        self._x, self._y, self._z = map(nv.to_device, (*inputs(), np.zeros(ELEMENTS, np.float32)))

    def run(self, iterations: int) -> None:
        launch, x, y, z = self._launch, self._x, self._y, self._z
        alpha, beta = np.float32(ALPHA), np.float32(BETA)
        for _ in range(iterations):
            launch(alpha, beta, x, y, z)

    def wait(self) -> None:
        self._sync()

    def result(self) -> np.ndarray[Any, Any]:
        self.run(1)
        found: np.ndarray[Any, Any] = self._z.copy_to_host()
        return found


if __name__ == "__main__":
    serve(Launch)
