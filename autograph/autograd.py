"""Reverse-mode automatic differentiation: what is recorded, and how it runs backwards.

A tensor that was computed from parameters has a node; a node has an edge to the node of each input: a function from
the gradient of the output to the gradient of that input. Tensors without a node record nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from krnlpy import Device, ScalarType

from .errors import AutographError, DtypeError

if TYPE_CHECKING:
    from .tensor import Tensor

__all__ = ["GradientFunction", "differentiable"]

GradientFunction: TypeAlias = "Callable[[Tensor], Tensor]"
"""From the gradient of an operation's output to that of an input: of the input's shape, dtype and device."""


class Node:
    """A tensor's place in the graph.

    Attributes:
        edges: to the inputs; () for a leaf; None once a backward has used them.
        gradient: of a leaf, what has been accumulated; of others, only while a backward runs.
    """

    __slots__ = ("device", "dtype", "edges", "gradient", "shape")

    def __init__(self, tensor: Tensor, edges: tuple[tuple[Node, GradientFunction], ...] = ()) -> None:
        self.shape = tensor.shape
        self.dtype: ScalarType = tensor.dtype
        self.device: Device = tensor.device
        self.edges: tuple[tuple[Node, GradientFunction], ...] | None = edges
        self.gradient: Tensor | None = None

    @property
    def is_leaf(self) -> bool:
        return self.edges == ()

    def accumulate(self, gradient: Tensor) -> None:
        """Adds to the gradient.

        Raises:
            AutographError: shape, dtype or device is not that of the tensor.
        """
        if gradient.shape != self.shape or gradient.dtype is not self.dtype or gradient.device != self.device:
            raise AutographError(
                f"a gradient of shape {gradient.shape}, {gradient.dtype} on {gradient.device.name} for a tensor of"
                f" shape {self.shape}, {self.dtype} on {self.device.name}: they must be alike"
            )
        if self.gradient is not None:
            self.gradient = self.gradient + gradient
        else:
            # An edge may hand one tensor to several nodes; what is changed in place must be a leaf's own.
            self.gradient = gradient.detach() if self.is_leaf else gradient


def differentiable(value: Tensor, inputs: Sequence[tuple[Tensor, GradientFunction]]) -> Tensor:
    """Records how a value was computed: the one way in which any operation, built in or yours, gets its gradient.

    Args:
        value: the result of the operation.
        inputs: each input with the function that maps the gradient of ``value`` to the gradient of that input (same
            shape, dtype and device as the input). What such a function needs of the inputs it should keep as
            ``tensor.detach()``, which later in-place changes do not reach.

    Returns:
        ``value``, tracked if any of the inputs is. Functions of inputs that are not tracked are never called.

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
        edges = tuple((tensor._node, function) for tensor, function in inputs if tensor._node is not None)
    except (TypeError, ValueError, AttributeError):
        raise DtypeError("differentiable takes pairs of a Tensor and a function that gives its gradient") from None
    if not edges:
        return value
    if not (hasattr(value, "_shared") and all(callable(function) for _, function in edges)):
        raise DtypeError("differentiable takes a Tensor, and pairs of a Tensor and a function that gives its gradient")
    return value._shared(value.buffer, Node(value, edges))


def run_backward(root: Node, gradient: Tensor) -> None:
    """Hands the gradient of a node on to all that it was computed of, and frees the graph as it goes."""
    pending = _count_uses(root)
    root.accumulate(gradient)
    ready = deque([root])
    while ready:
        node = ready.popleft()
        if node.is_leaf:
            continue
        edges, node.edges = node.edges, None
        complete, node.gradient = node.gradient, None
        assert edges is not None and complete is not None
        for target, function in edges:
            target.accumulate(function(complete))
            pending[target] -= 1
            if not pending[target]:
                ready.append(target)


def _count_uses(root: Node) -> dict[Node, int]:
    """How many edges lead to each node from those that the root depends on; of no other graph that may be alive."""
    uses = {root: 0}
    stack = [root]
    while stack:
        node = stack.pop()
        if node.edges is None:
            raise AutographError(
                "backward() was already called on this tensor or on one that shares its graph, and the graph is freed"
                " as it runs; compute the forward pass again, or add the losses and call backward() once"
            )
        for target, _ in node.edges:
            if target not in uses:
                uses[target] = 0
                stack.append(target)
            uses[target] += 1
    return uses
