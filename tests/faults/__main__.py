"""``python -m tests.faults [--device N] [--quick]``: fails every call of the workload with every code; prints a table.

Each device is used as it is, and once more as though the host could not see its memory. ``--quick`` fails only the
first call made at each place of krnlpy's source.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter

os.environ["KRNLPY_CACHE_DIR"] = tempfile.mkdtemp(prefix="krnlpy-faults-")

import krnlpy

from .campaign import survey


def main() -> int:
    """Returns the exit status: 1 if a fault was not taken as it should."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--device", type=int, action="append", help="index of a Vulkan device; all, if none is given")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    infos = krnlpy.devices()
    failures = 0
    rows: Counter[tuple[str, str, str]] = Counter()
    for index in options.device or range(len(infos)):
        for is_discrete in (False, True):
            outcomes, wrong = survey(index, is_discrete, not options.quick)
            memory = "memory apart" if is_discrete else "shared memory"
            name = f"{infos[index].name}, {infos[index].driver}, {memory}"
            print(f"{name}: {outcomes.total()} faults taken, {len(wrong)} not")
            for text in wrong:
                print(f"  {text}")
            failures += len(wrong)
            for outcome, count in outcomes.items():
                rows[outcome.function, outcome.code, outcome.result] += count
    print("\n| function | code | result | faults |\n|---|---|---|---|")
    for row, count in sorted(rows.items()):
        print(f"| {' | '.join(row)} | {count} |")
    print(f"| | | | {rows.total()} |")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
