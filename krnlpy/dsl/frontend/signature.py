"""The declared interface of a kernel: its parameters, read from the annotations when the kernel is decorated."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import FunctionType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from krnlpy.dsl.ir import Location
from krnlpy.dsl.types.annotations import Annotation, ElementType, any_type
from krnlpy.dsl.types.composites import CompositeType, Maybe, buffer_leaves, leaves
from krnlpy.errors import DtypeError, KernelNameError, KernelSyntaxError, KernelTypeError, LaunchError
from krnlpy.scalar import ScalarType
from krnlpy.sources import parse_expression

from .source import Source, read_source


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter as declared: its type may be a type variable. ``default`` None means none."""

    name: str
    kind: Literal["scalar", "spec", "item", "global"]
    type: ElementType
    ndim: int
    mutable: bool
    once: bool
    default: int | float | bool | None
    location: Location


@dataclass(frozen=True)
class Declared:
    """A parameter as the user wrote it. One of a composite type consists of several: its ``leaves``."""

    name: str
    kind: Literal["scalar", "spec", "item", "global"]
    type: Any
    ndim: int
    leaves: tuple[ParameterSpec, ...]
    location: Location

    @property
    def is_composite(self) -> bool:
        """Whether it has a type that consists of others."""
        return isinstance(self.type, CompositeType)

    @property
    def default(self) -> int | float | bool | None:
        """The value where none is given; composite parameters have none."""
        return self.leaves[0].default


@dataclass(frozen=True, eq=False)
class Signature:
    """A kernel's name, parameters and source. ``parameters`` are those of ``declared``, composite ones taken apart.

    Attributes:
        captured: what names from outside meant when the kernel was first compiled, by function and name; it keeps
            them for all types that it is compiled for later.
        receiver: of a method, the name of the parameter that is the object: ``self``.
    """

    name: str
    declared: tuple[Declared, ...]
    source: Source
    captured: dict[tuple[Any, str], Any] = field(default_factory=dict)
    receiver: str = ""

    @cached_property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        return tuple(leaf for declared in self.declared for leaf in declared.leaves)

    @property
    def function(self) -> Callable[..., Any]:
        return self.source.function

    @cached_property
    def type_variables(self) -> tuple[TypeVar, ...]:
        """Each type variable once, in order of first use."""
        return tuple(dict.fromkeys(p.type for p in self.parameters if isinstance(p.type, TypeVar)))


def _evaluate(source: Source, node: ast.expr, text: object) -> object:
    # Under `from __future__ import annotations` an annotation is a string of the user's own module. Names of
    # enclosing functions are not in its globals; those that the function captures are added.
    if not isinstance(text, str):
        return text
    names: dict[str, object] = {}
    for name in {n.id for n in ast.walk(parse_expression(text)) if isinstance(n, ast.Name)}:
        try:
            names[name] = source.captured(name)
        except KeyError:
            raise KernelNameError(
                f"the name {name} of this annotation is not defined; where it belongs to an enclosing function, leave"
                " out `from __future__ import annotations` or use it in the kernel's body too",
                *source.location(node),
            ) from None
    try:
        return eval(compile(text, source.file, "eval"), {}, names)
    except DtypeError:
        raise
    except Exception as error:  # whatever the user's own annotation raises
        raise KernelTypeError(
            f"the annotation {text} cannot be evaluated: {type(error).__name__}: {error}", *source.location(node)
        ) from error


def annotation_of(source: Source, argument: ast.arg) -> Annotation | None:
    """The meaning of a parameter's annotation, or None where it has none or Any.

    Raises:
        KernelTypeError: the annotation is not one of the language's.
    """
    if argument.annotation is None:
        return None
    where = source.location(argument.annotation)
    raw = source.function.__annotations__.get(argument.arg)
    try:
        value = _evaluate(source, argument.annotation, raw)
        if value is Any:
            return None
        kind = _without_none(value)
        found = kind if isinstance(kind, Annotation) else Annotation("scalar", any_type(kind))
        return replace(found, optional=kind is not value)
    except DtypeError as error:
        raise KernelTypeError(
            f"parameter {argument.arg}: {error}; parameters are annotated by a scalar type, Item, ItemMut, Global,"
            " GlobalMut, Out or Spec",
            *where,
        ) from None


def positional_arguments(source: Source) -> list[ast.arg]:
    """The parameters of a function; raises KernelSyntaxError unless all are plain ones."""
    arguments = source.tree.args
    for extra in (arguments.vararg, arguments.kwarg, *arguments.kwonlyargs, *arguments.posonlyargs):
        if extra is not None:
            raise KernelSyntaxError("kernels have plain parameters only: no *, / or **", *source.location(extra))
    return arguments.args


def _without_none(annotation: Any) -> Any:
    """The X of ``X | None``; else the annotation itself."""
    if isinstance(annotation, Maybe):
        return annotation.kind
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    others = [kind for kind in kinds if kind is not type(None)]
    return others[0] if len(others) == 1 < len(kinds) else annotation


@dataclass(frozen=True)
class FunctionParameters:
    """The parameters of a ``@func``.

    Attributes:
        positional: those that may be given by place.
        rest: ``*args``, if there is one.
        named: what is given by name only.
    """

    positional: tuple[ast.arg, ...]
    rest: ast.arg | None
    named: tuple[ast.arg, ...]

    @classmethod
    def of(cls, source: Source) -> FunctionParameters:
        """Those of a function.

        Raises:
            KernelSyntaxError: it takes ``**``.
        """
        declared = source.tree.args
        if declared.kwarg is not None:
            raise KernelSyntaxError("functions of kernels take no **; name them", *source.location(declared.kwarg))
        return cls((*declared.posonlyargs, *declared.args), declared.vararg, tuple(declared.kwonlyargs))

    def listed(self, count: int) -> list[tuple[str, ast.arg]]:
        """The parameters of a call of so many arguments, by name: those of ``*args`` are numbered."""
        rest = []
        if self.rest is not None:
            extra = count - len(self.positional) - len(self.named)
            rest = [(f"{self.rest.arg}_{i}", self.rest) for i in range(extra)]
        return [*((a.arg, a) for a in self.positional), *rest, *((a.arg, a) for a in self.named)]


def read_signature(function: Callable[..., Any]) -> Signature:
    """Reads the parameters of a kernel from its annotations.

    Raises:
        KernelTypeError: a parameter has no annotation or one that kernels do not know.
        LaunchError: it is not a function.
        KernelSyntaxError: the source cannot be read, or the function is not a plain ``def``.
    """
    if not isinstance(function, FunctionType):
        raise LaunchError(f"kernel of a {function.__class__.__name__}: expected a function, made by def")
    source = read_source(function)
    arguments = positional_arguments(source)
    defaults = dict(zip([a.arg for a in arguments][::-1], (function.__defaults__ or ())[::-1], strict=False))
    declared = []
    taken = {a.arg for a in arguments}
    receiver = arguments[0].arg if arguments and _is_receiver(function, arguments[0]) else ""
    for argument in arguments[bool(receiver) :]:
        where = source.location(argument)
        annotation = annotation_of(source, argument)
        if annotation is None and argument.arg == "self":
            raise KernelTypeError(
                f"self without a class: {function.__name__} is not written in the body of one; take what it needs as"
                " parameters, or move it into the class",
                *where,
            )
        if annotation is None:
            raise KernelTypeError(
                f"parameter {argument.arg} has no annotation; write for example {argument.arg}: f32 or"
                f" {argument.arg}: Item[f32]",
                *where,
            )
        if annotation.optional:
            raise KernelTypeError(
                f"parameter {argument.arg}: a kernel's parameters are never None; write a kernel for each case, which"
                " call a @func with an optional parameter",
                *where,
            )
        default = defaults.get(argument.arg)
        if default is not None:
            if annotation.kind in ("item", "global"):
                raise KernelTypeError(f"parameter {argument.arg}: a buffer has no default", *where)
            if not isinstance(default, bool | int | float) or isinstance(annotation.type, CompositeType):
                raise KernelTypeError(f"parameter {argument.arg}: the default {default!r} is not a number", *where)
        declared.append(declare(argument.arg, annotation, where, default, taken))
    if source.tree.returns is not None and function.__annotations__.get("return") not in (None, "None"):
        raise KernelTypeError(
            "a kernel returns nothing; write its results to ItemMut, GlobalMut or Out parameters",
            *source.location(source.tree.returns),
        )
    return Signature(function.__name__, tuple(declared), source, receiver=receiver)


def _is_receiver(function: FunctionType, argument: ast.arg) -> bool:
    """Whether a first parameter is the object that a method belongs to: it is written in a class, and has no type."""
    scope = function.__qualname__.rpartition(".")[0]
    in_class = bool(scope) and not scope.endswith("<locals>")
    return in_class and (argument.annotation is None or argument.arg == "self")


def declare(
    name: str,
    annotation: Annotation,
    where: Location,
    default: int | float | bool | None = None,
    taken: set[str] | None = None,
) -> Declared:
    """A parameter with the scalar parameters that it consists of; their names are new ones, and are added to
    ``taken``."""
    taken = {name} if taken is None else taken
    found = []
    lies = annotation.kind == "global"
    parts = buffer_leaves(annotation.type) if lies else ((*leaf, ()) for leaf in leaves(annotation.type))
    for path, type, axes in parts:
        part = name
        if path:
            part = f"{name}_{path}"
            while part in taken:
                part += "_"
            taken.add(part)
        ndim, mutable, once = annotation.ndim + len(axes), annotation.mutable, annotation.once
        found.append(ParameterSpec(part, annotation.kind, type, ndim, mutable, once, default, where))
    return Declared(name, annotation.kind, annotation.type, annotation.ndim, tuple(found), where)


def resolve(type: ElementType, types: dict[TypeVar, ScalarType]) -> ScalarType:
    """The scalar type that a declared type means for one choice of the type variables."""
    return types[type] if isinstance(type, TypeVar) else type
