"""Every exception that krnlpy raises for a user's mistake or a device's trouble."""

from __future__ import annotations

from krnlpy.sources import line_of


class KrnlpyError(Exception):
    """Base of all krnlpy errors."""


class DeviceError(KrnlpyError):
    """Base of what a device can do wrong."""


class DeviceUnavailable(DeviceError):
    """No such device can be used: no Vulkan loader, no driver, or nothing that matches what was asked for."""


class DeviceLost(DeviceError):
    """The device stopped answering; its buffers are gone. A new ``Device`` may be opened."""


class DeviceBusy(DeviceError):
    """What a signal handler or a finalizer asked for can't be done within the call that it interrupted, and was not
    begun: a profile or graph was beginning or ending, or another handler was using the device."""


class OutOfMemory(DeviceError, MemoryError):
    """The device, or the host, has no memory left for an allocation."""


class MissingFeatures(DeviceError):
    """A kernel needs features that the device does not have."""


class DriverDefect(DeviceError):
    """A driver computes a kernel wrongly, and there is no way round it; the message says what to install."""


class LimitExceeded(DeviceError, ValueError):
    """A size is beyond a limit of the device."""


class ShapeError(KrnlpyError, ValueError):
    """Shapes or lengths do not fit each other, or an index or slice does not fit a shape."""


class UnsizedError(ShapeError, TypeError):
    """``len()`` of a buffer or tensor that has no axes; a TypeError, as NumPy's is."""

    def __init__(self, message: str = "len() of an array of shape (): it has no axes; .size counts elements") -> None:
        super().__init__(message)


class SharingError(KrnlpyError, ValueError, BufferError):
    """Memory can't be shared with an array or another library, and a copy was not allowed."""


class DtypeError(KrnlpyError, TypeError):
    """A scalar type is not one of the 13, or not the one expected."""


class FileError(KrnlpyError, OSError):
    """A file can't be read or written, or is not a plain file. The system's own error is its ``__cause__``."""


class FileMissing(FileError, FileNotFoundError):
    """A file, or the folder it is to be in, is not there."""


class ConfigError(KrnlpyError, ValueError):
    """An environment variable has a value that it can't have."""


class LaunchError(KrnlpyError, TypeError):
    """A kernel was called with arguments or a geometry that do not fit its parameters."""


class ProfileError(KrnlpyError, RuntimeError):
    """A profile is entered twice, or read before it began; or a label is not text."""


class TuningError(KrnlpyError):
    """The configurations of a tuned kernel disagree, or a file of choices can't be used."""


class BenchmarkError(KrnlpyError, ValueError):
    """Benchmarks can't be run or compared as asked for: no such benchmark, or figures that do not mean the same."""


class CaptureError(KrnlpyError, RuntimeError):
    """Something can't be captured in a graph, or a graph can't do now what it is asked for."""


class InspectionError(KrnlpyError, ValueError):
    """A kernel can't be shown as asked for: no such module, kernel, stage, type or specialization constant."""


class SourceError(KrnlpyError):
    """Base of the errors that point at a place in a kernel's source.

    Attributes:
        message: what is wrong, what was expected and what to do.
        file: the source file.
        line: its line, from 1.
        column: the first column, from 0; ``end_column`` is past the last, or None.
    """

    def __init__(
        self, message: str, file: str, line: int, column: int | None = None, end_column: int | None = None
    ) -> None:
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.end_column = end_column
        super().__init__(message, file, line, column, end_column)

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}: {self.message}"
        excerpt = line_of(self.file, self.line)
        if not excerpt:
            return text
        # Columns of Python's ast count UTF-8 bytes; the caret counts characters.
        raw = excerpt.encode()
        column = len(raw[: self.column or 0].decode(errors="ignore"))
        end = len(raw[: self.end_column].decode(errors="ignore")) if self.end_column is not None else column + 1
        text += f"\n    {excerpt}"
        if self.column is not None:
            # Tabs stay tabs, so that the caret stands under what it means.
            margin = "".join(c if c == "\t" else " " for c in excerpt[:column])
            text += f"\n    {margin}{'^' * max(1, min(end, len(excerpt)) - column)}"
        return text


class KernelError(SourceError):
    """Base of the errors in kernels: a kernel is not valid, or did what it must not do."""


class KernelSyntaxError(KernelError):
    """A statement or expression that kernels do not have."""


class KernelNameError(KernelError):
    """A name that is not defined, or not on every path."""


class KernelTypeError(KernelError):
    """Types that do not fit each other."""


class KernelAssertionError(KernelError, AssertionError):
    """An ``assert`` of a kernel failed, seen in debug mode or in the interpreter."""


class KernelUninitializedError(KernelError):
    """A kernel read memory that nothing was ever written to, seen in the interpreter."""


class KernelRaceError(KernelError):
    """Two threads touched the same memory in no order, one of them to write, seen in the interpreter."""


class KernelOverflowError(KernelError, OverflowError):
    """A whole number did not fit its type, seen in the interpreter with ``KRNLPY_CHECK_OVERFLOW=1``."""


class KernelIndexError(SourceError, IndexError):
    """An index out of range, seen while the kernel ran in debug mode or in the interpreter."""


class CompileError(KrnlpyError):
    """A code generator or compiler refused what the frontend accepted, or cannot be used."""


class CompilerUnavailable(CompileError):
    """There is no GLSL compiler, or it cannot be run; the message says what to install."""


class InternalCompilerError(CompileError):
    """A kernel could not be compiled, and it is krnlpy's fault; the message says how to report it."""


class InvalidProgram(CompileError, SourceError):
    """The compiler made a program that breaks a rule of its own, seen in debug mode: the cause of an
    InternalCompilerError."""
