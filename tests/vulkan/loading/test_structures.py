"""What is handed to Vulkan: each structure says what it is, wherever it lies, and knows what may follow it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vulkan as package

from krnlpy import vulkan
from krnlpy.backend.protocol import BuildRequest
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.types.annotations import GlobalMut
from krnlpy.scalar import u32
from krnlpy.vulkan.loading.api import Api, Functions, load
from krnlpy.vulkan.loading.instance import Instance
from krnlpy.vulkan.pipelines.driver_defects import Defects
from tests.support.launching import lower

FOLDER = Path(vulkan.__file__).parent


def structure_type(type: str) -> int:
    """What the package ``vulkan`` has of Vulkan's registry."""
    return int(inspect.signature(getattr(package, type)).parameters["sType"].default)


def structures() -> list[str]:
    """All that krnlpy's text names."""
    names = {name for file in FOLDER.rglob("*.py") for name in re.findall(r'"(Vk\w+)(?: \*|\[)?', file.read_text())}
    ffi = load().ffi
    found = []
    for name in sorted(names):
        try:
            kind = ffi.typeof(name)
        except Exception:  # a part of a name
            continue
        if kind.kind == "struct" and kind.fields and kind.fields[0][0] == "sType":
            found.append(name)
    return found


@pytest.mark.parametrize("type", structures())
def test_structures_are_of_their_type(type: str) -> None:
    api = load()
    assert api.struct(type).sType == structure_type(type)
    array = api.new(f"{type}[]", 3)
    assert [array[i].sType for i in range(3)] == [structure_type(type)] * 3


def test_what_is_listed_is_of_its_type() -> None:
    api, type = load(), "VkCooperativeMatrixPropertiesKHR"
    seen: list[Any] = []

    def function(count: Any, items: Any) -> int:
        if items == api.ffi.NULL:
            count[0] = 3
        else:
            seen.extend(items[i].sType for i in range(count[0]))
        return 0

    assert len(api.enumerate(type, function)) == 3
    assert seen == [structure_type(type)] * 3


class Checker:
    """Stands before the functions of Vulkan and looks at the structures they are given."""

    def __init__(self, api: Api) -> None:
        self.ffi = api.ffi
        self.seen: set[str] = set()
        self.wrong: list[str] = []

    def wrapped(self, name: str, function: Any) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            for argument in arguments:
                if isinstance(argument, self.ffi.CData):
                    for structure in self.elements(argument):
                        self.check(name, structure)
            return function(*arguments)

        return call

    def elements(self, value: Any) -> Iterator[Any]:
        kind = self.ffi.typeof(value)
        if kind.kind not in ("pointer", "array") or value == self.ffi.NULL:
            return
        item = kind.item
        if item.cname.endswith("_T"):  # a handle: nobody knows what it points to
            return
        if item.kind == "struct" and item.fields and item.fields[0][0] == "sType":
            yield from (value[i] for i in range(len(value) if kind.kind == "array" else 1))

    def check(self, function: str, structure: Any) -> None:
        type = self.ffi.typeof(structure).cname.removeprefix("struct ")
        self.seen.add(type)
        if structure.sType != structure_type(type):
            self.wrong.append(f"{function}: {type}.sType is {structure.sType}")
        for name, _ in self.ffi.typeof(structure).fields:
            value = getattr(structure, name)
            if name != "pNext" and isinstance(value, self.ffi.CData):
                for inner in self.elements(value):
                    self.check(function, inner)
        following, length = structure.pNext, 0
        while following != self.ffi.NULL and length < 20:
            base = self.ffi.cast("VkBaseOutStructure *", following)
            if base.sType <= 1:  # an application's or instance's, which follow nothing
                self.wrong.append(f"{function}: what follows {type} has no sType")
            following, length = base.pNext, length + 1


def add_one(y: GlobalMut[u32]) -> None:
    y[0] += u32(1)


@pytest.mark.parametrize("index", range(len(vulkan.enumerate_devices()[0])))
def test_all_that_is_handed_over(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    checker = Checker(load())
    load_functions = Api.functions

    def functions(self: Api, names: Any, get: Any, handle: Any) -> Functions:
        found = load_functions(self, names, get, handle)
        for name, function in list(vars(found).items()):
            setattr(found, name, checker.wrapped(name, function))
        return found

    monkeypatch.setattr(Api, "functions", functions)
    instance = Instance()
    try:
        backend = vulkan.VulkanBackend(instance, instance.devices[index], Defects())
        program = lower(add_one, (1, 1, 1))
        executable = backend.build(BuildRequest(program, Variant(0, (True,)), {}, (1, 1, 1)))
        memory, other = backend.allocate(1 << 12), backend.allocate(1 << 12)
        backend.upload(memory, 0, np.zeros(1 << 12, np.uint8))
        binding = [(memory, 0, 4)]
        backend.launch(executable, (1, 1, 1), binding, executable_parameters())
        backend.copy(memory, 0, other, 0, 64)
        backend.fill(other, 64, 64, b"abcd")
        words = np.empty(4, np.uint8)
        backend.download(other, 0, words)
        assert words.tolist() == [1, 0, 0, 0]
        backend.memory_stats()
    finally:
        instance.close()
    assert checker.wrong == []
    assert {"VkDeviceCreateInfo", "VkWriteDescriptorSet", "VkSubmitInfo", "VkMemoryAllocateInfo"} <= checker.seen


def executable_parameters() -> bytes:
    return np.array([0, 1], "<u4").tobytes()
