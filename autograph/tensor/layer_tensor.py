"""Tensors that layers hold: their values are replaced as a whole, in place."""

from __future__ import annotations

from typing import Any

from autograph.errors import AutographError, DtypeError
from krnlpy import Device, DTypeLike

from .observing import rebound, register
from .tensor import Tensor


class LayerTensor(Tensor):
    """What parameters and layers' buffers have in common.

    ``weight -= step`` is an error: it would give the name to a new tensor, and leave the weight as it was.

    Args:
        value: the initial value; the tensor shares its memory until one of the two is changed.

    Raises:
        DtypeError: ``value`` is not a Tensor.
    """

    __slots__ = ()

    def __init__(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise DtypeError(f"{type(self).__name__} takes a Tensor, not {type(value).__name__}")
        self.share = value.detach().share
        self.node = None
        register(self)

    def _refuse(self, other: Any) -> Any:
        """For ``+=`` and its kin."""
        kind = type(self).__name__
        raise AutographError(
            f"a {kind} is not changed by += or -=, which would give its name to a new Tensor, and leave the {kind} as"
            " it was; .scaled_add(factor, tensor) or .assign(tensor) changes it in place, y = x + z is a new Tensor"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ifloordiv__ = __imod__ = __ipow__ = __imatmul__ = _refuse

    def set(self, value: Tensor) -> None:
        """Takes the value of another tensor, of any shape, dtype and device; a parameter's gradient slot is closed.

        Raises:
            DtypeError: ``value`` is not a Tensor.

        >>> from autograph import Parameter, Tensor
        >>> weight = Parameter(Tensor.ones(2))
        >>> weight.set(Tensor.from_numpy([[1, 2]]).cast("f16"))
        >>> weight
        Parameter(f16, (1, 2), Device.host(), [[1., 2.]])
        """
        if not isinstance(value, Tensor):
            raise DtypeError(f"set takes a Tensor, not {type(value).__name__}")
        self.node = None
        self.share = value.detach().share
        rebound()

    def move(self, device: Device | None = None, dtype: DTypeLike | None = None) -> None:
        """Moves the tensor to a device, converts it to a dtype, or both, in place.

        Args:
            device: None leaves the tensor where it is.
            dtype: None leaves the dtype as it is.

        Raises:
            DtypeError: ``dtype`` is not a scalar type, or ``device`` is not a Device.
            OutOfMemory: the device has not enough memory; the tensor is as it was.

        >>> from autograph import LayerBuffer, Tensor
        >>> mean = LayerBuffer(Tensor.ones(2))
        >>> mean.move(dtype="bf16")
        >>> mean.dtype, mean.tolist()
        (bf16, [1.0, 1.0])
        """
        value = self.detach()
        if device is not None:
            value = value.to_device(device)
        self.set(value if dtype is None else value.cast(dtype))


class LayerBuffer(LayerTensor):
    """A tensor that belongs to a layer and is not trained, such as running statistics.

    As an attribute of a layer it is saved in checkpoints, moved by :meth:`Layer.to_device` and, if it holds floats,
    converted by :meth:`Layer.cast`. It is neither counted among the parameters nor changed by optimizers. A layer
    changes it in place, by ``assign``, ``scaled_add``, ``fill`` or a kernel that takes ``writable()``, and does so also
    when a graph that has captured the change is replayed.

    Args:
        value: the initial value; the buffer shares its memory until one of the two is changed.

    Raises:
        DtypeError: ``value`` is not a Tensor.

    >>> from autograph import Layer, LayerBuffer, Tensor
    >>> class Count(Layer):
    ...     def __init__(self):
    ...         self.calls = LayerBuffer(Tensor.full((), 0))
    ...     def forward(self, x):
    ...         if self.training:
    ...             self.calls.assign(self.calls + 1)
    ...         return x
    >>> model = Count()
    >>> for mode in (True, True, False):
    ...     _ = model.train(mode)(Tensor.ones(2))
    >>> model.calls.item(), [name for name, _ in model.named_buffers()], model.parameter_count
    (2, ['calls'], 0)
    """

    __slots__ = ()

    def __copy__(self) -> LayerBuffer:
        return LayerBuffer(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> LayerBuffer:
        return LayerBuffer(self.copy())

    def __reduce__(self) -> Any:
        return LayerBuffer, (self.detach(),)


def misplaced(place: str, kind: str, value: Any) -> str:
    """What is said where something would take the place of a layer's child by mistake.

    Args:
        place: of the child, such as ``Dense.weight``.
        kind: what is there: ``Layer``, ``Parameter`` or ``LayerBuffer``.
        value: what would come there.
    """
    name = place.rpartition(".")[2]
    given = f"{place} is a {kind}, and would become a {type(value).__name__}"
    if kind == "Layer":
        return f"{given}; expected a layer or None. `del` the attribute first if that is meant"
    lost = "trained" if kind == "Parameter" else "saved"
    values = f"`{name}.assign(tensor)` or `{name}.scaled_add(factor, tensor)` changes its values in place"
    return f"{given}, which is not {lost}; {values}, and `{kind}(tensor)` is a new one"
