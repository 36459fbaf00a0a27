"""What a tensor is: elements on a device, who shares their memory, and a place in the graph of gradients.

Operations take and return tensors; the methods of :class:`autograph.Tensor` are those operations. So Tensor stands
above the operations, and this module has what they need of a tensor.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from autograph.errors import AutographError, DtypeError, ShapeError
from krnlpy import Buffer, Device, ScalarType, SharingError

from .observing import observing, rebound
from .share import Share

if TYPE_CHECKING:
    # Operations return it, although they are below it. They import the name from here: no other import goes up.
    from .tensor import Tensor as Tensor

Shape = tuple[int, ...]

GradientFunction: TypeAlias = "Callable[..., Any]"
"""From the gradients of an operation's results to that of an input (a tensor of its shape, dtype and device), or to
those of several inputs."""


class Edge(NamedTuple):
    """From a node to those of inputs that share a gradient function.

    Attributes:
        targets: one for each gradient that the function gives; None takes none.
        function: from the gradients of the node's results to those of the targets; to one of them if ``is_single``.
        is_single: there is one target, and the function gives its gradient by itself.
        is_recordable: the function computes with recorded operations on what was :func:`autograph.autograd.saved`, so
            that gradients have gradients.
        slot: which of the target's results it is.
    """

    targets: tuple[Node | None, ...]
    function: GradientFunction
    is_single: bool = True
    is_recordable: bool = False
    slot: int = 0


class Node:
    """A tensor's place in the graph.

    Attributes:
        edges: to the inputs; () for a leaf; None once backward() has used them.
        gradient: a leaf's gradient so far.
    """

    __slots__ = ("device", "dtype", "edges", "gradient", "shape")

    def __init__(self, tensor: TensorBase, edges: tuple[Edge, ...] = ()) -> None:
        buffer = tensor.share.buffer
        self.shape: Shape = buffer.layout.shape
        self.dtype: ScalarType = buffer.dtype
        self.device: Device = buffer.device
        self.edges: tuple[Edge, ...] | None = edges
        self.gradient: Tensor | None = None

    @property
    def is_leaf(self) -> bool:
        return self.edges == ()

    @property
    def results(self) -> tuple[Node, ...]:
        """Those whose gradients its edges take: its own."""
        return (self,)

    def require_fit(self, gradient: TensorBase) -> None:
        """Raises AutographError if shape, dtype or device of a gradient is not that of the tensor."""
        if not isinstance(gradient, TensorBase):
            raise AutographError(f"a gradient function gave {type(gradient).__name__}, not a tensor")
        buffer = gradient.share.buffer
        is_like = buffer.layout.shape == self.shape and buffer.dtype is self.dtype
        if not is_like or (buffer.device is not self.device and buffer.device != self.device):
            raise AutographError(
                f"a gradient of shape {gradient.shape}, {gradient.dtype} on {gradient.device.name} for a tensor of"
                f" shape {self.shape}, {self.dtype} on {self.device.name}: they must be alike"
            )


class OperationNode(Node):
    """The place of an operation with several results, between their nodes and those of its inputs."""

    __slots__ = ("_results",)

    def __init__(self, edges: tuple[Edge, ...], results: tuple[Node, ...]) -> None:
        self.edges = edges
        self._results = results

    @property
    def results(self) -> tuple[Node, ...]:
        """The nodes of the results."""
        return self._results


class Recording(threading.local):
    """Whether operations of this thread are recorded: not by a gradient function."""

    on = True


recording = Recording()


_results: list[type[Tensor]] = []


def made_by_operations(cls: type[Tensor]) -> type[Tensor]:
    """Names the class of what operations return, which stands above them."""
    _results.append(cls)
    return cls


def tensor_of(buffer: Buffer) -> Tensor:
    """A tensor of a buffer, which is not checked; users have ``x.result(buffer)``."""
    cls = _results[0]
    result = cls.__new__(cls)
    result.node = None
    result.share = Share(buffer)
    return result


class TensorBase:
    """The elements of a tensor, shared with others until one is changed, and its node.

    Args:
        buffer: the elements. The tensor takes the buffer over; it should not be changed by others afterwards.

    Attributes:
        share: the elements, and who looks at their memory. For the package's own use.
        node: the place in the graph; None where nothing is recorded. For the package's own use.
    """

    __slots__ = ("__weakref__", "node", "share")
    __array_ufunc__ = None  # NumPy's numbers and arrays leave `2 * tensor` to the tensor

    def __init__(self, buffer: Buffer) -> None:
        require_buffer(buffer)
        self.share = Share(buffer)
        self.node: Node | None = None

    def result(self, buffer: Buffer) -> Tensor:
        """A tensor of the buffer that an operation on this one gave: a :class:`Tensor`, also where this is a parameter.

        Args:
            buffer: the elements; no view of this tensor's, for which there is :meth:`view`.

        Raises:
            DtypeError: ``buffer`` is not a Buffer.

        >>> from autograph import Parameter, Tensor
        >>> from krnlpy import Buffer, f32
        >>> x = Parameter(Tensor.ones(2))
        >>> out = Buffer.empty(x.shape, x.dtype, x.device)  # a kernel would fill it
        >>> out.fill(0.5)
        >>> x.result(out)
        Tensor(f32, (2,), Device.host(), [0.5, 0.5])
        """
        raise NotImplementedError

    def view(self, of: Callable[[Buffer], Buffer]) -> Tensor:
        """A tensor of what a function makes of this tensor's buffer: a view, or a copy. It is not recorded.

        The two share memory until one of them is changed in place.

        Args:
            of: the function; it does not change the elements.

        Raises:
            DtypeError: ``of`` is not a function, or returns no Buffer.

        >>> from autograph import Tensor
        >>> x = Tensor.from_numpy([1, 2, 3])
        >>> every_other = x.view(lambda buffer: buffer[::2])
        >>> every_other.fill(0)
        >>> every_other.numpy().tolist(), x.numpy().tolist()
        ([0, 0], [1, 2, 3])
        """
        raise NotImplementedError

    @property
    def shape(self) -> Shape:
        """The lengths of the axes."""
        return self.share.buffer.layout.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.share.buffer.layout.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.share.buffer.layout.size

    @property
    def dtype(self) -> ScalarType:
        """The type of the elements, one of krnlpy's scalar types."""
        return self.share.buffer.dtype

    @property
    def device(self) -> Device:
        """Where the elements lie."""
        return self.share.buffer.device

    @property
    def strides(self) -> Shape:
        """The distances in memory between neighbours along each axis, in elements: 0 where the tensor is repeated,
        below 0 where it is reversed."""
        return self.share.buffer.layout.strides

    def is_contiguous(self, order: Literal["C", "F"] = "C") -> bool:
        """Whether the elements lie in memory without gaps in row-major (``"C"``) or column-major (``"F"``) order.

        Raises:
            AutographError: ``order`` is something else.

        >>> from autograph import Tensor
        >>> x = Tensor.zeros((2, 3))
        >>> x.is_contiguous(), x.T.is_contiguous(), x.T.is_contiguous("F")
        (True, False, True)
        """
        if not isinstance(order, str) or order not in ("C", "F"):
            raise AutographError(f"is_contiguous(order={order!r}): expected 'C' or 'F'")
        if order == "F":
            return self.share.buffer.transpose().is_contiguous()
        return self.share.buffer.is_contiguous()

    @property
    def buffer(self) -> Buffer:
        """The elements, for kernels that read them. A kernel that changes them takes :meth:`writable`."""
        return self.share.buffer

    @property
    def tracked(self) -> bool:
        """Whether operations on this tensor are recorded.

        They are where it is a parameter with an open gradient slot, or was computed from one. Integers never are, nor
        is anything inside a gradient function.

        >>> from autograph import Parameter, Tensor
        >>> x = Parameter(Tensor.full(2, 1.5))
        >>> x.init_grad()
        >>> (x * 2).tracked, x.cast("i32").tracked
        (True, False)
        """
        return self.node is not None and recording.on

    def __len__(self) -> int:
        return len(self.share.buffer)

    def __repr__(self) -> str:
        return f"{type(self).__name__}{repr(self.share.buffer).removeprefix('Buffer')}"

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return self.share.buffer._repr_html_(type(self).__name__)

    def __format__(self, spec: str) -> str:
        """The number of a tensor of one element in a format; without one, as ``str``.

        >>> from autograph import Tensor
        >>> f"{Tensor.full((), 0.25):.3f}"
        '0.250'
        """
        return format(self.item(), spec) if spec else str(self)

    def numpy(self) -> np.ndarray[Any, Any]:
        """The elements as a read-only array; waits for all work on them.

        The array keeps its values when the tensor is changed in place. ``numpy.array(tensor)`` is one to write to. On
        the host and the interpreter this copies nothing.

        Raises:
            CaptureError: the device captures a graph.

        >>> from autograph import Tensor
        >>> x = Tensor.ones(2)
        >>> before = x.numpy()
        >>> x.fill(5)
        >>> before, x.numpy()
        (array([1., 1.], dtype=float32), array([5., 5.], dtype=float32))
        """
        share, is_shared = self.share, self._shares_with_arrays
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
        # A copy is nobody's but the caller's: it leaves the tensor's memory to the tensor, which may go on changing it.
        array = self.share.buffer.numpy(copy=True) if copy else self.numpy()
        return np.asarray(array, dtype)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule for ``from_dlpack`` of another library: it shares the memory, which is the process's for tensors on
        the host and the interpreter. A change of this tensor in place copies first; whoever changes the other library's
        tensor changes this one. Where the library names the CPU, or asks for a copy, it is a copy, from any device.

        Raises:
            krnlpy.SharingError: a BufferError, as the protocol demands.
        """
        share = self.share
        capsule = share.buffer.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)
        if self._shares_with_arrays and not copy:
            share.users.append(None)  # the other library: for as long as the memory lives
        return capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        """The device by DLPack's numbers: (1, 0), the CPU, or (7, index), a Vulkan device."""
        return self.share.buffer.__dlpack_device__()

    def tolist(self) -> Any:
        """The elements as Python's numbers, in lists for each axis; waits for all work on them.

        Raises:
            CaptureError: the device captures a graph.

        >>> from autograph import Tensor
        >>> Tensor.ones((2, 2)).tolist(), Tensor.full((), 7).tolist()
        ([[1.0, 1.0], [1.0, 1.0]], 7)
        """
        array = self.share.buffer.numpy()
        return (array.astype(np.float32) if self.dtype.is_float and self.dtype.size < 4 else array).tolist()

    def item(self) -> int | float | bool:
        """The number or truth value that a tensor of one element holds; waits for it.

        Raises:
            ShapeError: the tensor has no element, or several.

        >>> from autograph import Tensor
        >>> Tensor.from_numpy([1, 2, 4]).sum().item()
        7
        """
        if self.size != 1:
            raise ShapeError(f"item() of a tensor of shape {self.shape}: it has {self.size} elements, not one")
        value = self.share.buffer.numpy().reshape(())[()]
        return float(value) if self.dtype.is_float else bool(value) if self.dtype.kind == "bool" else int(value)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if not self.dtype.is_integer:
            raise DtypeError(
                f"a tensor of {self.dtype} is no index: expected one of integers, for example .cast('i32')"
            )
        return int(self.item())

    def detach(self) -> Tensor:
        """A tensor of the same elements that is not recorded.

        The two share memory until one of them is changed in place. A gradient function keeps what it needs later so.

        >>> from autograph import Parameter, Tensor
        >>> x = Parameter(Tensor.ones(2))
        >>> x.init_grad()
        >>> saved = x.detach()
        >>> x.fill(3)
        >>> saved.tracked, saved.numpy().tolist()
        (False, [1.0, 1.0])
        """
        raise NotImplementedError

    def __copy__(self) -> Tensor:
        result = self.detach()
        result.node = self.node
        return result

    def writable(self) -> Buffer:
        """The elements for a kernel that changes them.

        They are copied first if another tensor or array shares them, or if they are repeated (see
        :meth:`broadcast_to`), so that the kernel changes this tensor only.

        Raises:
            AutographError: the tensor was computed from parameters: its gradient would be wrong afterwards.

        >>> from autograph import Tensor
        >>> from krnlpy import ItemMut, f32, kernel
        >>> @kernel
        ... def square(x: ItemMut[f32]):
        ...     x *= x
        >>> x = Tensor.full(2, 3.0)
        >>> y = x.detach()
        >>> square(x.writable())
        >>> x.numpy().tolist(), y.numpy().tolist()
        ([9.0, 9.0], [3.0, 3.0])
        """
        if self.node is not None and not self.node.is_leaf:
            raise AutographError(
                "a tensor that was computed from parameters cannot be changed in place: backward() needs it as it was;"
                " change a copy: tensor.detach()"
            )
        if (observer := observing.observer) is not None:
            observer.changes(self)
        while len((share := self.share).users) > 1 or share.buffer.is_broadcast():
            own = Share(share.buffer.copy())
            if self.share is share:  # else somebody changed the tensor meanwhile
                self.share = own
                rebound()
        return share.buffer


def require_buffer(value: Any) -> None:
    """The elements of a tensor must be a buffer."""
    if not isinstance(value, Buffer):
        raise DtypeError(
            f"Tensor takes a Buffer, not {type(value).__name__}; Tensor.from_numpy makes a tensor of an array or a list"
        )


def require_tensor(operation: str, value: Any) -> None:
    """An operand must be a tensor."""
    if not isinstance(value, TensorBase):
        raise DtypeError(
            f"{operation} takes a tensor, not {type(value).__name__}; Tensor.from_numpy makes a tensor of an array"
        )
