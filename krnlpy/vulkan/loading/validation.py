"""The validation layer (``krnlpy.config.validate``): turned on with an instance, its messages kept for tests."""

from __future__ import annotations

from typing import Any

from krnlpy.errors import DeviceUnavailable

from .api import Api

LAYER = "VK_LAYER_KHRONOS_validation"
_messages: list[str] = []


def take_validation_messages() -> list[str]:
    """The warnings and errors of the validation layer since the last call."""
    taken = _messages[:]
    del _messages[: len(taken)]
    return taken


class Validation:
    """What an instance needs to be validated, and the messenger that collects the messages.

    Raises:
        DeviceUnavailable: the layer is not installed.
    """

    def __init__(self, api: Api, layers: set[str]) -> None:
        if LAYER not in layers:
            raise DeviceUnavailable(
                f"validation is asked for (KRNLPY_VALIDATE), but {LAYER} is not installed; "
                "Debian and Ubuntu: `apt install vulkan-validationlayers`"
            )
        self._api = api
        # Vulkan calls this for as long as the instance lives, so it is kept.
        self._callback = api.ffi.callback("PFN_vkDebugUtilsMessengerCallbackEXT", self._collect)
        self._instance: Any = None
        self._messenger: Any = None
        self.messenger_info = api.struct(
            "VkDebugUtilsMessengerCreateInfoEXT",
            messageSeverity=api.VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT
            | api.VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
            messageType=api.VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
            pfnUserCallback=self._callback,
        )
        self.features = api.struct(
            "VkValidationFeaturesEXT",
            pNext=self.messenger_info,  # for messages about the instance itself
            enabledValidationFeatureCount=1,
            pEnabledValidationFeatures=[api.VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT],
        )

    def _collect(self, severity: int, types: int, data: Any, user: Any) -> int:
        name = self._api.text(data.pMessageIdName) if data.pMessageIdName != self._api.ffi.NULL else "message"
        _messages.append(f"{name}: {self._api.text(data.pMessage)}")
        return 0

    def start(self, instance: Any) -> None:
        """Collects the messages of an instance."""
        self._instance = instance
        functions = self._api.functions(
            ("vkCreateDebugUtilsMessengerEXT", "vkDestroyDebugUtilsMessengerEXT"),
            self._api.lib.vkGetInstanceProcAddr,
            instance,
        )
        self._destroy = functions.vkDestroyDebugUtilsMessengerEXT
        messenger = self._api.new("VkDebugUtilsMessengerEXT *")
        null = self._api.ffi.NULL
        result = functions.vkCreateDebugUtilsMessengerEXT(instance, self.messenger_info, null, messenger)
        self._api.check(result, "start validation")
        self._messenger = messenger[0]

    def stop(self) -> None:
        """Before the instance is destroyed."""
        if self._messenger is not None:
            self._destroy(self._instance, self._messenger, self._api.ffi.NULL)
            self._messenger = None
