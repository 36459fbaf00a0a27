"""README's tables are those of the committed report, and say what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benches import __main__, readme


def measurement(name: str, seconds: float, device: str = "host", driver: str = "", ratio: float | None = None) -> Any:
    peer = name != "autograph"
    label = f"{name} on {device}"
    return locals() | {"median": seconds}


def report(*cases: tuple[str, str, list[Any]], load: float = 0.1) -> dict[str, Any]:
    """A made-up report; its ratios are to the first peer of a case, as the harness's are."""
    return {
        "date": "2026-11-23T01:02:03+00:00",
        "machine": {"cpu": "A CPU", "cores": 4, "load": load},
        "versions": {"torch": "2.13.0", "numpy": "2.4.6"},
        "cases": [
            {
                "name": name,
                "configuration": {"batch": 1000, "dtype": dtype},
                "baseline": next((m["label"] for m in measurements if m["peer"]), None),
                "measurements": measurements,
            }
            for name, dtype, measurements in cases
        ],
    }


def test_readme_has_the_tables_of_the_report() -> None:
    assert readme.rewrite(check=True), "python -m benches table writes them"


def test_a_peer_that_took_no_part_in_a_case_has_an_empty_cell() -> None:
    found = readme.tables(
        report(
            ("Work", "f32", [measurement("torch", 2e-3, ratio=1.0), measurement("autograph", 1e-3, ratio=0.5)]),
            ("Work", "bf16", [measurement("autograph", 3e-3, driver="LLVM")]),
        )
    )
    assert found.splitlines() == [
        "_2026-11-23, A CPU, 4 cores; PyTorch 2.13.0; [all figures]._",
        "",
        "Work, batch 1,000:",
        "",
        "| | PyTorch | autograph, host |",
        "|---|---:|---:|",
        "| f32 | 2 ms | 1 ms (2.00x faster) |",
        "| bf16 | - | 3 ms |",
    ]


def test_two_drivers_of_one_device_and_two_kinds_of_work() -> None:
    devices = [
        measurement(
            "autograph", 1e-3, "0 llvmpipe (LLVM 15, 256 bits)", "llvmpipe Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6)"
        ),
        measurement("autograph", 1e-3, "1 llvmpipe (LLVM 15, 256 bits)", "llvmpipe Mesa 22.3.6 (LLVM 15.0.6)"),
        measurement("autograph", 1e-3, "2 A GPU", ""),
    ]
    lines = readme.tables(report(("One", "f32", devices), ("Two", "f32", devices), load=2.0)).splitlines()
    heading = "| | autograph, llvmpipe Mesa 25.0.7 | autograph, llvmpipe Mesa 22.3.6 | autograph, A GPU |"
    assert lines.count(heading) == 2
    assert [line for line in lines if line.endswith(":")] == ["One, batch 1,000:", "Two, batch 1,000:"]
    assert any(line.startswith("**The machine was busy") for line in lines)


def test_devices_that_have_all_in_common_are_named_in_full() -> None:
    devices = [measurement("autograph", 1e-3, f"{i} NVIDIA H200", "NVIDIA 570.124.06") for i in range(2)]
    devices.append(measurement("autograph", 1e-3, "2 SwiftShader Device (Subzero)", "SwiftShader driver"))
    lines = readme.tables(report(("Work", "f32", devices))).splitlines()
    assert "| | autograph, 0 NVIDIA H200 | autograph, 1 NVIDIA H200 | autograph, SwiftShader Device |" in lines
    (one,) = (line for line in readme.tables(report(("Work", "f32", devices[1:]))).splitlines() if "autograph" in line)
    assert one == "| | autograph, NVIDIA H200 | autograph, SwiftShader Device |"


def test_ratios_to_another_peer_than_the_readme_says_are_left_out() -> None:
    jax, ours = measurement("jax", 2e-3, ratio=1.0), measurement("autograph", 1e-3, ratio=0.5)
    lines = readme.tables(report(("Work", "f32", [jax, ours]))).splitlines()
    assert lines[-3:] == ["| | JAX | autograph, host |", "|---|---:|---:|", "| f32 | 2 ms | 1 ms |"]


def test_only_what_is_between_the_marks_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / readme.REPORT).parent.mkdir(parents=True)
    (tmp_path / readme.REPORT).write_text(json.dumps(report(("Work", "f32", [measurement("autograph", 1.0)]))))
    page = tmp_path / "README.md"
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    monkeypatch.setattr(readme, "README", page)
    page.write_text("no marks")
    assert __main__.main(["table"]) == 2
    assert "error: README.md has no lines <!-- benches: begin" in capsys.readouterr().err
    page.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n")
    assert __main__.main(["table", "--check"]) == 1
    assert "old" in page.read_text()
    assert __main__.main(["table"]) == 0
    assert __main__.main(["table", "--check"]) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{readme.BEGIN}\n_2026-11-23")
    assert text.endswith(f"| f32 | 1 s |\n{readme.END}\nafter\n")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["README.md"]


def test_readme_has_the_figures_of_saxpy() -> None:
    report = json.loads((readme.ROOT / readme.REPORT).with_name("saxpy.json").read_text())
    rates = {
        (m["name"], case["configuration"]["threads"]): round(case["amount"] / m["median"])
        for case in report["cases"]
        for m in case["measurements"]
        if m["device"] == "host" and case["configuration"]["elements"] == 1 << 24
    }
    ours, torch = ([rates[name, threads] for threads in (1, "all")] for name in ("krnlpy", "torch"))
    text = (
        f"saxpy on 16.8 million f32, GB/s: krnlpy's host {ours[0]} on one thread and {ours[1]} on two,"
        f" NumPy {rates['numpy', 1]}, PyTorch {torch[0]} and {torch[1]}."
    )
    assert text in readme.README.read_text()


def test_readme_has_the_accuracies_of_the_curves() -> None:
    curves = [
        json.loads(path.read_text()) for path in sorted((readme.ROOT / readme.REPORT.parent / "curves").glob("*.json"))
    ]
    assert len(curves) == 12
    lines = [line for line in readme.README.read_text().splitlines() if line.count(" % |") == 4]
    rows = {line.split(" ")[1]: line for line in lines}
    for curve in curves:
        assert len(curve["epochs"]) == 5
        assert f"| {100 * curve['epochs'][-1]['test_accuracy']:.2f} % |" in rows[curve["dtype"]]
