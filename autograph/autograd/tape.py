"""Reverse-mode automatic differentiation: what is recorded, and how it runs backwards.

A tensor that was computed from parameters has a node; a node has an edge to the node of each input: a function from
the gradient of the output to the gradient of that input. Tensors without a node record nothing. Integers never have
one: a function to whole numbers is constant between its steps, so that no gradient goes through them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, overload

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.tensor.base import (
    Edge,
    GradientFunction,
    Node,
    OperationNode,
    TensorBase,
    recording,
    require_tensor,
)
from krnlpy import Buffer
from krnlpy.locks import is_mine

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

__all__ = ["GradientFunction", "backward", "differentiable", "propagate", "saved"]

_lock = threading.RLock()
"""Guards what threads share: the graph while backward() takes it, and the slots. Nothing is computed under it."""


@overload
def differentiable(
    value: Tensor,
    inputs: Sequence[tuple[Tensor | tuple[Tensor, ...], GradientFunction]],
    *,
    higher_order: bool = False,
) -> Tensor: ...


@overload
def differentiable(
    value: tuple[Tensor, ...],
    inputs: Sequence[tuple[Tensor | tuple[Tensor, ...], GradientFunction]],
    *,
    higher_order: bool = False,
) -> tuple[Tensor, ...]: ...


def differentiable(
    value: Any,
    inputs: Sequence[tuple[Tensor | tuple[Tensor, ...], GradientFunction]],
    *,
    higher_order: bool = False,
) -> Any:
    """Records how values were computed: so any operation, built in or yours, gets its gradient.

    The method is reverse-mode differentiation; see A. Griewank and A. Walther, "Evaluating Derivatives", 2nd ed., 2008.

    Args:
        value: the result of the operation; a tuple of tensors where it has several.
        inputs: each input with the function that maps the gradient of ``value`` (of several results, those of each) to
            the gradient of that input: of its shape, dtype and device. Inputs whose gradients are computed together
            stand in a tuple, with one function that gives a tuple. Such a function keeps what it needs of the inputs as
            :func:`saved`, which later in-place changes do not reach. It runs with recording off: nothing that it
            computes is tracked.
        higher_order: the functions consist of recorded operations on the gradients and on :func:`saved` inputs, so
            that gradients can be derived again (see :func:`grad`). Without it, to do so raises AutographError.

    Returns:
        ``value``, tracked where it holds floats and any of the inputs is tracked. Functions none of whose inputs is
        tracked are never called. A result that nothing depends on has a gradient of zeros.

    Raises:
        DtypeError: ``value`` is not a Tensor or a tuple of them, or ``inputs`` are not such pairs.

    >>> from autograph import Parameter, Tensor
    >>> from autograph.autograd import differentiable, saved
    >>> def square(x):
    ...     kept = saved(x)
    ...     return differentiable(x.detach() * x.detach(), [(x, lambda gradient: 2 * gradient * kept)])
    >>> x = Parameter(Tensor.full((), 3.0))
    >>> x.init_grad()
    >>> square(x).backward()
    >>> x.grad.item()
    6.0
    """
    edges: list[Edge] = []
    try:
        for tensors, function in inputs:
            if not isinstance(tensors, tuple):
                if tensors.node is not None:
                    edges.append(Edge((tensors.node,), function, True, higher_order))
            elif any(targets := tuple([tensor.node for tensor in tensors])):
                edges.append(Edge(targets, function, False, higher_order))
    except (TypeError, ValueError, AttributeError):
        raise DtypeError("differentiable takes pairs of a Tensor and a function that gives its gradient") from None
    if not edges:
        return value
    values = value if isinstance(value, tuple) else (value,)
    # Loops take half the time of `all`.
    for given in values:
        if not isinstance(given, TensorBase):
            raise _not_differentiable()
    for edge in edges:
        if not callable(edge.function):
            raise _not_differentiable()
    if not recording.on:
        return value
    # A gradient function may keep the value itself: no place in the graph may keep it alive.
    recorded = record(tuple([v.detach() if v.dtype.kind == "float" else v for v in values]), *edges)
    return recorded if isinstance(value, tuple) else recorded[0]


def _not_differentiable() -> DtypeError:
    return DtypeError("differentiable takes a Tensor, and pairs of a Tensor and a function that gives its gradient")


def record(values: tuple[Tensor, ...], *edges: Edge) -> tuple[Tensor, ...]:
    """Gives the results of an operation, which nobody else has yet, their places in the graph: those of floats.

    Args:
        values: the results.
        edges: to what they were computed from.
    """
    if len(values) == 1:
        (value,) = values
        node = Node(value, edges)
        if node.dtype.kind == "float":
            value.node = node
        return values
    nodes = tuple([Node(value) for value in values])
    operation = OperationNode(edges, nodes)
    for slot, (value, node) in enumerate(zip(values, nodes, strict=True)):
        node.edges = (Edge((operation,), _identity, is_recordable=True, slot=slot),)
        if value.dtype.is_float:
            value.node = node
    return values


def saved(x: Tensor) -> Tensor:
    """A tensor as a gradient function keeps it: changes of ``x`` in place do not reach it.

    Unlike ``x.detach()`` it keeps its place in the graph, so that the gradient can be derived again.

    Raises:
        DtypeError: ``x`` is not a Tensor.

    >>> from autograph import Tensor
    >>> x = Tensor.ones(2)
    >>> kept = saved(x)
    >>> x.fill(5)
    >>> kept.numpy().tolist()
    [1.0, 1.0]
    """
    require_tensor("saved", x)
    result = x.detach()
    result.node = x.node
    return result


def _identity(gradient: Tensor) -> Tensor:
    return gradient


def backward(x: Tensor, gradient: Tensor | None = None) -> None:
    """Adds the gradients of this tensor to the open slots of the parameters that it was computed from.

    The graph is freed on the way. Several threads may do so at a time. Where a gradient function fails, all slots stay
    as they were.

    Args:
        gradient: that of this tensor, of its shape, dtype and device; None stands for 1 and is for tensors of one
            element.

    Raises:
        AutographError: nothing was recorded, or an earlier call freed it; or the gradient's dtype or device is another.
        ShapeError: the tensor has several elements and no gradient is given, or the gradient has another shape.
        DtypeError: ``gradient`` is not a tensor.

    >>> from autograph import Parameter, Tensor
    >>> x = Parameter(Tensor.from_numpy([1.0, 2.0]))
    >>> x.init_grad()
    >>> (x * x).sum().backward()
    >>> x.grad.numpy().tolist()
    [2.0, 4.0]
    """
    if x.node is None:
        raise AutographError(
            "nothing was recorded for this tensor: call init_parameter_grads() on the model (or init_grad() on a"
            " parameter) before the forward pass; no gradient goes through integers, and gradient functions run"
            " with recording off"
        )
    if gradient is None:
        if x.size != 1:
            raise ShapeError(
                f"backward() of a tensor of shape {x.shape}: only of one element is the gradient known to be 1;"
                " pass backward(gradient), or sum() first"
            )
        gradient = x.result(Buffer.ones(x.shape, x.dtype, x.device))
    require_tensor("backward", gradient)
    if gradient.shape != x.shape:
        raise ShapeError(f"a gradient of shape {gradient.shape} for a tensor of shape {x.shape}")
    gradients = propagate(x.node, gradient.detach())
    recorded, recording.on = recording.on, False
    try:
        for leaf, complete in gradients.items():
            _accumulate(leaf, complete)
    finally:
        recording.on = recorded


def propagate(
    root: Node, gradient: Tensor, sinks: Collection[Node] | None = None, is_recorded: bool = False
) -> dict[Node, Tensor]:
    """Passes the gradient of a node on to the nodes that it was computed from, and frees the graph as it goes.

    Args:
        root: the node.
        gradient: that of its tensor.
        sinks: the nodes whose gradients are asked for, which end the way; None: all leaves.
        is_recorded: gradient functions are recorded, and the graph stays: the gradients can be derived again.

    Returns:
        The gradient of each sink that the root depends on.

    Raises:
        AutographError: backward() has used a node before; or this call interrupted one that takes the graph or fills a
            slot; or a gradient function gave something else than a fitting gradient.
    """
    root.require_fit(gradient)
    if is_mine(_lock):
        raise AutographError(
            "backward() can't run within the backward() that was interrupted: let handlers set a flag, and act on it in"
            " the program"
        )
    with _lock:
        edges, pending = _take_graph(root, sinks, keep=is_recorded)
    gradients: dict[Node, list[Tensor | None]] = {root: [gradient]}
    ready = deque([root])
    recorded = recording.on
    try:
        recording.on = is_recorded
        while ready:
            node = ready.popleft()
            if node not in edges:
                continue
            complete = _complete(node, gradients.pop(node))
            for edge in edges.pop(node):
                for target, part in _parts(edge, complete, pending):
                    target.results[edge.slot].require_fit(part)
                    slots = gradients.setdefault(target, [None] * len(target.results))
                    before = slots[edge.slot]
                    slots[edge.slot] = part if before is None else before + part
                    pending[target] -= 1
                    if not pending[target]:
                        ready.append(target)
    finally:
        recording.on = recorded
    return {node: whole for node, (whole, *_) in gradients.items() if whole is not None}


def _complete(node: Node, gradients: list[Tensor | None]) -> list[Tensor]:
    """The gradients of a node's results: zeros for those that nothing depends on."""
    if len(gradients) == 1 and gradients[0] is not None:
        return [gradients[0]]
    some = next(gradient for gradient in gradients if gradient is not None)
    return [
        some.result(Buffer.zeros(result.shape, result.dtype, result.device)) if gradient is None else gradient
        for result, gradient in zip(node.results, gradients, strict=True)
    ]


def _parts(edge: Edge, complete: list[Tensor], wanted: Collection[Node]) -> list[tuple[Node, Tensor]]:
    """The nodes that an edge leads to, each with the gradient that it brings."""
    for target in edge.targets:
        if target in wanted:
            break
    else:
        return []
    is_recorded = recording.on
    recording.on = is_recorded and edge.is_recordable
    try:
        given = edge.function(*complete)
    finally:
        recording.on = is_recorded
    parts = (given,) if edge.is_single else tuple(given)
    if len(parts) != len(edge.targets):
        raise AutographError(f"a gradient function of {len(edge.targets)} inputs gave {len(parts)} gradients")
    if is_recorded and not edge.is_recordable:
        parts = tuple(_underivable(part, edge, complete) for part in parts)
    return [(t, part) for t, part in zip(edge.targets, parts, strict=True) if t is not None and t in wanted]


def _underivable(part: Tensor, edge: Edge, complete: list[Tensor]) -> Tensor:
    """A gradient that was not recorded: whoever derives it again is told so, instead of taking it for a constant."""

    def refuse(*_: Tensor) -> None:
        name = getattr(edge.function, "__qualname__", "an operation").partition(".")[0].lstrip("_")
        raise AutographError(
            f"the gradient of {name} has no gradient: of its operations, second derivatives go through those that are"
            " made by elementwise, sums, products, and changes of shape"
        )

    result = part.detach()
    result.node = Node(part, (Edge((*edge.targets, *(gradient.node for gradient in complete)), refuse),))
    return result


def _accumulate(leaf: Node, gradient: Tensor) -> None:
    """Adds to the gradient of a leaf; whatever other threads add meanwhile, nothing is lost."""
    while True:
        before = leaf.gradient
        # An edge may hand one tensor to several nodes; what is changed in place must be a leaf's own.
        after = gradient.detach() if before is None else before + gradient
        with _lock:
            if leaf.gradient is before:
                leaf.gradient = after
                return


def _take_graph(
    root: Node, sinks: Collection[Node] | None, keep: bool
) -> tuple[dict[Node, tuple[Edge, ...]], dict[Node, int]]:
    """Takes the edges of all nodes between a root and the sinks (None: all leaves).

    Returns:
        The edges, and for each node how many of them lead to it.

    Raises:
        AutographError: backward() has used some before; all stay as they are.
    """
    edges: dict[Node, tuple[Edge, ...]] = {}
    parents: dict[Node, list[Node]] = {root: []}
    stack = [root]
    while stack:
        node = stack.pop()
        if node.edges is None:
            raise AutographError(
                "backward() was already called on this tensor or on one that shares its graph, and the graph is freed"
                " as it runs; compute the forward pass again, or add the losses and call backward() once"
            )
        if node.is_leaf or (sinks is not None and node in sinks):
            continue
        edges[node] = node.edges
        for target in [target for edge in node.edges for target in edge.targets if target is not None]:
            if target not in parents:
                parents[target] = []
                stack.append(target)
            parents[target].append(node)
    if sinks is not None:
        _keep_what_leads_to(sinks, edges, parents)
    if not keep:
        for node in edges:
            node.edges = None
    return edges, {node: len(leading) for node, leading in parents.items()}


def _keep_what_leads_to(
    sinks: Collection[Node], edges: dict[Node, tuple[Edge, ...]], parents: dict[Node, list[Node]]
) -> None:
    leading: set[Node] = set()
    stack = [sink for sink in sinks if sink in parents]
    while stack:
        node = stack.pop()
        if node not in leading:
            leading.add(node)
            stack += parents[node]
    for node in [node for node in parents if node not in leading]:
        del parents[node]
        edges.pop(node, None)
