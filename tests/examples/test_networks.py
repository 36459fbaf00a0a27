"""The examples of networks as a user calls them, for a moment: whether they reach what they state takes minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

import autograph.data
from tests.support import process
from tests.support.tiers import deep

SHORT = {
    "iris": ("--epochs", "2"),
    "physics": ("--steps", "5"),
    "diffusion": ("--epochs", "1"),
    "fine_tuning": ("--epochs", "1"),
    "vae": ("--epochs", "1"),
    "lstm": ("--epochs", "1"),
    "transformer": ("--steps", "5"),
    "resnet": ("--epochs", "1", "--dataset", "mnist"),
}
SAMPLE = Path(autograph.data.__file__).parent / "samples" / "mnist-sample"
NETWORKS = Path(__file__).resolve().parents[2] / "examples" / "networks"


def test_all_are_here() -> None:
    assert {path.stem for path in NETWORKS.glob("[!_]*.py")} == {*SHORT}
    for path in NETWORKS.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 120, path


@pytest.mark.parametrize("name", ["iris", *(pytest.param(name, marks=deep) for name in SHORT if name != "iris")])
def test_it_runs(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    program = f"examples/networks/{name}.py", *SHORT[name]
    options = "--device", "host", "--quiet", "--pictures", tmp_path
    output = process.output(*program, *options, AUTOGRAPH_DATA=str(SAMPLE))
    assert output.rstrip().endswith("on host"), output
    assert {path.name for path in tmp_path.iterdir()} <= {f"{name}.png", f"{name}-curves.png"}
