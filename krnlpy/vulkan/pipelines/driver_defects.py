"""What drivers are known to compute wrongly, found out by probes: small kernels that are run once a driver.

The answers are kept on disk, under all that distinguishes drivers. What a driver says of itself, its name
above all, decides nothing.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from krnlpy import config
from krnlpy.cache.store import Cache
from krnlpy.device_info import DeviceInfo
from krnlpy.errors import CompileError, DeviceError
from krnlpy.features import Feature
from krnlpy.log import logger
from krnlpy.vulkan.loading.apart import PYTHON_RAISED, run_apart

from .probe_kernels import PASSES, idle_lanes_rest, loads_are_kept, passes_of_a_loop, subgroups_have_ids, subgroups_meet

if TYPE_CHECKING:
    from krnlpy.backend.protocol import Backend

_VERSION = 3
"""Of the probes: another one asks all drivers anew."""
_SECONDS = 60.0
"""After which a probe in a process of its own has failed."""
_WRONG = 3
"""The exit status of one that survived, with a wrong number."""
_VARIABLES = ("GALLIUM_OVERRIDE_CPU_CAPS", "LP_NATIVE_VECTOR_WIDTH")
"""What changes the code that drivers on the CPU make."""


@dataclass(frozen=True)
class Defects:
    """What a driver computes wrongly.

    Attributes:
        loop_passes: after so many passes, of all loops of a thread together, it ends each loop; 0: it does not.
        shared_subgroup_ids: it gives several subgroups of a group with two or three axes one id.
        broken_subgroup_barriers: it loses threads at a barrier of a subgroup to which other subgroups do not come.
        forgotten_loads: it gives 0 for what a thread last read in a loop, once the thread has left it before others.
        stray_loops: where no thread of a subgroup runs a loop within a loop, it still reaches for its memory, and dies.
        idle_lanes: lanes of a group's last subgroup to which no thread belongs stay in a loop that all threads left:
            with a barrier in it, the subgroup's threads are lost; without, the loop has as many passes as it can.
    """

    loop_passes: int = 0
    shared_subgroup_ids: bool = False
    broken_subgroup_barriers: bool = False
    forgotten_loads: bool = False
    stray_loops: bool = False
    idle_lanes: bool = False

    def sentences(self) -> tuple[str, ...]:
        """What is wrong, and what is done about it."""
        found = []
        if self.loop_passes:
            found.append(
                f"ends the loops of a thread after {self.loop_passes} passes of all together: launches that surely have"
                " more are refused, those that may have more are watched"
            )
        if self.shared_subgroup_ids:
            found.append("gives several subgroups of a group with two or three axes one id: these are laid out along x")
        if self.broken_subgroup_barriers:
            found.append("loses threads at subgroup_barrier() where other subgroups do not come: it only orders memory")
        if self.forgotten_loads:
            found.append("forgets what threads read in loops that they leave before others: kernels keep it")
        if self.stray_loops:
            found.append("ends the process in loops within loops that no thread runs: kernels reach no memory there")
        if self.idle_lanes:
            found.append("keeps lanes that have no thread in loops, where a group is no whole subgroups: these leave")
        return tuple(found)


def defects_of(info: DeviceInfo, open_backend: Callable[[], Backend]) -> Defects:
    """What a driver computes wrongly, as kept on disk or as probes find; nothing where these fail.

    Args:
        open_backend: opens the device once more, for the probes.
    """
    if not config.probes:
        return Defects()
    key = _key(info)
    if key not in _asked:
        cache = Cache.of("probes")
        defects = _read(cache.get(key))
        if defects is None:
            try:
                defects = _probed(open_backend, info)
                cache.put(key, json.dumps(asdict(defects)).encode())
            except (DeviceError, CompileError) as error:
                logger.warning("%s: its driver cannot be probed for defects: %s", info.name, error)
                defects = Defects()
        for sentence in defects.sentences():
            logger.info("%s: its driver %s", info.name, sentence)
        _asked[key] = defects
    return _asked[key]


_asked: dict[str, Defects] = {}


def _key(info: DeviceInfo) -> str:
    driver = {name: info.extra[name] for name in ("vendor_id", "device_id", "driver_version", "driver_id")}
    cpu = _cpu() if info.kind == "cpu" else ""
    parts = [_VERSION, info.name, info.driver, info.api_version, driver, info.extra["driver_build"], cpu]
    return json.dumps(["probes", *parts])


@functools.cache
def _cpu() -> str:
    """What distinguishes kinds of CPUs, for drivers that make code for them."""
    flags = ""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = platform.processor()
    digest = hashlib.sha256(flags.encode()).hexdigest()[:16]
    return " ".join([platform.machine(), digest, *(f"{v}={os.environ[v]}" for v in _VARIABLES if v in os.environ)])


def _read(payload: bytes | None) -> Defects | None:
    """What was kept, if it is what this version keeps."""
    try:
        found = json.loads(payload or b"")
        kinds = {field.name: type(getattr(Defects(), field.name)) for field in fields(Defects)}
        if {name: type(value) for name, value in found.items()} == kinds:
            return Defects(**found)
    except (ValueError, AttributeError):
        pass
    return None


def _probed(open_backend: Callable[[], Backend], info: DeviceInfo) -> Defects:
    from concurrent.futures import ThreadPoolExecutor  # takes its time, and drivers are asked once

    # The process apart takes longer than all other probes, which run meanwhile.
    with ThreadPoolExecutor(1) as apart:
        strays = apart.submit(_has_stray_loops, info.index or 0) if info.kind == "cpu" else None
        backend = open_backend()
        try:
            passes = passes_of_a_loop(backend)
            has_subgroups = Feature.SUBGROUP_BASIC in info.features
            return Defects(
                loop_passes=passes if passes < PASSES else 0,
                shared_subgroup_ids=has_subgroups and not subgroups_have_ids(backend),
                broken_subgroup_barriers=has_subgroups and not subgroups_meet(backend),
                forgotten_loads=not loads_are_kept(backend),
                idle_lanes=not idle_lanes_rest(backend),
                stray_loops=strays is not None and strays.result(),
            )
        finally:
            backend.close()


def _has_stray_loops(index: int) -> bool:
    """Whether the probe that such drivers do not survive fails, in a process of its own. Only drivers whose kernels run
    in the process can end it."""
    code = (
        "import sys; from krnlpy import vulkan; from krnlpy.vulkan.pipelines.probe_kernels import loops_are_skipped\n"
        f"sys.exit(0 if loops_are_skipped(vulkan.open_device({index})) else {_WRONG})"
    )
    try:
        status = run_apart(code, {**os.environ, "KRNLPY_PROBES": "0"}, _SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return status not in (None, 0, PYTHON_RAISED)
