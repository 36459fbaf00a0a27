"""How layers' tensors are named and laid out in files: by autograph, and by PyTorch.

Most layers have the same tensors in both. A rule says what is otherwise; `docs/formats.md` has this table, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from autograph.errors import CheckpointError
from autograph.nn.dense import Dense
from autograph.nn.layer import Layer
from autograph.nn.normalization.running import RunningStatistics
from autograph.nn.sequences.attention import MultiHeadAttention
from autograph.nn.sequences.transformer import TransformerBlock
from autograph.nn.sequential import Sequential
from autograph.tensor.layer_tensor import LayerTensor

Array = np.ndarray[Any, Any]
Convention = Literal["autograph", "pytorch"]
CONVENTION_KEY = "autograph.convention"
"""The metadata of a safetensors file that says how its tensors are named and laid out."""


class Rule(NamedTuple):
    """How some of a layer's tensors stand in a file.

    Attributes:
        ours: their names in the layer.
        theirs: the names in the file.
        to_ours: makes the layer's arrays of the file's.
        to_theirs: makes the file's arrays of the layer's.
        is_other_layout: the arrays differ, so that a file must say whose they are.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    to_ours: Callable[[Sequence[Array]], Sequence[Array]]
    to_theirs: Callable[[Sequence[Array]], Sequence[Array]]
    is_other_layout: bool = True


class StoredRule(NamedTuple):
    """A rule with the tensors that it is for, and full names."""

    tensors: tuple[LayerTensor, ...]
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    rule: Rule


def _unchanged(arrays: Sequence[Array]) -> Sequence[Array]:
    return arrays


def _transposed(arrays: Sequence[Array]) -> Sequence[Array]:
    return [array.T for array in arrays]


def same(name: str, theirs: str | None = None) -> Rule:
    """A tensor that is laid out alike."""
    return Rule((name,), (theirs or name,), _unchanged, _unchanged, False)


def transposed(name: str, theirs: str | None = None) -> Rule:
    """A matrix that PyTorch has as ``[outputs, inputs]``."""
    return Rule((name,), (theirs or name,), _transposed, _transposed)


def _count_of_batches(layer: RunningStatistics) -> list[Rule]:
    """PyTorch counts batches in any case, as a 64-bit integer."""
    if layer.running_mean is None:
        return []
    theirs = ("num_batches_tracked",)
    if layer.batches is None:
        return [Rule((), theirs, lambda _: [], lambda _: [np.array(0, np.int64)], False)]
    return [Rule(("batches",), theirs, _of_type(np.int32), _of_type(np.int64), False)]


def _of_type(dtype: Any) -> Callable[[Sequence[Array]], Sequence[Array]]:
    return lambda arrays: [array.astype(dtype) for array in arrays]


def _heads(layer: MultiHeadAttention) -> list[Rule]:
    """PyTorch has the products of queries, keys and values in one matrix, if these have one width."""
    products = layer.query, layer.key, layer.value
    if len({product.weight.shape for product in products}) > 1:
        return []
    weights, biases = (tuple(f"{name}.{of}" for name in ("query", "key", "value")) for of in ("weight", "bias"))
    return [
        Rule(weights, ("in_proj_weight",), lambda w: [part.T for part in np.split(w[0], 3)], _joined_transposes),
        Rule(biases, ("in_proj_bias",), lambda b: np.split(b[0], 3), lambda b: [np.concatenate(b)], False),
        transposed("out.weight", "out_proj.weight"),
        same("out.bias", "out_proj.bias"),
    ]


def _joined_transposes(arrays: Sequence[Array]) -> Sequence[Array]:
    return [np.concatenate([array.T for array in arrays])]


_RULES: dict[type[Layer], Callable[[Any], list[Rule]]] = {
    Dense: lambda _: [transposed("weight")],
    RunningStatistics: _count_of_batches,
    MultiHeadAttention: _heads,
}
"""What PyTorch has otherwise, by kind of layer; a rule may be for tensors of the layers within."""


def _child_names(layer: Layer) -> dict[str, str]:
    """What PyTorch calls layers within others: a TransformerBlock is its TransformerEncoderLayer or, with attention to
    a context, its TransformerDecoderLayer."""
    if not isinstance(layer, TransformerBlock):
        return {}
    names = {"attention": "self_attn", "wide": "linear1", "narrow": "linear2"}
    if layer.cross is not None:
        names |= {"cross": "multihead_attn", "norm_cross": "norm2", "norm2": "norm3"}
    return names


def rules_of(model: Layer, convention: Convention) -> list[StoredRule]:
    """How all tensors of a model stand in files of a convention, in order.

    Raises:
        CheckpointError: there is no such convention.
    """
    if convention not in get_args(Convention):
        raise CheckpointError(f"convention={convention!r}: expected {' or '.join(map(repr, get_args(Convention)))}")
    layers = list(_layers(model, "", ""))
    left = {ours + name: tensor for ours, _, layer in layers for name, tensor in _tensors(layer)}
    rules = []
    for ours, theirs, layer in layers:
        theirs = theirs if convention == "pytorch" else ours
        own = [same(name) for name, _ in _tensors(layer)]
        for rule in [*(_special(layer) if convention == "pytorch" else []), *own]:
            names = tuple(ours + name for name in rule.ours)
            if left.keys() >= {*names}:
                tensors = tuple(left.pop(name) for name in names)
                rules.append(StoredRule(tensors, names, tuple(theirs + name for name in rule.theirs), rule))
    return rules


def _special(layer: Layer) -> list[Rule]:
    for kind in type(layer).__mro__:
        if kind in _RULES:
            return _RULES[kind](layer)
    return []


def _layers(layer: Layer, ours: str, theirs: str) -> Iterator[tuple[str, str, Layer]]:
    """A layer and all within it, with what names begin with: in autograph, and in PyTorch, whose Sequential has its
    layers by their numbers."""
    yield ours, theirs, layer
    names = _child_names(layer)
    for name, child in _children(layer):
        if isinstance(child, Layer):
            there = name.removeprefix("layers.") if isinstance(layer, Sequential) else names.get(name, name)
            yield from _layers(child, f"{ours}{name}.", f"{theirs}{there}.")


def _tensors(layer: Layer) -> Iterator[tuple[str, LayerTensor]]:
    return ((name, child) for name, child in _children(layer) if isinstance(child, LayerTensor))


def _children(layer: Layer) -> Iterator[tuple[str, Layer | LayerTensor]]:
    for name, value in vars(layer).items():
        yield from _within(name, value)


def _within(name: str, value: Any) -> Iterator[tuple[str, Layer | LayerTensor]]:
    if isinstance(value, Layer | LayerTensor):
        yield name, value
    elif isinstance(value, list | tuple):
        for i, entry in enumerate(value):
            yield from _within(f"{name}.{i}", entry)
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _within(f"{name}.{key}", entry)
