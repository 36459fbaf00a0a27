"""Which devices and peers take part in a run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from itertools import chain

import krnlpy
from benches.harness import Case, Contender, Runner, Unavailable
from benches.peer_process import FOLDERS
from krnlpy import Device


@dataclass(frozen=True)
class Peer:
    """Somebody else's software.

    Attributes:
        name: what ``--peer`` calls it.
        package: the module that must be installed.
        device: what it runs on.
        runs_apart: in a process of its own, which sees ``BENCH_PEERS``; see peer_process.py.
        way: which of several ways to use it, or "".
    """

    name: str
    package: str
    device: str = "host"
    runs_apart: bool = False
    way: str = ""

    def require(self) -> None:
        """Raises Unavailable where it is not installed, or has no device to run on."""
        found = importlib.util.find_spec(self.package)
        if self.runs_apart:
            found = found or PathFinder.find_spec(self.package, FOLDERS)
        if found is None:
            raise Unavailable(f"{self.package} is not installed")
        if self.device == "cuda":
            import torch

            if not torch.cuda.is_available():
                raise Unavailable(f"{self.package} {torch.__version__} finds no CUDA device")


NUMPY = Peer("numpy", "numpy")
TORCH = Peer("torch", "torch")
TORCH_CUDA = Peer("torch-cuda", "torch", "cuda")
VULKAN = Peer("vulkan", "vulkan", "vulkan")
"""Raw calls of Vulkan, on each device for itself; see raw_vulkan.py."""
JAX = Peer("jax", "jax", runs_apart=True)
TINYGRAD = Peer("tinygrad", "tinygrad", runs_apart=True)
TAICHI = Peer("taichi", "taichi", runs_apart=True)
NUMBA_VULKAN = Peer("numba-vulkan", "numba_vulkan", "vulkan", runs_apart=True)
TORCHVULKAN = Peer("torchvulkan", "torchvulkan", "vulkan", runs_apart=True)
TAICHI_VULKAN = Peer("taichi-vulkan", "taichi", "vulkan", runs_apart=True)


@dataclass(frozen=True)
class Selection:
    """The devices and peers of a run, in order."""

    devices: tuple[Device, ...]
    peers: tuple[Peer, ...]

    @property
    def label(self) -> str:
        """The device, of a selection that has one."""
        return device_label(self.devices[0])

    def in_ways(self, package: str, ways: Sequence[str]) -> Selection:
        """The same with the peers of a package once for each way to use it."""
        spread = [
            [replace(peer, way=way) for way in ways] if peer.package == package else [peer] for peer in self.peers
        ]
        return Selection(self.devices, tuple(chain.from_iterable(spread)))

    def by_device(self) -> Iterator[Selection]:
        """Each device by itself, with the peers that run there: the host's, or raw calls of Vulkan."""
        for device in self.devices:
            where = "vulkan" if device.info.backend == "vulkan" else "host"
            yield Selection((device,), tuple(peer for peer in self.peers if peer.device == where))

    def contenders(
        self,
        name: str,
        ours: Callable[[Device], Runner] | Mapping[str, Callable[[Device], Runner]],
        theirs: Callable[[Peer], Runner],
    ) -> list[Contender]:
        """The peers, and our software on each device.

        Args:
            name: of our software.
            ours: makes it ready on a device; by name, if there are several ways to use it.
            theirs: makes an installed peer ready.
        """

        def open_peer(peer: Peer) -> Callable[[], Runner]:
            def open_() -> Runner:
                peer.require()
                return theirs(peer)

            return open_

        ways = ours if isinstance(ours, Mapping) else {"": ours}

        def open_device(device: Device, way: str) -> Callable[[], Runner]:
            return lambda: ways[way](device)

        peers = [Contender(peer.name, peer.device, open_peer(peer), peer=True, way=peer.way) for peer in self.peers]
        return peers + [
            Contender(name, device_label(device), open_device(device, way), driver=device.info.driver, way=way)
            for device in self.devices
            for way in ways
        ]


Cases = Callable[[Selection], Iterator[Case]]


def device_label(device: Device) -> str:
    """A device's name, with its index where it has one: two drivers may call a device the same."""
    index = device.info.index
    return device.name if index is None else f"{index} {device.name}"


def open_devices(wishes: Sequence[str] | None) -> tuple[Device, ...]:
    """The devices that ``--device`` means: ``host``, ``interpreter``, indices or parts of names.

    None means the host and every Vulkan device.

    Raises:
        DeviceUnavailable: there is no such device.
    """
    if wishes is None:
        return (Device.host(), *(Device(i) for i in range(len(krnlpy.devices()))))
    return tuple(Device(int(wish) if wish.isdecimal() else wish) for wish in wishes)
