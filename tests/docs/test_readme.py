"""README's programs run as they stand, each by itself; its links lead to files of this repository from everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from autograph import data
from krnlpy import Device, KernelTypeError
from tests.support.typed import present

from .pages import ROOT, blocks, on, promised, run

SAXPY, IRISES, MATMUL, LENET5 = blocks("README.md")
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("source", [SAXPY, MATMUL], ids=["saxpy", "matmul"])
def test_kernels(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], device: Device) -> None:
    run(tmp_path, on(device, source))
    assert capsys.readouterr().out.splitlines() == promised(source) != []


def test_all_of_the_product(tmp_path: Path, device: Device) -> None:
    module = run(tmp_path, on(device, MATMUL))
    # Whole numbers below 2**24: exact.
    np.testing.assert_array_equal(module.c.numpy(), module.a.numpy() @ module.b.numpy())


def test_irises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, IRISES)
    said = re.fullmatch(r"loss (0\.\d\d), (\d+\.\d)% of 150 irises are told apart\n", capsys.readouterr().out)
    assert said is not None
    # Of 40 runs from random weights, the worst had a loss of 0.07 and 146 irises, 97.3%.
    assert float(said[1]) < 0.2 and float(said[2]) >= 93


def test_lenet5(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On the sample of MNIST, whatever this machine has: 50 steps. (The whole set is the same program for longer.)"""
    monkeypatch.setenv("AUTOGRAPH_DATA", str(Path(data.__file__).parent / "samples" / "mnist-sample"))
    module = run(tmp_path, LENET5)
    assert module.model.parameter_count == 46_920
    said = re.fullmatch(r"(\d+\.\d\d)% of 1000 digits are read right\n", capsys.readouterr().out)
    assert said is not None
    # A guess gets 10%. Of 43 runs from random weights the worst got 57.9%, the others 68.2% to 90.9%: 81.5 +- 5.5.
    assert float(said[1]) > 30


def test_the_mistake(tmp_path: Path) -> None:
    (shown,) = blocks("README.md", "text")
    program = (
        "from krnlpy import *\n\n@kernel\ndef scale(n: i64, x: Item[f32], y: ItemMut[f32]):\n"
        "    # The mistake:\n    y = x * n\n"
    )
    module = run(tmp_path, program)
    x = module.Buffer.ones(3, module.f32)
    with pytest.raises(KernelTypeError) as error:
        module.scale(2, x, x)
    # The file has another name here, and the code is shown with its own indentation.
    message = str(error.value).replace(str(tmp_path / "page_example.py"), "kernels.py").splitlines()
    assert [line.strip() for line in message] == [line.strip() for line in shown.splitlines()]


def test_links() -> None:
    """README is PyPI's page too, where only absolute links lead anywhere."""
    defined = dict(re.findall(r"^\[([^\]]+)\]: (\S+)$", TEXT, re.MULTILINE))
    body = re.sub(r"^\[[^\]]+\]: \S+$|^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    inline = re.findall(r"\]\(([^)]*)\)", body)
    used = {name for name in re.findall(r"\[([^\]]+)\](?!\()", body) if not name.startswith(" ")}
    assert set(defined) <= used, "each definition is used"
    assert all(target.startswith(("https://", "#")) for target in inline)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    home = project["urls"]["Repository"]
    for target in defined.values():
        kind, path = present(re.fullmatch(rf"{re.escape(home)}/(blob|tree)/main/(\S+)", target)).groups()
        assert (ROOT / path).is_file() if kind == "blob" else (ROOT / path).is_dir(), target
    headings = {
        re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", TEXT, re.M)
    }
    assert {target[1:] for target in inline if target.startswith("#")} <= headings
