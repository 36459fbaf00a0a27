"""Weights in safetensors files: tensors by name, and models by autograph's or PyTorch's names and layouts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from autograph.errors import CheckpointError
from autograph.functions.creation import asarray
from autograph.nn.layer import Layer
from autograph.tensor.base import Shape
from autograph.tensor.tensor import Tensor
from krnlpy import Device, ScalarType, scalar_type
from krnlpy.errors import DtypeError

from .conventions import CONVENTION_KEY, Array, Convention, StoredRule, rules_of
from .format import DTYPES, MappedFile, write_safetensors

Path = str | PathLike[str]
Names = Mapping[str, str | None] | Callable[[str], str | None]


class LoadReport(NamedTuple):
    """What became of the tensors of a file.

    Attributes:
        loaded: the model's tensors that were read, by their names in the model.
        missing: those that the file does not have.
        unexpected: the file's tensors that the model does not have, by their names in the file.
        mismatched: the model's tensors whose shape or kind of dtype is another in the file, and how.
    """

    loaded: list[str]
    missing: list[str]
    unexpected: list[str]
    mismatched: list[str]

    @property
    def is_complete(self) -> bool:
        """Whether all tensors of the file are the model's, and all of the model's were read."""
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        return "\n".join([f"{len(self.loaded)} tensors loaded", *self.differences()])

    def differences(self) -> list[str]:
        """The lines of ``str`` about what does not fit."""
        parts = (("missing", self.missing), ("unexpected", self.unexpected), ("mismatched", self.mismatched))
        return [
            line
            for what, names in parts
            if names
            for line in (f"{what} ({len(names)}):", *(f"  {name}" for name in names))
        ]


def save_safetensors(
    path: Path,
    tensors: Layer | Mapping[str, Any],
    metadata: Mapping[str, str] | None = None,
    *,
    convention: Convention = "autograph",
) -> None:
    """Writes a model's parameters and buffers, or tensors by name, to a safetensors file.

    Args:
        path: the file; its folder is made if it is not there. An old one stays until the new one is whole.
        tensors: a layer, or a map from names to tensors or arrays.
        metadata: strings by name.
        convention: of a layer: ``"pytorch"`` writes names and layouts that the same module of ``torch.nn`` loads by
            ``load_state_dict``. The file says which it is.

    Raises:
        CheckpointError: the file cannot be written (the old one is unchanged), or the tensors or the metadata are
            something else, or there is no such convention.

    >>> import tempfile
    >>> from autograph import Dense, load_safetensors, save_safetensors
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_safetensors(f"{folder}/m.safetensors", Dense(4, 3, bias=True), convention="pytorch")
    ...     {name: tensor.shape for name, tensor in load_safetensors(f"{folder}/m.safetensors").items()}
    {'weight': (3, 4), 'bias': (3,)}
    """
    said = {} if metadata is None else metadata
    if not isinstance(said, Mapping) or not all(isinstance(x, str) for pair in said.items() for x in pair):
        raise CheckpointError(f"metadata={metadata!r}: a safetensors file keeps strings by name")
    if isinstance(tensors, Layer):
        own = (
            {CONVENTION_KEY: convention} if convention == "autograph" else {CONVENTION_KEY: convention, "format": "pt"}
        )
        write_safetensors(path, _arrays_of(tensors, convention), {**own, **said})
    elif isinstance(tensors, Mapping):
        write_safetensors(path, {name: _array(name, value) for name, value in tensors.items()}, said)
    else:
        raise CheckpointError(f"save_safetensors takes a layer or tensors by name, not a {type(tensors).__name__}")


def load_safetensors(path: Path, device: Device | None = None, names: Iterable[str] | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors file. The file is mapped into memory: what is not asked for is not read.

    Args:
        path: the file.
        device: where the tensors are to be; None is the host.
        names: those that are wanted; None for all.

    Raises:
        CheckpointError: the file is damaged, has no tensor of such a name, or it is of a dtype that autograph lacks.
        FileMissing: there is no such file.
        FileError: the file cannot be opened, or is not a plain file.
        OutOfMemory: the device has not enough memory.

    >>> import tempfile
    >>> from autograph import Tensor, load_safetensors, save_safetensors
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_safetensors(f"{folder}/x.safetensors", {"x": Tensor.ones(2), "y": Tensor.zeros((3, 4), "bf16")})
    ...     load_safetensors(f"{folder}/x.safetensors", names=["x"])
    {'x': Tensor(f32, (2,), Device.host(), [1., 1.])}
    """
    if isinstance(names, str):
        raise CheckpointError(f"names={names!r}: expected several, such as [{names!r}]")
    file = MappedFile(path)
    wanted = file.header.tensors if names is None else names
    return {name: Tensor.from_numpy(array, device) for name, array in [(name, file.array(name)) for name in wanted]}


def load_weights(
    model: Layer,
    source: Path | Mapping[str, Any],
    *,
    convention: Convention | None = None,
    names: Names | None = None,
    strict: bool = True,
) -> LoadReport:
    """Reads tensors of a file into a model's parameters and buffers, each on its device and in its dtype.

    Args:
        model: if anything does not fit and ``strict`` is true, it is left as it was.
        source: a safetensors file, or tensors by name (autograph's, arrays, or those of a PyTorch ``state_dict()``).
        convention: how the tensors are named and laid out: ``"autograph"``, or ``"pytorch"``, where for example the
            weight of a ``Dense`` is ``[outputs, inputs]``. None: as the file says, which does if
            :func:`save_safetensors` wrote it.
        names: the model's names for the file's. A map from parts of names, whole between dots, to what stands in their
            place (``{"transformer.h": "blocks"}``), nothing (``""``), or None, which leaves such tensors out; or a
            function from a name to a name or None.
        strict: False reads what fits and leaves the rest of the model as it is.

    Returns:
        What was loaded, missing, unexpected or of another shape.

    Raises:
        CheckpointError: the file is damaged; or something is missing, unexpected or of another shape while ``strict``,
            all of which the message lists; or no convention is known and a layer of the model has other layouts in
            PyTorch.
        FileMissing: there is no such file.
        FileError: the file cannot be opened, or is not a plain file.

    >>> import numpy as np
    >>> from autograph import Dense, Relu, Sequential, load_weights
    >>> model = Sequential(Dense(4, 8, seed=0), Relu(), Dense(8, 3, seed=1))
    >>> tensors = {"net.0.weight": np.ones((8, 4), np.float32), "net.2.weight": np.ones((10, 8), np.float32)}
    >>> print(load_weights(model, tensors, convention="pytorch", names={"net": ""}, strict=False))
    1 tensors loaded
    mismatched (1):
      layers.2.weight: f32 (10, 8) in the file, f32 (3, 8) wanted
    """
    if not isinstance(model, Layer):
        raise CheckpointError(f"load_weights takes a Layer, not a {type(model).__name__}")
    given = _given(source)
    found = _renamed(given, names)
    rules = rules_of(model, _convention(model, given, found, convention))
    report = LoadReport([], [], [], [])
    fitting, known = _fitting(rules, given, found, report)
    report.unexpected.extend(name for renamed, name in found.items() if renamed not in known)
    if strict and not report.is_complete:
        raise CheckpointError(
            "\n".join([f"{given.title} does not fit the model, which is left as it was", *report.differences()])
        )
    # Everything is on its device before anything is changed.
    values: list[tuple[Any, Tensor]] = []
    for stored in fitting:
        arrays = stored.rule.to_ours([given.array(found[name]) for name in stored.theirs])
        for tensor, array in zip(stored.tensors, arrays, strict=True):
            values.append((tensor, Tensor.from_numpy(array, tensor.device).cast(tensor.dtype)))
    for tensor, value in values:
        tensor.set(value)
    return report


class _Given(NamedTuple):
    """Where tensors come from: their dtypes and shapes, which cost nothing, and their elements.

    Attributes:
        title: for messages.
        forms: the dtypes and shapes by name; the dtype as text where autograph lacks it.
        array: the elements of a name.
        convention: what the file says.
    """

    title: str
    forms: dict[str, tuple[ScalarType | str, Shape]]
    array: Callable[[str], Array]
    convention: str | None


def _given(source: Any) -> _Given:
    if isinstance(source, Mapping):
        arrays = {name: _array(name, value) for name, value in source.items()}
        forms: dict[str, Any] = {name: (scalar_type(array.dtype), array.shape) for name, array in arrays.items()}
        return _Given("the map of tensors", forms, arrays.__getitem__, None)
    file = MappedFile(source)
    forms = {name: (DTYPES.get(entry.dtype, entry.dtype), entry.shape) for name, entry in file.header.tensors.items()}
    return _Given(str(source), forms, file.array, file.header.metadata.get(CONVENTION_KEY))


def _convention(model: Layer, given: _Given, found: dict[str, str], convention: Convention | None) -> Any:
    known = convention or given.convention
    if known is not None:
        return known
    wanted = [
        stored
        for stored in rules_of(model, "pytorch")
        if stored.rule.is_other_layout and any(name in found for name in (*stored.theirs, *stored.ours))
    ]
    if wanted:
        listed = ", ".join(name for stored in wanted[:5] for name in stored.ours)
        raise CheckpointError(
            f"{given.title} does not say how its tensors are laid out, and PyTorch has {listed} otherwise than"
            ' autograph: give convention="pytorch" or convention="autograph"'
        )
    return "autograph"


def _fitting(
    rules: list[StoredRule], given: _Given, found: dict[str, str], report: LoadReport
) -> tuple[list[StoredRule], set[str]]:
    """The rules whose tensors are there and fit, and all names that rules know; the rest goes into the report."""
    fitting: list[StoredRule] = []
    known: set[str] = set()
    loaded: set[int] = set()
    missing: list[StoredRule] = []
    for stored in rules:
        known.update(stored.theirs)
        if not stored.tensors:
            continue
        if any(name not in found for name in stored.theirs):
            missing.append(stored)
            continue
        differences = _differences(stored, given, found)
        report.mismatched.extend(differences)
        if not differences:
            fitting.append(stored)
            loaded.update(map(id, stored.tensors))
            report.loaded.extend(stored.ours)
    # Of tied parameters one name is enough.
    report.missing.extend(
        name for stored in missing if not loaded.issuperset(map(id, stored.tensors)) for name in stored.ours
    )
    return fitting, known


def _differences(stored: StoredRule, given: _Given, found: dict[str, str]) -> list[str]:
    blank = [np.broadcast_to(np.zeros((), tensor.dtype.dtype), tensor.shape) for tensor in stored.tensors]
    wanted = [(scalar_type(array.dtype), array.shape) for array in stored.rule.to_theirs(blank)]
    forms = [given.forms[found[name]] for name in stored.theirs]
    title = ", ".join(stored.ours)
    return [
        f"{title}: {dtype} {shape} in the file, {of} {to} wanted"
        for (dtype, shape), (of, to) in zip(forms, wanted, strict=True)
        if shape != to or not _converts(dtype, of)
    ]


def _converts(dtype: ScalarType | str, to: ScalarType) -> bool:
    """Floats are rounded to the model's floats; other dtypes must be the same."""
    return not isinstance(dtype, str) and (dtype is to or (dtype.is_float and to.is_float))


def _renamed(given: _Given, names: Names | None) -> dict[str, str]:
    """From the names by which the model is to find tensors to those of the file."""
    if names is None:
        return {name: name for name in given.forms}
    rename = names if callable(names) else _replacing(names)
    found: dict[str, str] = {}
    for name in given.forms:
        to = rename(name)
        if to is None:
            continue
        if not isinstance(to, str):
            raise CheckpointError(f"names gave {to!r} for {name}: expected text or None")
        if to in found:
            raise CheckpointError(f"names gave {to} for {found[to]} and for {name}: expected different names")
        found[to] = name
    return found


def _replacing(names: Any) -> Callable[[str], str | None]:
    if not isinstance(names, Mapping) or not all(
        isinstance(key, str) and key and (value is None or isinstance(value, str)) for key, value in names.items()
    ):
        raise CheckpointError(f"names={names!r}: expected a map from parts of names to other parts or None")
    parts = {key.strip("."): to for key, to in names.items()}
    # The longest first; all at once, so that names can be exchanged.
    longest = "|".join(re.escape(part) for part in sorted(parts, key=len, reverse=True))
    pattern = re.compile(rf"(?<![^.])(?:{longest})(?![^.])") if parts else re.compile("(?!)")

    def replaced(name: str) -> str | None:
        if any(parts[part] is None for part in pattern.findall(name)):
            return None
        text = pattern.sub(lambda match: parts[match[0]] or "", name)
        return ".".join(part for part in text.split(".") if part)

    return replaced


def _arrays_of(model: Layer, convention: Convention) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for stored in rules_of(model, convention):
        made = stored.rule.to_theirs([tensor.numpy() for tensor in stored.tensors])
        arrays.update(zip(stored.theirs, made, strict=True))
    return arrays


def _array(name: Any, value: Any) -> Array:
    try:
        array: Array = (value if isinstance(value, Tensor) else asarray(value)).numpy()
    except (DtypeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{name} is a {type(value).__name__}, which is no tensor: {error}") from None
    return array
