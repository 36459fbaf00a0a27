"""One kernel at a time (``krnlpy.config.serialize``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .backend import Backend, Binding
from .errors import DeviceLost
from .interposition import Layer, Rank, put


def serialize(backend: Backend) -> None:
    """Makes a backend wait after each kernel. A DeviceLost that the wait raises names the kernel and its geometry."""

    def replace(_: str, launch: Callable[..., None]) -> Callable[..., None]:
        def serialized(
            executable: Any, groups: tuple[int, int, int], bindings: Sequence[Binding], parameters: bytes
        ) -> None:
            launch(executable, groups, bindings, parameters)
            try:
                backend.wait()
            except DeviceLost as error:
                what = f"{executable.name}, {groups} groups of {executable.threads} threads"
                raise DeviceLost(f"{error}; it was lost in {what}") from None

        return serialized

    put(backend, Layer(Rank.SERIALIZATION, ("launch",), replace))
