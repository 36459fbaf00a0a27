"""Which devices can be used, and which of their queues: a real device, of which some answers are changed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from krnlpy import Feature
from krnlpy.vulkan.loading import description
from krnlpy.vulkan.loading.instance import instance

GRAPHICS, COMPUTE, TRANSFER = 1, 2, 4


class Answers:
    """The functions of the first device's instance, some of them replaced."""

    def __init__(self) -> None:
        found = instance()
        if not found.devices:
            pytest.skip("no Vulkan device")
        self.api, self.real = found.api, found.devices[0]
        self.functions: Any = SimpleNamespace(**vars(found.functions))

    def after(self, name: str, change: Callable[..., None]) -> None:
        """Lets a function answer, and then changes what it answered."""
        function = getattr(self.functions, name)

        def changed(*arguments: Any) -> Any:
            result = function(*arguments)
            change(*arguments)
            return result

        setattr(self.functions, name, changed)

    def describe(self) -> description.PhysicalDevice | str:
        return description.describe(self.api, self.functions, self.real.handle, 0)


@pytest.fixture
def answers() -> Answers:
    return Answers()


def test_nothing_changed(answers: Answers) -> None:
    described = answers.describe()
    assert isinstance(described, description.PhysicalDevice)
    assert described.info == answers.real.info and described.enabled == answers.real.enabled


def test_a_device_of_an_older_version(answers: Answers) -> None:
    def older(handle: Any, properties: Any) -> None:
        properties.apiVersion = (1 << 22) | (1 << 12) | 214

    answers.after("vkGetPhysicalDeviceProperties", older)
    assert answers.describe() == f"{answers.real.info.name}: supports Vulkan 1.1.214, needs 1.2"


def test_a_device_without_timeline_semaphores(answers: Answers) -> None:
    def without(handle: Any, features: Any) -> None:
        features11 = answers.api.ffi.cast("VkPhysicalDeviceVulkan11Features *", features.pNext)
        answers.api.ffi.cast("VkPhysicalDeviceVulkan12Features *", features11.pNext).timelineSemaphore = 0

    answers.after("vkGetPhysicalDeviceFeatures2", without)
    assert answers.describe() == f"{answers.real.info.name}: has no timeline semaphores"


@pytest.mark.parametrize("none", ["heap", "bytes"])
def test_a_device_without_memory_of_its_own(answers: Answers, none: str) -> None:
    """As the null devices of Mesa's RADV, which compile and run nothing."""

    def without(handle: Any, memory: Any) -> None:
        for i in range(memory.memoryHeapCount):
            if none == "heap":
                memory.memoryHeaps[i].flags = 0
            else:
                memory.memoryHeaps[i].size = 0

    answers.after("vkGetPhysicalDeviceMemoryProperties", without)
    assert answers.describe() == f"{answers.real.info.name}: has no memory of its own"


def test_only_what_the_device_has_is_enabled(answers: Answers) -> None:
    def without(handle: Any, features: Any) -> None:
        features.features.shaderInt64 = features.features.shaderFloat64 = 0
        features11 = answers.api.ffi.cast("VkPhysicalDeviceVulkan11Features *", features.pNext)
        features11.storageBuffer16BitAccess = 0

    answers.after("vkGetPhysicalDeviceFeatures2", without)
    described = answers.describe()
    assert isinstance(described, description.PhysicalDevice)
    lost = {Feature.INT64, Feature.FLOAT64, Feature.STORAGE16}
    assert described.info.features == answers.real.info.features - lost
    enabled = {name for names in described.enabled.values() for name in names}
    assert not enabled & {"shaderInt64", "shaderFloat64", "storageBuffer16BitAccess"}


@pytest.mark.parametrize(
    ("families", "chosen"),
    [
        ([GRAPHICS | COMPUTE | TRANSFER], 0),
        ([GRAPHICS | COMPUTE, TRANSFER, COMPUTE | TRANSFER], 2),  # beside what draws the screen
        ([TRANSFER, GRAPHICS | COMPUTE], 1),
        ([GRAPHICS, TRANSFER], None),
        ([], None),
    ],
)
def test_a_queue_for_compute_alone_comes_first(answers: Answers, families: list[int], chosen: int | None) -> None:
    def properties(handle: Any, count: Any, found: Any) -> None:
        count[0] = len(families)
        if found != answers.api.ffi.NULL:
            for i, flags in enumerate(families):
                found[i].queueFlags = flags

    answers.functions.vkGetPhysicalDeviceQueueFamilyProperties = properties
    described = answers.describe()
    if chosen is None:
        assert described == f"{answers.real.info.name}: has no queue for compute"
    else:
        assert isinstance(described, description.PhysicalDevice) and described.queue_family == chosen


def test_heaps_without_a_budget(answers: Answers) -> None:
    from krnlpy.vulkan.memory.heaps import heaps

    def none(handle: Any, layer: Any, count: Any, items: Any) -> int:
        count[0] = 0
        return 0

    answers.functions.vkEnumerateDeviceExtensionProperties = none
    found = heaps(answers.api, answers.functions, answers.real.handle)
    assert max(heap.nbytes for heap in found if heap.device_local) == answers.real.info.memory_bytes
    assert all(heap.budget is None and heap.used is None for heap in found)
