"""``python -m tests.fuzz --count N --seed S [--device D]``: draws programs, runs them, and shrinks what fails.

A device is named as for the tests: host, an index, or a part of a name; all there are, if none is. Each failing case
is written to a file (``--keep``, a directory), which ``--file`` runs again. ``--broken`` breaks the programs first.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import sys
import traceback
from collections import Counter
from pathlib import Path

os.environ.setdefault("KRNLPY_NO_CACHE", "1")  # drawn programs are compiled once
os.environ.setdefault("MESA_SHADER_CACHE_DISABLE", "true")

from krnlpy import Device, Feature
from tests.support.devices import selectors
from tests.support.programs import verify_programs

from .breaker import survey
from .case import Case
from .derivatives import compare
from .program import draw
from .run import Fault, can_run, check, judge
from .shrink import shrink

HANG = 600
"""Seconds after which a case that is still running ends the process, with a traceback."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the others follow")
    parser.add_argument("--device", action="append", default=[])
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="where failing cases are written")
    parser.add_argument("--file", type=Path, help="runs the case of this file only")
    parser.add_argument("--broken", action="store_true", help="breaks the programs: only our errors may come out")
    parser.add_argument("--derivatives", action="store_true", help="draws smooth functions, and compares derivatives")
    parser.add_argument("--trace", action="store_true", help="says each seed before it runs, to find what aborts")
    parser.add_argument("--no-shrink", action="store_true")
    options = parser.parse_args()
    verify_programs()
    devices = [Device(s) for _, s in selectors(options.device) if s != "interpreter"]
    counts: Counter[str] = Counter()
    seeds = [0] if options.file else range(options.seed, options.seed + options.count)
    for seed in seeds:
        faulthandler.dump_traceback_later(HANG, exit=True)
        if options.trace:
            print(f"seed {seed}", flush=True)
        if options.derivatives:
            for able in (device for device in devices if Feature.FLOAT64 in device.info.features):
                result = compare(seed, able)
                counts["derivatives"] += result.compared
                counts["faults"] += bool(result.fault)
                if result.fault:
                    print(f"{able!r}: {result.fault}", flush=True)
            continue
        if options.broken:
            for found in survey(seed, devices, counts):
                counts["faults"] += 1
                print(found, flush=True)
            continue
        case = Case.read(options.file) if options.file else draw(seed)
        for device, fault in faults(case, devices, counts):
            counts["faults"] += 1
            print(f"seed {case.seed}: {fault}", flush=True)
            small = case if options.no_shrink or device is None else shrink(case, device, fault)
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                path = options.keep / f"case_{case.seed}_{fault.what}.py"
                path.write_text(small.text)
                path.with_suffix(".whole").write_text(case.text)
            print(small.source, flush=True)
    faulthandler.cancel_dump_traceback_later()
    for what, count in sorted(counts.items()):
        print(f"{count:7} {what}")
    return 1 if counts["faults"] else 0


def faults(case: Case, devices: list[Device], counts: Counter[str]) -> list[tuple[Device | None, Fault]]:
    """What is wrong with a case, by device; None is the judge."""
    try:
        kernel = case.load()
        want = judge(case, kernel)
    except Exception:
        return [(None, Fault("interpreter", "raises", traceback.format_exc(limit=-3)))]
    found: list[tuple[Device | None, Fault]] = []
    for device in devices:
        if not can_run(case, device):
            counts[f"{device!r} does not promise what it takes"] += 1
            continue
        counts[f"{device!r} {device.info.driver}"] += 1
        with contextlib.suppress(KeyboardInterrupt):
            fault = check(case, kernel, device, want)
        if fault is not None:
            found.append((device, fault))
    return found


if __name__ == "__main__":
    sys.exit(main())
