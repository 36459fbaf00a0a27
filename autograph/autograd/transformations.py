"""Gradients of functions of tensors, as functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.tensor.base import Edge, Node, TensorBase, recording
from krnlpy import Buffer

from .tape import propagate

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def grad(f: Callable[..., Tensor], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The gradient of a function of tensors, as a function of the same arguments.

    It can be derived again, so that second derivatives are ``grad(lambda x: grad(f)(x).sum())``; and where ``f`` uses
    parameters with open slots, ``backward()`` of what is computed from the gradient reaches them.

    Args:
        f: gives a tensor of one element.
        argnums: the place of the argument, or places of several, by which ``f`` is derived; they are tensors of floats.

    Returns:
        A function that gives a tensor like that argument; a tuple of them where ``argnums`` is a sequence.

    Raises:
        AutographError: ``f`` is not a function, or ``argnums`` are not places. The function that is returned raises
            it where there is no such argument, or a gradient on the way cannot be derived again; DtypeError where the
            argument is not a tensor of floats or ``f`` gives something else than a tensor; and ShapeError where ``f``
            gives a tensor of several elements.

    >>> from autograph import Tensor, grad
    >>> def cubes(x):
    ...     return (x * x * x).sum()
    >>> x = Tensor.from_numpy([1.0, 2.0])
    >>> grad(cubes)(x).numpy().tolist()
    [3.0, 12.0]
    >>> grad(lambda x: grad(cubes)(x).sum())(x).numpy().tolist()
    [6.0, 12.0]
    """
    both = value_and_grad(f, argnums)

    @wraps(f)
    def gradient(*args: Any, **named: Any) -> Any:
        return both(*args, **named)[1]

    return gradient


def value_and_grad(f: Callable[..., Tensor], argnums: int | Sequence[int] = 0) -> Callable[..., tuple[Tensor, Any]]:
    """The value of a function of tensors together with its gradient, as a function of the same arguments.

    Args:
        f: gives a tensor of one element.
        argnums: the place of the argument, or places of several, by which ``f`` is derived; they are tensors of floats.

    Returns:
        A function that gives the value of ``f``, and what :func:`grad` gives.

    Raises:
        AutographError: as :func:`grad`.

    >>> from autograph import Tensor, value_and_grad
    >>> value, (dx, dy) = value_and_grad(lambda x, y: (x * y).sum(), (0, 1))(Tensor.full(2, 3.0), Tensor.full(2, 4.0))
    >>> value.item(), dx.numpy().tolist(), dy.numpy().tolist()
    (24.0, [4.0, 4.0], [3.0, 3.0])
    """
    places = (argnums,) if isinstance(argnums, int) else tuple(argnums) if isinstance(argnums, Sequence) else ()
    if not (callable(f) and places and len(set(places)) == len(places)):
        raise AutographError(f"grad of {f!r} by argnums={argnums!r}: expected a function and places of its arguments")
    if not all(isinstance(place, int) and not isinstance(place, bool) and place >= 0 for place in places):
        raise AutographError(f"grad by argnums={argnums!r}: expected whole numbers from 0 on")

    @wraps(f)
    def both(*args: Any, **named: Any) -> tuple[Tensor, Any]:
        given, inputs = list(args), []
        for place in places:
            given[place] = as_input(args, place)
            inputs.append(given[place])
        value = _value(f, given, named)
        is_recorded = recording.on and value.node is not None and _has_outer(value.node, [x.node for x in inputs])
        gradients = _gradients(value, inputs, is_recorded)
        return value if is_recorded else value.detach(), gradients[0] if isinstance(argnums, int) else tuple(gradients)

    return both


def as_input(args: tuple[Any, ...], place: int) -> Tensor:
    """An argument as an input of its own, from which a graph is recorded."""
    if place >= len(args):
        raise AutographError(f"grad by argument {place}: {len(args)} were given")
    x = args[place]
    if not isinstance(x, TensorBase) or not x.dtype.is_float:
        what = f"a tensor of {x.dtype}" if isinstance(x, TensorBase) else type(x).__name__
        raise DtypeError(f"grad by argument {place}, which is {what}: expected a tensor of floats")
    result = x.detach()
    outer = (Edge((x.node,), lambda gradient: gradient, is_recordable=True),) if x.tracked else ()
    result.node = Node(result, outer)
    return result


def _value(f: Callable[..., Tensor], args: list[Any], named: dict[str, Any]) -> Tensor:
    recorded, recording.on = recording.on, True
    try:
        value = f(*args, **named)
    finally:
        recording.on = recorded
    if not isinstance(value, TensorBase) or not value.dtype.is_float:
        raise DtypeError(f"grad of a function that gives {value!r}: expected a tensor of floats")
    if value.size != 1:
        raise ShapeError(f"grad of a function that gives a tensor of shape {value.shape}: expected one element")
    return value


def _gradients(value: Tensor, inputs: list[Tensor], is_recorded: bool) -> list[Tensor]:
    """The gradient of a value by each of some inputs: zeros where it does not depend on one."""
    nodes = [x.node for x in inputs if x.node is not None]
    found: dict[Node, Tensor] = {}
    if value.node is not None:
        one = value.result(Buffer.ones(value.shape, value.dtype, value.device))
        found = propagate(value.node, one, nodes, is_recorded)
    return [found[n] if n in found else zeros_like(x) for n, x in zip(nodes, inputs, strict=True)]


def zeros_like(x: Tensor) -> Tensor:
    return x.result(Buffer.zeros(x.shape, x.dtype, x.device))


def _has_outer(root: Node, sinks: Collection[Node | None]) -> bool:
    """Whether a graph has other inputs than the sinks, so that gradients may be derived again."""
    seen, stack = {root}, [root]
    while stack:
        node = stack.pop()
        if node in sinks:
            if node.edges:
                return True
            continue
        if node.is_leaf:
            return True
        for target in [t for edge in node.edges or () for t in edge.targets if t is not None]:
            if target not in seen:
                seen.add(target)
                stack.append(target)
    return False
