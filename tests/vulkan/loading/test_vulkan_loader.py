"""The loader's library and the drivers' manifests: where they are looked for on Linux, macOS and Windows."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from krnlpy.errors import DeviceUnavailable
from krnlpy.vulkan.loading import drivers, loader
from krnlpy.vulkan.loading.api import load

_VARIABLES = ("VULKAN_SDK", "HOMEBREW_PREFIX", *(f"XDG_{part}" for part in ("CONFIG_HOME", "CONFIG_DIRS")))
_VARIABLES += ("XDG_DATA_HOME", "XDG_DATA_DIRS", "VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)


class Library:
    """Stands for cffi: opens the files that are there, refuses some, knows no others."""

    def __init__(self, present: set[str], refused: dict[str, str] | None = None) -> None:
        self.present, self.refused = present, refused or {}
        self.asked: list[str] = []

    def dlopen(self, name: str) -> str:
        self.asked.append(name)
        if name in self.refused:
            raise OSError(f"cannot load library '{name}': {self.refused[name]}")
        if name not in self.present:
            raise OSError(f"cannot load library '{name}': no such file")
        return f"opened {name}"


@pytest.mark.parametrize(
    ("system", "names"),
    [
        ("linux", ["libvulkan.so.1", "libvulkan.so"]),
        ("freebsd14", ["libvulkan.so.1", "libvulkan.so"]),
        ("win32", ["vulkan-1.dll"]),
        ("darwin", ["libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib"]),
    ],
)
def test_names_on_each_system(system: str, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(loader, "library_folders", list)
    assert list(loader.candidates()) == names


def test_homebrew_and_the_sdk_on_macos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader of any folder comes before MoltenVK, which is a driver."""
    files = [tmp_path / "sdk" / "lib" / "libMoltenVK.dylib", tmp_path / "brew" / "lib" / "libvulkan.1.dylib"]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text("")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("VULKAN_SDK", str(tmp_path / "sdk"))
    monkeypatch.setenv("HOMEBREW_PREFIX", str(tmp_path / "brew"))
    found = [name for name in loader.candidates() if name.startswith(("lib", str(tmp_path)))]
    assert found == ["libvulkan.1.dylib", "libvulkan.dylib", str(files[1]), "libMoltenVK.dylib", str(files[0])]
    library = Library({str(files[1]), str(files[0])})
    monkeypatch.setattr(loader, "_declarations", lambda: library)
    assert loader.open_loader() == (library, f"opened {files[1]}")


def test_the_sdk_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Bin").mkdir()
    (tmp_path / "Bin" / "vulkan-1.dll").write_text("")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("VULKAN_SDK", str(tmp_path))
    assert list(loader.candidates()) == ["vulkan-1.dll", str(tmp_path / "Bin" / "vulkan-1.dll")]


@pytest.mark.parametrize(
    ("system", "line"), [("linux", "apt install"), ("darwin", "brew install"), ("win32", "winget install")]
)
def test_no_loader(system: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(loader, "_declarations", lambda: Library(set()))
    with pytest.raises(DeviceUnavailable, match=rf"^no Vulkan loader: looked for [\w., -]+; .*{line}") as raised:
        loader.open_loader()
    assert "cannot load" not in str(raised.value)


def test_a_loader_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library({"libvulkan.so"}, {"libvulkan.so.1": "wrong ELF class: ELFCLASS32"})
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(loader, "_declarations", lambda: library)
    assert loader.open_loader()[1] == "opened libvulkan.so"
    library.present = set()
    with pytest.raises(DeviceUnavailable, match=r"libvulkan\.so\.1': wrong ELF class"):
        loader.open_loader()


def test_another_package_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DeviceUnavailable, match="pip install vulkan"):
        loader.open_loader()


def test_the_file_of_the_loader() -> None:
    try:
        api = load()
    except DeviceUnavailable:
        pytest.skip("no Vulkan loader")
    address = int(api.ffi.cast("uintptr_t", api.ffi.addressof(api.lib, "vkGetInstanceProcAddr")))
    file = loader.file_of(address)
    assert file is not None and Path(file).exists() and "vulkan" in Path(file).name.lower()
    assert loader.file_of(8) is None


def test_the_file_of_the_loader_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    def module_of(flags: int, address: Any, module: Any) -> int:
        assert flags == 6 and address.value == 4096
        return 1

    def name_of(module: Any, text: Any, length: int) -> int:
        text.value = "C:\\Windows\\System32\\vulkan-1.dll"
        return len(text.value)

    kernel32 = SimpleNamespace(GetModuleHandleExW=module_of, GetModuleFileNameW=name_of)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel32), raising=False)
    assert loader.file_of(4096) == "C:\\Windows\\System32\\vulkan-1.dll"
    kernel32.GetModuleHandleExW = lambda *_: 0
    assert loader.file_of(4096) is None


# ----------------------------------------------------------------------------------------------------------- manifests


def folders(system: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setenv("HOME", "/home/me")
    found = [path.as_posix() for path in drivers.folders()]
    assert all(path.endswith("/vulkan/icd.d") for path in found) and len(set(found)) == len(found)
    return [path.removesuffix("/vulkan/icd.d") for path in found]


def test_folders_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    assert folders("linux", monkeypatch) == [
        *("/home/me/.config", "/etc/xdg", "/usr/local/etc", "/etc"),
        *("/home/me/.local/share", "/usr/local/share", "/usr/share"),
    ]
    monkeypatch.setenv("XDG_DATA_DIRS", os.pathsep.join(["/snap/share", "/usr/share", "/snap/share"]))
    monkeypatch.setenv("XDG_CONFIG_HOME", "/config")
    assert folders("linux", monkeypatch) == [
        *("/config", "/etc/xdg", "/usr/local/etc", "/etc", "/home/me/.local/share", "/snap/share", "/usr/share")
    ]


def test_folders_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VULKAN_SDK", "/sdk/macOS")
    found = folders("darwin", monkeypatch)
    for folder in ("/opt/homebrew/share", "/opt/homebrew/etc", "/usr/local/share", "/sdk/macOS/share"):
        assert folder in found


def test_windows_has_a_registry_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    assert folders("win32", monkeypatch) == []


def test_which_manifests_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed, named, added = (tmp_path / name for name in ("installed", "named", "added"))
    for folder in (installed, named, added):
        folder.mkdir()
        (folder / "driver.json").write_text("{}")
        (folder / "notes.txt").write_text("")
    files = [folder / "driver.json" for folder in (installed, named, added)]
    monkeypatch.setattr(drivers, "folders", lambda: [installed])
    assert drivers.all_manifests() == files[:1] and drivers.only_named() is None
    monkeypatch.setenv("VK_ADD_DRIVER_FILES", str(added))  # beside those that are installed
    assert drivers.all_manifests() == [files[2], files[0]] and drivers.only_named() is None
    monkeypatch.setenv("VK_ICD_FILENAMES", str(files[1]))
    assert drivers.all_manifests() == [files[1], files[2]] and drivers.only_named() == "VK_ICD_FILENAMES"
    monkeypatch.setenv("VK_DRIVER_FILES", str(files[0]))  # which makes the loader ignore the older variable
    assert drivers.all_manifests() == [files[0], files[2]] and drivers.only_named() == "VK_DRIVER_FILES"


def test_manifests_that_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "driver.json"
    path.write_text('{"ICD": {"library_path": "./libdriver.so", "api_version": "1.3.7"}}')
    (tmp_path / "libdriver.so").write_text("")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(vk_icdGetInstanceProcAddr=None))
    assert drivers.read_manifest(path) == drivers.Manifest(path, "./libdriver.so", "1.3.7")
    path.write_text("[" * 100_000)
    assert "not a driver's manifest" in str(drivers.read_manifest(path).problem)
    path.unlink()
    path.mkdir()
    assert "expected a plain file" in str(drivers.read_manifest(path).problem)


@pytest.mark.parametrize("system", ["linux", "win32"])
def test_what_the_loader_gets_to_see(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the environment and the folders name but what is no manifest."""
    good, other, bad, missing = (tmp_path / f"{name}.json" for name in ("good", "other", "bad", "missing"))
    for path in (good, other):
        path.write_text('{"ICD": {"library_path": "libdriver.so", "api_version": "1.3.7"}}')
    bad.write_text("{")
    monkeypatch.setattr(sys, "platform", system)
    installed = [] if system == "win32" else [bad, other]
    monkeypatch.setattr(drivers, "installed_manifests", lambda: installed)

    def seen(**given: list[Path]) -> dict[str, str]:
        for name in _VARIABLES[-3:]:
            monkeypatch.delenv(name, raising=False)
        for name, paths in given.items():
            monkeypatch.setenv(name, os.pathsep.join(map(str, paths)))
        before = {name: os.environ[name] for name in _VARIABLES[-3:] if name in os.environ}
        with drivers.readable_manifests() as any_left:
            found = {name: os.environ[name] for name in _VARIABLES[-3:] if name in os.environ}
        assert {name: os.environ[name] for name in _VARIABLES[-3:] if name in os.environ} == before
        assert any_left == any(found.values()) or not found or system == "win32"
        return found

    def only(*paths: Path) -> dict[str, str]:
        return dict.fromkeys(("VK_DRIVER_FILES", "VK_ICD_FILENAMES"), os.pathsep.join(map(str, paths)))

    assert seen(VK_DRIVER_FILES=[good, other]) == {"VK_DRIVER_FILES": os.pathsep.join([str(good), str(other)])}
    assert seen(VK_DRIVER_FILES=[bad, good, missing, other]) == only(good, other)
    assert seen(VK_ICD_FILENAMES=[bad]) == only()
    if system == "win32":  # the registry names drivers too
        assert seen(VK_ADD_DRIVER_FILES=[bad, good]) == {"VK_ADD_DRIVER_FILES": str(good)}
        assert seen() == {}
    else:
        assert seen(VK_ADD_DRIVER_FILES=[good]) == only(good, other)
        installed.remove(bad)
        assert seen(VK_ADD_DRIVER_FILES=[good]) == {"VK_ADD_DRIVER_FILES": str(good)}
        assert seen() == {}
