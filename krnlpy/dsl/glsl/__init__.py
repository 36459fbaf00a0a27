"""From IR to GLSL, for Vulkan."""
