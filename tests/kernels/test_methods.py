"""Kernels and functions that are methods of ordinary classes: what is bound at the call, what is compiled in, and what
two objects share."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import weakref
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    Device,
    Global,
    GlobalMut,
    InspectionError,
    Item,
    ItemMut,
    KernelTypeError,
    LaunchError,
    Spec,
    StructBuffer,
    autotune,
    bf16,
    config,
    f32,
    f64,
    func,
    i32,
    i64,
    kernel,
    u32,
)
from krnlpy.dsl import barrier, global_id, group_array, local_array, mat2, thread_id, unroll, vec2, vec3
from krnlpy.kernels.methods import MethodDefinition
from tests.support.devices import requires

T = TypeVar("T", f32, i32)


def array(values: Any, dtype: Any, device: Device) -> Buffer:
    return Buffer.from_numpy(np.array(values, dtype), device)


def variants(method: Any) -> int:
    assert isinstance(method.definition, MethodDefinition)
    return len(method.definition.variants)


@dataclass
class Body:
    position: vec2
    mass: f32


class Oscillator:
    """Springs, as a simulation in another language's style has them."""

    STEPS = 2
    stiffness: float

    def __init__(self, device: Device, n: int = 5, dtype: Any = f32) -> None:
        self.n, self.dt, self.stiffness = n, 0.1, 2.0
        self.x = Buffer.ones(n, dtype, device)
        self.v = Buffer.zeros(n, dtype, device)

    @func
    def force(self, i: i32) -> Any:
        return -self.stiffness * self.x[i]

    @kernel(threads=64)
    def step(self, scale: f32) -> None:
        i = global_id()
        if i < self.n:
            for _ in unroll(range(self.STEPS)):
                self.v[i] += self.dt * self.force(i) * scale
                self.x[i] += self.dt * self.v[i]

    @kernel
    def energy(self, out: ItemMut[f32]) -> None:
        out = 0.5 * self.stiffness * self.x[0] ** 2

    @property
    def reach(self) -> float:
        return self.dt * self.n

    @kernel
    def reached(self, out: ItemMut[f32]) -> None:
        out = self.reach

    def expected(self, scale: float = 1.0, steps: int = 2) -> float:
        x, v = 1.0, 0.0
        for _ in range(steps):
            v += self.dt * -self.stiffness * x * scale
            x += self.dt * v
        return x


class Damped(Oscillator):
    STEPS = 3
    damping = 0.5

    @func
    def force(self, i: i32) -> Any:
        return super().force(i) - self.damping * self.v[i]


# ---------------------------------------------------------------------------------------------------- what is bound


def test_a_method_is_launched_like_a_kernel(device: Device) -> None:
    spring = Oscillator(device)
    spring.step.with_groups(1)(0.5)
    assert np.allclose(spring.x.numpy(), spring.expected(0.5), rtol=1e-6)  # some roundings of f32
    spring.step.with_global_threads(spring.n)(scale=0.0)
    out = Buffer.zeros(3, f32, device)
    spring.energy(out)
    assert np.allclose(out.numpy(), spring.x.numpy()[0] ** 2, rtol=1e-6)
    other = Oscillator(device)
    Oscillator.step.with_groups(1)(other, 0.5)  # as a function of Python's
    assert np.allclose(other.x.numpy(), other.expected(0.5), rtol=1e-6)


def test_numbers_have_the_value_that_they_have_at_the_call(device: Device) -> None:
    spring, out = Oscillator(device), Buffer.zeros(1, f32, device)
    spring.energy(out)
    count = variants(Oscillator.energy)
    for stiffness in (3.0, -1.5, np.float64(0.25), math.inf):
        spring.stiffness = stiffness
        spring.energy(out)
        assert out.numpy()[0] == 0.5 * stiffness
    spring.x = Buffer.full(7, 2.0, f32, device)
    spring.stiffness = 1.0
    spring.energy(out)
    assert out.numpy()[0] == 2.0
    assert variants(Oscillator.energy) == count, "nothing of this is compiled in"


def test_a_property_is_read_at_the_call(device: Device) -> None:
    spring, out = Oscillator(device), Buffer.zeros(1, f32, device)
    spring.reached(out)
    assert out.numpy()[0] == np.float32(0.5)
    spring.n = 10
    spring.reached(out)
    assert out.numpy()[0] == np.float32(1.0)


def test_two_objects_share_what_is_compiled(device: Device) -> None:
    class Scale:
        def __init__(self, factor: Any, x: Buffer) -> None:
            self.factor, self.x = factor, x

        @kernel
        def apply(self, out: ItemMut[f32]) -> None:
            out = self.factor * self.x[0]

    x, y = Buffer.full(1, 3.0, f32, device), Buffer.full(4, 5.0, f32, device)
    a, b, out = Scale(2.0, x), Scale(7.0, y), Buffer.zeros(1, f32, device)
    for scale, expected in ((a, 6.0), (b, 35.0), (a, 6.0)):
        scale.apply(out)
        assert out.numpy()[0] == expected
    assert variants(Scale.apply) == 1
    executables = Scale.apply.definition.variants[0].definition.executables
    assert len(executables) == 1
    Scale(2, x).apply(out)
    assert (out.numpy()[0], variants(Scale.apply)) == (6.0, 2), "a whole number is another type"
    Scale(np.int32(2), x).apply(out)
    Scale(2.5, array([4], np.int32, device)).apply(out)
    assert (out.numpy()[0], variants(Scale.apply)) == (10.0, 4)
    a.apply(out)
    assert (out.numpy()[0], variants(Scale.apply)) == (6.0, 4)


def test_numbers_take_the_type_that_they_meet(device: Device) -> None:
    """As literals do: 0.1 beside an f64 is that of f64, and so is what is computed of such numbers alone."""
    requires(device, f64)

    class Mixed:
        a, n = 0.1, 3

        def __init__(self) -> None:
            self.a, self.n = 0.1, 3

        @kernel
        def fill(self, x: Item[f64], y: ItemMut[f64], z: ItemMut[f32]) -> None:
            z = self.a * 2
            total = x * (2 * self.a) + self.a - -self.a / self.n
            total += self.n * self.n
            y = total if self.n < 4 else self.a

    x, y, z = Buffer.full(1, 1.0, f64, device), Buffer.zeros(1, f64, device), Buffer.zeros(1, f32, device)
    Mixed().fill(x, y, z)
    assert y.numpy()[0] == 1.0 * (2 * 0.1) + 0.1 - -0.1 / 3 + 9
    assert z.numpy()[0] == np.float32(0.1) * 2


class Falling:
    """Vectors and matrices that meet the object's numbers."""

    x: GlobalMut[vec2]

    def __init__(self, device: Device) -> None:
        self.dt, self.count = 0.5, 3
        self.x = array([[1, 2]], np.float32, device)

    @kernel(threads=1)
    def step(self) -> None:
        m = mat2(1, 2, 3, 4) * self.count
        self.x[0] += self.dt * self.x[0] + m[1] / self.dt - self.count


def test_numbers_meet_vectors(device: Device) -> None:
    falling = Falling(device)
    falling.step.with_groups(1)()
    assert falling.x.numpy().tolist() == [[1.5 + 18 - 3, 3 + 24 - 3]]


def test_what_an_object_may_hold(device: Device) -> None:
    class Nested:
        def __init__(self) -> None:
            self.depth, self.limit = 4, np.uint32(3)

        @func
        def clamp(self, x: Any) -> Any:
            return min(x, self.limit)

    @func
    def doubled(x: Any) -> Any:
        return 2 * x

    class Holder:
        table = (1.0, 2.0, 4.0)
        weights = np.array([[1.5, 2.5], [3.5, 4.5]], np.float32)
        levels: ClassVar = [3, 2, 1]
        kind = i32

        def __init__(self) -> None:
            self.gravity = np.array([0.0, -9.5], np.float32)
            self.pair = (7, 0.5)
            self.body = Body(vec2(1, 2), 3.0)
            self.on = True
            self.nothing = None
            self.function = doubled
            self.nested = Nested()
            self.__hidden = 6
            self.numbers = array([10, 20, 30], np.uint32, device)

        @staticmethod
        @func
        def half(x: Any) -> Any:
            return x / 2

        @classmethod
        @func
        def entry(cls, i: Any) -> Any:
            return cls.table[2]

        @kernel
        def show(self, out: GlobalMut[f32]) -> None:
            out[0] = self.gravity.y + self.gravity[0]
            out[1] = self.pair[0] * self.pair[1]
            out[2] = self.body.mass * self.body.position.y
            out[3] = 1 if self.on else 2
            if self.nothing is None:
                out[4] = self.function(self.nested.depth)
            out[5] = self.nested.clamp(u32(self.__hidden))
            out[6] = self.half(self.table[1]) + self.entry(0)
            out[7] = i32(self.numbers[len(self.numbers) - 1]) + self.numbers.shape[0]
            if type(self).kind is i32 and self.kind is i32:
                out[8] = Holder.table[0]
            out[9] = self.weights[thread_id(), 1] + self.levels[thread_id()]

    holder, out = Holder(), Buffer.zeros(10, f32, device)
    holder.show.with_groups(1).with_threads(1)(out)
    assert out.numpy().tolist() == [-9.5, 3.5, 6.0, 1.0, 8.0, 3.0, 5.0, 33.0, 1.0, 5.5]
    holder.gravity = vec2(1, 2)
    holder.pair, holder.on, holder.body, holder.nested.depth = (8, 0.25), False, Body(vec2(1, 1), 1.0), 5
    holder.show.with_groups(1).with_threads(1)(out)
    assert out.numpy().tolist() == [3.0, 2.0, 1.0, 2.0, 10.0, 3.0, 5.0, 33.0, 1.0, 5.5]
    assert variants(Holder.show) == 1
    Holder.weights[0, 1] = 0.25
    holder.show.with_groups(1).with_threads(1)(out)
    assert (variants(Holder.show), out.numpy()[9]) == (2, 3.25)
    holder.nothing = 1
    holder.pair = (0.5, 0.25)
    holder.show.with_groups(1).with_threads(1)(out)
    assert (variants(Holder.show), out.numpy()[1]) == (3, 0.125)


def test_declared_attributes(device: Device) -> None:
    """What the class says of an attribute holds: its type, and for buffers their elements and dimensions."""

    @dataclass
    class Local:
        mass: f32

    class Typed:
        places: GlobalMut[vec3]
        bodies: GlobalMut[Body]
        fixed: Global[f32, 2]
        wide: i64
        gravity: vec2
        small: bf16
        label: str
        count: int
        hidden: GlobalMut[Local]

        def __init__(self) -> None:
            self.places = Buffer.ones((2, 3), f32, device)
            self.bodies = StructBuffer.zeros(2, Body, device)
            self.fixed = Buffer.ones((1, 2), f32, device)
            self.wide, self.gravity, self.small, self.count = 2**40, (1, 2.5), 1.00001, 3

        @kernel
        def run(self, out: GlobalMut[f32]) -> None:
            self.places[1] += vec3(1.0, 2.0, self.fixed[0, 1])
            self.bodies[0].mass += f32(self.wide >> 38)
            self.bodies[1].position = self.gravity
            out[0] = self.small
            out[1] = self.gravity.y + self.count

        @kernel
        def unreadable(self, out: GlobalMut[f32]) -> None:
            out[0] = self.hidden[0].mass

    requires(device, i64)
    typed, out = Typed(), Buffer.zeros(2, f32, device)
    typed.run.with_groups(1).with_threads(1)(out)
    assert typed.places.numpy().tolist() == [[1, 1, 1], [2, 3, 2]]
    assert typed.bodies["mass"].numpy().tolist() == [4, 0]
    assert typed.bodies["position"].numpy().tolist() == [[0, 0], [1, 2.5]]
    assert out.numpy().tolist() == [1.0, 5.5]
    typed.wide = 2**38
    typed.run.with_groups(1).with_threads(1)(out)
    assert (typed.bodies["mass"].numpy()[0], variants(Typed.run)) == (5, 1)
    typed.fixed = Buffer.ones((1, 2), u32, device)
    with pytest.raises(KernelTypeError, match=r"self.fixed: the class declares a buffer of f32; it is one of u32: .c"):
        typed.run.with_groups(1)(out)
    typed.hidden = StructBuffer.zeros(1, Local, device)
    with pytest.raises(KernelTypeError, match=r"annotation GlobalMut\[Local\] has no meaning when the program runs"):
        typed.unreadable.with_groups(1)(out)
    typed.fixed = None
    with pytest.raises(KernelTypeError, match=r"self.fixed: the class declares a buffer; it is a NoneType"):
        typed.run.with_groups(1)(out)


def test_buffers_are_written_only_where_the_method_writes() -> None:
    class Copy:
        def __init__(self) -> None:
            self.source, self.to = Buffer.ones(1, f32).broadcast_to(4), Buffer.zeros(4, f32)

        @func
        def handed(self, to: GlobalMut[f32], i: i32) -> None:
            to[i] = self.source[i]

        @kernel
        def run(self) -> None:
            self.handed(self.to, global_id())

    work = Copy()
    work.run.with_groups(1).with_threads(4)()
    assert work.to.numpy().tolist() == [1, 1, 1, 1]
    parameters = Copy.run.definition.variants[0].definition.parameters
    assert [(p.name, p.mutable) for p in parameters] == [("self.to", True), ("self.source", False)]
    work.source, work.to = work.to, work.source
    with pytest.raises(LaunchError, match=r"run: self.to is written to; got a broadcast buffer"):
        work.run.with_groups(1)()


# ------------------------------------------------------------------------------------------------ what is compiled in


def test_inheritance(device: Device) -> None:
    plain, damped = Oscillator(device), Damped(device)
    for spring in (plain, damped, plain, damped):
        spring.step.with_groups(1)(1.0)
    x, v = 1.0, 0.0
    for _ in range(2 * 3):
        v += 0.1 * (-2.0 * x - 0.5 * v)
        x += 0.1 * v
    assert np.allclose(plain.x.numpy(), plain.expected(steps=4), rtol=1e-6)
    assert np.allclose(damped.x.numpy(), x, rtol=1e-6)


def test_constants_are_right_even_if_they_change(device: Device) -> None:
    class Constants:
        N = 2
        M: Final[int]
        LIST: ClassVar = (1, 2)

        def __init__(self, m: int) -> None:
            self.M = m

        @kernel
        def run(self, out: ItemMut[i32]) -> None:
            own = local_array(i32, self.N)
            for i in unroll(range(self.M)):
                own[i % self.N] += i
            out = own[0] + 10 * own[1] + self.LIST[1]

    def expected(n: int, m: int) -> int:
        own = [sum(range(m)[k::n]) for k in range(n)]
        return own[0] + 10 * own[1] + 2

    out = Buffer.zeros(1, i32, device)
    objects = {m: Constants(m) for m in (3, 1000, 4)}
    for m in (3, 4, 3, 4):
        objects[m].run(out)
        assert out.numpy()[0] == expected(2, m)
    Constants(4).run(out)
    assert variants(Constants.run) == 2
    objects[3].N = 3
    objects[3].LIST = (1, 2)
    with pytest.raises(KernelTypeError, match="the size of an array is made of constants"):
        objects[3].run(out)
    Constants.N = 3
    objects[4].run(out)
    assert out.numpy()[0] == expected(3, 4)


def test_type_variables_and_specs(device: Device) -> None:
    class Generic:
        def __init__(self) -> None:
            self.offset, self.whole = 0.5, 3

        @kernel
        def add(self, x: Item[T], y: ItemMut[T], N: Spec[i32] = 2) -> None:
            if T is i32:
                y = x * N + self.whole
            else:
                y = x * N + self.offset

    work = Generic()
    for dtype, factor, extra in ((np.float32, 2, 0.5), (np.int32, 2, 3), (np.float32, 4, 0.5)):
        x = array([1, 2], dtype, device)
        y = Buffer.zeros(2, x.dtype, device)
        if factor == 2:
            work.add(x, y)
        else:
            work.add.specialize(N=4)(x, y)
            assert y.numpy().tolist() == [4 + extra, 8 + extra]
            work.add(x, y, N=factor)
        assert y.numpy().tolist() == [factor + extra, 2 * factor + extra]
    assert variants(Generic.add) == 2


def test_groups(device: Device) -> None:
    class Reduce:
        SIZE = 8

        def __init__(self) -> None:
            self.x = array(range(8), np.float32, device)

        @func
        def halve(self, partial: Any, n: Any) -> None:
            barrier()
            if thread_id() < n:
                partial[thread_id()] += partial[thread_id() + n]

        @kernel(threads=8)
        def sum(self, out: GlobalMut[f32]) -> None:
            partial = group_array(f32, self.SIZE)
            partial[thread_id()] = self.x[thread_id()]
            self.halve(partial, 4)
            self.halve(partial, 2)
            self.halve(partial, 1)
            if thread_id() == 0:
                out[0] = partial[0]

    out = Buffer.zeros(1, f32, device)
    Reduce().sum.with_groups(1)(out)
    assert out.numpy()[0] == 28


def test_classes_of_other_forms(device: Device) -> None:
    @dataclass
    class Data:
        n: int
        x: Any
        scale: float = 2.0

        @kernel
        def run(self, out: ItemMut[f32]) -> None:
            out = self.x[self.n] * self.scale

    class Slots:
        __slots__ = ("n", "x")

        def __init__(self, n: int, x: Buffer) -> None:
            self.n, self.x = n, x

        @kernel
        def run(self, out: ItemMut[f32]) -> None:
            out = self.x[self.n]

        @staticmethod
        @kernel
        def plain(x: Item[f32], out: ItemMut[f32]) -> None:
            out = x

        @kernel
        def without_self(x: Item[f32], out: ItemMut[f32]) -> None:  # noqa: N805
            out = 2.0 * x

    x, out = array([1, 2, 3], np.float32, device), Buffer.zeros(1, f32, device)
    Data(2, x).run(out)
    assert out.numpy()[0] == 6
    slots = Slots(1, x)
    slots.run(out)
    assert out.numpy()[0] == 2
    slots.plain(x[2:], out)
    assert out.numpy()[0] == 3
    Slots.without_self(x[2:], out)
    assert out.numpy()[0] == 6


# --------------------------------------------------------------------------------------------- what else runs kernels


def test_graphs(device: Device) -> None:
    spring, out = Oscillator(device), Buffer.zeros(1, f32, device)
    spring.energy(out)
    with device.capture() as graph:
        spring.energy(out)
    spring.stiffness = 5.0
    graph.replay()
    assert out.numpy()[0] == 1.0, "a number is what it was"
    first, second = Buffer.full(1, 2.0, f32, device), Buffer.full(1, 3.0, f32, device)
    with device.capture() as graph:
        spring.stiffness = graph.parameter("stiffness", 1.0)
        spring.x = graph.parameter("x", first)
        spring.energy(out)
    graph.replay()
    assert out.numpy()[0] == 2.0
    graph.replay(stiffness=4.0, x=second)
    assert out.numpy()[0] == 18.0


def test_tuned_methods(device: Device) -> None:
    class Tuned:
        def __init__(self, n: int) -> None:
            self.n, self.x = n, Buffer.ones(n, f32, device)

        @autotune(
            [{"threads": 8}, {"threads": 16}],
            key=lambda self, factor: self.n,
            groups=lambda config, self, factor: -(-self.n // config["threads"]),
        )
        @kernel
        def scale(self, factor: f32) -> None:
            if global_id() < self.n:
                self.x[global_id()] *= factor

    a, b = Tuned(20), Tuned(3)
    a.scale(2.0)
    b.scale(3.0)
    Tuned.scale(b, factor=3.0)
    assert (a.x.numpy().tolist(), b.x.numpy().tolist()) == ([2.0] * 20, [9.0] * 3)
    assert a.scale.config_for(1.0) in Tuned.scale.configs
    assert a.scale.tune(1.0).config in Tuned.scale.configs
    assert a.x.numpy()[0] == 2.0
    a.scale.with_config({"threads": 8}).with_groups(3)(0.5)
    assert a.x.numpy().tolist() == [1.0] * 20


def test_hooks_inspection_preparing() -> None:
    spring = Oscillator(Device.host())
    assert "kernel step(scale: f32, self_n: i32, self_v: GlobalMut[f32]" in spring.step.inspect("ir")
    assert "self_x" in spring.step.inspect("glsl")
    with pytest.raises(InspectionError, match="step is a method: look it up in an object"):
        Oscillator.step.inspect()
    spring.step.with_groups(1).prepare(1.0)
    Oscillator.step.with_groups(1).prepare(spring, 1.0)
    assert spring.x.numpy()[0] == 1.0
    assert repr(spring.step) == "<kernel step(scale)>"
    assert spring.step.__name__ == "step" and Oscillator.__dict__["step"].__wrapped__.__name__ == "step"


def test_objects_are_pickled_copied_and_forgotten() -> None:
    class Holder:
        def __init__(self) -> None:
            self.n, self.out = 1, Buffer.zeros(1, i32)

        @kernel
        def run(self) -> None:
            self.out[0] += self.n

    holder = Holder()
    holder.run.with_groups(1).with_threads(1)()
    twin = copy.copy(holder)
    twin.n = 10
    twin.run.with_groups(1).with_threads(1)()
    assert holder.out.numpy()[0] == 11, "a copy has the same buffer, and its own numbers"
    gone = weakref.ref(holder)
    del holder
    gc.collect()
    assert gone() is None
    del twin
    cls = weakref.ref(Holder)
    del Holder
    gc.collect()
    assert cls() is None, "its methods do not keep a class"


class Picklable:
    def __init__(self) -> None:
        self.n = 4

    @kernel
    def run(self, out: ItemMut[i32]) -> None:
        out = self.n


def test_an_object_with_methods_is_pickled() -> None:
    first, out = Picklable(), Buffer.zeros(1, i32)
    first.run(out)
    again = pickle.loads(pickle.dumps(first))
    again.n = 5
    again.run(out)
    assert (out.numpy()[0], vars(first)) == (5, {"n": 4})


# ------------------------------------------------------------------------------------------------------------- errors


class Broken:
    def __init__(self) -> None:
        self.big = 2**40

    @kernel
    def too_big(self, out: ItemMut[i32]) -> None:
        out = self.big


def test_errors_of_calls() -> None:
    broken, out = Broken(), Buffer.zeros(1, i32)
    with pytest.raises(LaunchError, match=r"too_big: self.big is i32, from -2147483648 to 2147483647; got 1099511627"):
        broken.too_big(out)
    with pytest.raises(LaunchError, match=r"too_big takes 1 arguments \(out\); missing: out"):
        broken.too_big()
    with pytest.raises(LaunchError, match="too_big is a method: call it of an object"):
        Broken.too_big()
    with pytest.raises(KernelTypeError, match="self without a class: loose is not written in the body of one"):

        @kernel
        def loose(self, x: ItemMut[f32]) -> None:
            x = self.n


def test_debug_mode_and_changes_of_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "debug", True)
    spring = Oscillator(Device.host())
    spring.step.with_groups(1)(1.0)
    spring.stiffness = 3
    spring.step.with_groups(1)(1.0)
    spring.x = Buffer.ones(5, i32)
    with pytest.raises(KernelTypeError, match="a value of type f32 does not fit self_x, which holds i32"):
        spring.step.with_groups(1)(1.0)


def test_numpys_truth_values(device: Device) -> None:
    """NumPy's bool is an attribute as Python's is, and takes its place."""

    class Switch:
        def __init__(self, on: Any) -> None:
            self.on = on

        @kernel
        def step(self, x: ItemMut[i32]) -> None:
            x += 1 if self.on else 10

    x = Buffer.zeros(1, i32, device)
    switch = Switch(np.bool_(True))
    for on in (np.bool_(True), False, np.bool_(False), True):
        switch.on = on
        switch.step(x)
    assert x.numpy()[0] == 22
    assert variants(Switch.step) == 1
