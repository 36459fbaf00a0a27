"""The fenced blocks of a documentation page, and its Python, run as it stands."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from krnlpy import Device

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *("README.md", "CONTRIBUTING.md"),
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))),
]


def fenced(page: str) -> list[tuple[str, str]]:
    """The page's blocks, in order: what follows the fence, and the text."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def blocks(page: str, language: str = "python") -> list[str]:
    """The page's blocks of a language, in order."""
    return [text for fence, text in fenced(page) if fence == language]


def promised(source: str) -> list[str]:
    """The lines that a program says it prints, by the comments behind its calls of print."""
    return [
        text.strip()
        for line in source.splitlines()
        if "print(" in line and "  # " in line
        for text in line.split("  # ")[1:]
    ]


def on(device: Device, block: str) -> str:
    """The block with a device of our choice for the best one."""
    selector = device.info.backend if device.info.index is None else device.info.index
    return block.replace("Device.best()", f"Device({selector!r})")


def run(tmp_path: Path, source: str) -> ModuleType:
    """The source as a module: kernels are compiled from their file's text, so it becomes a file."""
    path = tmp_path / "page_example.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
