"""The Python of a documentation page, run as it stands."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from krnlpy import Device

ROOT = Path(__file__).resolve().parents[2]


def blocks(page: str) -> list[str]:
    """The page's blocks of Python, in order."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def on(device: Device, *blocks: str) -> list[str]:
    """The blocks with a device of our choice for the best one."""
    selector = device.info.backend if device.info.index is None else device.info.index
    return [block.replace("Device.best()", f"Device({selector!r})") for block in blocks]


def run(tmp_path: Path, *blocks: str) -> ModuleType:
    """The blocks as one module: kernels are compiled from their file's text, so the blocks become a file."""
    path = tmp_path / "page_example.py"
    path.write_text("\n".join(blocks))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
