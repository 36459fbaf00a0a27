"""What a captured function changes besides its results: parameters, their gradients, and what optimizers keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from autograph.errors import CaptureError
from autograph.tensor.base import TensorBase
from autograph.tensor.observing import registered
from autograph.tensor.parameter import Parameter
from autograph.tensor.share import Share
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, Device


class NotSettled(Exception):
    """The function made state that the next call will find: what it does then is another thing."""


class _Before:
    """A tensor that is state, as it was before the function ran."""

    def __init__(self, tensor: TensorBase) -> None:
        self.tensor = tensor
        self.share = tensor.share
        self.node = tensor.node
        self.gradient = None if tensor.node is None else tensor.node.gradient
        self.state = dict(tensor.state) if isinstance(tensor, Parameter) else {}

    def restore_slot(self) -> None:
        """Gives the tensor the gradient slot that it had."""
        self.tensor.node = self.node
        if self.node is not None:
            self.node.gradient = self.gradient

    def restore(self) -> None:
        """Makes the tensor what it was."""
        tensor = self.tensor
        tensor.share = self.share
        self.restore_slot()
        if isinstance(tensor, Parameter):
            tensor.state.clear()
            tensor.state.update(self.state)


class State:
    """The tensors that are state on a device while a function is recorded, and what becomes of them.

    Args:
        device: where they lie.
        changed: tensors that the function is known to change in place.
    """

    def __init__(self, device: Device, changed: list[TensorBase]) -> None:
        for tensor in changed:
            if tensor.device == device and len(tensor.share.users) > 1:
                tensor.writable()  # a copy of its own, so that none is made within the recording
        self._before = [_Before(tensor) for tensor in registered() if tensor.device == device]
        self._known = {id(before.tensor) for before in self._before}
        self._shares: dict[int, tuple[TensorBase, Share]] = {}

    def changes(self, tensor: TensorBase) -> None:
        """A tensor is about to be changed in place."""
        if id(tensor) not in self._shares:
            self._shares[id(tensor)] = (tensor, tensor.share)

    def restore(self) -> None:
        """Makes all as it was."""
        for tensor, share in self._shares.values():
            tensor.share = share
        for before in self._before:
            before.restore()

    def settle(self, owns: Callable[[Buffer], bool]) -> None:
        """Makes state that was bound anew a change in place, so that a replay finds what the one before left.

        Args:
            owns: whether a buffer was made by the recording.

        Raises:
            NotSettled: there is new state.
            CaptureError: a tensor changed its shape, or somebody still holds its old value.
        """
        for before in self._before:
            tensor = before.tensor
            self._bring_back(tensor, before.share)
            if isinstance(tensor, Parameter):
                if tensor.state.keys() - before.state.keys():
                    raise NotSettled
                for name, was in before.state.items():
                    now = tensor.state.get(name)
                    if now is None:
                        raise NotSettled
                    if now is not was:
                        _copy(now, was.share)
                        tensor.state[name] = was
        for tensor, share in list(self._shares.values()):
            if id(tensor) not in self._known and not owns(share.buffer):
                self._bring_back(tensor, share)

    def _bring_back(self, tensor: TensorBase, share: Share) -> None:
        if tensor.share is share:
            return
        if len(share.users) > 1:
            raise CaptureError(
                f"a captured function changes a tensor of shape {share.buffer.shape} whose old value is still held;"
                " hold a copy: tensor.copy()"
            )
        _copy(tensor, share)
        tensor.share = share
        self._shares[id(tensor)] = (tensor, share)

    def guards(self, uses: Callable[[Buffer], bool], owns: Callable[[Buffer], bool]) -> Guards:
        """What must hold so that the recording may be replayed.

        Raises:
            NotSettled: there are gradients to which the function adds.
        """
        used = [before for before in self._before if uses(before.share.buffer)]
        if any(before.gradient is not None for before in used):
            raise NotSettled  # gradients that are added to: each call finds others
        written = [t for t, share in self._shares.values() if t.share is share and not owns(share.buffer)]
        guards = Guards(used, written)
        for before in self._before:
            before.restore_slot()  # a replay leaves the gradients
        return guards


class Guards:
    """What a recording relies on: that its tensors have the memory, the gradients and the state that they had.

    Attributes:
        bindings: how often something had been bound anew when all was found as it was.
    """

    def __init__(self, used: list[_Before], written: list[TensorBase]) -> None:
        self._shares = [(ref(before.tensor), before.share) for before in used]
        self._slots = [(ref(before.tensor), *_slot(before.node)) for before in used]
        self._states = [
            (ref(before.tensor), tuple(map(id, before.state.values())), tuple(before.state.values()))
            for before in used
            if isinstance(before.tensor, Parameter)
        ]
        self._written = [(ref(tensor), tensor.share) for tensor in written]
        parameters = [before.tensor for before in used if isinstance(before.tensor, Parameter)]
        self._frozen = [(ref(parameter), parameter.frozen) for parameter in parameters]
        self.gradients = [
            (ref(before.tensor), before.tensor.node.gradient)
            for before in used
            if before.tensor.node is not None
            and before.tensor.node.gradient is not None
            and before.tensor.node.gradient is not before.gradient
        ]
        self._opened = [
            (ref(before.tensor), before.tensor.node is not None)
            for before in used
            if before.tensor.node is not before.node
        ]
        self.bindings = -1

    def hold(self, bindings: int) -> bool:
        """Whether all is as it was; ``bindings`` says how often something was bound anew."""
        for tensor_of, is_open, has_gradient in self._slots:
            tensor = tensor_of()
            if tensor is None or _slot(tensor.node) != (is_open, has_gradient):
                return False
        for parameter_of, ids, _ in self._states:
            parameter = parameter_of()
            if parameter is None or tuple(map(id, parameter.state.values())) != ids:
                return False
        if bindings != self.bindings:
            for tensor_of, share in (*self._shares, *self._written):
                tensor = tensor_of()
                if tensor is None or tensor.share is not share:
                    return False
            if not all(_is_frozen(parameter_of(), frozen) for parameter_of, frozen in self._frozen):
                return False
            self.bindings = bindings
        return all(len(share.users) == 1 for _, share in self._written)

    def finish(self, copied: Callable[[Tensor], Tensor]) -> None:
        """Leaves gradients as the function leaves them."""
        for tensor_of, is_open in self._opened:
            tensor = tensor_of()
            if isinstance(tensor, Parameter):
                if is_open:
                    tensor.init_grad()
                else:
                    tensor.take_grad()
        for tensor_of, gradient in self.gradients:
            tensor = tensor_of()
            if tensor is not None and tensor.node is not None:
                tensor.node.gradient = copied(gradient)


def _is_frozen(parameter: Parameter | None, frozen: bool) -> bool:
    return parameter is not None and parameter.frozen is frozen


def _slot(node: Any) -> tuple[bool, bool]:
    """Whether a gradient slot is open, and whether a gradient is in it."""
    return node is not None, node is not None and node.gradient is not None


def _copy(tensor: TensorBase, share: Share) -> None:
    """Copies the elements of a tensor to where they were before."""
    old, new = share.buffer, tensor.share.buffer
    if old.shape != new.shape or old.dtype is not new.dtype or old.device != new.device:
        raise CaptureError(
            f"a captured function makes a tensor of {old.dtype} and shape {old.shape} one of {new.dtype} and shape"
            f" {new.shape}; each replay would have to do so again"
        )
    old.copy_from(new)
