"""The parameter: a tensor that is trained."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from autograph.errors import AutographError, DtypeError
from krnlpy import Device, DTypeLike, scalar_type

from .base import Node
from .layer_tensor import LayerTensor
from .observing import rebound
from .tensor import Tensor


class Parameter(LayerTensor):
    """A tensor with a slot for its gradient and the state that an optimizer keeps for it.

    Operations on it are recorded only while the slot is open: between :meth:`init_grad` and :meth:`take_grad`.
    Gradients of several backward passes add up in it, until it is opened anew.

    Args:
        value: the initial value; the parameter shares its memory until one of the two is changed.

    Attributes:
        state: what the optimizer keeps, by name.
        frozen: whether it is not trained; see :meth:`freeze`.
        prepared: what the optimizer made for its launches. For the package's own use.

    Raises:
        DtypeError: ``value`` is not a Tensor.

    >>> from autograph import Parameter, Tensor
    >>> weight = Parameter(Tensor.ones((2, 3)))
    >>> weight.init_grad()
    >>> weight.sum().backward()
    >>> weight.take_grad().numpy().tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    __slots__ = ("frozen", "prepared", "state")

    def __init__(self, value: Tensor) -> None:
        super().__init__(value)
        self.state: dict[str, Tensor] = {}
        self.frozen = False
        self.prepared: Any = None

    def __copy__(self) -> Parameter:
        return self._copy_by(Tensor.detach)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        return self._copy_by(deepcopy)

    def _copy_by(self, copied: Callable[[Tensor], Tensor]) -> Parameter:
        """Another parameter with the same value, state, and slot, open or closed."""
        state = {name: copied(tensor) for name, tensor in self.state.items()}
        result = _make_parameter(copied(self.detach()), state, self.frozen)
        if self.node is not None:
            result.node = Node(result)
            result.node.gradient = None if self.grad is None else copied(self.grad)
        return result

    def __reduce__(self) -> Any:
        return _make_parameter, (self.detach(), self.state, self.frozen)

    def init_grad(self) -> None:
        """Opens the gradient slot, and empties it: what backward passes left there is gone.

        Raises:
            DtypeError: the parameter holds integers, through which no gradient goes.
            AutographError: the parameter is frozen.

        >>> from autograph import Parameter, Tensor
        >>> weight = Parameter(Tensor.ones(2))
        >>> weight.tracked
        False
        >>> weight.init_grad()
        >>> weight.tracked
        True
        """
        if not self.dtype.is_float:
            raise DtypeError(f"a parameter of {self.dtype} has no gradient; expected a float type")
        if self.frozen:
            raise AutographError("a frozen parameter has no gradient slot; unfreeze() lets it be trained")
        if self.node is None:
            self.node = Node(self)
        self.node.gradient = None

    @property
    def grad(self) -> Tensor | None:
        """The gradient so far; None where no backward pass left one."""
        return None if self.node is None else self.node.gradient

    def take_grad(self) -> Tensor | None:
        """Closes the gradient slot, and returns what was in it; None where no backward pass left a gradient.

        >>> from autograph import Parameter, Tensor
        >>> weight = Parameter(Tensor.full((), 3.0))
        >>> weight.init_grad()
        >>> (weight * weight).backward()
        >>> weight.take_grad().item(), weight.tracked
        (6.0, False)
        """
        gradient = self.grad
        self.node = None
        return gradient

    def move(self, device: Device | None = None, dtype: DTypeLike | None = None) -> None:
        """Moves the parameter to a device, converts it to a dtype, or both, in place.

        An open slot stays open, with the gradient that it has, which is moved and converted alike. The optimizer's
        state is moved, but keeps its dtypes, which are the optimizer's choice. If anything fails, for example for want
        of memory, the parameter is as it was.

        What was computed from the parameter before cannot run backwards any more: its gradients are of another kind.

        Args:
            device: None leaves the parameter where it is.
            dtype: None leaves the dtype as it is.

        Raises:
            DtypeError: ``dtype`` is not a scalar type, or is an integer type while the slot is open, or ``device`` is
                not a Device.
            OutOfMemory: the device has not enough memory.

        >>> weight = Parameter(Tensor.ones(2))
        >>> weight.init_grad()
        >>> weight.sum().backward()
        >>> weight.move(dtype="bf16")
        >>> weight.dtype, weight.grad.dtype
        (bf16, bf16)
        """

        def moved(tensor: Tensor) -> Tensor:
            return tensor if device is None else tensor.to_device(device)

        def converted(tensor: Tensor) -> Tensor:
            return moved(tensor) if dtype is None else moved(tensor).cast(dtype)

        node = self.node
        if node is not None and dtype is not None and not scalar_type(dtype).is_float:
            raise DtypeError(f"a parameter with an open gradient slot as {dtype}; take_grad() closes it")
        value = converted(self.detach())
        gradient = None if self.grad is None else converted(self.grad)
        state = {name: moved(tensor) for name, tensor in self.state.items()}
        self.set(value)
        self.state, self.prepared = state, None
        if node is not None:
            # The same node, so that a graph that still leads to it finds a gradient that does not fit, and says so.
            node.device, node.dtype, node.gradient = value.device, value.dtype, gradient
            self.node = node

    def freeze(self) -> None:
        """Closes the gradient slot, and keeps it closed: the parameter is not trained, and costs no gradient.

        >>> from autograph import Dense
        >>> model = Dense(2, 3, bias=True)
        >>> model.weight.freeze()
        >>> model.init_parameter_grads()
        >>> model.weight.tracked, model.bias.tracked
        (False, True)
        """
        self.frozen = True
        self.node = None
        rebound()

    def unfreeze(self) -> None:
        """Lets the parameter be trained again, from the next :meth:`init_grad` on.

        >>> from autograph import Parameter, Tensor
        >>> weight = Parameter(Tensor.ones(2))
        >>> weight.freeze()
        >>> weight.unfreeze()
        >>> weight.frozen
        False
        """
        self.frozen = False
        rebound()


def _make_parameter(value: Tensor, state: dict[str, Tensor], frozen: bool = False) -> Parameter:
    result = Parameter(value)
    result.state, result.frozen = state, frozen
    return result
