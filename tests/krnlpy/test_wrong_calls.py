"""Wrong calls of every public name: each ends in an error of ours, or in Python's own of wrong arguments.

The names are found by walking the public modules, so that a new one is covered as it is. What a name is called with is
drawn at random, always alike: values that fit what its parameters are annotated with, and values that fit nothing.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import io
import operator
import random
import re
import reprlib
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import autograph
import krnlpy
from autograph import SGD, Dense, Parameter, Sequential, Tensor
from krnlpy import (
    Buffer,
    Device,
    Global,
    InternalCompilerError,
    Item,
    ItemMut,
    KrnlpyError,
    Out,
    Spec,
    StructBuffer,
    bf16,
    f16,
    f32,
    f64,
    i32,
    i64,
    kernel,
    scalar_type,
    u8,
)
from krnlpy.dsl import global_id
from tests.support.tiers import one_vulkan_device, sampled
from tests.support.typed import untyped

pytestmark = one_vulkan_device

MODULES = ("krnlpy", "krnlpy.dsl", "krnlpy.files", "autograph", "autograph.autograd", "autograph.data",
           "autograph.nn", "autograph.optim", "autograph.optim.schedules")  # fmt: skip
DRAWS = 12
"""Calls of each name on the host; on other devices a third of them, since arguments are checked above devices."""
NOT_CALLED = {
    "autograph.data.load_mnist": "it asks servers; test_mnist_data.py calls it wrongly",
    "krnlpy.Feature": "an enumeration, which Python makes",
    **dict.fromkeys(
        ("krnlpy.Buffer", "krnlpy.StructBuffer", "krnlpy.Graph", "krnlpy.DeviceInfo", "krnlpy.MemoryStats",
         "autograph.data.Iris", "autograph.data.Mnist", "autograph.tensor.base.Node"),
        "made by krnlpy and autograph alone; users get them from functions",
    ),
}  # fmt: skip


@kernel
def scale(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
    y = alpha * x


@kernel(threads=(8, 2))
def tile(n: Spec[i32], x: Global[f32, 2], y: Out[f32, 2]) -> None:
    i, j = global_id(1), global_id(0)
    if i < y.shape[0] and j < y.shape[1]:
        y[i, j] = x[i, j] * f32(n)


@dataclasses.dataclass
class Pair:
    x: f32
    n: i32


class Model(autograph.Layer):
    def __init__(self, device: Device) -> None:
        self.body = Sequential(Dense(3, 4, bias=True, seed=0, device=device), autograph.Relu())


class Foreign:
    """Claims to be an array of some protocol, and is none."""

    def __init__(self, **methods: Any) -> None:
        for name, value in methods.items():
            setattr(self, name, value)

    def __dlpack__(self, **_: Any) -> Any:
        return getattr(self, "capsule", None)

    def __dlpack_device__(self) -> Any:
        return getattr(self, "place", None)


class Arrayish:
    __array_interface__ = types.MappingProxyType({"shape": "ab", "typestr": "<f4", "version": 3})


class Pointer:
    shape = (2, 2)
    dtype = np.dtype("f4")


async def coroutine(x: Item[f32]) -> None: ...


def generator(x: Item[f32]) -> Iterator[None]:
    yield


def unannotated(x, y=3, *rest, **more):  # type: ignore[no-untyped-def]
    return x


def annotated_wrongly(x: "no such name", y: Item["f99"], z: Item[f32, 5]) -> "int":  # type: ignore  # noqa: F722, F821, UP037
    return 3


Good = list[tuple[str, list[Any]]]


def fitting(device: Device) -> Good:
    """Values by what annotations say, written as a pattern."""
    ones = lambda *shape, dtype=f32: Buffer.ones(shape, dtype, device)  # noqa: E731
    tensors = [Tensor.ones((2, 3), f32, device), Tensor.ones((3, 2), f32, device), Tensor.ones((2,), u8, device),
               Tensor.ones((1, 1, 4, 4), bf16, device), Tensor.zeros((0, 3), f32, device)]  # fmt: skip
    return [
        (r"\bTensor\b", tensors),
        (r"\bBuffer\b", [ones(2, 3), ones(6), ones(2, dtype=u8), Buffer.zeros((0, 2), f32, device)]),
        (r"\bParameter\b", [Parameter(Tensor.ones((2, 3), f32, device))]),
        (r"\bDevice\b", [device, None]),
        (r"\b(DTypeLike|ScalarType|dtype)\b", [f32, u8, "bf16", np.float64]),
        (r"\b(Shape|tuple)\b", [(2, 3), (6,), (3, 2), (1, 6), ()]),
        (r"\bint\b", [0, 1, 2, 3]),
        (r"\bfloat\b", [0.5, 1]),
        (r"\bbool\b", [True, False]),
        (r"\bstr\b", ["x", "name", "host"]),
        (r"\bPathLike\b", ["a/file", Path("file")]),
        (r"\b(ndarray|Array|NDArray)\b", [np.ones((2, 3), np.float32), np.arange(3, dtype=np.uint8)]),
        (r"\bLayer\b", [Model(device)]),
        (r"\bOptimizer\b", [SGD(0.5)]),
        (r"\bKernel\b", [scale, tile]),
        (r"\b(Callable|F)\b", [lambda *_: None, scale, unannotated]),
        (r"\b(Iterable|Sequence|Mapping|Config)\b", [[], {}, [{"threads": (8,)}], {"n": 2}, {"T": "f32"}]),
    ]


ITSELF: list[Any] = []
ITSELF.append(ITSELF)


def fitting_nothing(device: Device) -> list[Any]:
    """No value is of a size that a machine might have memory for, and none takes long to go through."""
    a = np.ones((2, 3), np.float32)
    there = Device("interpreter") if device.is_host else Device.host()
    return [
        None, True, 0, 1, -1, 5, -(2**31) - 1, 2**62, 2**63, 2**70, -(2**70), 2**200, 0.5, 1e300, -0.0,
        float("nan"), float("inf"), 1 + 2j, "", "x", "a\0b", "\ud83d", "f32", "host", b"", b"x", object(), object,
        [], [1, "a"], [[1], [1, 2]], ITSELF, {}, {"a": 1}, {1: 2}, (), (-1,), (2**62, 2**62), (2**70,), (1.5,),
        ("a",), (None,), (1,) * 70, (0, 2**62), (0, 2**70), {3}, range(3), slice(None), slice(1, "a"), slice(0, 1, 0),
        ..., NotImplemented, print, np.sin, int, type, Foreign(), Foreign(place=("a", 0)), Foreign(place=(1,)),
        Foreign(place=(1, 0)), Foreign(place=(1, 0), capsule=object()), Foreign(place=5), Arrayish(), Pointer(),
        partial(unannotated, 1), coroutine, generator, unannotated, annotated_wrongly, staticmethod(unannotated),
        np.array(["a"]), np.array([None]), np.array([1, "a"], object), np.ones((2, 3), complex), np.array(5),
        np.ones((1,) * 32), np.ones(3, np.float128) if hasattr(np, "float128") else None, np.zeros(2, "M8[s]"),
        np.zeros(2, [("x", "f4")]), np.float32(1), np.bool_(True), np.int64(-1), np.dtype("S3"), np.float32, a, a.T,
        a[::-1], np.broadcast_to(a, (4, 2, 3)), a.astype(">f4"), a.astype(ml_dtypes.bfloat16), memoryview(b"abc"),
        bytearray(b"abc"), f32, f64, i64, bf16, f16, scale, tile, device, there, krnlpy, Spec, Item, Item[f32],
        Buffer.ones(6, f32, there), Buffer.ones((1,) * 70, f32, device), Buffer.zeros((0, 3), u8, device),
        Buffer.full((2, 3), 7, f64, there), Tensor.ones((2, 3), f32, there), Tensor.zeros((), f32, device),
        Tensor.ones((1,) * 70, f32, device), Tensor.full((2, 3), 3, u8, device), Path("a"), SGD(), Model(there),
        random.Random(0), iter([1, 2]), (x for x in "ab"), types.SimpleNamespace(shape=(2,), dtype="f4"),
    ]  # fmt: skip


def objects(device: Device) -> dict[type, list[Callable[[], Any]]]:
    """What makes objects of classes that need more than fitting values. Each call has its own: it may change it."""
    arrays = [np.arange(6, dtype=scalar_type(t).dtype).reshape(2, 3) for t in (f32, u8, bf16)]
    buffers: list[Callable[[], Any]] = [partial(Buffer.from_numpy, array, device) for array in arrays]
    buffers += [partial(Buffer.ones, shape, f32, device) for shape in ((1,) * 70, (0, 3), ())]
    buffers += [lambda: buffers[0]()[::-1], lambda: Buffer.ones(3, f32, device).broadcast_to((2, 3))]
    tensors = [lambda make=make: Tensor(make()) for make in buffers]
    tensors += [partial(Tensor.ones, shape, f32, device) for shape in ((1, 1, 4, 4), (1, 1, 4))]

    def parameter() -> Parameter:
        made = Parameter(tensors[0]())
        made.init_grad()
        return made

    def graph() -> krnlpy.Graph:
        with device.capture() as captured:
            x = captured.parameter("x", Buffer.ones(6, f32, device))
            scale(captured.parameter("alpha", 2.0), x, x)
        return captured

    def profile() -> Any:
        with device.profile() as measured:
            scale(2.0, buffers[0](), buffers[0]())
        return measured

    def stand_in() -> Any:
        with device.capture() as captured:
            return captured.parameter("alpha", 2.0)

    tuned = [lambda: krnlpy.autotune([{"threads": (8,)}, {"threads": (16,)}], seconds=0)(scale)]
    return {
        Buffer: buffers,
        StructBuffer: [partial(StructBuffer.zeros, 3, Pair, device)],
        Tensor: [*tensors, lambda: parameter() * 2],
        Parameter: [lambda: Parameter(tensors[0]()), lambda: Parameter(tensors[2]()), parameter],
        krnlpy.Kernel: [lambda: scale, lambda: tile, lambda: tile.specialize(n=2), lambda: scale.with_threads(8)],
        krnlpy.Graph: [device.capture, graph],
        # Of no rows: nothing stands at such an address.
        krnlpy.ForeignCalls: [lambda: krnlpy.ForeignCalls(0x1000, np.zeros(0, "u8,i8"))],
        krnlpy.StandIn: [stand_in, lambda: 2 * stand_in()],
        **{
            getattr(autograph.nn, f"{kind}Pool{n}"): [partial(getattr(autograph.nn, f"{kind}Pool{n}"), 2)]
            for kind in ("Max", "Avg", "AdaptiveAvg", "AdaptiveMax")
            for n in (1, 2, 3)
        },
        autograph.nn.Upsample: [partial(autograph.nn.Upsample, scale=2)],
        autograph.optim.RuleOptimizer: [lambda: autograph.SGD(0.5)],
        autograph.optim.LossScale: [lambda: autograph.optim.LossScale(autograph.SGD(0.5))],
        autograph.optim.MovingAverage: [lambda: autograph.optim.MovingAverage(Model(device))],
        Device: [lambda: device],
        krnlpy.Feature: [lambda: krnlpy.Feature.INT64],
        autograph.Layer: [partial(Model, device), autograph.Layer],
        Sequential: [lambda: Sequential(Dense(3, 4, seed=0, device=device), autograph.Relu())],
        **{
            getattr(autograph.nn, f"{kind}{n}"): [partial(getattr(autograph.nn, f"{kind}{n}"), 1, 1, 2, device=device)]
            for kind in ("Conv", "ConvTranspose")
            for n in (1, 2, 3)
        },
        **{cls: [made] for cls, made in ((type(profile()), profile), (type(tuned[0]()), tuned[0]))},
    }


OPERATORS: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, name) for name in (
        "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lshift", "and_", "or_", "xor", "iadd",
        "isub", "imul", "itruediv", "imatmul", "eq", "lt", "getitem", "setitem", "delitem", "contains", "neg", "abs",
        "index", "not_", "length_hint",
    )},
    "radd": lambda a, b: b + a, "rsub": lambda a, b: b - a, "rmul": lambda a, b: b * a, "rtruediv": lambda a, b: b / a,
    "call": lambda a, *b, **c: a(*b, **c), "float": float, "int": int, "len": len, "hash": hash, "repr": repr,
    "str": str, "format": format, "iter": lambda a: [*islice(a, 3)], "array": lambda a: np.array(a),
    "memoryview": memoryview,
}  # fmt: skip


def is_ours(value: Any) -> bool:
    return (getattr(value, "__module__", None) or "").split(".")[0] in ("krnlpy", "autograph")


def public_names() -> dict[str, Any]:
    """Functions and classes, by module and name."""
    found: dict[str, Any] = {}
    for name in MODULES:
        module = importlib.import_module(name)
        own = [n for n, value in vars(module).items() if getattr(value, "__module__", "") == name and n[0] != "_"]
        for n in getattr(module, "__all__", own):
            value = getattr(module, n)
            if callable(value) and not (inspect.isclass(value) and issubclass(value, BaseException)):
                found.setdefault(f"{name}.{n}", value)
    return found


CALLS_WHAT_IT_IS_GIVEN = {"apply"}
"""Methods that raise what a function of the user's raises."""

Make = Callable[[random.Random], Callable[..., Any]]


def always(value: Any) -> Make:
    return lambda rng: value


class Subject:
    """Makes objects of a class, one for each call, and what is called of them."""

    def __init__(self, makers: list[Callable[[], Any]]) -> None:
        self.makers = makers

    def make(self, rng: random.Random) -> Any:
        return rng.choice(self.makers)()

    def gets(self, name: str) -> Make:
        return lambda rng: lambda: getattr(self.make(rng), name)

    def sets(self, name: str) -> Make:
        return lambda rng: partial(setattr, self.make(rng), name)

    def method(self, name: str) -> Make:
        return lambda rng: getattr(self.make(rng), name)

    def operator(self, function: Callable[..., Any]) -> Make:
        return lambda rng: partial(function, self.make(rng))


def subjects(device: Device, good: Good) -> Iterator[tuple[str, Make]]:
    """Whatever can be called, by name: functions, classes, methods, properties and their setters, operators."""
    made = objects(device)
    names = public_names()
    classes = {cls: f"{cls.__module__}.{cls.__qualname__}" for cls in made}
    for name, value in names.items():
        if name not in NOT_CALLED:
            yield name, always(value)
        if is_ours(type(value)):  # as f32, Item and Vector
            classes[type(value)] = name
            made.setdefault(type(value), []).append(partial(untyped, value))
        elif inspect.isclass(value) and not getattr(value, "_is_protocol", False):
            classes[value] = name
    for cls, name in classes.items():
        makers = made.get(cls) or [partial(constructed, cls, name, good)]
        one = Subject(makers)
        for n in dir(cls):
            if n[0] == "_" or not is_own(cls, n):
                continue
            attribute = inspect.getattr_static(cls, n)
            if isinstance(attribute, property):
                yield f"{name}.{n}", one.gets(n)
                if attribute.fset is not None:
                    yield f"{name}.{n} =", one.sets(n)
            elif callable(getattr(cls, n, None)) and n not in CALLS_WHAT_IT_IS_GIVEN:
                yield f"{name}.{n}", one.method(n)
        for n, function in OPERATORS.items():
            yield f"{name} {n}", one.operator(function)


def is_own(cls: type, name: str) -> bool:
    """Whether an attribute is of a class of ours, not of one that ours is derived from, such as str."""
    return is_ours(next(base for base in cls.__mro__ if name in vars(base)))


def constructed(cls: type, name: str, good: Good) -> Any:
    rng = random.Random(name)
    for _ in range(300):
        try:
            return cls(*arguments_for(cls, rng, good, [], 0.0)[0])
        except Exception:
            continue
    raise AssertionError(f"objects() does not say how to make a {name}")


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return [inspect.Parameter("x", inspect.Parameter.VAR_POSITIONAL)]


def arguments_for(
    function: Callable[..., Any], rng: random.Random, good: Good, bad: list[Any], share: float
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments and keywords, of which a share is drawn from the bad ones."""

    def value(parameter: inspect.Parameter) -> Any:
        annotation = str(parameter.annotation)
        if annotation == "bool":
            return rng.random() < 0.5  # what is true is Python's affair
        fits = [v for pattern, values in good for v in (values if re.search(pattern, annotation) else ())]
        if not fits or rng.random() < share:
            return rng.choice(bad) if bad else rng.choice(good[0][1])
        return rng.choice(fits)

    arguments: list[Any] = []
    keywords: dict[str, Any] = {}
    for parameter in parameters_of(function):
        if parameter.kind is parameter.VAR_POSITIONAL:
            arguments += [value(parameter) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
        elif parameter.kind is parameter.VAR_KEYWORD:
            keywords |= {rng.choice("abxnT"): value(parameter) for _ in range(rng.choice((0, 1, 2)))}
        elif parameter.default is parameter.empty or rng.random() < 0.5:
            if parameter.kind is parameter.KEYWORD_ONLY or len(keywords) > len(arguments):
                keywords[parameter.name] = value(parameter)
            elif not keywords:
                arguments.append(value(parameter))
            else:
                keywords[parameter.name] = value(parameter)
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            keywords.setdefault("__later", None)
    keywords.pop("__later", None)
    return arguments, keywords


def trouble(name: str, error: BaseException) -> str:
    """Of an exception that nobody should get: what and where; "" of the others."""
    if isinstance(error, KrnlpyError) and not isinstance(error, InternalCompilerError):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f for f in frames if "/krnlpy/" in f.filename.replace(__file__, "") or "/autograph/" in f.filename]
    inside = [f for f in inside if "/tests/" not in f.filename]
    if isinstance(error, TypeError) and (not inside or re.search(r"\(\) (takes|missing|got) ", str(error))):
        return ""  # Python's own: too few, too many, no such keyword or operator
    if not inside and " " in name:
        return ""  # another's, of an operator that NumPy's arrays have, and of numbers that no index can be
    at = inside[-1] if inside else frames[-1]
    return f"{type(error).__name__} at {at.filename.rpartition('/')[2]}:{at.lineno}: {str(error)[:150]}"


def call(name: str, function: Callable[..., Any], arguments: list[Any], keywords: dict[str, Any]) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = function(*arguments, **keywords)
        if inspect.isgenerator(result) or isinstance(result, map | filter | zip):
            for _ in islice(result, 3):
                pass
        if isinstance(result, io.IOBase):
            result.close()
        repr(result)
    except Exception as error:
        return trouble(name, error)
    return ""


def troubles(device: Device, third: int) -> dict[str, str]:
    """What goes wrong in a third of the draws, once for each place in which it does."""
    good, bad = fitting(device), fitting_nothing(device)
    found: dict[str, str] = {}
    for name, make in subjects(device, good):
        rng = random.Random(f"{name} {third}" if third else name)
        for n in range(third, DRAWS, 3 if device.is_host else 9):
            function = make(rng)
            arguments, keywords = arguments_for(function, rng, good, bad, n / DRAWS)
            if what := call(name, function, arguments, keywords):
                text = reprlib.repr((arguments, keywords))
                found.setdefault(what.partition(": ")[0], f"{name} of {text}: {what}")
    return found


KNOWN: dict[str, tuple[Callable[[], Any], str]] = {
    "a kernel of a number": (lambda: kernel(5), "kernel of a int: expected a function"),  # type: ignore[call-overload]
    "a kernel of a kernel": (lambda: kernel(scale), "kernel of a Kernel: expected a function"),
    "a func of a number": (lambda: krnlpy.func(5), "func of a int: expected a function"),  # type: ignore[type-var]
    "a stage that is no text": (lambda: scale.inspect(untyped(np.ones(2))), "no stage array"),
    "memory shared with a number": (lambda: Buffer.ones(3, f32).shares_memory(untyped(1)), "expected a Buffer"),
    "a download to a tuple": (lambda: Buffer.ones(3, f32).numpy(out=untyped((1,))), "of a tuple: expected an array"),
    "a matrix of nothing": (krnlpy.dsl.mat2, "Matrix"),
    "a vector of too few": (lambda: krnlpy.dsl.vec3(1.0, 2.0), "Vector.*2 values"),
    "a number of text": (lambda: f32("x"), "f32 of a str: expected a number"),
    "a foreign device": (lambda: Buffer.from_dlpack(Foreign(place=("a", 0))), "__dlpack_device__ of the Foreign"),
    "no foreign capsule": (lambda: Buffer.from_dlpack(Foreign(place=(1, 0), capsule=3)), "is not a DLPack capsule"),
    "a tensor of a ragged list": (lambda: Tensor.from_numpy([[1], [1, 2]]), "NumPy makes no array of this list"),
    "a seed that contains itself": (lambda: Dense(2, 2, seed=untyped(ITSELF)), "expected a whole number of at least 0"),
    "a layer of a list": (lambda: Dense(2, 2)(untyped([1, 2])), "Dense takes a tensor, not list"),
    "a layer of too much": (lambda: Dense(2**62, 2**62), "more than memory holds"),
    "a model that is none": (
        lambda: autograph.save_checkpoint("x", untyped(3)),
        "the model is of type int; expected a Layer",
    ),
    "an optimizer that is none": (
        lambda: autograph.save_checkpoint("x", autograph.Layer(), untyped(3)),
        "has no settings",
    ),
    "batches of text": (lambda: autograph.data.batches(untyped("x"), 2), "expected a whole number"),
    "a reduction of an array": (
        lambda: Tensor.ones((1, 2)).cross_entropy_loss(untyped([0]), untyped(np.ones(2))),
        "expected 'mean', 'sum' or 'none'",
    ),
}


@pytest.mark.parametrize("case", KNOWN)
def test_what_used_to_end_otherwise(case: str) -> None:
    function, message = KNOWN[case]
    with pytest.raises(KrnlpyError, match=message) as caught:
        function()
    assert not isinstance(caught.value, InternalCompilerError)


@pytest.mark.parametrize(("third",), sampled([(0,), (1,), (2,)], 3))
def test_every_wrong_call_ends_in_an_error_of_ours(
    device: Device, third: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = troubles(device, third)
    assert not found, "\n".join(found.values())
