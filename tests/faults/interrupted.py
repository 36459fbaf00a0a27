"""Works on a device, is interrupted by Ctrl-C whenever it comes, and checks that all is as it should be.

Run as a program with a device and a number of seconds; prints how often it was interrupted, and where.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
import traceback
from collections import Counter

import numpy as np

from krnlpy import Buffer, Device, ItemMut, Kernel, Spec, f32, kernel, u32
from tests.support.kernels import increment, saxpy

_COUNT = 5000
_LARGE = 3 << 20


def fresh_kernel(number: int) -> Kernel:
    """A kernel that was never compiled."""

    def scale(x: ItemMut[f32], BY: Spec[u32] = 1) -> None:
        x *= f32(BY)

    return kernel(scale).specialize(BY=number)


class Work:
    """State that survives interruptions: what must be in buffers, as far as one can know.

    Attributes:
        attempts: launches of ``increment`` that were begun. ``done``: that returned.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.counter = Buffer.zeros(_COUNT, u32, device)
        self.constant = Buffer.from_numpy(np.arange(_COUNT, dtype=np.float32), device)
        self.attempts = self.done = 0

    def step(self, rng: random.Random) -> None:
        """One thing of those that programs do."""
        choice = rng.randrange(6)
        if choice < 2:
            for _ in range(rng.randrange(100)):
                self.attempts += 1
                increment(self.counter)
                self.done += 1
        elif choice == 2:
            values = np.full(rng.randrange(1, _LARGE), rng.randrange(256), np.uint8)
            there = Buffer.from_numpy(values, self.device)
            assert (there.copy().numpy() == values).all()
        elif choice == 3:
            buffers = [Buffer.full(rng.randrange(1, 3000), i, u32, self.device) for i in range(20)]
            rng.shuffle(buffers)
            for i, buffer in enumerate(buffers):
                if i % 2:
                    assert len(set(buffer.numpy().tolist())) == 1
        elif choice == 4:
            number = rng.randrange(2, 1 << 16)
            x = Buffer.ones(100, f32, self.device)
            fresh_kernel(number)(x)
            assert (x.numpy() == number).all()
        else:
            y = Buffer.zeros(_COUNT, f32, self.device)
            for _ in range(20):
                saxpy(2.0, self.constant, y)
            assert (y.numpy() == 40 * np.arange(_COUNT, dtype=np.float32)).all()

    def check(self) -> None:
        """Each launch happened as a whole or not at all (where it ran at once, perhaps in part); those that returned
        happened."""
        counts = self.counter.numpy()
        if self.device.info.backend == "vulkan":
            assert (counts == counts[0]).all(), np.unique(counts)
        assert self.done <= counts.min() <= counts.max() <= self.attempts, (self.done, set(counts), self.attempts)
        assert (self.constant.numpy() == np.arange(_COUNT, dtype=np.float32)).all()
        self.counter = Buffer.zeros(_COUNT, u32, self.device)
        self.attempts = self.done = 0


def main() -> None:
    """Steps until the time is over; what is interrupted is checked, and gone on with."""
    selector, seconds = sys.argv[1], float(sys.argv[2])
    device = Device(int(selector) if selector.isdecimal() else selector)
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    work = Work(device)
    work.step(rng)
    others = threading.Thread(target=_keep_busy, args=(device, seconds))
    others.start()
    places: Counter[str] = Counter()
    armed = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal armed
        if armed:  # the program's own handling is not to be tested
            armed = False
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    end = time.monotonic() + seconds
    print("ready", flush=True)
    while time.monotonic() < end:
        try:
            while time.monotonic() < end:
                armed = True  # again for each: Python swallows an exception in a __del__
                work.step(rng)
            armed = False
        except KeyboardInterrupt as error:
            frame = [f for f in traceback.extract_tb(error.__traceback__) if "/krnlpy/" in f.filename][-1:]
            places[f"{frame[0].filename.rpartition('/')[2]} {frame[0].name}" if frame else "here"] += 1
        work.check()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    others.join()
    print(sum(places.values()), dict(places.most_common()), flush=True)


def _keep_busy(device: Device, seconds: float) -> None:
    end = time.monotonic() + seconds
    x = Buffer.zeros(100, u32, device)
    count = 0
    while time.monotonic() < end:
        for _ in range(10):
            increment(x)
        count += 10
        assert (x.numpy() == count).all()


if __name__ == "__main__":
    main()
