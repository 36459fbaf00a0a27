"""Checkpoints: a model, what its optimizer remembers, and anything you add, in one file.

The payload of the file (see :mod:`autograph.files.container`) is a CBOR map:

- ``format``: ``"autograph checkpoint"``;
- ``parameters``: from a parameter's name to its value (see :mod:`autograph.files.typed_arrays`);
- ``buffers``: the same of the model's buffers, such as running statistics; older files have none;
- ``generators``: from the name of a layer's random generator to a map of its ``seed`` and ``counter``; likewise;
- ``optimizer``: None, or a map of its ``name``, its ``settings``, and ``state``: from a parameter's name to a map of
  named arrays;
- ``metadata``: what was added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import cbor2
import numpy as np
import numpy.typing as npt

from autograph.errors import AutographError, CheckpointError
from autograph.nn.layer import Layer
from autograph.optim import Optimizer
from autograph.random import Generator
from autograph.tensor.base import Shape
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import scalar_type
from krnlpy.errors import DtypeError

from .cbor_subset import check_cbor
from .container import read_container, write_container
from .typed_arrays import decode, encode

_FORMAT = "autograph checkpoint"

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds. Its text is a table of the arrays.

    Attributes:
        parameters: the model's, by name.
        buffers: the model's, by name.
        generators: ``seed`` and ``counter`` of the random generators of the model's layers, by name; None in files of
            versions that did not save them.
        optimizer: ``name``, ``settings``, and ``state``: for a parameter's name a dict of named arrays; None if none
            was saved.
        metadata: what was added.

    >>> import tempfile
    >>> from autograph import Dense, read_checkpoint, save_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/model.cbor", Dense(4, 3, bias=True), epoch=7)
    ...     print(read_checkpoint(f"{folder}/model.cbor"))
    parameter  weight  f32  (4, 3)
    parameter  bias    f32  (3,)
    metadata   epoch
    """

    parameters: Arrays
    buffers: Arrays
    generators: dict[str, dict[str, int]] | None
    optimizer: dict[str, Any] | None
    metadata: dict[str, Any]

    def __str__(self) -> str:
        rows = [
            (kind, name, _dtype_name(array), str(array.shape))
            for kind, arrays in (("parameter", self.parameters), ("buffer", self.buffers))
            for name, array in arrays.items()
        ]
        rows += [("generator", name, "", "") for name in self.generators or ()]
        if self.optimizer is not None:
            settings = ", ".join(f"{name}={value!r}" for name, value in self.optimizer["settings"].items())
            rows.append(("optimizer", f"{self.optimizer['name']}({settings})", "", ""))
        rows += [("metadata", name, "", "") for name in self.metadata]
        widths = [max((len(row[i]) for row in rows if row[2]), default=0) for i in range(4)]
        widths[0] = max((len(row[0]) for row in rows), default=0)
        return "\n".join("  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def save_checkpoint(
    path: str | PathLike[str], model: Layer, optimizer: Optimizer | None = None, **metadata: Any
) -> None:
    """Writes a model to a file, and with an optimizer, what it needs to go on as if it had not stopped.

    The file is written beside the old one and takes its place at the end, so that one of the two is always there.

    Args:
        path: the file; its folder is made if it is not there.
        model: its parameters and buffers, and the random generators of its layers, are saved by name. Gradients are
            not saved.
        optimizer: its settings, and its state for each parameter, are saved too.
        **metadata: None, numbers, strings, bytes, NumPy arrays, tensors, and lists and dicts of those. Tensors come
            back as arrays.

    Raises:
        CheckpointError: the file cannot be written (the old one is unchanged), or metadata cannot be saved, or the
            model is not a Layer, or the optimizer has no ``settings``.

    >>> import tempfile
    >>> from autograph import SGD, Dense, load_checkpoint, save_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/model.cbor", Dense(4, 3), SGD(), epoch=7, losses=[0.5, 0.25])
    ...     load_checkpoint(f"{folder}/model.cbor", Dense(4, 3))
    {'epoch': 7, 'losses': [0.5, 0.25]}
    """
    try:
        payload = checkpoint_payload(model, optimizer, metadata)
    except CheckpointError as error:
        raise CheckpointError(f"{path} was not written: {error}") from error
    write_container(path, payload)


def checkpoint_payload(model: Layer, optimizer: Optimizer | None, metadata: dict[str, Any]) -> bytes:
    """What :func:`save_checkpoint` puts into a file.

    Raises:
        CheckpointError: something cannot be saved.
    """
    _check_kinds(model, optimizer)
    # Copies: for arrays of their memory, the next step would have to make others of all tensors.
    content: dict[str, Any] = {"format": _FORMAT, "optimizer": None}
    named = list(model.named_parameters())
    content["parameters"] = {name: np.array(parameter) for name, parameter in named}
    content["buffers"] = {name: np.array(buffer) for name, buffer in model.named_buffers()}
    content["generators"] = {name: generator.state_dict() for name, generator in model.named_generators()}
    if optimizer is not None:
        content["optimizer"] = {
            "name": type(optimizer).__name__,
            "settings": optimizer.settings(),
            "state": {
                name: {key: np.array(tensor) for key, tensor in parameter.state.items()} for name, parameter in named
            },
        }
    content["metadata"] = metadata
    try:
        payload = cbor2.dumps({key: encode(value, key) for key, value in content.items()})
        check_cbor(payload)  # what is written can be read
    except (cbor2.CBORError, RecursionError, ValueError) as error:
        raise CheckpointError(str(error)) from error
    return payload


def read_checkpoint(path: str | PathLike[str]) -> Checkpoint:
    """Reads a file of :func:`save_checkpoint` without a model; nothing in the file is executed.

    Raises:
        CheckpointError: the file is damaged, or does not hold a checkpoint; the message says where.
        FileMissing: there is no such file.
        FileError: the file cannot be opened, or is not a plain file.

    >>> import tempfile
    >>> from autograph import SGD, Dense, read_checkpoint, save_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/model.cbor", Dense(4, 3), SGD(momentum=0.9), epoch=7)
    ...     found = read_checkpoint(f"{folder}/model.cbor")
    >>> found.parameters["weight"].shape, found.optimizer["settings"]["momentum"], found.metadata
    ((4, 3), 0.9, {'epoch': 7})
    """
    payload = read_container(path)
    try:
        check_cbor(payload)
        return _parts(decode(cbor2.loads(payload), "content"))
    except (cbor2.CBORError, CheckpointError, RecursionError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} does not hold a checkpoint: {error}") from error


def load_checkpoint(path: str | PathLike[str], model: Layer, optimizer: Optimizer | None = None) -> dict[str, Any]:
    """Reads a file of :func:`save_checkpoint` into a model; nothing in the file is executed.

    Training goes on bit for bit on the same device if the optimizer is given here and was given when saving.

    Args:
        path: the file.
        model: has the same parameters and buffers, of the same shapes and dtypes, on any device, and the same random
            generators. If anything does not fit, it is left as it was.
        optimizer: of the class that was saved. Its own settings are kept, those in the file are not looked at.

    Returns:
        The metadata.

    Raises:
        CheckpointError: the file is damaged, or does not fit; the message says where, and lists every difference.
        FileMissing: there is no such file.
        FileError: the file cannot be opened, or is not a plain file.

    >>> import tempfile
    >>> from autograph import Dense, load_checkpoint, save_checkpoint
    >>> trained, model = Dense(4, 3, seed=1), Dense(4, 3, seed=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/model.cbor", trained)
    ...     load_checkpoint(f"{folder}/model.cbor", model)
    {}
    >>> (model.weight.numpy() == trained.weight.numpy()).all().item()
    True
    """
    _check_kinds(model, optimizer)
    restore_checkpoint(found := read_checkpoint(path), path, model, optimizer)
    return found.metadata


def restore_checkpoint(found: Checkpoint, path: Any, model: Layer, optimizer: Optimizer | None) -> None:
    """Sets a model to what was read of a file.

    Raises:
        CheckpointError: it does not fit; the model is as it was.
    """
    named, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    generators = dict(model.named_generators())
    differences = _differences(found.parameters, named) + _differences(found.buffers, buffers)
    if found.generators is not None:
        differences += _missing(found.generators, generators)
    if optimizer is not None:
        differences += _state_differences(found.optimizer, named, optimizer)
    if differences:
        raise CheckpointError(f"{path} does not fit the model: " + "; ".join(differences))
    # Everything is on its device before anything is changed.
    values = {name: Tensor.from_numpy(found.parameters[name], p.device) for name, p in named.items()}
    kept = {name: Tensor.from_numpy(found.buffers[name], buffer.device) for name, buffer in buffers.items()}
    states: dict[str, dict[str, Tensor]] = {}
    if optimizer is not None and found.optimizer is not None:
        for name, parameter in named.items():
            state = found.optimizer["state"].get(name, {})
            states[name] = {key: Tensor.from_numpy(array, parameter.device) for key, array in state.items()}
    for name, seed_and_counter in (found.generators or {}).items():
        generators[name].load_state_dict(seed_and_counter)
    for name, parameter in named.items():
        parameter.set(values[name])
        parameter.state = states.get(name, {})
    for name, buffer in buffers.items():
        buffer.set(kept[name])


def _check_kinds(model: Any, optimizer: Any) -> None:
    if not isinstance(model, Layer):
        raise CheckpointError(f"the model is of type {type(model).__name__}; expected a Layer")
    if not (optimizer is None or callable(getattr(optimizer, "settings", None))):
        raise CheckpointError(f"the optimizer is of type {type(optimizer).__name__}, which has no settings()")


def _parts(content: Any) -> Checkpoint:
    if not isinstance(content, dict) or not _is_format(content.get("format")):
        raise CheckpointError("its content is something else")
    parameters, saved, metadata = (content.get(key) for key in ("parameters", "optimizer", "metadata"))
    buffers, generators = content.get("buffers", {}), content.get("generators")
    if not isinstance(parameters, dict) or not isinstance(metadata, dict):
        raise CheckpointError("parameters or metadata are missing")
    if not isinstance(buffers, dict) or not isinstance(generators, dict | None):
        raise CheckpointError("buffers or generators are not maps")
    arrays = {**parameters, **buffers}
    if saved is not None:
        if not isinstance(saved, dict) or not isinstance(saved.get("state"), dict):
            raise CheckpointError("the optimizer has no state")
        for name, state in saved["state"].items():
            if not isinstance(state, dict):
                raise CheckpointError(f"the optimizer's state of {name} is not a map")
            arrays.update({f"{name}, {key}": value for key, value in state.items()})
        if not isinstance(saved.get("name"), str):
            raise CheckpointError("the optimizer's name is not a string")
        if not isinstance(saved.setdefault("settings", {}), dict):
            raise CheckpointError("the optimizer's settings are not a map")
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise CheckpointError(f"{name} is not an array")
    for name, state in (generators or {}).items():
        try:
            Generator(0).load_state_dict(state)
        except AutographError as error:
            raise CheckpointError(f"the generator {name}: {error}") from None
    return Checkpoint(parameters, buffers, generators, saved, metadata)


def _is_format(value: Any) -> bool:
    return isinstance(value, str) and value == _FORMAT


def _missing(in_file: Mapping[str, Any], in_model: Mapping[str, Any]) -> list[str]:
    result = [f"{name} is missing in the file" for name in in_model if name not in in_file]
    return result + [f"{name} is in the file only" for name in in_file if name not in in_model]


def _differences(arrays: Arrays, named: Mapping[str, Tensor]) -> list[str]:
    result = _missing(arrays, named)
    for name, tensor in named.items():
        if name in arrays:
            array = arrays[name]
            in_file = (array.shape, _dtype_name(array))
            in_model = (tensor.shape, str(tensor.dtype))
            if in_file != in_model:
                result.append(
                    f"{name} is {in_file[1]} {in_file[0]} in the file, {in_model[1]} {in_model[0]} in the model"
                )
    return result


def _state_differences(saved: Any, named: dict[str, Parameter], optimizer: Optimizer) -> list[str]:
    if saved is None:
        return ["the file has no optimizer; load it without one, or start the optimizer anew"]
    if saved.get("name") != type(optimizer).__name__:
        return [f"the file's optimizer is {saved.get('name')}, not {type(optimizer).__name__}"]
    return [
        f"the optimizer's {key} of {name} is {array.shape} in the file, its parameter {named[name].shape}: it does not"
        " broadcast to it"
        for name, state in saved["state"].items()
        if name in named
        for key, array in state.items()
        if not _broadcasts(array.shape, named[name].shape)
    ]


def _broadcasts(shape: Shape, to: Shape) -> bool:
    tail = to[len(to) - len(shape) :]
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape, tail, strict=True))


def _dtype_name(array: npt.NDArray[Any]) -> str:
    try:
        return str(scalar_type(array.dtype))
    except DtypeError:
        return str(array.dtype)
