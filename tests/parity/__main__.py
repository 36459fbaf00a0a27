"""``python -m tests.parity --count N --seed S [--device D] [--operation NAME]``: random operations against PyTorch.
``python -m tests.parity networks [--device D]``: layers, losses and optimizers.

Each trial has its own seed, the next after that of the trial before, and is the same each time. A device is named as
for the tests; all there are but the interpreter, if none is.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from krnlpy import Device
from tests.support.devices import selectors

from . import table
from .operations import OPERATIONS, torch
from .trial import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="trials for each device")
    parser.add_argument("--seed", type=int, default=0, help="of the first trial; the others follow")
    parser.add_argument("--device", action="append", default=[])
    parser.add_argument("--operation", choices=sorted(OPERATIONS), help="tries this one only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = 0
    for name, selector in selectors(options.device):
        if name == "interpreter" and not options.device:
            continue
        device = Device(selector)
        trials: Counter[str] = Counter()
        faults: Counter[str] = Counter()
        for seed in range(options.seed, options.seed + options.count):
            result = run(seed, device, options.operation)
            trials[result.name] += 1
            if result.fault:
                faults[result.name] += 1
                chosen = f" --operation {options.operation}" if options.operation else ""
                print(f"{result.fault}\n  python -m tests.parity --count 1 --seed {seed} --device {selector}{chosen}")
                sys.stdout.flush()
        print(f"{device!r}: {trials.total()} trials of {len(trials)} operations, {faults.total()} faults")
        for what, count in sorted(trials.items()):
            print(f"{count:7} {what}" + (f", {faults[what]} faults" if faults[what] else ""))
        found += faults.total()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(table.main(sys.argv[2:]) if sys.argv[1:2] == ["networks"] else main())
