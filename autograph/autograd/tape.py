"""Reverse-mode automatic differentiation: what is recorded, and how it runs backwards.

A tensor that was computed from parameters has a node; a node has an edge to the node of each input: a function from
the gradient of the output to the gradient of that input. Tensors without a node record nothing. Integers never have
one: a function to whole numbers is constant between its steps, so that no gradient goes through them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.tensor.base import GradientFunction, Node, TensorBase, recording, require_tensor
from krnlpy import Buffer
from krnlpy.locks import is_mine

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

__all__ = ["GradientFunction", "backward", "differentiable"]

_lock = threading.RLock()
"""Guards what threads share: the graph while backward() takes it, and the slots. Nothing is computed under it."""


def differentiable(value: Tensor, inputs: Sequence[tuple[Tensor, GradientFunction]]) -> Tensor:
    """Records how a value was computed: so any operation, built in or yours, gets its gradient.

    The method is reverse-mode differentiation; see A. Griewank and A. Walther, "Evaluating Derivatives", 2nd ed., 2008.

    Args:
        value: the result of the operation.
        inputs: each input with the function that maps the gradient of ``value`` to the gradient of that input (same
            shape, dtype and device as the input). Such a function keeps what it needs of the inputs as
            ``tensor.detach()``, which later in-place changes do not reach. It runs with recording off: nothing that
            it computes is tracked.

    Returns:
        ``value``, tracked if it holds floats and any of the inputs is tracked. Functions of inputs that are not tracked
        are never called.

    Raises:
        DtypeError: ``value`` is not a Tensor, or ``inputs`` are not pairs of a Tensor and a function.

    >>> from autograph import Parameter, Tensor
    >>> def square(x):
    ...     saved = x.detach()
    ...     return differentiable(saved * saved, [(x, lambda gradient: 2 * gradient * saved)])
    >>> x = Parameter(Tensor.full((), 3.0))
    >>> x.init_grad()
    >>> square(x).backward()
    >>> x.grad.item()
    6.0
    """
    try:
        edges = tuple((tensor.node, function) for tensor, function in inputs if tensor.node is not None)
    except (TypeError, ValueError, AttributeError):
        raise DtypeError("differentiable takes pairs of a Tensor and a function that gives its gradient") from None
    if not edges:
        return value
    if not (isinstance(value, TensorBase) and all(callable(function) for _, function in edges)):
        raise DtypeError("differentiable takes a Tensor, and pairs of a Tensor and a function that gives its gradient")
    if not value.dtype.is_float or not recording.on:
        return value
    recorded = value.detach()
    recorded.node = Node(value, edges)
    return recorded


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
    _propagate(x.node, gradient.detach())


def _propagate(root: Node, gradient: Tensor) -> None:
    """Passes the gradient of a node on to all nodes that it was computed from, and frees the graph as it goes.

    The slots are filled at the end: where a gradient function fails, they are as they were.

    Raises:
        AutographError: as :func:`_take_graph`; or this call interrupted one that takes the graph or fills a slot.
    """
    root.require_fit(gradient)
    if is_mine(_lock):
        raise AutographError(
            "backward() can't run within the backward() that was interrupted: let handlers set a flag, and act on it in"
            " the program"
        )
    with _lock:
        edges, pending = _take_graph(root)
    gradients = {root: gradient}
    ready = deque([root])
    recorded = recording.on
    try:
        recording.on = False
        while ready:
            node = ready.popleft()
            if node.is_leaf:
                continue
            complete = gradients.pop(node)
            for target, function in edges.pop(node):
                part = function(complete)
                target.require_fit(part)
                gradients[target] = gradients[target] + part if target in gradients else part
                pending[target] -= 1
                if not pending[target]:
                    ready.append(target)
        for leaf, complete in gradients.items():
            _accumulate(leaf, complete)
    finally:
        recording.on = recorded


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


def _take_graph(root: Node) -> tuple[dict[Node, tuple[tuple[Node, GradientFunction], ...]], dict[Node, int]]:
    """Takes the edges of all nodes that the root depends on. Returns them, and how many of them lead to each node.

    Raises:
        AutographError: backward() has used some before; all stay as they are.
    """
    edges: dict[Node, tuple[tuple[Node, GradientFunction], ...]] = {}
    uses = {root: 0}
    stack = [root]
    while stack:
        node = stack.pop()
        if node.edges is None:
            raise AutographError(
                "backward() was already called on this tensor or on one that shares its graph, and the graph is freed"
                " as it runs; compute the forward pass again, or add the losses and call backward() once"
            )
        if node.is_leaf:
            continue
        edges[node] = node.edges
        for target, _ in node.edges:
            if target not in uses:
                uses[target] = 0
                stack.append(target)
            uses[target] += 1
    for node in edges:
        node.edges = None
    return edges, uses
