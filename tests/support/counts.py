"""How many tests ran, and how long they took, by room and device."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

import pytest

from krnlpy.columns import in_columns

NO_DEVICE = "no device"


def place_of(nodeid: str, devices: Iterable[str]) -> tuple[str, str]:
    """The room of a test (its first folder, ``tests`` for none) and the device that its id names, or ``no device``."""
    path, _, test = nodeid.partition("::")
    folders = path.removeprefix("tests/").split("/")[:-1]
    ids = re.split(r"[\[\]]", test)[1:2]
    own = next((name for name in devices if ids and re.search(rf"(^|-){re.escape(name)}(-|$)", ids[0])), NO_DEVICE)
    return folders[0] if folders else "tests", own


def table(reports: Iterable[pytest.TestReport], devices: Iterable[str]) -> Iterator[str]:
    """Lines of a table: a row for each room, a column for each device, ``count in seconds`` of all that passed."""
    names = [*devices, NO_DEVICE]
    counts: dict[tuple[str, str], int] = defaultdict(int)
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    for report in reports:
        place = place_of(report.nodeid, names[:-1])
        seconds[place] += report.duration
        counts[place] += report.when == "call"
    rooms = sorted({room for room, _ in counts})
    rows = [["", *names, "all"]]
    for room in [*rooms, "all"]:
        row = [room]
        for name in [*names, "all"]:
            places = [p for p in counts if room in (p[0], "all") and name in (p[1], "all")]
            total = sum(counts[p] for p in places)
            row.append(f"{total} in {sum(seconds[p] for p in places):.0f} s" if total else "")
        rows.append(row)
    yield from in_columns(rows)
