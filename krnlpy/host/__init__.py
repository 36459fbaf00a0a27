"""The host backend: kernels as LLVM's machine code, on all cores of the CPU."""

from .backend import HostBackend, open_host

__all__ = ["HostBackend", "open_host"]
