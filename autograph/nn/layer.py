"""The base of layers and models: what is in them, in order, and what is done to all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from autograph.errors import AutographError, DtypeError
from autograph.functions.checks import per_axis, single
from autograph.tensor.parameter import Parameter
from krnlpy import Device, DTypeLike, scalar_type

if TYPE_CHECKING:
    from autograph.optim import Optimizer


class Layer:
    """A layer, or a model made of layers.

    Attributes that are layers or parameters, or lists or tuples of them (nested too), are its children, in the order in
    which they were first assigned; None and anything else is not. So a layer that a model may or may not have is one or
    None, and one of several alternatives is whichever was assigned. A ``forward`` of its own takes what arguments it
    likes; without one, a layer hands its input through its child layers in that order.

    >>> from autograph import Dense, Layer, Relu, Tensor
    >>> class Perceptron(Layer):
    ...     def __init__(self):
    ...         self.dense1 = Dense(4, 8, bias=True, seed=0)
    ...         self.relu = Relu()
    ...         self.dense2 = Dense(8, 3, seed=1)
    >>> model = Perceptron()
    >>> model(Tensor.ones((2, 4))).shape
    (2, 3)
    >>> [name for name, _ in model.named_parameters()]
    ['dense1.weight', 'dense1.bias', 'dense2.weight']
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What :meth:`forward` gives for the same arguments."""
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the child layers in order; a subclass may define it anew, with other arguments and results.

        Args:
            *args: the first layer's arguments; each other layer takes what the one before it gave.
            **kwargs: more of the first layer's.

        Returns:
            What the last layer gives; without layers, the one argument.

        Raises:
            AutographError: the layer has a parameter of its own, but no ``forward`` of its own; or there are several
                arguments and no layer.

        >>> from autograph import Layer, Parameter, Tensor
        >>> class Scale(Layer):
        ...     def __init__(self):
        ...         self.factor = Parameter(Tensor.full((), 3.0))
        ...     def forward(self, x):
        ...         return x * self.factor
        >>> Scale()(Tensor.ones(2)).numpy().tolist()
        [3.0, 3.0]
        """
        for name, child in _children(self):
            if not isinstance(child, Layer):
                raise AutographError(
                    f"{type(self).__name__} has the parameter {name} but no forward(self, x) that says what to do with"
                    " it"
                )
            args, kwargs = (child(*args, **kwargs),), {}
        if len(args) != 1 or kwargs:
            raise AutographError(
                f"{type(self).__name__} has no layers and no forward of its own: it takes one argument, and hands it"
                " through"
            )
        return args[0]

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters with names such as ``conv1.weight``, in order; one that occurs twice, the first time only.

        Raises:
            AutographError: a layer contains itself.

        >>> from autograph import Dense, Sequential
        >>> model = Sequential(Dense(4, 8, bias=True), Dense(8, 3))
        >>> {name: parameter.shape for name, parameter in model.named_parameters()}
        {'layers.0.weight': (4, 8), 'layers.0.bias': (8,), 'layers.1.weight': (8, 3)}
        """
        seen: set[int] = set()
        for name, parameter in _walk(self, ""):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield name, parameter

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, in order, each once.

        Raises:
            AutographError: a layer contains itself.

        >>> from autograph import Dense
        >>> [parameter.shape for parameter in Dense(4, 3, bias=True).parameters()]
        [(4, 3), (3,)]
        """
        return (parameter for _, parameter in self.named_parameters())

    @property
    def parameter_count(self) -> int:
        """The number of elements of all parameters."""
        return sum(parameter.size for parameter in self.parameters())

    def init_parameter_grads(self) -> None:
        """Opens the gradient slot of each parameter of floats, and empties it: from now on, operations on them are
        recorded.

        A step begins so. What a step that was given up left behind (after a loss that is not a number, an error,
        Ctrl-C) is gone then. To add up the gradients of several backward passes, call it once, before the first:

        >>> from autograph import SGD, Dense, Tensor
        >>> model = Dense(2, 1, seed=0)
        >>> model.init_parameter_grads()
        >>> for batch in (Tensor.ones((3, 2)), Tensor.ones((4, 2))):
        ...     model(batch).sum().backward()
        >>> model.weight.grad.numpy().tolist()
        [[7.0], [7.0]]
        >>> model.update(0.1, SGD())
        """
        for parameter in self.parameters():
            if parameter.dtype.is_float:
                parameter.init_grad()

    def update(self, learning_rate: float, optimizer: Optimizer) -> None:
        """Lets an optimizer change each parameter that has a gradient, and closes all gradient slots.

        Args:
            learning_rate: a number, or a parameter of the graph that is being captured.
            optimizer: what changes a parameter by its gradient.

        Raises:
            LaunchError: the learning rate is not a number. A slot is closed after its parameter is changed, so that all
                stay as they were.

        >>> from autograph import SGD, Dense, Tensor
        >>> model = Dense(2, 1, seed=0)
        >>> before = model.weight.numpy()
        >>> model.init_parameter_grads()
        >>> model(Tensor.ones((1, 2))).sum().backward()
        >>> model.update(0.5, SGD())
        >>> (before - model.weight.numpy()).tolist()  # the gradient is 1
        [[0.5], [0.5]]
        """
        named = dict(self.named_parameters())
        update_all = getattr(optimizer, "update_all", None)
        if update_all is not None:
            update_all(named, learning_rate)
        for parameter in named.values():
            if update_all is None and parameter.grad is not None:
                optimizer.update(parameter, parameter.grad, learning_rate)
            parameter.take_grad()

    def to_device(self, device: Device) -> None:
        """Moves all parameters to a device, in place, with their gradients and what optimizers keep for them.

        Raises:
            DtypeError: ``device`` is not a Device.
            OutOfMemory: the device has not enough memory; parameters before that one have been moved.

        >>> from autograph import Dense
        >>> from krnlpy import Device
        >>> model = Dense(4, 3)
        >>> model.to_device(Device.interpreter())
        >>> model.weight.device
        Device.interpreter()
        """
        for parameter in self.parameters():
            parameter.move(device=device)

    def cast(self, dtype: DTypeLike) -> None:
        """Converts all parameters and their gradients to a dtype, in place; what optimizers keep stays as it is.

        Raises:
            DtypeError: ``dtype`` is not a float type.

        >>> from autograph import Dense
        >>> model = Dense(4, 3)
        >>> model.cast("bf16")
        >>> model.weight.dtype
        bf16
        """
        if not scalar_type(dtype).is_float:
            raise DtypeError(f"a model of {dtype} cannot be trained; expected a float type, for example f32 or bf16")
        for parameter in self.parameters():
            parameter.move(dtype=dtype)

    def describe(self) -> str:
        """The layer's settings in parentheses, for ``repr``; a subclass may define it anew.

        >>> from autograph import Conv1, Relu
        >>> Conv1(2, 4, 3, padding=1).describe(), Relu().describe()
        ('(2, 4, 3, padding=1)', '()')
        """
        return "()"

    def __repr__(self) -> str:
        return "\n".join(_lines(self, ""))


def _children(layer: Layer) -> Iterator[tuple[str, Layer | Parameter]]:
    for name, value in vars(layer).items():
        if isinstance(value, (Layer, Parameter)):  # what most are; each step asks for all, twice
            yield name, value
        elif isinstance(value, list | tuple):
            yield from _layers_and_parameters(name, value)


def _layers_and_parameters(name: str, value: Any) -> Iterator[tuple[str, Layer | Parameter]]:
    if isinstance(value, Layer | Parameter):
        yield name, value
    elif isinstance(value, list | tuple):
        for i, entry in enumerate(value):
            yield from _layers_and_parameters(f"{name}.{i}", entry)


def _walk(layer: Layer, prefix: str, parents: tuple[Layer, ...] = ()) -> Iterator[tuple[str, Parameter]]:
    """The parameters of a layer and of all layers in it, with their full names."""
    if any(layer is parent for parent in parents):
        raise AutographError(
            f"the layer {prefix[:-1]} contains itself; keep what is not a child in something other than an"
            " attribute, list or tuple, for example in a dict"
        )
    for name, child in _children(layer):
        if isinstance(child, Parameter):
            yield prefix + name, child
        else:
            yield from _walk(child, f"{prefix}{name}.", (*parents, layer))


def _lines(layer: Layer, name: str) -> list[str]:
    """The lines of ``repr``: a layer, and below it, indented, the layers in it."""
    layers = [(n, child) for n, child in _children(layer) if isinstance(child, Layer)]
    title = f"{name}: " if name else ""
    title += type(layer).__name__ + (layer.describe() if not layers else "")
    count = layer.parameter_count
    lines = [f"{title}  {count:,} parameters" if count else title]
    for child_name, child in layers:
        lines += [f"  {line}" for line in _lines(child, child_name)]
    return lines


Sizes = int | tuple[int, ...]
"""One number, or one for each axis."""


def sizes(name: str, value: Any, minimum: int, ndim: int) -> Sizes:
    """A setting as layers of signals, images or volumes keep it: a number for each axis; of signals, the number.

    Raises:
        ShapeError: a number is below the minimum, or they are not such numbers.
    """
    return per_axis(name, value, minimum, ndim) if ndim > 1 else single(name, value, minimum)


def settings(*values: Any, **named: Any) -> str:
    """Settings as they are written in a call; what is at its default (given as ``(value, default)``) is left out."""
    parts = [repr(value) for value in values]
    parts += [f"{name}={value!r}" for name, (value, default) in named.items() if value != default]
    return f"({', '.join(parts)})"
