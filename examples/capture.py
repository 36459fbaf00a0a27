"""A simulation as a graph: many small kernels, captured once, replayed at the cost of one submission.

Heat spreads along a rod whose left end is held at a temperature that changes from frame to frame. A frame is 50 steps,
each too small to be worth a launch of its own: launched one by one, they cost mostly the launches.

    python examples/capture.py --device 0
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from krnlpy import Buffer, Device, Item, ItemMut, f32, kernel
from krnlpy.errors import DeviceError

STEPS = 50
"""Of a frame; even, since they go to and fro between two buffers."""
RATE = 0.25


@kernel
def spread(rate: f32, left: Item[f32], middle: Item[f32], right: Item[f32], new: ItemMut[f32]) -> None:
    new = middle + rate * (left - 2.0 * middle + right)


def frame(temperature: Any, rod: Buffer, other: Buffer) -> None:
    """The steps of a frame. ``temperature`` is a number, or a parameter of the graph that is being captured."""
    for now, new in [(rod, other), (other, rod)] * (STEPS // 2):
        now[:1].fill(temperature)
        spread(RATE, now[:-2], now[1:-1], now[2:], new[1:-1])


def temperatures(frames: int) -> list[float]:
    """Of the rod's left end."""
    return [float(np.float32(np.sin(0.3 * i) + 1)) for i in range(frames)]


def simulate(device: Device, size: int, frames: int) -> tuple[float, float]:
    """Runs the simulation both ways, and checks both. Returns the seconds of each."""
    expected = reference(size, temperatures(frames))

    def timed(rod: Buffer, run: Callable[[float], None]) -> float:
        run(0.0)  # builds what must be built; the rod stays cold
        device.wait()
        start = time.perf_counter()
        for temperature in temperatures(frames):
            run(temperature)
        device.wait()
        taken = time.perf_counter() - start
        # Each of the steps rounds a temperature of at most 2 three times, by 2**-24 of it.
        np.testing.assert_allclose(rod.numpy(), expected, rtol=0, atol=3 * 2 * 2.0**-24 * STEPS * frames)
        return taken

    rod, other = (Buffer.zeros(size, f32, device) for _ in range(2))
    launched = timed(rod, lambda temperature: frame(temperature, rod, other))

    rod, other = (Buffer.zeros(size, f32, device) for _ in range(2))
    with device.capture() as graph:
        frame(graph.parameter("temperature", 0.0), rod, other)
    return launched, timed(rod, lambda temperature: graph.replay(temperature=temperature))


def reference(size: int, ends: list[float]) -> np.ndarray[Any, Any]:
    """The same with NumPy, in f64."""
    now, new = np.zeros(size), np.zeros(size)
    for end in ends:
        for _ in range(STEPS):
            now[0] = end
            new[1:-1] = now[1:-1] + RATE * (now[:-2] - 2 * now[1:-1] + now[2:])
            now, new = new, now
    return now


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", default="host", help="host, interpreter, an index or a part of a name")
    parser.add_argument("--size", type=int, default=1000, help="points of the rod, at least 3 (default: 1000)")
    parser.add_argument("--frames", type=int, default=50, help="frames (default: 50)")
    arguments = parser.parse_args()
    if arguments.size < 3 or arguments.frames < 1:
        parser.error("a rod has at least 3 points, a simulation at least one frame")
    selector = arguments.device
    try:
        device = Device(int(selector) if selector.isdecimal() else selector)
        launched, replayed = simulate(device, arguments.size, arguments.frames)
    except DeviceError as error:
        sys.exit(f"error: {error}")
    each = 1e3 / arguments.frames
    print(
        f"{device.name}: {STEPS} steps a frame: launched one by one {launched * each:.3f} ms a frame, replayed"
        f" {replayed * each:.3f} ms: {launched / replayed:.1f} times as fast"
    )


if __name__ == "__main__":
    main()
