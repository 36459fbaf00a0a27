"""From GLSL to SPIR-V: the compiler in process, modules finished and checked, tools to read them."""
