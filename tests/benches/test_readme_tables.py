"""README's tables are those of the committed reports, and say what is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benches import __main__, readme
from benches.report import in_words


def measurement(name: str, seconds: float, device: str = "host", driver: str = "", way: str = "") -> Any:
    label = f"{name} ({way}) on {device}"
    quartiles = (0.99 * seconds, 1.01 * seconds)
    return locals() | {"median": seconds, "peer": name != "autograph"}


def report(*cases: tuple[str, str, list[Any]], **machine: Any) -> dict[str, Any]:
    """A made-up report; its ratios are to the first measurement of a case."""
    return {
        "date": "2026-11-23T01:02:03+00:00",
        "machine": {"cpu": "A CPU", "cores": 4, "host_threads": 2, "load": 0.1, **machine},
        "versions": {"torch": "2.13.0", "numpy": "2.4.6", "krnlpy": "0123456789"},
        "cases": [
            {
                "name": name,
                "configuration": {"batch": 1000, "dtype": dtype},
                "baseline": measurements[0]["label"],
                "others": 0.01,
                "measurements": measurements,
            }
            for name, dtype, measurements in cases
        ],
    }


def saxpy(**rates: tuple[float, float]) -> dict[str, Any]:
    """A made-up report of saxpy: by name, GB/s on one thread and on all."""
    found = report()
    found["cases"] = [
        {
            "name": "saxpy",
            "configuration": {"elements": 1 << 24, "threads": threads, **more},
            "amount": 1.0,
            "baseline": None,
            "measurements": [measurement(name, factor / both[i]) for name, both in rates.items()],
        }
        for i, threads, factor, more in ((0, 1, 1, {}), (1, "all", 1, {}), (1, "all", 9, {"device": "0 A GPU"}))
    ]
    found["cases"].append({**found["cases"][0], "configuration": {"elements": 1 << 20, "threads": 1}})
    return found


def lines_of(found: Any, folder: Path) -> list[str]:
    path = folder / "lenet5-avx2.json"
    path.write_text(json.dumps(found))
    return readme.section(path).splitlines()


def test_readme_has_the_tables_of_the_reports() -> None:
    assert readme.rewrite(check=True), "python -m benches table writes them"


def test_ratios_in_readme_are_those_of_the_cells() -> None:
    """Whoever divides one cell by another gets what stands in it."""
    units = {"s": 1e3, "ms": 1.0, "µs": 1e-3}
    count = 0
    for row in (
        line for line in readme.README.read_text().splitlines() if re.match(r"[|] b?f\d+ [|] .*x slower", line)
    ):
        cells = re.findall(r"([0-9.]+) (ms|s|µs)([^|(]*)(?:[(]([^)]*)[)])?", row)
        times = [(float(number) * units[unit], words) for number, unit, _, words in cells]
        (baseline,) = (time for time, words in times if not words)
        for time, words in times:
            if words and words != "as fast":
                assert words == in_words(time / baseline), row
                count += 1
    assert count > 10


def test_a_peer_that_took_no_part_in_a_case_has_an_empty_cell(tmp_path: Path) -> None:
    found = report(
        ("Work", "f32", [measurement("torch", 2e-3), measurement("autograph", 1e-3)]),
        ("Work", "bf16", [measurement("autograph", 3e-3, driver="LLVM")]),
    )
    assert lines_of(found, tmp_path) == [
        "_2026-11-23, A CPU (instructions not recorded), 2 threads on 4 cores; krnlpy 0123456789, PyTorch 2.13.0;"
        " [all figures](https://github.com/krnlpy/krnlpy/blob/main/benches/results/lenet5-avx2.json)._",
        "",
        "Work, batch 1,000:",
        "",
        "| | PyTorch | autograph, host |",
        "|---|---:|---:|",
        "| f32 | 2 ms | 1 ms (2.00x faster) |",
        "| bf16 | - | 3 ms |",
    ]


def test_the_fastest_way_is_shown_and_named(tmp_path: Path) -> None:
    ways = {"compile": 1e-3, "eager": 2e-3, "channels_last": 3e-3}
    torch = [measurement("torch", seconds, way=way) for way, seconds in ways.items()]
    found = report(
        ("Work", "f32", [*torch, measurement("autograph", 4e-3)]),
        ("Work", "bf16", [torch[1], torch[2], measurement("autograph", 1e-3)]),
        instructions=["AVX2", "AVX-512"],
        settings={"OMP_NUM_THREADS": "1"},
    )
    lines = lines_of(found, tmp_path)
    assert lines[0] == (
        "_2026-11-23, A CPU (AVX2, AVX-512), 2 threads on 4 cores; krnlpy 0123456789,"
        " PyTorch 2.13.0 (compile; eager; channels_last), OMP_NUM_THREADS=1;"
        " [all figures](https://github.com/krnlpy/krnlpy/blob/main/benches/results/lenet5-avx2.json)._"
    )
    assert lines[-4:] == [
        "| | PyTorch | autograph, host |",
        "|---|---:|---:|",
        "| f32 | 1 ms, compile | 4 ms (4.00x slower) |",
        "| bf16 | 2 ms, eager | 1 ms (2.00x faster) |",
    ]


def test_two_drivers_of_one_device_and_two_kinds_of_work(tmp_path: Path) -> None:
    devices = [
        measurement(
            "autograph", 1e-3, "0 llvmpipe (LLVM 15, 256 bits)", "llvmpipe Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6)"
        ),
        measurement("autograph", 1e-3, "1 llvmpipe (LLVM 15, 256 bits)", "llvmpipe Mesa 22.3.6 (LLVM 15.0.6)"),
        measurement("autograph", 1e-3, "2 A GPU", ""),
    ]
    lines = lines_of(report(("One", "f32", devices), ("Two", "f32", devices)), tmp_path)
    heading = "| | autograph, llvmpipe Mesa 25.0.7 | autograph, llvmpipe Mesa 22.3.6 | autograph, A GPU |"
    assert lines.count(heading) == 2
    assert [line for line in lines if line.endswith(":")] == ["One, batch 1,000:", "Two, batch 1,000:"]


def test_devices_that_have_all_in_common_are_named_in_full(tmp_path: Path) -> None:
    devices = [measurement("autograph", 1e-3, f"{i} NVIDIA H200", "NVIDIA 570.124.06") for i in range(2)]
    devices.append(measurement("autograph", 1e-3, "2 SwiftShader Device (Subzero)", "SwiftShader driver"))
    lines = lines_of(report(("Work", "f32", devices)), tmp_path)
    assert "| | autograph, 0 NVIDIA H200 | autograph, 1 NVIDIA H200 | autograph, SwiftShader Device |" in lines
    (one,) = (line for line in lines_of(report(("Work", "f32", devices[1:])), tmp_path) if "autograph" in line)
    assert one == "| | autograph, NVIDIA H200 | autograph, SwiftShader Device |"


def test_ratios_to_another_peer_than_the_readme_says_are_left_out(tmp_path: Path) -> None:
    jax, ours = measurement("jax", 2e-3), measurement("autograph", 1e-3)
    lines = lines_of(report(("Work", "f32", [jax, ours])), tmp_path)
    assert lines[-3:] == ["| | JAX | autograph, host |", "|---|---:|---:|", "| f32 | 2 ms | 1 ms |"]


def test_there_are_no_ratios_where_the_machine_was_busy(tmp_path: Path) -> None:
    cases = [("Work", dtype, [measurement("torch", 2e-3), measurement("autograph", 1e-3)]) for dtype in ("f32", "bf16")]
    disturbed = report(*cases)
    disturbed["cases"][1]["others"] = 0.9
    lines = lines_of(disturbed, tmp_path)
    assert lines[-2:] == ["| f32 | 2 ms | 1 ms (2.00x faster) |", "| bf16 | 2 ms | 1 ms |"]
    assert any(line.startswith("**The machine was busy during Work (others took 0.90 of 4 cores)") for line in lines)
    lines = lines_of(report(*cases, load=2.0), tmp_path)
    assert lines[-2:] == ["| f32 | 2 ms | 1 ms |", "| bf16 | 2 ms | 1 ms |"]
    assert any(line.startswith("**The machine was busy before the start") for line in lines)


def test_saxpy_is_a_line(tmp_path: Path) -> None:
    rates = {"numpy": (15.0, 14.0), "torch": (47.2, 61.0), "krnlpy": (49.0, 57.6)}
    (tmp_path / "saxpy-avx2.json").write_text(json.dumps(saxpy(**rates)))
    assert lines_of(report(("Work", "f32", [measurement("autograph", 1.0)])), tmp_path)[-1] == (
        "saxpy on 16.8 million f32, GB/s by threads: NumPy 15 on 1; PyTorch 47 on 1, 61 on 2; krnlpy 49 on 1, 58 on 2"
        " ([all figures](https://github.com/krnlpy/krnlpy/blob/main/benches/results/saxpy-avx2.json))."
    )


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / readme.RESULTS).mkdir(parents=True)
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    readme.README.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n")
    return readme.README


def commit(page: Path, kind: str, found: Any) -> None:
    (page.parent / readme.RESULTS / f"lenet5-{kind}.json").write_text(json.dumps(found))


def test_only_what_is_between_the_marks_is_written(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit(page, "avx2", report(("Work", "f32", [measurement("autograph", 1.0)])))
    text = page.read_text()
    page.write_text("no marks")
    assert __main__.main(["table"]) == 2
    assert "error: README.md has no lines <!-- benches: begin" in capsys.readouterr().err
    page.write_text(text)
    assert __main__.main(["table", "--check"]) == 1
    assert "old" in page.read_text()
    assert __main__.main(["table"]) == 0
    assert __main__.main(["table", "--check"]) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{readme.BEGIN}\n_2026-11-23")
    assert text.endswith(f"| f32 | 1 s |\n{readme.END}\nafter\n")
    assert [path.name for path in page.parent.iterdir() if path.is_file()] == ["README.md"]


def test_each_kind_of_machine_has_a_section(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["table"]) == 2
    assert "there are no reports benches/results/lenet5-*.json" in capsys.readouterr().err
    for kind, cpu in (("unrecorded", "Old"), ("avx2", "Small"), ("avx512", "Large")):
        commit(page, kind, report(("Work", "f32", [measurement("autograph", 1.0)]), cpu=cpu))
    assert __main__.main(["table"]) == 0
    captions = [line for line in page.read_text().splitlines() if line.startswith("_")]
    assert [line.split()[1] for line in captions] == ["Large", "Small", "Old"]
    assert [re.findall(r"lenet5-(\w+)[.]json", line) for line in captions] == [["avx512"], ["avx2"], ["unrecorded"]]


def test_a_report_of_code_that_was_not_committed_is_refused(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(("Work", "f32", [measurement("autograph", 1.0)]))
    found["versions"]["krnlpy"] += "+"
    commit(page, "avx2", found)
    before = page.read_text()
    for arguments in (["table"], ["table", "--check"]):
        assert __main__.main(arguments) == 2
        assert (
            "error: lenet5-avx2.json was measured of code that was not committed (0123456789+):"
            " commit it, and measure again"
        ) in capsys.readouterr().err
    assert page.read_text() == before


def test_the_page_of_benchmarks_has_the_accuracies_of_the_curves() -> None:
    curves = [json.loads(path.read_text()) for path in sorted((readme.ROOT / readme.RESULTS / "curves").glob("*.json"))]
    lines = (readme.ROOT / "docs/benchmarks.md").read_text().splitlines()
    rows = {line.split(" ")[1]: line for line in lines if line.startswith(("| f32 |", "| bf16 |"))}
    assert sum(row.count(" % |") for row in rows.values()) == len(curves) > 0
    for curve in curves:
        assert len(curve["epochs"]) == 10
        assert f"| {100 * curve['epochs'][-1]['evaluation_accuracy']:.2f} % |" in rows[curve["dtype"]]
