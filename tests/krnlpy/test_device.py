"""Devices: which there are, how one is chosen, and what is said when there is none."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

import krnlpy
from krnlpy import Device, DeviceUnavailable, Feature
from krnlpy.device_info import DeviceKind
from tests.support import process


def test_import_loads_no_backend_and_no_compiler() -> None:
    heavy = ["vulkan", "llvmlite", "cffi", "krnlpy.vulkan", "krnlpy.host", "krnlpy.interpreter", "krnlpy.dsl.frontend"]
    assert process.output("-c", f"import krnlpy, sys; print([m for m in {heavy} if m in sys.modules])") == "[]\n"


def test_every_public_name_is_there() -> None:
    for name in krnlpy.__all__:
        assert getattr(krnlpy, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'tensor'"):
        krnlpy.tensor  # noqa: B018


def test_one_backend_for_each_device(device: Device) -> None:
    same = Device(device.info.index if device.info.index is not None else device.name)
    assert same == device and hash(same) == hash(device) and same.backend is device.backend
    assert device != "host"
    assert repr(device) == (
        f"Device.{device.name}()" if device.info.index is None else f"Device({device.info.index}, {device.name!r})"
    )


def test_host_and_interpreter_differ() -> None:
    assert Device.host() != Device.interpreter()
    assert Device.host().is_host and not Device.interpreter().is_host
    assert Device("HOST") == Device.host() and Device("interpreter") == Device.interpreter()
    assert (Device.host().name, Device.interpreter().name) == ("host", "interpreter")


def test_info(device: Device) -> None:
    info = device.info
    assert info.name and info.driver and info.features <= set(Feature)
    assert 1 <= info.subgroup_threads <= info.max_threads
    assert min(info.max_groups_xyz) >= 65535  # what Vulkan guarantees
    assert info.max_buffer_bytes >= 1 << 27
    with pytest.raises(FrozenInstanceError):
        setattr(info, "name", "other")  # noqa: B010
    device.wait()


def test_devices_are_indexed_in_order() -> None:
    infos = krnlpy.devices()
    assert [info.index for info in infos] == list(range(len(infos)))
    assert all(Device(i).info == info for i, info in enumerate(infos))


def test_a_device_is_chosen_by_what_is_said_of_it(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Device(device.info) == device
    if device.info.index is None:
        return
    others = replace(device.info, name="another", index=0), replace(device.info, index=1)
    fake = FakeVulkan(*others)
    monkeypatch.setattr("krnlpy.device._module", lambda name: fake)
    assert krnlpy.devices() == list(others)
    opened: list[Any] = []
    monkeypatch.setattr("krnlpy.device._backend", lambda index, make: opened.append(index))
    Device(replace(device.info, index=0))
    assert opened == [1], "the list has another order now"
    with pytest.raises(DeviceUnavailable, match=r"gone \(.*\) is not there any more; there are: 0 another"):
        Device(replace(device.info, name="gone"))


@pytest.mark.parametrize("wrong", [True, 1.5, None, b"host", (0,)])
def test_selectors_of_wrong_types(wrong: Any) -> None:
    with pytest.raises(DeviceUnavailable, match="expected an index such as 0, a part of a name"):
        Device(wrong)


class FakeVulkan:
    """Stands for the Vulkan package where the devices of this machine won't do."""

    def __init__(self, *infos: krnlpy.DeviceInfo) -> None:
        self.infos = infos
        self.opened: list[int] = []

    def enumerate_devices(self) -> tuple[list[krnlpy.DeviceInfo], list[str]]:
        return list(self.infos), []

    def explain_unavailable(self) -> str:
        return "no Vulkan loader: looked for libvulkan.so.1"

    def open_device(self, index: int) -> Any:
        self.opened.append(index)
        return replace_info(Device.host().backend, self.infos[index])


def replace_info(backend: Any, info: krnlpy.DeviceInfo) -> Any:
    class Backend:
        lost = False

        def __init__(self) -> None:
            self.info = info

        def close(self) -> None:
            pass

    return Backend()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replaces Vulkan by devices of names and kinds as given."""
    import krnlpy.device as module

    def use(*devices: tuple[str, DeviceKind, str]) -> FakeVulkan:
        infos = [
            replace(Device.host().info, index=i, name=name, kind=kind, driver=driver, backend="vulkan")
            for i, (name, kind, driver) in enumerate(devices)
        ]
        vulkan = FakeVulkan(*infos)
        kept = {key: backend for key, backend in module._backends.items() if isinstance(key, str)}
        monkeypatch.setattr(module, "_backends", kept)
        loaded = module._module
        monkeypatch.setattr(module, "_module", lambda name: vulkan if name == "vulkan" else loaded(name))
        return vulkan

    return use


GPUS = (("Radeon RX 7900", "discrete", "radv 24"), ("Intel Arc", "integrated", "anv"), ("GeForce", "discrete", "550"))


def test_index_out_of_range(fake: Any) -> None:
    vulkan = fake(*GPUS)
    for index in (7, 3, -1):
        with pytest.raises(DeviceUnavailable) as caught:
            Device(index)
        assert str(caught.value) == (
            f"Device index {index} is out of range: 3 devices: 0 Radeon RX 7900, 1 Intel Arc, 2 GeForce;"
            " Device.host() needs no driver"
        )
    assert vulkan.opened == []


def test_part_of_a_name(fake: Any) -> None:
    vulkan = fake(*GPUS)
    assert Device("geforce").info.index == 2
    assert Device("7900") == Device(0)
    assert vulkan.opened == [2, 0]  # each once
    with pytest.raises(DeviceUnavailable, match="no device has 'matrox' in its name; there are: 0 Radeon RX 7900, 1"):
        Device("matrox")
    with pytest.raises(DeviceUnavailable, match="3 devices have 'r' in their names: 0 Radeon"):
        Device("r")
    with pytest.raises(DeviceUnavailable, match=r"Device\(''\): expected"):
        Device(" ")


def test_a_full_name_wins_and_drivers_tell_twins_apart(fake: Any) -> None:
    fake(("GeForce Ti", "discrete", "550"), ("GeForce", "discrete", "550"), ("GeForce", "discrete", "nvk"))
    with pytest.raises(DeviceUnavailable, match=r"2 devices .*: 1 GeForce \(550\), 2 GeForce \(nvk\); give the index"):
        Device("geforce")


def test_no_device(fake: Any) -> None:
    fake()
    for selector in (0, "radeon"):
        with pytest.raises(DeviceUnavailable, match="no Vulkan loader: looked for"):
            Device(selector)
    assert Device.best() == Device.host() and krnlpy.devices() == []


@pytest.mark.parametrize(
    ("kinds", "best"),
    [("cpu integrated discrete discrete", 2), ("virtual integrated", 1), ("cpu virtual", 1), ("cpu other", None)],
)
def test_best(fake: Any, kinds: str, best: int | None) -> None:
    fake(*((f"device {i}", kind, "") for i, kind in enumerate(kinds.split())))
    device = Device.best()
    assert device.is_host if best is None else device.info.index == best


def test_without_a_driver() -> None:
    program = """
import krnlpy
assert krnlpy.devices() == []
try:
    krnlpy.Device(0)
except krnlpy.DeviceUnavailable as error:
    print(error)
x = krnlpy.Buffer.ones(3, krnlpy.f32)
print(x.numpy().sum(), krnlpy.Device.best())
"""
    said = process.output("-c", program, VK_DRIVER_FILES="/nonexistent.json")
    assert "Device(0): " in said and "install" in said and "Device.host() needs no driver" in said
    assert said.endswith("3.0 Device.host()\n")


def test_a_lost_device_can_be_opened_anew(device: Device) -> None:
    if device.info.backend != "vulkan":
        pytest.skip("only devices with a driver are lost")
    old = krnlpy.Buffer.ones(3, krnlpy.f32, device)
    backend: Any = device.backend
    backend._queue.failure = krnlpy.DeviceLost("made by a test")
    with pytest.raises(krnlpy.DeviceLost, match="made by a test"):
        old.numpy()
    again = Device(device.info.index or 0)
    assert again != device
    assert krnlpy.Buffer.ones(3, krnlpy.f32, again).numpy().tolist() == [1, 1, 1]
    backend.close()
