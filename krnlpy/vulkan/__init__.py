"""The Vulkan backend: every GPU with Vulkan 1.2, and the drivers that run on the CPU."""

from .backend import open_device
from .instance import enumerate_devices, explain_unavailable, loader_version, take_validation_messages

__all__ = ["enumerate_devices", "explain_unavailable", "loader_version", "open_device", "take_validation_messages"]
