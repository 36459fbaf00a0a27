"""README's programs run as they stand, each by itself; its links lead to files of this repository from everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from krnlpy import Device
from tests.support.typed import present

from .pages import ROOT, blocks, on, promised, run

SAXPY, IRISES = blocks("README.md")
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str], device: Device) -> None:
    run(tmp_path, on(device, SAXPY))
    assert capsys.readouterr().out.splitlines() == promised(SAXPY) != []


def test_irises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, IRISES)
    said = re.fullmatch(r"loss (0\.\d\d), (\d+\.\d)% of 150 irises are told apart\n", capsys.readouterr().out)
    assert said is not None
    # Of 40 runs from random weights, the worst had a loss of 0.07 and 146 irises, 97.3%.
    assert float(said[1]) < 0.2 and float(said[2]) >= 93


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
    raw = home.replace("//github.com/", "//raw.githubusercontent.com/")
    for picture in re.findall(r'src="([^"]+)"', TEXT):
        assert (ROOT / picture.removeprefix(f"{raw}/main/")).is_file(), picture
    headings = {
        re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", TEXT, re.M)
    }
    assert {target[1:] for target in inline if target.startswith("#")} <= headings
