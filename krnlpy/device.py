"""Devices: which there are, and the one that is meant.

A backend is loaded by name when it is first asked for, and there is one backend for each physical device in a process.
"""

from __future__ import annotations

import atexit
import importlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

from . import config
from .backend.protocol import Backend
from .columns import as_html
from .device_info import DeviceInfo
from .errors import DeviceBusy, DeviceUnavailable, ProfileError
from .locks import is_mine, renew_after_fork

if TYPE_CHECKING:
    from .backend.memory_stats import MemoryStats
    from .backend.roofline import Roofline
    from .graphs.graph import Graph
    from .profiling.profile import Profile

_backends: dict[int | str, Backend] = {}
_lock = threading.RLock()
renew_after_fork(__name__, "_lock")

_BEST: Final = ("discrete", "integrated", "virtual")


def _backend(key: int | str, open_backend: Callable[[], Backend]) -> Backend:
    if is_mine(_lock) and key not in _backends:
        raise DeviceBusy(f"device {key} is not open, and can't be opened within the opening that was interrupted")
    with _lock:
        if key in _backends and _backends[key].lost:
            _backends.pop(key).close()
        if key not in _backends:
            _backends[key] = _prepared(open_backend())
        return _backends[key]


def _prepared(backend: Backend) -> Backend:
    from .log import logger  # logging takes its time to import

    info = backend.info
    logger.info("opened %s: %s, driver %s, Vulkan %s", info.backend, info.name, info.driver, info.api_version or "-")
    if config.serialize:
        from .backend.serialization import serialize

        serialize(backend)
    return backend


@atexit.register
def _close_all() -> None:
    with _lock:
        while _backends:
            _, backend = _backends.popitem()
            backend.close()


def _module(name: str) -> Any:
    """A room above this one, by name: backends, and what is made of devices."""
    return importlib.import_module(f"{__package__}.{name}")


def devices() -> list[DeviceInfo]:
    """What is known of every Vulkan device that can be used, in the order of their indices.

    The host and the interpreter are always there and have no index. Without a loader or a driver the list is empty;
    ``krnlpy info`` prints the reasons.

    >>> import krnlpy
    >>> [info.name for info in krnlpy.devices()]  # doctest: +SKIP
    ['llvmpipe (LLVM 15.0.6, 256 bits)']
    """
    found: list[DeviceInfo] = _module("vulkan").enumerate_devices()[0]
    return found


class Device:
    """A device that runs kernels and holds buffers. Two devices are equal if they are the same physical device.

    Args:
        selector: the index of a Vulkan device in :func:`devices`; or a part of its name, in any case; or ``"host"``
            or ``"interpreter"``; or what :func:`devices` says of one.

    Raises:
        DeviceUnavailable: no such device; the message says what there is, or what to install.

    >>> Device("host") == Device.host()
    True
    """

    __slots__ = ("backend",)

    backend: Backend
    """What runs the device's work. For krnlpy's own modules."""

    def __init__(self, selector: int | str | DeviceInfo = 0) -> None:
        if isinstance(selector, DeviceInfo):
            self.backend = _by_info(selector)
        elif isinstance(selector, str):
            self.backend = _by_name(selector)
        elif isinstance(selector, int) and not isinstance(selector, bool):
            self.backend = _by_index(selector)
        else:
            raise DeviceUnavailable(
                f"Device({selector!r}): expected an index such as 0, a part of a name such as 'llvmpipe', 'host',"
                " 'interpreter', or an entry of devices()"
            )

    @classmethod
    def host(cls) -> Device:
        """The CPU, through LLVM; needs no driver.

        >>> from krnlpy import Device
        >>> Device.host().info.kind
        'host'
        """
        return cls("host")

    @classmethod
    def interpreter(cls) -> Device:
        """Plain Python, one thread of a kernel after the other, every access checked: for debugging and tests.

        >>> from krnlpy import Buffer, Device, ItemMut, f32, kernel
        >>> @kernel
        ... def halve(x: ItemMut[f32]):
        ...     print("x is", x)  # breakpoint() works too
        ...     x *= 0.5
        >>> halve(Buffer.ones(2, f32, Device.interpreter()))
        x is 1.0
        x is 1.0
        """
        return cls("interpreter")

    @classmethod
    def best(cls) -> Device:
        """The first discrete GPU, else the first integrated, else the first virtual one, else the host.

        Vulkan drivers that run on the CPU are never best: the host is faster.

        >>> from krnlpy import Device
        >>> Device.best().info.kind in ("discrete", "integrated", "virtual", "host")
        True
        """
        found = devices()
        for kind in _BEST:
            for i, info in enumerate(found):
                if info.kind == kind:
                    return cls(i)
        return cls.host()

    @property
    def info(self) -> DeviceInfo:
        """Names, features and limits."""
        return self.backend.info

    @property
    def defects(self) -> tuple[str, ...]:
        """A sentence for each thing that the device's driver computes wrongly, and what krnlpy does about it.

        The first process that asks tries the driver with a few small kernels, and the answer is kept on disk;
        ``KRNLPY_PROBES=0`` leaves it to itself.

        >>> Device.host().defects
        ()
        """
        return self.backend.defects()

    @property
    def name(self) -> str:
        """The device's own name; ``"host"`` and ``"interpreter"`` for those."""
        return self.info.name if self.info.index is not None else self.info.backend

    @property
    def is_host(self) -> bool:
        """Whether this is the host: its buffers lie in the process's own memory."""
        return self.info.kind == "host"

    def profile(self) -> Profile:
        """Measures what the device does in a ``with`` block: each kernel, copy, fill, upload and download, with its
        time, geometry, bytes and bandwidth.

        >>> from krnlpy import Buffer, Device
        >>> device = Device.host()
        >>> with device.profile() as p:
        ...     _ = Buffer.ones(1000, device=device)
        >>> [(record.kind, record.bytes_written) for record in p.records]
        [('fill', 4000)]
        """
        profile: Profile = _module("profiling.profile").Profile(self.backend)
        return profile

    def label(self, name: str) -> AbstractContextManager[None]:
        """Names what the calling thread queues on this device in a ``with`` block. Labels may be nested; profiles show
        them, and tools such as RenderDoc and Nsight (see docs/runtime.md).

        Raises:
            ProfileError: ``name`` is not text.

        >>> from krnlpy import Buffer, Device
        >>> device = Device.host()
        >>> with device.profile() as p, device.label("step"), device.label("forward"):
        ...     _ = Buffer.ones(1000, device=device)
        >>> [(record.kind, record.label) for record in p.records]
        [('fill', 'step/forward')]
        """
        from .backend.labels import label

        if not isinstance(name, str):
            raise ProfileError(f"a label of a {type(name).__name__}: expected text")
        return label(self.backend, name)

    def capture(self) -> Graph:
        """Records what the thread asks of the device in a ``with`` block as a :class:`Graph`.

        >>> from krnlpy import Buffer, f32
        >>> x, y = Buffer.zeros(2, f32), Buffer.ones(2, f32)
        >>> with Device.host().capture() as graph:
        ...     x.copy_from(y)
        >>> graph.replay()
        >>> x.numpy()
        array([1., 1.], dtype=float32)
        """
        graph: Graph = _module("graphs.graph").Graph(self)
        return graph

    def memory_stats(self) -> MemoryStats:
        """How much memory the device's buffers take now, and took at most.

        >>> from krnlpy import Buffer, f32
        >>> device = Device.host()
        >>> before = device.memory_stats().in_use
        >>> buffer = Buffer.zeros(1000, f32, device)
        >>> device.memory_stats().in_use - before
        4000
        """
        return self.backend.memory_stats()

    def roofline(self) -> Roofline:
        """What the device does at most. It is measured for some seconds when it is first asked for, each result
        verified before it is timed, and known to the process after. Profiles then show shares of it.

        Raises:
            BenchmarkError: a result is wrong, or nothing could be measured, as on the interpreter.

        >>> from krnlpy import Device
        >>> roof = Device.host().roofline()
        >>> roof.copy_bandwidth > 1e8 and roof.attainable(intensity=1 / 12) <= roof.copy_bandwidth / 12
        True
        """
        from .backend.roofline import rooflines

        if self.backend not in rooflines:
            rooflines[self.backend] = _module("bench.peaks").measured(self)
        return rooflines[self.backend]

    def wait(self) -> None:
        """Returns when all work queued so far is done. Only needed to measure time.

        >>> from krnlpy import Buffer, Device
        >>> device = Device.best()
        >>> x = Buffer.ones(1000, device=device)
        >>> device.wait()
        """
        self.backend.wait()

    def __eq__(self, other: object) -> bool:
        return self.backend is other.backend if isinstance(other, Device) else NotImplemented

    def __hash__(self) -> int:
        return id(self.backend)

    def _repr_html_(self) -> str:
        """What notebooks show."""
        info = self.info
        memory = f"{info.memory_bytes / 2**30:.1f} GiB"
        rows = [
            ("kind", "driver", "Vulkan", "memory", "threads of a group", "of a subgroup", "features"),
            (
                *(info.kind, info.driver, info.api_version or "-", memory),
                *(str(info.max_threads), str(info.subgroup_threads), ", ".join(sorted(info.features))),
            ),
        ]
        return as_html(f"{self!r}: {info.name}", list(zip(*rows, strict=True)))

    def __repr__(self) -> str:
        index = self.info.index
        return f"Device({index}, {self.name!r})" if index is not None else f"Device.{self.name}()"


def _by_index(index: int) -> Backend:
    if config.interpret and index >= 0:
        return _backend(f"interpreter {index}", lambda: _module("interpreter").open_interpreter(index))
    vulkan = _module("vulkan")

    def open_device() -> Backend:
        found = devices()
        if not found:
            raise DeviceUnavailable(f"Device({index}): {vulkan.explain_unavailable()}")
        if not 0 <= index < len(found):
            count = "1 device" if len(found) == 1 else f"{len(found)} devices"
            raise DeviceUnavailable(
                f"Device index {index} is out of range: {count}: {_listed(found)}; Device.host() needs no driver"
            )
        backend: Backend = vulkan.open_device(index)
        return backend

    return _backend(index, open_device)


def _by_info(info: DeviceInfo) -> Backend:
    """The device that an entry of ``devices()`` tells of, wherever it is in the list now."""
    if info.index is None:
        return _by_name(info.backend)
    if config.interpret:
        return _by_index(info.index)
    found = devices()
    same = [i for i, d in enumerate(found) if (d.name, d.driver) == (info.name, info.driver)]
    if not same:
        raise DeviceUnavailable(f"{info.name} ({info.driver}) is not there any more; there are: {_listed(found)}")
    return _by_index(info.index if info.index in same else same[0])


def _by_name(name: str) -> Backend:
    wanted = name.strip().lower()
    if wanted == "host" and not config.interpret:
        return _backend("host", lambda: _module("host").open_host())
    if wanted in ("interpreter", "host"):
        return _backend("interpreter", lambda: _module("interpreter").open_interpreter())
    if not wanted:
        raise DeviceUnavailable(
            "Device(''): expected an index, a part of a name, 'host' or 'interpreter'; Device.best() chooses"
        )
    found = devices()
    if not found:
        raise DeviceUnavailable(f"Device({name!r}): {_module('vulkan').explain_unavailable()}")
    matches = [i for i, info in enumerate(found) if wanted == info.name.lower()]
    matches = matches or [i for i, info in enumerate(found) if wanted in info.name.lower()]
    if not matches:
        raise DeviceUnavailable(
            f"no device has {name!r} in its name; there are: {_listed(found)}; also 'host' and 'interpreter'"
        )
    if len(matches) > 1:
        raise DeviceUnavailable(
            f"{len(matches)} devices have {name!r} in their names: {_listed(found, matches)}; give the index"
        )
    return _by_index(matches[0])


def _listed(found: list[DeviceInfo], chosen: list[int] | None = None) -> str:
    listed = [(i, found[i]) for i in (range(len(found)) if chosen is None else chosen)]
    names = [info.name for _, info in listed]
    # Two drivers of one device differ in their drivers only.
    return ", ".join(
        f"{i} {info.name}" + (f" ({info.driver})" if names.count(info.name) > 1 else "") for i, info in listed
    )
