"""Drawn programs written another way: the kernel as a method, with some parameters as attributes of its object, and
functions of numbers as methods, too."""

from __future__ import annotations

import ast
from dataclasses import replace

from .case import OWNER, Case, Data
from .kinds import Draw


def as_method(case: Case, text: str) -> Case:
    """The same program as a method of :data:`.case.OWNER`; the case itself if none of its parameters can be moved.

    Args:
        case: has a function ``kernel``.
        text: what is drawn depends on it.
    """
    random = Draw(text)
    module = ast.parse(case.source)
    kernel = next(n for n in module.body if isinstance(n, ast.FunctionDef) and n.name == "kernel")
    stored = {n.id for n in ast.walk(kernel) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    movable = [p.arg for p in kernel.args.args if p.arg not in stored and _is_movable(p, case)]
    moved = tuple(name for name in movable if random.chance(0.7))
    if not moved:
        return case
    called = {n.func.id for n in ast.walk(kernel) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    elsewhere = {
        n.id
        for f in module.body
        if isinstance(f, ast.FunctionDef) and f is not kernel
        for n in ast.walk(f)
        if isinstance(n, ast.Name)
    }
    functions = [
        f
        for f in module.body
        if isinstance(f, ast.FunctionDef) and f is not kernel and f.name in called - elsewhere and random.chance(0.5)
    ]
    names = {f.name for f in functions}
    # A plain number of an object takes the type that it meets; the parameter had its own.
    types = {p.arg: ast.unparse(p.annotation) for p in kernel.args.args if p.annotation}
    arguments = {
        name: (types[name], value) if name in moved and isinstance(value, int | float) else value
        for name, value in case.arguments.items()
    }
    _drop(kernel, moved)
    owner = ast.parse(f"class {OWNER}:\n    def __init__(self, **values):\n        vars(self).update(values)").body[0]
    assert isinstance(owner, ast.ClassDef)
    for method in (*functions, kernel):
        method.args.args.insert(0, ast.arg("self"))
        owner.body.append(_Attributes({*moved, *names}).visit(method) if method is kernel else method)
    module.body = [part for part in module.body if part not in (*functions, kernel)] + [owner]
    source = ast.unparse(ast.fix_missing_locations(module))
    return replace(case, source=source, arguments=arguments, owned=moved)


def _is_movable(parameter: ast.arg, case: Case) -> bool:
    """Numbers and whole buffers that are no items, of one type."""
    annotation = ast.unparse(parameter.annotation) if parameter.annotation else ""
    if isinstance(case.arguments.get(parameter.arg), Data):
        return annotation.startswith("Global") and "K" not in annotation
    return parameter.arg in case.arguments and "[" not in annotation and annotation != "K"


def _drop(kernel: ast.FunctionDef, names: tuple[str, ...]) -> None:
    """Removes parameters, and the defaults that they have."""
    arguments = kernel.args
    first = len(arguments.args) - len(arguments.defaults)
    kept = [(p, arguments.defaults[i - first] if i >= first else None) for i, p in enumerate(arguments.args)]
    kept = [(parameter, default) for parameter, default in kept if parameter.arg not in names]
    arguments.args = [parameter for parameter, _ in kept]
    arguments.defaults = [default for _, default in kept if default is not None]


class _Attributes(ast.NodeTransformer):
    """Writes ``self.`` before names."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self._names:
            return node
        return ast.Attribute(ast.Name("self", ast.Load()), node.id, node.ctx)
