"""The base of layers and models: what is in them, in order, and what is done to all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from autograph.errors import AutographError, DtypeError
from autograph.random.generator import Generator
from autograph.tensor.layer_tensor import LayerBuffer, LayerTensor, misplaced
from autograph.tensor.observing import observing, rebound
from autograph.tensor.parameter import Parameter
from krnlpy import Device, DTypeLike, scalar_type

from .summary import Summary, summarize

if TYPE_CHECKING:
    from autograph.optim import Optimizer


class Layer:
    """A layer, or a model made of layers.

    Attributes that are layers, parameters or buffers, or lists, tuples or dicts of them (nested too), are its children,
    in the order in which they were first assigned; None and anything else is not. So a layer that a model may or may
    not have is one or None, and one of several alternatives is whichever was assigned. A ``forward`` of its own takes
    what arguments it likes; without one, a layer hands its input through its child layers in that order.

    A parameter that two layers have is one: it is counted, trained and saved once. What is a child is replaced by its
    like only: ``layer.weight = tensor`` and ``layer.weight -= step`` would lose the parameter, and are errors.

    Attributes:
        training: whether layers such as Dropout and BatchNorm behave as in training; see :meth:`train`.

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

    training: bool = True

    def __setattr__(self, name: str, value: Any) -> None:
        before = self.__dict__.get(name)
        if isinstance(before, _HELD) and value is not None and not isinstance(value, _kind(before)):
            raise AutographError(misplaced(f"{type(self).__name__}.{name}", _kind(before).__name__, value))
        super().__setattr__(name, value)
        if name == "training":
            rebound()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What :meth:`forward` gives for the same arguments."""
        if (observer := observing.observer) is not None:
            observer.runs(self)
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
            if isinstance(child, LayerBuffer | Generator):
                continue
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

    def named_layers(self) -> Iterator[tuple[str, Layer]]:
        """This layer, whose name is empty, and all layers in it with names such as ``blocks.0.conv1``, in order; one
        that occurs twice, the first time only.

        Raises:
            AutographError: a layer contains itself.

        >>> from autograph import Dense, Relu, Sequential
        >>> [name for name, _ in Sequential(Dense(4, 8), Relu()).named_layers()]
        ['', 'layers.0', 'layers.1']
        """
        return iter(_Contents(self).layers.values())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters with names such as ``conv1.weight``, in order; one that occurs twice, the first time only.

        Raises:
            AutographError: a layer contains itself.

        >>> from autograph import Dense, Sequential
        >>> model = Sequential(Dense(4, 8, bias=True), Dense(8, 3))
        >>> {name: parameter.shape for name, parameter in model.named_parameters()}
        {'layers.0.weight': (4, 8), 'layers.0.bias': (8,), 'layers.1.weight': (8, 3)}
        """
        return iter(_Contents(self).parameters.values())

    def named_buffers(self) -> Iterator[tuple[str, LayerBuffer]]:
        """All buffers, such as running statistics, with their names, in order; one that occurs twice, the first time
        only.

        Raises:
            AutographError: a layer contains itself.

        >>> from autograph import Layer, LayerBuffer, Tensor
        >>> class Centered(Layer):
        ...     def __init__(self):
        ...         self.mean = LayerBuffer(Tensor.zeros(3))
        >>> [name for name, _ in Centered().named_buffers()]
        ['mean']
        """
        return iter(_Contents(self).buffers.values())

    def named_generators(self) -> Iterator[tuple[str, Generator]]:
        """All generators that layers draw from, such as those of Dropout, with their names; their states are saved in
        checkpoints, so that training goes on as if it had not stopped.

        Raises:
            AutographError: a layer contains itself.

        >>> from autograph import Layer, random
        >>> class Noise(Layer):
        ...     def __init__(self):
        ...         self.generator = random.Generator(0)
        >>> dict(Noise().named_generators())
        {'generator': Generator(seed=0, counter=0)}
        """
        return iter(_Contents(self).generators.values())

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, in order, each once.

        Raises:
            AutographError: a layer contains itself.

        >>> from autograph import Dense
        >>> [parameter.shape for parameter in Dense(4, 3, bias=True).parameters()]
        [(4, 3), (3,)]
        """
        return (parameter for _, parameter in self.named_parameters())

    def buffers(self) -> Iterator[LayerBuffer]:
        """All buffers, in order, each once.

        Raises:
            AutographError: a layer contains itself.

        >>> from autograph import Dense
        >>> list(Dense(4, 3).buffers())
        []
        """
        return (buffer for _, buffer in self.named_buffers())

    def children(self) -> Iterator[Layer]:
        """The layers that are attributes of this one, or lie in lists, tuples or dicts that are, in order.

        Raises:
            AutographError: a dict of layers has a key that makes no name.

        >>> from autograph import Dense, Relu, Sequential
        >>> list(Sequential(Dense(4, 8), Relu()).children())
        [Dense(4, 8)  32 parameters, Relu()]
        """
        return (child for _, child in _children(self) if isinstance(child, Layer))

    def apply(self, function: Callable[[Layer], Any]) -> Self:
        """Calls a function with this layer and each layer in it, in order, and returns this layer.

        Raises:
            AutographError: ``function`` is no function, or a layer contains itself.

        >>> from autograph import Dense, Relu, Sequential, Tensor
        >>> def start_at_zero(layer):
        ...     if isinstance(layer, Dense):
        ...         layer.weight.fill(0)
        >>> model = Sequential(Dense(4, 2), Relu()).apply(start_at_zero)
        >>> model(Tensor.ones(4)).numpy().tolist()
        [0.0, 0.0]
        """
        if not callable(function):
            raise AutographError(f"apply takes a function, not {type(function).__name__}")
        for _, layer in self.named_layers():
            function(layer)
        return self

    def train(self, mode: bool = True) -> Self:
        """Sets :attr:`training` of this layer and all layers in it, and returns the layer.

        Raises:
            AutographError: ``mode`` is not a truth value, or a layer contains itself.

        >>> from autograph import Dense
        >>> Dense(4, 3).train().training
        True
        """
        if not isinstance(mode, bool):
            raise AutographError(f"train(mode={mode!r}): expected True or False")
        for _, layer in self.named_layers():
            layer.training = mode
        return self

    def eval(self) -> Self:
        """What ``train(False)`` does: layers behave as the trained model does. Dropout keeps everything, and BatchNorm
        takes its running statistics.

        >>> from autograph import Dense
        >>> Dense(4, 3).eval().training
        False
        """
        return self.train(False)

    def freeze(self) -> Self:
        """Freezes all parameters, and returns the layer: they get no gradients and are not trained.

        Raises:
            AutographError: a layer contains itself.

        >>> from autograph import Dense, Sequential
        >>> model = Sequential(Dense(4, 8), Dense(8, 3))
        >>> _ = model[0].freeze()
        >>> model.init_parameter_grads()
        >>> [parameter.tracked for parameter in model.parameters()]
        [False, True]
        """
        for parameter in self.parameters():
            parameter.freeze()
        return self

    def unfreeze(self) -> Self:
        """Lets all parameters be trained again, and returns the layer.

        Raises:
            AutographError: a layer contains itself.

        >>> from autograph import Dense
        >>> Dense(4, 3).freeze().unfreeze().weight.frozen
        False
        """
        for parameter in self.parameters():
            parameter.unfreeze()
        return self

    @property
    def parameter_count(self) -> int:
        """The number of elements of all parameters."""
        return sum(parameter.size for parameter in self.parameters())

    def init_parameter_grads(self) -> None:
        """Opens the gradient slot of each parameter of floats that is not frozen, and empties it: from now on,
        operations on them are recorded.

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
            if parameter.dtype.is_float and not parameter.frozen:
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
        """Moves all parameters and buffers to a device, in place, with gradients and what optimizers keep.

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
        contents = _Contents(self)
        for _, tensor in (*contents.parameters.values(), *contents.buffers.values()):
            tensor.move(device=device)

    def cast(self, dtype: DTypeLike) -> None:
        """Converts all parameters, their gradients, and buffers of floats to a dtype, in place; what optimizers keep
        stays as it is.

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
        contents = _Contents(self)
        for _, parameter in contents.parameters.values():
            parameter.move(dtype=dtype)
        for _, buffer in contents.buffers.values():
            if buffer.dtype.is_float:
                buffer.move(dtype=dtype)

    def summary(self, *inputs: Any) -> Summary:
        """A table of the layers, with the shapes that they give, their parameters, and memory.

        For the shapes, the model is called once, in evaluation; what functions compute in it has no line.

        Args:
            *inputs: what the model is called with: tensors, or shapes, the batch's length included, which stand for
                zeros of the parameters' dtype on their device. Without any it is not called.

        Raises:
            AutographError: what the model raises for such inputs.

        >>> from autograph import Conv2, Flatten, Relu, Sequential
        >>> Sequential(Conv2(1, 4, 3), Relu(), Flatten()).summary((1, 1, 8, 8))
        layer                            parameters        output  output bytes
        Sequential                               36      (1, 144)           576
          layers.0: Conv2(1, 4, (3, 3))          36  (1, 4, 6, 6)           576
          layers.1: Relu()                           (1, 4, 6, 6)           576
          layers.2: Flatten()                            (1, 144)           576
        parameters: 36, all trained, 144 bytes; results: 1.688 KiB
        """
        return summarize(self, inputs)

    def describe(self) -> str:
        """The layer's settings in parentheses, for ``repr``; a subclass may define it anew.

        >>> from autograph import Conv1, Relu
        >>> Conv1(2, 4, 3, padding=1).describe(), Relu().describe()
        ('(2, 4, 3, padding=1)', '()')
        """
        return "()"

    def _repr_html_(self) -> str:
        """What notebooks show: the layers and their parameters."""
        return self.summary()._repr_html_()

    def __repr__(self) -> str:
        return "\n".join(_lines(self, ""))


Child: TypeAlias = Layer | Parameter | LayerBuffer | Generator

_HELD = (Layer, LayerTensor)
_CHILDREN = (Layer, LayerTensor, Generator)
_CONTAINERS = (list, tuple, dict)
_PLAIN = {bool, int, float, str, type(None)}


def _kind(held: Layer | LayerTensor) -> type[Any]:
    """What may take the place of a layer, a parameter or a buffer."""
    return Layer if isinstance(held, Layer) else Parameter if isinstance(held, Parameter) else LayerBuffer


def _children(layer: Layer) -> Iterator[tuple[str, Child]]:
    for name, value in vars(layer).items():
        if value.__class__ in _PLAIN:  # what most are; each step asks for all, twice
            continue
        if isinstance(value, _CHILDREN):
            yield name, value  # type: ignore[misc]
        elif isinstance(value, _CONTAINERS):
            yield from _entries(name, value)


def _entries(name: str, container: Any, around: tuple[Any, ...] = ()) -> Iterator[tuple[str, Child]]:
    """The children in a list, tuple or dict, and in those within."""
    if around and any(container is other for other in around):
        raise AutographError(f"{name} contains itself; a layer's lists, tuples and dicts are searched for its children")
    is_dict = isinstance(container, dict)
    for key, value in container.items() if is_dict else enumerate(container):
        if value.__class__ in _PLAIN or not isinstance(value, _CHILDREN + _CONTAINERS):
            continue
        if is_dict and not (isinstance(key, str) and key and "." not in key):
            if next(_entries(name, [value], (*around, container)), None) is None:
                continue
            raise AutographError(
                f"{name} has the key {key!r} for a child; expected a string without dots, for its name"
            )
        if isinstance(value, _CHILDREN):
            yield f"{name}.{key}", value  # type: ignore[misc]
        else:
            yield from _entries(f"{name}.{key}", value, (*around, container))


class _Contents:
    """What is in a layer, by identity, with full names: each thing once, under the first of its names, in order."""

    def __init__(self, root: Layer) -> None:
        self.layers: dict[int, tuple[str, Layer]] = {}
        self.parameters: dict[int, tuple[str, Parameter]] = {}
        self.buffers: dict[int, tuple[str, LayerBuffer]] = {}
        self.generators: dict[int, tuple[str, Generator]] = {}
        self._open: set[int] = set()
        self._visit(root, "")

    def _visit(self, layer: Layer, name: str) -> None:
        key = id(layer)
        if key in self._open:
            raise AutographError(
                f"the layer {name} contains itself; keep what is not a child in something other than an attribute,"
                " list, tuple or dict, for example in a weakref.ref"
            )
        if key in self.layers:
            return
        self.layers[key] = name, layer
        self._open.add(key)
        prefix = f"{name}." if name else ""
        for child_name, child in _children(layer):
            if isinstance(child, Layer):
                self._visit(child, prefix + child_name)
            elif isinstance(child, Parameter):
                self.parameters.setdefault(id(child), (prefix + child_name, child))
            elif isinstance(child, LayerBuffer):
                self.buffers.setdefault(id(child), (prefix + child_name, child))
            else:
                self.generators.setdefault(id(child), (prefix + child_name, child))
        self._open.remove(key)


def _lines(layer: Layer, name: str) -> list[str]:
    """The lines of ``repr``: a layer, and below it, indented, the layers in it."""
    layers = [(n, child) for n, child in _children(layer) if isinstance(child, Layer)]
    title = f"{name}: " if name else ""
    title += type(layer).__name__ + (layer.describe() if not layers else "")
    count = layer.parameter_count
    first = f"{title}  {count:,} parameters" if count else title
    return [first, *(f"  {line}" for child_name, child in layers for line in _lines(child, child_name))]
