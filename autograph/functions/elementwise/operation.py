"""Operations made of functions of numbers: with broadcasting, dtypes and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, overload

from autograph.autograd import saved
from autograph.autograd.tape import record
from autograph.errors import AutographError, DeviceError, DtypeError
from autograph.functions.checks import broadcast_shape
from autograph.functions.reducers.sums import sum_to_shape
from autograph.functions.sources import function_of
from autograph.functions.type_variables import accumulator
from autograph.tensor.base import Edge, Shape, TensorBase, recording, tensor_of
from krnlpy import Buffer, Func, Item, ItemMut, KernelError, ScalarType, StandIn, function_info, i32, kernel
from krnlpy.dsl import derivative, value_and_partials

from .promotion import as_number, number_type, promoted

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Operand: TypeAlias = "Tensor | float"

_MOST_CALLS = 1 << 10
"""More are made anew when they are needed: of operations on ever new shapes, they would pile up."""


class BoundElementwise(Protocol):
    """An operation as a method of a tensor; the tensor is the first operand."""

    def __call__(self, *operands: Operand, **named: Operand) -> Tensor: ...


def elementwise(function: Callable[..., Any]) -> Elementwise:
    """Makes an operation on tensors of a function of numbers.

    The operation broadcasts by NumPy's rules, takes tensors of every dtype for which the function compiles, and numbers
    beside them, and gives one tensor, or several where the function gives a tuple. Dtypes are promoted as in the Python
    array API standard; the result has the dtype that the function gives: f16 and bf16 are computed in f32 and rounded
    once. Its gradient is derived (see :func:`krnlpy.dsl.derivative`), or is that of
    :func:`krnlpy.dsl.define_partials`: one kernel computes the value, and one the gradients of all operands. Both are
    compiled where the operation first meets such dtypes.

    Args:
        function: of numbers, written in the language of kernels; its parameters have no annotations.

    Raises:
        LaunchError: it is not a function made by ``def``.

    Calls raise DtypeError where the function does not compile for the operands' dtypes, ShapeError where their shapes
    do not broadcast, and DeviceError where they lie on several devices. Without a tensor among the operands it is the
    Python function that it was; in kernels and in functions of other operations it is a ``@func``.

    >>> from autograph import Parameter, Tensor, elementwise
    >>> from krnlpy.dsl import erf
    >>> @elementwise
    ... def gelu(x):
    ...     return 0.5 * x * (1.0 + erf(x * 0.7071067811865476))
    >>> x = Parameter(Tensor.from_numpy([-1.0, 0.0, 1.0]).cast("f32"))
    >>> x.init_grad()
    >>> gelu(x).sum().backward()
    >>> [round(slope, 4) for slope in x.grad.numpy().tolist()]
    [-0.0833, 0.5, 1.0833]
    """
    return Elementwise(function)


class Elementwise(Func):
    """An operation on tensors, element by element. Made by the decorator :func:`elementwise`.

    Attributes:
        parameters: the names of its operands.
        variants: what was compiled of it. For the package's own use.
        calls: what was found out of calls by the layouts of their operands. For the package's own use.

    >>> from autograph import Tensor, elementwise
    >>> @elementwise
    ... def mean_of_both(x, y):
    ...     return 0.5 * (x + y)
    >>> mean_of_both
    <elementwise mean_of_both(x, y)>
    >>> mean_of_both(Tensor.full(2, 1.0), 2).numpy().tolist()
    [1.5, 1.5]
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        of = function if isinstance(function, Func) else Func(function)
        super().__init__(of.function)
        self.partials = of.partials
        code = of.function.__code__
        self.parameters: tuple[str, ...] = code.co_varnames[: code.co_argcount]
        self.variants: dict[tuple[Any, ...], _Variant] = {}
        self.calls: dict[tuple[Any, ...], _Call] = {}

    def __repr__(self) -> str:
        return f"<elementwise {self.__name__}({', '.join(self.parameters)})>"

    @overload
    def __get__(self, instance: None, owner: Any = None) -> Elementwise: ...

    @overload
    def __get__(self, instance: TensorBase, owner: Any = None) -> BoundElementwise: ...

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *operands: Operand, **named: Operand) -> Any:
        if named or len(operands) != len(self.parameters):
            operands = self._bound(operands, named)
        results = _applied(self, operands)
        return results[0] if len(results) == 1 else results

    def _bound(self, operands: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """An operand for each parameter."""
        defaults = self.function.__defaults__ or ()
        names = self.parameters
        given = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
        given.update(zip(names, operands, strict=False))
        if len(operands) > len(names) or {*named} - {*names[len(operands) :]} or {*given, *named} != {*names}:
            what = f"{len(operands)} operands" + (f" and {', '.join(named)}" if named else "")
            raise AutographError(f"{self.__name__} takes {', '.join(names)}; given were {what}")
        given.update(named)
        return tuple(given[name] for name in names)


def pulled_back(
    operation: Elementwise, operands: Sequence[Tensor], gradients: Sequence[Tensor]
) -> tuple[Tensor | None, ...]:
    """The gradients of an operation's operands for those of its results; None for operands that no gradient goes to."""
    wanted = tuple(i for i, x in enumerate(operands) if x.dtype.is_float and x.node is not None)
    found = dict(zip(wanted, _variant_of(operation, operands).pulled_back(wanted, operands, gradients), strict=True))
    return tuple(found.get(i) for i in range(len(operands)))


def _applied(
    operation: Elementwise, operands: Sequence[Any], results: tuple[ScalarType, ...] = ()
) -> tuple[Tensor, ...]:
    """The results of an operation; of other dtypes than its own, if these are given."""
    # Every line here costs each operation, however small its tensors are.
    arguments: list[Any] = []
    facts: list[Any] = [results]
    is_recorded = False
    for x in operands:
        if isinstance(x, TensorBase):
            if x.node is not None:
                is_recorded = True
            buffer = x.share.buffer
            arguments.append(buffer)
            facts.append(buffer.layout)
        else:
            arguments.append(x)
            facts.append(x.__class__)
    key = tuple(facts)
    call = operation.calls.get(key)
    if call is None:
        call = _Call(_variant_of(operation, operands, results), operands)
        if len(operation.calls) >= _MOST_CALLS:
            operation.calls.clear()
        operation.calls[key] = call
    given = call.of(arguments)
    return call.variant.recorded(operands, given) if is_recorded and recording.on else given


def _variant_of(operation: Elementwise, operands: Sequence[Any], results: tuple[ScalarType, ...] = ()) -> _Variant:
    """The operation for such operands; with results of other dtypes than its own, if these are given."""
    key: tuple[Any, ...] = tuple(x.dtype if isinstance(x, TensorBase) else (_class_of(x),) for x in operands)
    key = (*key, results) if results else key
    if key not in operation.variants:
        if not any(isinstance(x, TensorBase) for x in operands):
            given = ", ".join(type(x).__name__ for x in operands)
            raise DtypeError(f"{operation.__name__} takes tensors, and numbers beside them; given were {given}")
        operation.variants[key] = _Variant(operation, operands, results)
    return operation.variants[key]


def _class_of(number: Any) -> type[Any]:
    """The class of a number beside tensors. What stands for a number while a graph is captured stands for a float."""
    return float if isinstance(number, StandIn) else number.__class__


class _Variant:
    """An operation for operands of certain dtypes.

    Attributes:
        types: what the function computes with, for each operand.
        results: the dtypes of what it gives.
        kernel: of the operands and the results.
        tensors: the places of the operands that are tensors.
        numbers: those of the others, and the types in which they take part.
    """

    def __init__(self, operation: Elementwise, operands: Sequence[Any], results: tuple[ScalarType, ...] = ()) -> None:
        self.operation, name = operation, operation.__name__
        dtypes = [x.dtype if isinstance(x, TensorBase) else None for x in operands]
        self.dtype = promoted(name, [dtype for dtype in dtypes if dtype is not None])
        compute = self.dtype.compute
        self.types: list[ScalarType] = [
            number_type(name, x, self.dtype) if dtype is None else dtype if dtype.kind == "bool" else compute
            for x, dtype in zip(operands, dtypes, strict=True)
        ]
        try:
            info = function_info(operation, *self.types)
        except KernelError as error:
            given = ", ".join(str(dtype or type(x).__name__) for x, dtype in zip(operands, dtypes, strict=True))
            own = operation.function.__module__.startswith("autograph.")  # whose lines say nothing to users
            raise DtypeError(f"{name} of {given}: {error.message if own else error}") from error
        self.results = results or tuple(self.dtype if type is compute else type for type in info.results)
        self.gives_several = len(info.results) > 1
        self.kernel = self._compiled(dtypes, info.results)
        self.tensors = [i for i, dtype in enumerate(dtypes) if dtype is not None]
        self.numbers = [(i, type) for i, type in enumerate(self.types) if dtypes[i] is None]
        is_derived = any(dtype.is_float for dtype in self.results)
        self._derived = [i for i in self.tensors if is_derived and operands[i].dtype.is_float]
        self._gradients: dict[tuple[int, ...], _Gradient] = {}

    def _compiled(self, dtypes: Sequence[ScalarType | None], given: Sequence[ScalarType]) -> Any:
        """The kernel: its parameters are the operands and the results, of which the function gives some types."""
        namespace: dict[str, Any] = {"function": self.operation, "Item": Item, "ItemMut": ItemMut}
        parameters, arguments = [], []
        for i, (type, dtype) in enumerate(zip(self.types, dtypes, strict=True)):
            is_truth = dtype is None and type.kind == "bool"  # a parameter of a kernel is a number
            namespace |= {f"T{i}": type, f"X{i}": i32 if is_truth else dtype or type}
            parameters.append(f"x{i}: X{i}" if dtype is None else f"x{i}: Item[X{i}]")
            is_direct = not is_truth and (dtype is None or dtype.compute is type)
            arguments.append(f"x{i}" if is_direct else f"T{i}(x{i})")
        stores = []
        for i, (type, dtype) in enumerate(zip(given, self.results, strict=True)):
            namespace |= {f"Y{i}": dtype, f"C{i}": dtype.compute}
            parameters.append(f"y{i}: ItemMut[Y{i}]")
            stores.append(f"    y{i} = v{i}" if dtype.compute is type else f"    y{i} = C{i}(v{i})")
        name = self.operation.__name__
        values = ", ".join(f"v{i}" for i in range(len(given)))
        lines = [f"def {name}({', '.join(parameters)}) -> None:", f"    {values} = function({', '.join(arguments)})"]
        lines += stores
        return kernel(function_of("\n".join(lines) + "\n", name, namespace, self.operation.function))

    def recorded(self, operands: Sequence[Any], results: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The results with their place in the graph."""
        wanted = tuple([i for i in self._derived if operands[i].node is not None])
        return self._gradient(wanted).recorded(operands, results) if wanted else results

    def pulled_back(
        self, wanted: tuple[int, ...], operands: Sequence[Any], gradients: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """The gradients of some operands for those of the results."""
        return self._gradient(wanted).pulled_back(operands, tuple(gradients))

    def _gradient(self, wanted: tuple[int, ...]) -> _Gradient:
        gradient = self._gradients.get(wanted)
        if gradient is None:
            gradient = self._gradients[wanted] = _Gradient(self, wanted)
        return gradient


class _Call:
    """An operation on operands of certain layouts.

    Raises:
        DeviceError: they lie on several devices. ShapeError: their shapes do not broadcast.
    """

    def __init__(self, variant: _Variant, operands: Sequence[Any]) -> None:
        self.variant = variant
        name, tensors = variant.operation.__name__, variant.tensors
        first = operands[tensors[0]]
        for i in tensors:
            if operands[i].device != first.device:
                raise DeviceError(
                    f"{name} of tensors on {first.device.name} and on {operands[i].device.name}; move one with"
                    " tensor.to_device(device)"
                )
        shapes = [operands[i].shape for i in tensors]
        self._shape = shape = broadcast_shape(name, shapes)
        self._repeated = [i for i in tensors if operands[i].shape != shape]
        self._like = tensors[shapes.index(shape)] if shape in shapes else tensors[0]
        self._numbers = [(i, partial(as_number, name, type=type)) for i, type in variant.numbers]
        self._has_elements = 0 not in shape
        self._kernel, self._dtypes = variant.kernel, variant.results

    def of(self, arguments: list[Any]) -> tuple[Tensor, ...]:
        """The results, of the operands' buffers and numbers."""
        for i, number in self._numbers:
            arguments[i] = number(arguments[i])
        for i in self._repeated:
            arguments[i] = arguments[i].broadcast_to(self._shape)
        like, results = arguments[self._like], []
        for dtype in self._dtypes:
            out = Buffer.empty_like(like, dtype)
            arguments.append(out)
            results.append(tensor_of(out))
        if self._has_elements:
            self._kernel(*arguments)
        return tuple(results)


class _Gradient:
    """The gradient of an operation by some of its operands: an operation on the gradients of its results and on those
    operands that it depends on."""

    def __init__(self, variant: _Variant, wanted: tuple[int, ...]) -> None:
        f = variant.operation
        self._tensors = variant.tensors
        infos = [function_info(derivative(f, i), *variant.types) for i in wanted]
        self._wanted = wanted
        self._constants = [None if variant.gives_several else info.constants[0] for info in infos]
        self._computed = [i for i, constant in zip(wanted, self._constants, strict=True) if constant not in (0.0, 1.0)]
        used = {name for i, info in zip(wanted, infos, strict=True) if i in self._computed for name in info.used}
        self._used = [i for i, name in enumerate(f.parameters) if name in used]
        self._operation = Elementwise(self._written(variant)) if self._computed else None

    def _written(self, variant: _Variant) -> Any:
        """The operation's function: of the gradients of the results, then of the operands that it depends on."""
        f, count = variant.operation, len(variant.results)
        dys = [f"dy{i}" for i in range(count)]
        name, parameters = f"{f.__name__}_gradient", [*dys, *(f"x{i}" for i in self._used)]
        # What nothing depends on is handed over as 0.
        given = ", ".join(f"x{i}" if i in self._used else f"T{i}(0)" for i in range(len(variant.types)))
        lines, terms = [f"def {name}({', '.join(parameters)}):"], []
        if variant.gives_several:
            for i in self._computed:
                parts = [f"p{i}_{j}" for j in range(count)]
                lines.append(f"    {', '.join(parts)} = derivative(function, {i})({given})")
                terms.append(" + ".join(f"{dy} * {part}" for dy, part in zip(dys, parts, strict=True)))
        else:
            places = ", ".join(map(str, self._computed))
            partials = "".join(f", p{i}" for i in self._computed)
            lines.append(f"    value{partials} = value_and_partials(function, {places})({given})")
            terms = [f"dy0 * p{i}" for i in self._computed]
        lines.append(f"    return {', '.join(terms)}")
        namespace = {f"T{i}": type for i, type in enumerate(variant.types)}
        language = {"derivative": derivative, "value_and_partials": value_and_partials}
        return function_of("\n".join(lines) + "\n", name, {"function": f, **language, **namespace}, f.function)

    def pulled_back(self, operands: Sequence[Any], dys: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The gradients of the operands that are wanted, for those of the results."""
        forms = [(operands[i].shape, operands[i].dtype) for i in self._wanted]
        return self._of([operands[i] for i in self._used], forms, *dys)

    def recorded(self, operands: Sequence[Any], results: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The results of such operands, with their place in the graph."""
        kept = [saved(operands[i]) if i in self._tensors else operands[i] for i in self._used]
        targets = tuple([operands[i].node for i in self._wanted])
        # As they are now: a parameter may be moved before the gradient is asked for.
        forms = [(target.shape, target.dtype) for target in targets]
        return record(results, Edge(targets, partial(self._of, kept, forms), False, True))

    def _of(self, kept: list[Any], forms: list[tuple[Shape, ScalarType]], *dys: Tensor) -> tuple[Tensor, ...]:
        first = dys[0]
        computed: dict[int, Tensor] = {}
        if self._operation is not None:
            given, form_of = (*dys, *kept), dict(zip(self._wanted, forms, strict=True))
            # A gradient that is summed is rounded after its sum.
            dtypes = [
                dtype if shape == first.shape else accumulator(dtype)
                for shape, dtype in [form_of[i] for i in self._computed]
            ]
            computed = dict(zip(self._computed, _applied(self._operation, given, tuple(dtypes)), strict=True))
        parts = []
        for i, constant, (shape, dtype) in zip(self._wanted, self._constants, forms, strict=True):
            if constant == 0:
                parts.append(first.result(Buffer.zeros(shape, dtype, first.device)))
            else:
                parts.append(sum_to_shape(first if constant == 1 else computed[i], shape, dtype))
        return tuple(parts)
