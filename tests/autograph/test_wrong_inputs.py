"""What is no tensor, number or shape gets an error of ours that says what was expected, and changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph
from autograph import SGD, Conv2, Dense, Layer, Parameter, Tensor
from autograph.errors import AutographError
from krnlpy import Device, f32, i32, i64, u8
from krnlpy.errors import DtypeError, LaunchError, ShapeError
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present, untyped

pytestmark = one_vulkan_device

X = Tensor.ones((2, 3))
IMAGES = Tensor.ones((1, 1, 4, 4))
BYTES = Tensor.ones((2, 3), u8)
CASES = {
    "tensor of a list": (
        lambda: Tensor(untyped([1, 2])),
        DtypeError,
        "Tensor takes a Buffer, not list; Tensor.from_numpy",
    ),
    "tensor of an array": (lambda: Tensor(untyped(np.zeros(3))), DtypeError, "Tensor takes a Buffer, not ndarray"),
    "parameter of a number": (lambda: Parameter(untyped(3)), DtypeError, "Parameter takes a Tensor, not int"),
    "scaled_cast to bool": (lambda: X.scaled_cast(1, bool), DtypeError, "scaled_cast of bool: truth values are not"),
    "+= of bool": (lambda: (X > 0).add_assign(X > 0), DtypeError, "add_assign of bool: truth values are not numbers"),
    "scaled_add of bool": (lambda: (X > 0).scaled_add(1, X > 0), DtypeError, "scaled_add of bool"),
    "exp of bool": (lambda: autograph.exp(X > 0), DtypeError, "exp of bool"),
    "array of text": (lambda: Tensor.from_numpy("abc"), DtypeError, "is not a scalar type"),
    "lengths of text": (lambda: Tensor.zeros(untyped("ab")), ShapeError, "is not a shape"),
    "full of text": (lambda: Tensor.full(3, untyped("x")), DtypeError, "'x' is not a number"),
    "+ of text": (lambda: X + untyped("a"), DtypeError, "takes a tensor or a number, not str"),
    "+ of an array": (lambda: X + np.ones((2, 3)), DtypeError, "Tensor.from_numpy makes a tensor of an array"),
    "+ of types": (lambda: X + X.cast(i64), DtypeError, r"add of f32 and i64: convert the integers"),
    "* beyond a type": (lambda: BYTES * 300, DtypeError, "u8 and 300: expected a whole number from 0 to 255"),
    "@ of None": (lambda: X @ untyped(None), DtypeError, "@ takes a tensor, not NoneType"),
    "@ of an array": (lambda: X @ np.ones((3, 2)), DtypeError, "Tensor.from_numpy"),
    "reshape by a float": (lambda: X.reshape(untyped(1.5), 4), ShapeError, "expected integers"),
    "reshape by text": (lambda: X.reshape(untyped("ab")), ShapeError, "expected integers"),
    "transpose by text": (lambda: X.transpose(untyped("a"), untyped("b")), ShapeError, "expected integers"),
    "sum over text": (lambda: X.sum(untyped("a")), ShapeError, "expected integers"),
    "sum over no axis": (lambda: X.sum(5), ShapeError, "has the axes 0 to 1, each once"),
    "scaled_cast by text": (
        lambda: X.scaled_cast(untyped("a"), f32),
        DtypeError,
        "scaled_cast takes a tensor or a number, not str",
    ),
    "scaled_cast by a half": (lambda: X.scaled_cast(0.5, i32), DtypeError, "expected a whole number from"),
    "filters of a number": (lambda: IMAGES.conv2(untyped(3)), DtypeError, "conv2 takes a tensor, not int"),
    "a window of text": (lambda: IMAGES.max_pool2(untyped("a")), ShapeError, "a whole number of at least 1, or a pair"),
    "classes of a number": (lambda: X.accuracy(untyped(3)), ShapeError, r"one class a row, of shape \(2,\), not \(\)"),
    "classes of floats": (
        lambda: X.cross_entropy_loss(untyped([0.5, 1])),
        DtypeError,
        "classes as integers, not float64",
    ),
    "classes out of range": (
        lambda: X.cross_entropy_loss(untyped([0, 3])),
        ShapeError,
        "class 3 of row 1 is out of range",
    ),
    "indices of text": (lambda: X["a"], ShapeError, "'a' is not an index"),
    "the value of several": (lambda: float(X), ShapeError, "6 elements, not one"),
    "the truth of several": (lambda: bool(X), ShapeError, "6 elements, not one"),
    "momentum of text": (lambda: SGD(momentum=untyped("a")), AutographError, "momentum='a'; expected a number from 0"),
    "momentum of NaN": (lambda: SGD(momentum=float("nan")), AutographError, "momentum=nan"),
    "inputs of text": (lambda: Dense(untyped("a"), 4), AutographError, "inputs='a'; expected a whole number"),
    "weights of integers": (lambda: Conv2(1, 6, 5, dtype=i32), DtypeError, "weights are floats, not i32"),
    "a device by name": (lambda: X.to_device(untyped("host")), DtypeError, "'host' is not a Device"),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_say_what_was_expected(case: Any) -> None:
    function, error, message = CASES[case]
    with pytest.raises(error, match=message):
        function()
    assert X.numpy().tolist() == [[1.0] * 3] * 2


IN_PLACE = {
    "fill": (lambda x: x.fill("a"), "'a' is not a number"),
    "assign": (lambda x: x.assign(3), "assign takes a tensor, not int"),
    "add_assign": (lambda x: x.add_assign(1), "add_assign takes a tensor, not int"),
    "scaled_add": (lambda x: x.scaled_add("a", x), "scaled_add takes a tensor or a number, not str"),
    "scaled_add of a number": (lambda x: x.scaled_add(1, 1), "scaled_add takes a tensor, not int"),
}


@pytest.mark.parametrize("case", IN_PLACE)
def test_what_is_not_done_changes_nothing(case: Any, device: Device) -> None:
    x = Tensor.full(3, 7.0, f32, device)
    function, message = IN_PLACE[case]
    with pytest.raises(DtypeError, match=message):
        function(x)
    assert x.numpy().tolist() == [7.0] * 3


@pytest.mark.parametrize("rate", ["a", None, Tensor.ones(())], ids=repr)
def test_a_learning_rate_that_is_none_closes_no_slot(rate: Any) -> None:
    class Model(Layer):
        def __init__(self) -> None:
            self.weight = Parameter(Tensor.ones(2))

    model = Model()
    model.init_parameter_grads()
    model.weight.sum().backward()
    with pytest.raises(LaunchError, match="rate"):
        model.update(rate, SGD())
    assert present(model.weight.grad).numpy().tolist() == [1.0, 1.0]
    model.update(untyped(np.float32(0.5)), SGD())
    assert model.weight.numpy().tolist() == [0.5, 0.5]


def test_a_gradient_that_is_no_tensor() -> None:
    x = Parameter(Tensor.ones(2))
    x.init_grad()
    y = x + 1
    with pytest.raises(DtypeError, match="backward takes a tensor, not ndarray"):
        y.backward(untyped(np.ones(2, np.float32)))
    y.backward(Tensor.ones(2))
    assert present(x.grad).numpy().tolist() == [1.0, 1.0]


def test_tensors_of_one_element_are_numbers(device: Device) -> None:
    x = Tensor.from_numpy(np.array([[0.0, 2.5]], np.float32), device)
    assert (float(x[0, 1]), int(x[0, 1]), bool(x[0, 1]), bool(x[0, 0])) == (2.5, 2, True, False)
