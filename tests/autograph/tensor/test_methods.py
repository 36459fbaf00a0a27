"""The methods of tensors are the functions: one docstring, one signature, nothing between."""

from __future__ import annotations

import inspect
import pydoc
from typing import Any

import pytest

from autograph import Parameter, Tensor
from autograph.autograd import tape
from autograph.functions import casts, creation
from autograph.functions.convolution import convolutions
from autograph.functions.elementwise import activations, arithmetic
from autograph.functions.indexing import one_hot, reading, writing
from autograph.functions.losses import accuracy, cross_entropy
from autograph.functions.pooling import max_pools
from autograph.functions.products import matrices
from autograph.functions.reducers import sums
from autograph.functions.reductions import aggregates
from autograph.functions.shapes import arrangement, diagonals, joining, views
from autograph.functions.sorting import greatest, sorts
from krnlpy import Device, f32

FUNCTIONS: dict[str, Any] = {
    "__add__": arithmetic.add,
    "__radd__": arithmetic.add,
    "__getitem__": reading.index,
    "__setitem__": writing.set_index,
    "__matmul__": matrices.matmul,
    "accuracy": accuracy.accuracy,
    "backward": tape.backward,
    "cast": casts.cast,
    "conv1": convolutions.conv1,
    "conv2": convolutions.conv2,
    "cross_entropy_loss": cross_entropy.cross_entropy_loss,
    "diagonal": diagonals.diagonal,
    "from_numpy": creation.from_numpy,
    "matmul": matrices.matmul,
    "max_pool2": max_pools.max_pool2,
    "one_hot": one_hot.one_hot,
    "relu": activations.relu,
    "roll": arrangement.roll,
    "split": joining.split,
    "reshape": views.reshape,
    "squeeze": arrangement.squeeze,
    "sort": sorts.sort,
    "std": aggregates.std,
    "sum": sums.sum,
    "topk": greatest.topk,
    "var": aggregates.var,
    "zeros": creation.zeros,
}


class Named(Tensor):
    """A tensor of somebody else's class."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_method_is_the_function(name: str) -> None:
    assert getattr(Tensor, name) is getattr(Parameter, name) is FUNCTIONS[name]


def test_help_shows_the_docstring_of_the_function() -> None:
    # Newer Pythons break the line of parameters, and put no quotes around types.
    text = " ".join(pydoc.plain(pydoc.render_doc(Tensor.conv2)).replace("'", "").split())
    assert "x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride" in text
    assert "bias: ``[oc]``, added to each channel." in text
    assert "weight: filters ``[oc, ic / groups, fh, fw]``." in pydoc.plain(pydoc.render_doc(Tensor))


def test_every_method_has_a_docstring() -> None:
    methods = {name: method for name, method in inspect.getmembers(Tensor, callable) if name[0] != "_"}
    assert len(methods) > 30
    assert [name for name, method in methods.items() if not inspect.getdoc(method)] == []


@pytest.mark.parametrize("made", [Parameter, lambda x: Named(x.buffer)], ids=["parameter", "subclass"])
def test_results_are_plain_tensors(made: Any, device: Device) -> None:
    x = made(Tensor.ones((2, 3), f32, device))
    results = [
        x + 1,
        1 - x,
        -x,
        x.T @ x,
        x.relu(),
        x[0],
        x.T,
        x.reshape(-1),
        x.copy(),
        x.sum(),
        x.detach(),
        x.cast("f16"),
    ]
    assert {type(result) for result in results} == {Tensor}


def test_results_share_memory_only_with_what_they_are_views_of(device: Device) -> None:
    x = Tensor.ones((2, 3), f32, device)
    view, other = x.T, x + 0
    assert view.buffer.memory is x.buffer.memory
    other.fill(2)
    x.fill(3)
    assert view.numpy().max() == 1 and other.numpy().min() == 2 and x.numpy().min() == 3
