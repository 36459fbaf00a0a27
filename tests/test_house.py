"""The rules that keep the house one of rooms: floors, sizes, names, and which imports there may be.

The floors of krnlpy are contracts of import-linter in pyproject.toml, which `make check` checks.
"""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FLOORS = """
autograph.errors
autograph.tensor.share
autograph.tensor.base
autograph.autograd
autograph.functions
autograph.functions.convolution
autograph.tensor
autograph.optim
autograph.nn
autograph.data autograph.files
autograph
autograph.krnlpy_workload
"""
"""Of autograph, from the ground up. Rooms of one floor don't know each other."""

FLOOR = {room: floor for floor, rooms in enumerate(FLOORS.split("\n")) for room in rooms.split()}

UP_FOR_TYPES = {
    ("autograph.tensor.base", "autograph.tensor"): "what operations return, whose methods they are",
}

LONG = {"krnlpy/dsl/ir/nodes.py": "the IR on one page"}


@cache
def modules() -> dict[str, Path]:
    """All modules of both packages, by name."""
    found = {}
    for package in ("krnlpy", "autograph"):
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def room_of(module: str) -> str:
    while module not in FLOOR:
        module = module.rpartition(".")[0]
    return module


def imports(path: Path, module: str) -> Iterator[tuple[str, str, bool]]:
    """Each import of a file, wherever it stands: the module, the name, and whether it is for types only."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, "", node in typing
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], node.module or ""]) if node.level else node.module
            for alias in node.names:
                yield (base or "").rstrip("."), alias.name, node in typing


def arrows() -> Iterator[tuple[str, str, bool]]:
    """From module to module, and whether for types only."""
    for module, path in modules().items():
        for base, name, for_types in imports(path, module):
            target = f"{base}.{name}" if f"{base}.{name}" in modules() else base
            if target in modules() and target != module:
                yield module, target, for_types


def test_imports_go_down() -> None:
    up = set()
    for module, target, for_types in arrows():
        if not (module.startswith("autograph") and target.startswith("autograph")):
            continue
        ours, theirs = room_of(module), room_of(target)
        allowed = for_types and (ours, theirs) in UP_FOR_TYPES
        if ours != theirs and FLOOR[theirs] >= FLOOR[ours] and not allowed:
            up.add(f"{module} -> {target}{' for types' if for_types else ''}")
    assert not up, "\n".join(sorted(up))


def test_at_most_three_arrows_go_up_for_types() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    assert len(UP_FOR_TYPES) + sum(len(contract.get("ignore_imports", ())) for contract in contracts) <= 3


def test_folders_are_small() -> None:
    counts = Counter(path.parent for path in modules().values() if path.name != "__init__.py")
    assert {str(f.relative_to(ROOT)): n for f, n in counts.items() if n > 16} == {}


def test_a_third_file_with_a_prefix_is_a_room() -> None:
    counts = Counter((path.parent, path.stem.partition("_")[0]) for path in modules().values() if path.stem[0] != "_")
    assert [(str(folder), prefix) for (folder, prefix), n in counts.items() if n > 2] == []


def test_files_are_short() -> None:
    lines = {path.relative_to(ROOT).as_posix(): path.read_text().count("\n") for path in modules().values()}
    assert {name: n for name, n in lines.items() if n > 500 and name not in LONG} == {}


def test_no_module_has_the_name_of_what_its_package_exports() -> None:
    doubled = []
    for module, path in modules().items():
        if path.name == "__init__.py":
            exported = {name for base, name, _ in imports(path, module) if f"{base}.{name}" not in modules()}
            doubled += [f"{module}.{name}" for name in exported if f"{module}.{name}" in modules()]
    assert doubled == []


def test_rooms_say_what_they_are() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    for module, path in modules().items():
        if path.name == "__init__.py" and module not in ("krnlpy", "autograph"):
            sentence = (ast.get_docstring(ast.parse(path.read_text())) or "").split(".\n")[0].split(". ")[0]
            row = f"| `{path.parent.relative_to(ROOT).as_posix()}/` | {' '.join(sentence.split())}".rstrip(".")
            assert row.replace("``", "`") + " |\n" in page, f"docs/architecture.md lacks the room {module}"


@pytest.mark.parametrize("folder", ["autograph", "examples"])
def test_only_public_names_of_krnlpy_are_used(folder: str) -> None:
    public = {"krnlpy", "krnlpy.config", "krnlpy.dsl", "krnlpy.errors", "krnlpy.files", "krnlpy.locks"}
    for path in (ROOT / folder).rglob("*.py"):
        for base, name, _ in imports(path, ".".join(path.relative_to(ROOT).with_suffix("").parts)):
            if base.partition(".")[0] == "krnlpy":
                assert base in public and not name.startswith("_"), f"{path}: {base} {name}"
