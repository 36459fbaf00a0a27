"""Names that tools show (VK_EXT_debug_utils): of pipelines, and around dispatches.

They are on under the validation layer, whose messages then name the kernel, and with ``KRNLPY_LOG=debug``, for
RenderDoc, Nsight and their like. Otherwise the extension is not even enabled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from krnlpy import config
from krnlpy.backend.interposition import Layer, Rank, put
from krnlpy.backend.labels import path

from .api import Api

if TYPE_CHECKING:
    from krnlpy.backend.protocol import Backend

EXTENSION = "VK_EXT_debug_utils"

_FUNCTIONS = ("vkSetDebugUtilsObjectNameEXT", "vkCmdBeginDebugUtilsLabelEXT", "vkCmdEndDebugUtilsLabelEXT")


def is_wanted() -> bool:
    """Whether an instance that is made now is to have the extension, where the loader offers it."""
    return config.validate or config.log == "debug"


class DebugLabels:
    """Gives names to what a device has, and does."""

    def __init__(self, api: Api, get: Any, device: Any) -> None:
        self._api = api
        self._device = device
        functions = api.functions(_FUNCTIONS, get, device)
        self._set_name = functions.vkSetDebugUtilsObjectNameEXT
        self._begin = functions.vkCmdBeginDebugUtilsLabelEXT
        self._end = functions.vkCmdEndDebugUtilsLabelEXT
        self._now = threading.local()

    def name_pipeline(self, pipeline: Any, name: str) -> None:
        """Names a pipeline after its kernel, for tools; it can do without."""
        api = self._api
        handle = int(api.ffi.cast("uint64_t", pipeline))
        info = api.struct(
            "VkDebugUtilsObjectNameInfoEXT",
            objectType=api.VK_OBJECT_TYPE_PIPELINE,
            objectHandle=handle,
            pObjectName=name,
        )
        self._set_name(self._device, info)

    @contextmanager
    def labelled(self, commands: Any, name: str) -> Iterator[None]:
        """Puts a label around the commands that are recorded within the block."""
        self._begin(commands, self._api.struct("VkDebugUtilsLabelEXT", pLabelName=name))
        yield
        self._end(commands)

    def around(self, dispatch: Callable[..., None]) -> Callable[..., None]:
        """A command with the label of the launch that records it around it."""

        def labelled(commands: Any, *arguments: Any) -> None:
            with self.labelled(commands, getattr(self._now, "label", "krnlpy")):
                dispatch(commands, *arguments)

        return labelled

    def follow(self, backend: Backend) -> None:
        """Labels each launch of a backend by its kernel, behind the labels around the call: ``step/forward/saxpy``."""

        def replace(_: str, launch: Callable[..., None]) -> Callable[..., None]:
            def followed(executable: Any, *arguments: Any) -> None:
                self._now.label = "/".join(filter(None, (path(backend), executable.name)))
                launch(executable, *arguments)

            return followed

        put(backend, Layer(Rank.LABELS, ("launch", "launch_indirect"), replace))
