"""The tensor: an n-dimensional buffer on a device, with what autograd knows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from autograph.autograd.tape import is_recording, run_backward
from autograph.errors import AutographError, DtypeError, ShapeError
from krnlpy import Buffer, Device, DTypeLike, ScalarType, SharingError, f32

from .share import Share

if TYPE_CHECKING:
    from autograph.autograd.tape import Node
    from autograph.functions.classes import Classes
    from autograph.functions.losses import Reduction

Shape = tuple[int, ...]


class Tensor:
    """An n-dimensional array of one of the 12 scalar types, on the host or on a device.

    Operations return new tensors and are recorded for :meth:`backward` if an input is (see :attr:`tracked`). Views
    (slices, transposes, reshapes, broadcasts) share memory, but no tensor ever sees an in-place change of another:
    memory that is shared is copied before it is changed.

    Args:
        buffer: the elements. The tensor takes the buffer over; it should not be changed by others afterwards.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> x = Tensor.from_numpy(np.arange(6, dtype=np.float32)).reshape((2, 3))
    >>> (x @ x.T).numpy().tolist()
    [[5.0, 14.0], [14.0, 50.0]]
    """

    __slots__ = ("__weakref__", "_node", "_share")
    __array_ufunc__ = None  # NumPy's numbers and arrays leave `2 * tensor` to the tensor

    def __init__(self, buffer: Buffer) -> None:
        if not isinstance(buffer, Buffer):
            raise DtypeError(
                f"a tensor of a {type(buffer).__name__}: expected a Buffer; Tensor.from_numpy(array) takes what NumPy"
                " takes for an array"
            )
        self._share = Share(buffer, [])
        self._node: Node | None = None

    # ---------------------------------------------------------------------------------------------- creation

    @staticmethod
    def from_numpy(array: Any, device: Device | None = None, *, copy: bool = True) -> Tensor:
        """A tensor of an array's elements.

        Args:
            array: of any strides; without ``copy``, a NumPy array.
            device: None is the host.
            copy: False borrows the array's memory, on the host and on devices that can use it, whatever its strides.
                The tensor never writes to it (a change in place copies first); whoever changes the array changes the
                tensor.

        Raises:
            krnlpy.DtypeError: the array's dtype is none of the 12.
            krnlpy.SharingError: without ``copy``: the array is read-only, not aligned or of foreign byte order, or the
                device can't use it.

        >>> import numpy as np
        >>> array = np.zeros(2, np.float32)
        >>> x = Tensor.from_numpy(array, copy=False)
        >>> np.shares_memory(x.numpy(), array)
        True
        """
        if copy:
            try:
                own = np.asarray(array)
            except Exception as error:  # whatever NumPy says, or the object that it asks
                raise DtypeError(f"from_numpy of a {type(array).__name__} that is no array: {error}") from error
            return Tensor(Buffer.from_numpy(own, device))
        tensor = Tensor(Buffer.from_numpy(array, device, copy=False))
        tensor._share.users.append(None)  # the array: for as long as the memory lives
        return tensor

    @staticmethod
    def full(shape: int | Shape, value: complex, dtype: DTypeLike = f32, device: Device | None = None) -> Tensor:
        """A tensor of one value."""
        return Tensor(Buffer.full(shape, value, dtype, device))

    @staticmethod
    def zeros(shape: int | Shape, dtype: DTypeLike = f32, device: Device | None = None) -> Tensor:
        """A tensor of zeros."""
        return Tensor(Buffer.zeros(shape, dtype, device))

    @staticmethod
    def ones(shape: int | Shape, dtype: DTypeLike = f32, device: Device | None = None) -> Tensor:
        """A tensor of ones."""
        return Tensor(Buffer.ones(shape, dtype, device))

    @staticmethod
    def empty(shape: int | Shape, dtype: DTypeLike = f32, device: Device | None = None) -> Tensor:
        """A tensor of whatever its memory held."""
        return Tensor(Buffer.empty(shape, dtype, device))

    # ------------------------------------------------------------------------------------------ what it is

    @property
    def shape(self) -> Shape:
        return self._share.buffer.shape

    @property
    def ndim(self) -> int:
        return self._share.buffer.ndim

    @property
    def size(self) -> int:
        """Count of elements."""
        return self._share.buffer.size

    @property
    def dtype(self) -> ScalarType:
        return self._share.buffer.dtype

    @property
    def device(self) -> Device:
        return self._share.buffer.device

    @property
    def strides(self) -> Shape:
        """Distances in memory between neighbours along each axis, in elements: 0 where the tensor is repeated, below 0
        where it is reversed."""
        return self._share.buffer.strides

    def is_contiguous(self, order: Literal["C", "F"] = "C") -> bool:
        """Whether the elements lie in memory without gaps in row-major (``"C"``) or column-major (``"F"``) order.

        >>> x = Tensor.zeros((2, 3))
        >>> x.is_contiguous(), x.T.is_contiguous(), x.T.is_contiguous("F")
        (True, False, True)
        """
        if not isinstance(order, str) or order not in ("C", "F"):
            raise AutographError(f"is_contiguous(order={order!r}): expected 'C' or 'F'")
        if order == "F":
            return self._share.buffer.transpose().is_contiguous()
        return self._share.buffer.is_contiguous()

    @property
    def buffer(self) -> Buffer:
        """The elements, for kernels that read them. A kernel that changes them takes :meth:`writable`."""
        return self._share.buffer

    @property
    def tracked(self) -> bool:
        """Whether operations on this tensor are recorded: it is a parameter with a gradient slot, or comes of one.
        Integers never are, nor is anything inside a gradient function.

        >>> from autograph import Parameter
        >>> x = Parameter(Tensor.full(2, 1.5))
        >>> x.init_grad()
        >>> (x * 2).tracked, x.cast("i32").tracked
        (True, False)
        """
        return self._node is not None and is_recording()

    @property
    def T(self) -> Tensor:  # noqa: N802
        """The transpose: all axes in reverse order."""
        return self.transpose()

    def __len__(self) -> int:
        if not self.ndim:
            raise ShapeError("a tensor of 0 dimensions has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}{repr(self._share.buffer).removeprefix('Buffer')}"

    def __format__(self, spec: str) -> str:
        """The number of a tensor of one element in a format; without one, as ``str``.

        >>> f"{Tensor.full((), 0.25):.3f}"
        '0.250'
        """
        return format(self.item(), spec) if spec else str(self)

    # --------------------------------------------------------------------------------------------- reading

    def numpy(self) -> np.ndarray[Any, Any]:
        """The elements as a read-only array, after all work on them is done: it keeps its values when the tensor is
        changed in place. ``numpy.array(tensor)`` is one to write to.

        On the host and the interpreter this is no copy.
        """
        share, is_shared = self._share, self._shares_with_arrays
        array: np.ndarray[Any, Any] = share.buffer.numpy(copy=not is_shared)
        if is_shared:
            share.users.append(None)  # for as long as the memory lives: who holds the array cannot be known
        array.flags.writeable = False
        return array

    @property
    def _shares_with_arrays(self) -> bool:
        return self.device.info.index is None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False and not self._shares_with_arrays:
            raise SharingError(f"the elements lie on {self.device!r}; an array of them is always a copy")
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def item(self) -> int | float:
        """The value of a tensor of one element; waits for it.

        Raises:
            ShapeError: it has none or several.
        """
        if self.size != 1:
            raise ShapeError(f"item() of a tensor of shape {self.shape}: it has {self.size} elements, not one")
        value = self._share.buffer.numpy().reshape(())[()]
        return float(value) if self.dtype.is_float else int(value)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    # --------------------------------------------------------------------------------- sharing and changing

    def detach(self) -> Tensor:
        """The same elements, not recorded. What a gradient function needs later is kept so."""
        return self._shared()

    def _shared(self, view: Callable[[Buffer], Buffer] | None = None, node: Node | None = None) -> Tensor:
        """A tensor on this tensor's memory, or on what a function makes of its buffer: a view, or a copy."""
        share = self._share
        buffer, users = share.buffer, share.users
        if view is not None:
            buffer = view(buffer)
            if buffer.memory is not share.buffer.memory:
                users = []
        result = Tensor.__new__(Tensor)
        result._node = node
        result._share = Share(buffer, users)
        return result

    def __copy__(self) -> Tensor:
        return self._shared(node=self._node)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.detach().copy()

    def __reduce__(self) -> Any:
        return Tensor, (self.buffer,)  # which pickles to the host

    def writable(self) -> Buffer:
        """The elements for a kernel that changes them: copied first if another tensor or array shares them, or if they
        are repeated (see :meth:`broadcast_to`), so that each has a memory of its own.

        Raises:
            AutographError: the tensor was computed from parameters, so that its gradient would be wrong afterwards.
        """
        if self._node is not None and not self._node.is_leaf:
            raise AutographError(
                "a tensor that was computed from parameters cannot be changed in place: backward() needs it as it was;"
                " change a copy: tensor.detach()"
            )
        while len((share := self._share).users) > 1 or share.buffer.is_broadcast():
            own = Share(share.buffer.copy(), [])
            if self._share is share:  # else somebody changed the tensor meanwhile
                self._share = own
        return share.buffer

    def fill(self, value: complex) -> None:
        """Sets every element to a value, in place."""
        self.writable().fill(value)

    def assign(self, other: Tensor) -> None:
        """Sets the elements to those of another tensor on the same device, converted as by :meth:`cast` and broadcast,
        in place.

        Raises:
            ShapeError, DeviceError: the other does not fit.

        >>> x = Tensor.zeros((2, 2))
        >>> x.assign(Tensor.from_numpy([1, 2]))
        >>> x.numpy().tolist()
        [[1.0, 2.0], [1.0, 2.0]]
        """
        functions.in_place.assign(self, other)

    def add_assign(self, other: Tensor) -> None:
        """Adds another tensor of the same dtype and device, broadcast, in place.

        Raises:
            ShapeError, DtypeError, DeviceError: the other does not fit.
        """
        functions.in_place.add_assign(self, other)

    def scaled_add(self, alpha: float, other: Tensor) -> None:
        """Adds ``alpha`` times another tensor on the same device, converted as by :meth:`cast` and broadcast, in place.

        Raises:
            ShapeError, DeviceError: the other does not fit. DtypeError: this tensor's integers can't hold ``alpha``.

        >>> x = Tensor.ones(2)
        >>> x.scaled_add(-0.5, Tensor.from_numpy([1, 2]))
        >>> x.numpy().tolist()
        [0.5, 0.0]
        """
        functions.in_place.scaled_add(self, alpha, other)

    # ------------------------------------------------------------------------------------------- operations

    def to_device(self, device: Device) -> Tensor:
        """The tensor on a device; itself if it is there."""
        return functions.shapes.to_device(self, device)

    def copy(self) -> Tensor:
        """A contiguous tensor of its own memory."""
        return functions.shapes.copy(self)

    def contiguous(self) -> Tensor:
        """The tensor itself where it is contiguous in row-major order, else a copy that is."""
        return self if self.is_contiguous() else self.copy()

    def cast(self, dtype: DTypeLike) -> Tensor:
        """The elements converted: integers wrap, floats saturate, NaN becomes 0.

        The gradient goes back from floats to floats. Integers are not recorded: ``x - x.cast(i32).cast(f32)`` has the
        gradient of ``x``.
        """
        return functions.elementwise.cast(self, dtype)

    def scaled_cast(self, alpha: float, dtype: DTypeLike) -> Tensor:
        """The elements converted, then multiplied by ``alpha``: bytes of an image to numbers from 0 to 1."""
        return functions.elementwise.scaled_cast(self, alpha, dtype)

    def reshape(self, *shape: int | Sequence[int]) -> Tensor:
        """The elements in row-major order in another shape; one length may be -1. A view where that is possible.

        Raises:
            ShapeError: the shape has another number of elements.

        >>> Tensor.zeros((2, 3)).reshape(3, -1).shape, Tensor.zeros((2, 3)).reshape((6,)).shape
        ((3, 2), (6,))
        """
        return functions.shapes.reshape(self, functions.checks.integers(shape))

    def flatten(self) -> Tensor:
        """``[n, a, b, ...]`` as ``[n, a * b * ...]``."""
        if not self.ndim:
            return self.reshape((1, 1))
        return self.reshape((self.shape[0], prod(self.shape[1:])))

    def transpose(self, *axes: int | Sequence[int]) -> Tensor:
        """The axes in another order, in reverse order if none is given. A view.

        Raises:
            ShapeError: not each axis stands there once.
        """
        return functions.shapes.transpose(self, functions.checks.integers(axes))

    def broadcast_to(self, *shape: int | Sequence[int]) -> Tensor:
        """The tensor repeated along axes of length 1 and new leading axes, by NumPy's rules. A view.

        Raises:
            ShapeError: an axis has another length, other than 1.
        """
        return functions.shapes.broadcast_to(self, functions.checks.integers(shape))

    def __getitem__(self, key: Any) -> Tensor:
        return functions.shapes.index(self, key)

    def __add__(self, other: Tensor | float) -> Tensor:
        return functions.elementwise.add(self, other)

    def __radd__(self, other: float) -> Tensor:
        return functions.elementwise.add(self, other)

    def __sub__(self, other: Tensor | float) -> Tensor:
        return functions.elementwise.sub(self, other)

    def __rsub__(self, other: float) -> Tensor:
        return functions.elementwise.sub(other, self)

    def __mul__(self, other: Tensor | float) -> Tensor:
        return functions.elementwise.mul(self, other)

    def __rmul__(self, other: float) -> Tensor:
        return functions.elementwise.mul(self, other)

    def __truediv__(self, other: Tensor | float) -> Tensor:
        return functions.elementwise.div(self, other)

    def __rtruediv__(self, other: float) -> Tensor:
        return functions.elementwise.div(other, self)

    def __neg__(self) -> Tensor:
        return functions.elementwise.neg(self)

    def __matmul__(self, other: Tensor) -> Tensor:
        return functions.products.matmul(self, other)

    def matmul(self, other: Tensor) -> Tensor:
        """The matrix product of ``[m, k]`` and ``[k, n]``."""
        return functions.products.matmul(self, other)

    def sum(self, axis: int | tuple[int, ...] | None = None, *, out: Tensor | None = None, beta: float = 0) -> Tensor:
        """The sum over an axis, over several, or over all. ``out`` becomes ``sum + beta * out`` in place."""
        return functions.reductions.sum(self, axis, out=out, beta=beta)

    def one_hot(self, count: int, dtype: DTypeLike = f32) -> Tensor:
        """Classes of any shape as ``[*shape, count]``: for each a row of zeros with a one."""
        return functions.losses.one_hot(self, count, dtype)

    def relu(self) -> Tensor:
        """``x`` where it is above 0, else 0."""
        return functions.elementwise.relu(self)

    def conv1(
        self, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0, dilation: int = 1
    ) -> Tensor:
        """Cross-correlation of signals ``[n, ic, w]`` with filters ``[oc, ic, fw]``."""
        return functions.convolution.one_dimensional.conv1(
            self, weight, bias, stride=stride, padding=padding, dilation=dilation
        )

    def conv2(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
    ) -> Tensor:
        """Cross-correlation of images ``[n, ic, h, w]`` with filters ``[oc, ic, fh, fw]``."""
        return functions.convolution.two_dimensional.conv2(
            self, weight, bias, stride=stride, padding=padding, dilation=dilation
        )

    def max_pool1(self, filter: int, stride: int | None = None) -> Tensor:
        """The greatest value of each window of signals ``[n, c, w]``."""
        return functions.pooling.max_pool1(self, filter, stride)

    def max_pool2(self, filter: int | tuple[int, int], stride: int | tuple[int, int] | None = None) -> Tensor:
        """The greatest value of each window of images ``[n, c, h, w]``."""
        return functions.pooling.max_pool2(self, filter, stride)

    def cross_entropy_loss(self, classes: Classes, reduction: Reduction = "mean") -> Tensor:
        """The loss of logits ``[batch, classes]`` for true classes ``[batch]``: a tensor of one f32 on the device."""
        return functions.losses.cross_entropy_loss(self, classes, reduction)

    def accuracy(self, classes: Classes) -> Tensor:
        """How many rows of logits ``[batch, classes]`` have their greatest value at the true class: one u32."""
        return functions.losses.accuracy(self, classes)

    def backward(self, gradient: Tensor | None = None) -> None:
        """Computes the gradients of the parameters of which this tensor was computed, adding to what they have.

        Args:
            gradient: that of this tensor; may be left out for a tensor of one element, where it is 1.

        Several threads may do so at a time. Where a gradient function fails, all gradients stay as they were.

        Raises:
            AutographError: nothing was recorded, or it was used by a backward before.
            ShapeError: the tensor has several elements and no gradient is given, or one of another shape.
        """
        if self._node is None:
            raise AutographError(
                "nothing was recorded for this tensor: call init_parameter_grads() on the model (or init_grad() on a"
                " parameter) before the forward pass; no gradient goes through integers, and gradient functions run"
                " with recording off"
            )
        if gradient is None:
            if self.size != 1:
                raise ShapeError(
                    f"backward() of a tensor of shape {self.shape}: only of one element is the gradient known to be 1;"
                    " pass backward(gradient), or sum() first"
                )
            gradient = Tensor.ones(self.shape, self.dtype, self.device)
        functions.checks.require_tensor("backward", gradient)
        if gradient.shape != self.shape:
            raise ShapeError(f"a gradient of shape {gradient.shape} for a tensor of shape {self.shape}")
        run_backward(self._node, gradient.detach())


# Operations are written in terms of Tensor, and its methods are those operations.
from autograph import functions  # noqa: E402
