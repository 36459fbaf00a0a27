"""One suite for all targets: each test runs on every backend there is."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator

import pytest

from krnlpy.backend import Backend
from krnlpy.interpreter import open_interpreter

from .launcher import Launcher


def _openers() -> Iterator[tuple[str, Callable[[], Backend]]]:
    yield "interpreter", open_interpreter
    try:
        host = importlib.import_module("krnlpy.host")
    except ModuleNotFoundError:
        pass
    else:
        yield "host", host.open_host
    try:
        vulkan = importlib.import_module("krnlpy.vulkan")
    except ModuleNotFoundError:
        return
    for index, info in enumerate(vulkan.enumerate_devices()[0]):
        yield f"{index}-{info.name.split()[0]}", lambda index=index: vulkan.open_device(index)


_OPENERS = dict(_openers())


@pytest.fixture(scope="session", params=list(_OPENERS))
def launch(request: pytest.FixtureRequest) -> Iterator[Launcher]:
    """Launches kernels on one of the devices."""
    backend = _OPENERS[request.param]()
    yield Launcher(backend)
    backend.wait()
