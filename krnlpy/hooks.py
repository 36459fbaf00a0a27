"""Functions that are called when a kernel is compiled or launched: for profilers, progress displays and tests.

>>> from krnlpy import Buffer, ItemMut, f32, hooks, kernel
>>> @kernel
... def double(x: ItemMut[f32]):
...     x *= 2.0
>>> x = Buffer.ones(3)
>>> with hooks.on_launch(lambda launch: print("launched", launch.kernel, "on", launch.device)):
...     double(x)
launched double on Device.host()

A launch does not pay for hooks while there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from .errors import LaunchError
from .kernels.configuration import Configuration, Geometry
from .kernels.definition import compile_hooks, launch_hooks
from .kernels.events import Compilation, Launch

__all__ = ["Compilation", "Configuration", "Geometry", "Hook", "Launch", "on_compile", "on_launch"]


class Hook:
    """A function that is called at each event, until :meth:`remove` or the end of a ``with`` block.

    >>> from krnlpy import hooks
    >>> hook = hooks.on_compile(print)
    >>> hook.remove()
    """

    def __init__(self, callback: Callable[[Any], None], hooks: list[Any]) -> None:
        if not callable(callback):
            raise LaunchError(f"a hook of a {type(callback).__name__}: expected a function of one argument")
        self.callback = callback
        self._hooks = hooks
        hooks.append(self)

    def remove(self) -> None:
        """Ends the calls. Does nothing the second time.

        >>> from krnlpy import hooks
        >>> hook = hooks.on_launch(print)
        >>> hook.remove()
        >>> hook.remove()
        """
        if self in self._hooks:
            self._hooks.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def on_compile(callback: Callable[[Compilation], None]) -> Hook:
    """Calls a function after each kernel that was built for a device, by the thread that needed it.

    Args:
        callback: takes a :class:`Compilation`. What it raises, the launch raises that needed the kernel.

    Raises:
        LaunchError: ``callback`` can't be called.

    >>> from krnlpy import Buffer, ItemMut, f32, hooks, kernel
    >>> @kernel
    ... def double(x: ItemMut[f32]):
    ...     x *= 2.0
    >>> seen = []
    >>> with hooks.on_compile(seen.append):
    ...     for _ in range(3):
    ...         double(Buffer.ones(3))
    >>> [(event.kernel, event.device, event.seconds > 0) for event in seen]
    [('double', Device.host(), True)]
    """
    return Hook(callback, compile_hooks)


def on_launch(callback: Callable[[Launch], None]) -> Hook:
    """Calls a function after each call of a kernel that was queued, by the thread that called it.

    Kernels that krnlpy and autograph launch themselves are among them. Replays of graphs are not, as their kernels were
    called when the graph was captured; nor is what ``@autotune`` launches to measure. A profile shows both.

    Args:
        callback: takes a :class:`Launch`. What it raises, the call of the kernel raises, which is queued nonetheless.

    Raises:
        LaunchError: ``callback`` can't be called.

    >>> from krnlpy import Buffer, Item, ItemMut, f32, hooks, kernel
    >>> @kernel
    ... def add(x: Item[f32], y: ItemMut[f32]):
    ...     y += x
    >>> seen = []
    >>> with hooks.on_launch(seen.append):
    ...     add.with_threads(64)(Buffer.ones(3), Buffer.ones(3))
    >>> seen[0].kernel, seen[0].configuration.threads, seen[0].geometry.groups
    ('add', (64, 1, 1), None)
    """
    return Hook(callback, launch_hooks)
