"""A drawn kernel with a launch, as a file that can be read, kept and run again."""

from __future__ import annotations

import linecache
import pprint
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from krnlpy import Buffer, Device, Kernel
from krnlpy.scalar import scalar_type

from .data import values

FILE = "<fuzz>"
"""What the source is called in messages."""
NAME = "a_drawn_program"
OWNER = "Owner"
"""The class whose method the kernel is, where it is one."""

HEADER = """\
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from krnlpy import *
from krnlpy.dsl import *

INF, NAN = math.inf, math.nan
"""


Loaded = Any
"""A kernel, or a class with the method ``kernel``."""


@dataclass(frozen=True)
class Data:
    """What a buffer is made from: ``values(type, shape, seed)``, seen through views.

    Attributes:
        views: names of methods of :class:`Buffer` with their arguments; ``index`` takes (start, stop, step) triples.
        tolerance: how far results may lie from the judge's: 0 means equal bits.
    """

    type: str
    shape: tuple[int, ...]
    seed: int
    views: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    special: bool = False
    tolerance: float = 0.0

    def plain(self) -> dict[str, Any]:
        """The attributes that differ from what they are unless told."""
        usual = vars(Data("", (), 0))
        return {name: value for name, value in vars(self).items() if value != usual[name]}

    def array(self) -> np.ndarray[Any, Any]:
        return values(scalar_type(self.type), self.shape, self.seed, self.special)

    def view(self, buffer: Buffer) -> Buffer:
        for method, arguments in self.views:
            if method == "index":
                buffer = buffer[tuple(slice(*a) for a in arguments)]
            else:
                buffer = getattr(buffer, method)(*arguments)
        return buffer


@dataclass(frozen=True)
class Case:
    """A program and a launch of it.

    Attributes:
        source: text of a module that defines ``kernel``; :data:`HEADER` comes before it.
        arguments: by name: buffers and numbers (those of NumPy as ``("f32", 1.5)``).
        demands: what of a device it takes to give the judge's bits; see :func:`.run.abilities`.
        owned: the arguments that are attributes of the object whose method the kernel is.
    """

    source: str
    arguments: dict[str, Data | Any]
    specs: dict[str, Any] = field(default_factory=dict)
    threads: tuple[int, ...] | None = None
    groups: tuple[int, ...] | None = None
    debug: bool = False
    demands: tuple[str, ...] = ()
    seed: int = 0
    owned: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The module, with the launch at its end: what :meth:`read` reads."""
        launch = {name: value for name, value in vars(self).items() if name != "source"}
        launch["arguments"] = {k: v.plain() if isinstance(v, Data) else v for k, v in self.arguments.items()}
        shown = pprint.pformat(launch, width=116, compact=True, sort_dicts=False)
        return f"{HEADER}\n\n{self.source}\n\ninf, nan = INF, NAN\nLAUNCH = {shown}\n"

    @classmethod
    def read(cls, path: Path) -> Case:
        """A case that was written to a file."""
        text, _, launch = path.read_text().partition("\n\ninf, nan = INF, NAN\nLAUNCH = ")
        read = eval(launch, {"inf": np.inf, "nan": np.nan})  # our own file, whose kernel is executed anyway
        read["arguments"] = {k: Data(**v) if isinstance(v, dict) else v for k, v in read["arguments"].items()}
        return cls(text.removeprefix(HEADER).strip("\n"), **read)

    def with_source(self, source: str) -> Case:
        return replace(self, source=source)

    def load(self) -> Loaded:
        """The kernel, or the class whose method it is, as if its file were imported."""
        text = f"{HEADER}\n\n{self.source}\n"
        linecache.cache[FILE] = (len(text), None, text.splitlines(keepends=True), FILE)
        module = sys.modules[NAME] = ModuleType(NAME)  # where dataclasses look
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            exec(compile(text, FILE, "exec", dont_inherit=True), vars(module))
        result = module.Owner if self.owned else module.kernel
        assert isinstance(result, type if self.owned else Kernel)
        return result

    def launch(self, loaded: Loaded, buffers: dict[str, Buffer]) -> None:
        """Launches what was loaded on whole buffers."""
        arguments = self.bound(buffers)
        if isinstance(loaded, type):
            loaded = loaded(**{name: arguments.pop(name) for name in self.owned}).kernel
        self.launcher(loaded)(**arguments)

    def launcher(self, kernel: Kernel) -> Kernel:
        """The kernel with the geometry and the specs of this launch."""
        if self.threads is not None:
            kernel = kernel.with_threads(*self.threads)
        if self.groups is not None:
            kernel = kernel.with_groups(*self.groups)
        return kernel.specialize(**{k: number(v) for k, v in self.specs.items()}) if self.specs else kernel

    def buffers(self, device: Device) -> dict[str, Buffer]:
        """The whole buffers, before they are seen through views."""
        return {k: Buffer.from_numpy(v.array(), device) for k, v in self.arguments.items() if isinstance(v, Data)}

    def bound(self, buffers: dict[str, Buffer]) -> dict[str, Any]:
        """The arguments of the launch."""
        return {k: v.view(buffers[k]) if isinstance(v, Data) else number(v) for k, v in self.arguments.items()}


def number(value: Any) -> Any:
    """A number of a launch."""
    if isinstance(value, Sequence) and len(value) == 2 and isinstance(value[0], str):
        return scalar_type(value[0]).dtype.type(value[1])
    return value
