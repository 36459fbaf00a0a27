"""One kernel at a time (``krnlpy.config.serialize``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from krnlpy.errors import DeviceLost

from .commands import perform
from .interposition import Layer, Rank, put
from .protocol import Backend, Binding


def serialize(backend: Backend) -> None:
    """Makes a backend wait after each kernel, those of graphs too. A DeviceLost that the wait raises names the
    kernel and its geometry."""

    def replay(recording: Any) -> None:
        perform(backend, recording.commands)

    def replace(name: str, launch: Callable[..., None]) -> Callable[..., None]:
        if name == "replay":
            return replay

        def serialized(executable: Any, groups: Any, bindings: Sequence[Binding], parameters: bytes) -> None:
            launch(executable, groups, bindings, parameters)
            try:
                backend.wait()
            except DeviceLost as error:
                geometry = f"{executable.threads} threads a group"
                if name == "launch":
                    geometry = f"{groups} groups of {executable.threads} threads"
                raise DeviceLost(f"{error}; it was lost in {executable.name}, {geometry}") from None

        return serialized

    put(backend, Layer(Rank.SERIALIZATION, ("launch", "launch_indirect", "replay"), replace))
