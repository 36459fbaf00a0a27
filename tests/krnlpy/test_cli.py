"""The command ``krnlpy``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import krnlpy
from krnlpy import Device, Feature, cli, config

NO_LIBRARY = '{"file_format_version": "1.0.0", "ICD": {"library_path": "/no/such.so", "api_version": "1.3.0"}}'


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    infos = [*krnlpy.devices(), Device.host().info, Device.interpreter().info]
    assert [d["name"] for d in found["devices"]] == [info.name for info in infos]
    for listed, info in zip(found["devices"], infos, strict=True):
        assert listed["features"] == sorted(info.features)
        assert listed["max_groups_xyz"] == list(info.max_groups_xyz)
        assert listed["driver"] == info.driver and listed["extra"].keys() == info.extra.keys()
    assert found["versions"]["krnlpy"] == krnlpy.__version__
    assert found["versions"]["python"] and found["versions"]["numpy"]
    assert (found["no vulkan device"] is None) == bool(krnlpy.devices())


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info"]) == 0
    said = capsys.readouterr().out
    for info in (*krnlpy.devices(), Device.host().info):
        (row,) = [line for line in said.splitlines() if info.name in line and info.driver in line]
        assert row.startswith(str(info.index) if info.index is not None else "host")
        assert info.vendor in row and info.kind in row
    for name in (*Feature, "max_buffer_bytes", "subgroup_threads", "vulkan loader", "llvmlite"):
        assert f"\n{name}  " in said
    assert all(line == line.rstrip() for line in said.splitlines())


def test_columns_are_aligned() -> None:
    text = cli._table(("a", "bb"), [("longer", "x"), ("y", "z")])
    assert text == "a       bb\n----------\nlonger  x\ny       z"


@pytest.mark.parametrize(
    ("nbytes", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1 << 27, "128 MiB"), (1 << 52, "4096 TiB")]
)
def test_sizes(nbytes: int, text: str) -> None:
    assert cli._size(nbytes) == text


def test_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spirv" / "ab").mkdir(parents=True)
    (tmp_path / "spirv" / "ab" / "one").write_bytes(bytes(2048))
    (tmp_path / "spirv" / "two").write_bytes(bytes(1024))
    monkeypatch.setattr(config, "cache_dir", tmp_path)
    assert cli.report()["caches"] == {"folder": str(tmp_path), "parts": {"spirv": {"files": 2, "bytes": 3072}}}
    cli.main(["info"])
    assert "2 files, 3 KiB" in capsys.readouterr().out
    monkeypatch.setattr(config, "cache_dir", tmp_path / "not there")
    assert cli.report()["caches"]["parts"] == {}
    monkeypatch.setattr(config, "cache_dir", None)
    cli.main(["info"])
    assert "none (KRNLPY_NO_CACHE)" in capsys.readouterr().out


def run(*arguments: str, **environment: str) -> Any:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "krnlpy.cli", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_reasons_for_drivers_that_cannot_be_used(tmp_path: Path) -> None:
    manifest = tmp_path / "broken.json"
    manifest.write_text(NO_LIBRARY)
    done = run("info", VK_DRIVER_FILES=str(manifest))
    assert done.returncode == 0, done.stderr
    assert str(manifest) in done.stdout and "/no/such.so" in done.stdout
    found = json.loads(run("info", "--json", VK_DRIVER_FILES=str(manifest)).stdout)
    assert [d["backend"] for d in found["devices"]] == ["host", "interpreter"]
    assert "/no/such.so" in found["no vulkan device"]


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


def test_version_and_usage() -> None:
    assert run("--version").stdout == f"krnlpy {krnlpy.__version__}\n"
    wrong = run()
    assert wrong.returncode == 2 and "COMMAND" in wrong.stderr
