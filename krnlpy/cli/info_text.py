"""The report of ``krnlpy info`` as text: tables of what there is, then what cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from krnlpy.columns import in_columns
from krnlpy.features import Feature

from .tested import TESTED

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_LIMITS = (
    *("max_threads", "max_threads_xyz", "max_groups_xyz", "max_group_memory"),
    *("max_buffer_bytes", "max_binding_bytes", "max_parameter_bytes", "subgroup_threads", "subgroup_sizes"),
)


def as_text(found: Mapping[str, Any], verbose: bool) -> str:
    """The report: devices, versions and caches; with ``verbose`` all of it."""
    return "\n\n".join(_blocks(found, verbose))


def _blocks(found: Mapping[str, Any], verbose: bool) -> Iterator[str]:
    devices = found["devices"]
    columns = [str(d["backend"] if d["index"] is None else d["index"]) for d in devices]
    head = ("device", "name", "kind", "vendor", "driver", "Vulkan", "memory", "tested")
    yield table(
        head,
        [
            (
                *(column, d["name"], d["kind"], d["vendor"], d["driver"], d["api_version"] or "-"),
                *(size(d["memory_bytes"]), "yes" if d["tested"] else "no"),
            )
            for column, d in zip(columns, devices, strict=True)
        ],
    )
    if not all(d["tested"] for d in devices):
        yield (
            "Those not tested have drivers on which krnlpy's own tests have not been run yet; `krnlpy doctor` tries"
            f" kernels on them. Tested are {', '.join(TESTED.values())}."
        )
    if found["unavailable"]:
        yield "can't be used:\n" + "\n".join(f"  {reason}" for reason in found["unavailable"])
    defects = [(column, s) for column, d in zip(columns, devices, strict=True) for s in d.get("defects", ())]
    if defects:
        yield table(("device", "defect of its driver"), defects)
    if verbose:
        yield from _details(found, columns)
    loader, versions = found["loader"], dict(found["versions"])
    if not verbose:
        versions = {k: v for k, v in versions.items() if k in ("krnlpy", "python", "numpy", "llvmlite", "system")}
    versions["Vulkan loader"] = loader and f"{loader['version']} ({loader['file'] or 'file unknown'})"
    versions["GLSL compiler"] = found["glsl compiler"] and found["glsl compiler"].splitlines()[0]
    versions["validation layer"] = found["validation layer"]
    yield table(("version", ""), [(k, v or "not found") for k, v in versions.items()])
    if caches := found["caches"]:
        limit = f"of at most {size(caches['limit_bytes'])}"
        kinds = [(name, f"{k['entries']} entries, {size(k['bytes'])} {limit}") for name, k in caches["kinds"].items()]
        yield table(("cache", ""), [("folder", caches["folder"] or "none (KRNLPY_NO_CACHE)"), *kinds])


def _details(found: Mapping[str, Any], columns: list[str]) -> Iterator[str]:
    devices = found["devices"]
    yield table(
        ("feature", *columns),
        [(feature.value, *("yes" if feature in d["features"] else "-" for d in devices)) for feature in Feature],
    )
    limits = [(name, *(_limit(name, d[name]) for d in devices)) for name in _LIMITS]
    further = dict.fromkeys(name for d in devices for name in d["extra"])
    limits += [(name, *(_limit(name, d["extra"].get(name, "-")) for d in devices)) for name in further]
    yield table(("limit", *columns), limits)
    shapes = [(column, shape) for column, d in zip(columns, devices, strict=True) for shape in d["cooperative_shapes"]]
    if shapes:
        yield table(("device", "product of cooperative matrices"), shapes)
    heaps = [
        (
            *(column, str(i), size(heap["nbytes"]), "device" if heap["device_local"] else "host"),
            *("not told" if heap[part] is None else size(heap[part]) for part in ("budget", "used")),
        )
        for column, d in zip(columns, devices, strict=True)
        for i, heap in enumerate(d.get("heaps", ()))
    ]
    if heaps:
        yield table(("device", "heap", "size", "memory", "budget", "used"), heaps)
    drivers = [(d["path"], d["library"], d["api_version"], d["problem"] or "") for d in found["drivers"]]
    yield table(("driver's manifest", "library", "Vulkan", "problem"), drivers or [("none", "", "", "")])
    environment = list(found["environment"].items())
    yield table(("environment", ""), environment or [("nothing of note", "")])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows below a head and a line, in columns."""
    first, *others = in_columns([head, *rows])
    return "\n".join([first, "-" * max(map(len, (first, *others))), *others])


def _limit(name: str, value: Any) -> str:
    if isinstance(value, int) and name.endswith(("bytes", "memory", "range", "alignment")):
        return size(value)
    if isinstance(value, tuple):
        return (", " if name == "subgroup_sizes" else " x ").join(map(str, value))
    return str(value)


def size(nbytes: int) -> str:
    """Bytes in the largest unit that leaves at least one."""
    value, unit = float(nbytes), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.4g} {_UNITS[unit]}"
