"""Makes a failing case small: parts are deleted or replaced by simpler ones as long as it still fails likewise.

It works on Python's syntax tree, and so on any kernel. What is no longer valid is refused by the frontend, what no
longer ends by the clock, what indexes out of range by the interpreter. Barriers, and the indices of what is stored, are
left alone: without them, threads would race, and every target be right.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from krnlpy import Device

from .case import Case
from .run import Fault, check, judge

SECONDS = 2.0

Edit = Callable[[ast.Module], bool]


def shrink(case: Case, device: Device, fault: Fault, tries: int = 3000) -> Case:
    """The smallest case found that fails as ``fault`` says."""

    def fails(candidate: Case) -> bool:
        try:
            kernel = candidate.load()
            want = judge(candidate, kernel, SECONDS)
        except Exception:
            return False
        found = check(candidate, kernel, device, want)
        return found is not None and found.what == fault.what

    return reduce(case, fails, tries)


def reduce(case: Case, fails: Callable[[Case], bool], tries: int = 3000) -> Case:
    """The smallest case found for which ``fails`` holds."""
    progress = True
    while progress and tries > 0:
        progress = False
        place = 0
        while tries > 0:
            tree = ast.parse(case.source)
            edits = list(_edits(tree))
            if place >= len(edits):
                break
            candidate = _edited(case, place)
            tries -= 1
            if candidate is not None and len(candidate.source) < len(case.source) and fails(candidate):
                case = candidate
                progress = True
            else:
                place += 1
    return case


def _edited(case: Case, place: int) -> Case | None:
    tree = ast.parse(case.source)
    list(_edits(tree))[place]()
    try:
        return case.with_source(ast.unparse(ast.fix_missing_locations(tree)))
    except (ValueError, AttributeError):
        return None


def _edits(tree: ast.Module) -> Iterator[Callable[[], Any]]:
    """What can be changed, the largest parts first; each edit changes the tree in place."""
    nodes = list(ast.walk(tree))
    blocks = [
        (node, field)
        for node in nodes
        for field in ("body", "orelse")
        if isinstance(getattr(node, field, None), list) and getattr(node, field)
    ]
    for size in (16, 8, 4, 2, 1):
        for node, field in blocks:
            statements = getattr(node, field)
            if size > 1 and len(statements) < size:
                continue
            for start in range(0, len(statements), size):
                part = statements[start : start + size]
                if not any(_is_fixed(s) for s in part):
                    yield partial(_delete, node, field, start, size)
    for node, field in blocks:
        for at, statement in enumerate(getattr(node, field)):
            for inner in ("body", "orelse"):
                if isinstance(statement, ast.If | ast.For | ast.While) and getattr(statement, inner):
                    yield partial(_splice, getattr(node, field), at, getattr(statement, inner))
    fixed = {id(inner) for node in nodes if _is_owner(node) for inner in ast.walk(node)}
    for node in nodes:
        if isinstance(node, ast.FunctionDef) or id(node) in fixed:
            continue
        for field, value in ast.iter_fields(node):
            if field in ("targets", "target", "func", "annotation", "iter") and not isinstance(node, ast.For):
                continue
            for at, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.expr) and isinstance(getattr(child, "ctx", ast.Load()), ast.Load):
                    where = at if isinstance(value, list) else None
                    for simpler in _simpler(child):
                        yield partial(_replace, node, field, where, simpler)


def _is_fixed(statement: ast.stmt) -> bool:
    """What must stay: barriers, what counts the iterations of a loop, the ids on which ownership rests."""
    text = ast.unparse(statement)
    if "barrier()" in text:
        return True
    if not isinstance(statement, ast.AugAssign):
        return False
    return isinstance(statement.value, ast.Constant) and isinstance(statement.op, ast.Add | ast.Sub)


def _is_owner(node: ast.AST) -> bool:
    """What says which elements are a thread's own."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.ctx, ast.Store)
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("me", "lane")


def _delete(node: ast.AST, field: str, start: int, size: int) -> None:
    statements = getattr(node, field)
    del statements[start : start + size]
    if not statements and field == "body" and not isinstance(node, ast.Module):
        statements.append(ast.Pass())


def _splice(statements: list[ast.stmt], at: int, inner: list[ast.stmt]) -> None:
    statements[at : at + 1] = inner


def _replace(node: ast.AST, field: str, at: int | None, by: ast.expr) -> None:
    if at is None:
        setattr(node, field, by)
    else:
        getattr(node, field)[at] = by


def _simpler(node: ast.expr) -> list[ast.expr]:
    """Expressions that may stand for one: its parts, and small numbers of all types."""
    if isinstance(node, ast.Constant | ast.Name):
        return []
    parts = [copy.deepcopy(n) for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
    parts = [p for p in parts if isinstance(getattr(p, "ctx", ast.Load()), ast.Load)]
    return [ast.Constant(1), *parts]
