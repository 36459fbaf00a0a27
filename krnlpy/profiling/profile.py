"""What a device did, and how long each piece took: ``with device.profile() as p:``.

While a device is profiled, the methods of its backend that queue work are replaced by others that measure; when it is
not, nothing is asked and nothing costs.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Literal, NamedTuple, Self

from krnlpy import files
from krnlpy.backend import interposition, labels
from krnlpy.backend.commands import perform
from krnlpy.backend.interposition import Layer, Rank
from krnlpy.backend.protocol import Backend, Binding
from krnlpy.backend.roofline import rooflines
from krnlpy.backend.timing import Clock, Span
from krnlpy.columns import as_html
from krnlpy.device_info import DeviceInfo
from krnlpy.errors import DeviceError, ProfileError
from krnlpy.locks import renew_after_fork

from . import report

Kind = Literal["kernel", "copy", "fill", "upload", "download"]


@dataclass(frozen=True, slots=True)
class Record:
    """Something that a device did.

    Attributes:
        kind: ``kernel``, ``copy`` (within the device), ``fill``, ``upload`` or ``download``.
        name: the kernel's, with its types where it has type variables: ``axpy_f32``; else the kind.
        label: the labels around the call: ``"step/forward"``, or "".
        begin: seconds since the profile began.
        seconds: that it took.
        groups: of a kernel, along x, y and z; None for others, and where only the device knows them
            (``with_groups_from``). ``threads``: of a group; None for what is no kernel.
        bytes_read: of the buffers that a kernel may read: the ranges that it was given, each counted once, however
            often or rarely it is read. ``bytes_written``: of those that it may write.
        thread: the thread that called.

    >>> from krnlpy import Buffer, Device
    >>> with Device.host().profile() as p:
    ...     x = Buffer.ones(1000).copy()
    >>> [(record.kind, record.bytes_read, record.bytes_written) for record in p.records]
    [('fill', 0, 4000), ('copy', 4000, 4000)]
    """

    kind: Kind
    name: str
    label: str
    begin: float
    seconds: float
    groups: tuple[int, int, int] | None
    threads: tuple[int, int, int] | None
    bytes_read: int
    bytes_written: int
    thread: str

    @property
    def bandwidth(self) -> float:
        """Bytes read and written, per second; 0 where the time is too short to be seen."""
        return (self.bytes_read + self.bytes_written) / self.seconds if self.seconds else 0.0


class Profile:
    """What a device did while the profile was open, whichever thread asked for it. Made by :meth:`Device.profile`.

    Open profiles of one device see the same work, each from when it began: they may be nested, or open in several
    threads. An exception that ends the block leaves what was recorded before.

    On Vulkan, times are the device's own, from timestamps before and after each piece of work, which is set apart by
    barriers: what would overlap does not while it is measured. Where the host did the work (uploads into memory that it
    shares, the host backend, the interpreter), or the device writes no timestamps (``clock`` is then ``"host"``), it is
    the host's time with the wait for the work.

    >>> from krnlpy import Buffer, Device, ItemMut, f32, kernel
    >>> @kernel
    ... def double(x: ItemMut[f32]):
    ...     x *= 2.0
    >>> device = Device.host()
    >>> x = Buffer.ones(1000, f32, device)
    >>> with device.profile() as p:
    ...     double(x)
    >>> [(record.name, record.groups, record.bytes_read, record.bytes_written) for record in p.records]
    [('double', (4, 1, 1), 4000, 4000)]
    """

    def __init__(self, backend: Backend) -> None:
        if not isinstance(getattr(backend, "info", None), DeviceInfo):
            raise ProfileError(f"a profile of a {type(backend).__name__}: device.profile() makes one")
        # For Device.profile.
        self._backend = backend
        self._session: _Session | None = None
        self._began = 0
        self._first = self._first_range = 0
        self._records: tuple[Record, ...] | None = None
        self._ranges: tuple[labels.LabelRange, ...] = ()
        self._clock: Clock = "host"

    def __enter__(self) -> Self:
        if self._session is not None or self._records is not None:
            raise ProfileError("a profile is entered once; device.profile() makes another")
        session = self._session = _enter(self._backend)
        self._clock = session.timer.clock
        self._first, self._first_range = len(session.entries), len(session.ranges)
        self._began = perf_counter_ns()
        return self

    def __exit__(self, exception: type[BaseException] | None, *_: object) -> None:
        session = self._session
        assert session is not None  # Python calls this after __enter__ only
        try:
            session.timer.finish()
        except DeviceError:
            if exception is None:  # else it is the reason of it
                raise
        finally:
            self._records, self._ranges = self._seen(session)
            self._session = None
            _leave(session)

    def _seen(self, session: _Session) -> tuple[tuple[Record, ...], tuple[labels.LabelRange, ...]]:
        entries = [entry for entry in session.entries[self._first :] if entry.span.is_measured]
        entries.sort(key=lambda entry: entry.span.begin)
        records = [
            Record(
                entry.kind,
                entry.name,
                entry.label,
                (entry.span.begin - self._began) / 1e9,
                entry.span.seconds,
                *entry.rest,
            )
            for entry in entries
        ]
        ranges = session.ranges[self._first_range :]
        return tuple(records), tuple(
            found._replace(begin=found.begin - self._began, end=found.end - self._began) for found in ranges
        )

    def _ended(self) -> tuple[Record, ...]:
        if self._session is not None:
            self._session.timer.finish()
            self._records, self._ranges = self._seen(self._session)
        if self._records is None:
            raise ProfileError("the profile has not begun: `with device.profile() as p:`")
        return self._records

    @property
    def records(self) -> tuple[Record, ...]:
        """What was done, in the order in which it was begun. While the profile is open this waits for the device, and
        gives what was queued so far."""
        return self._ended()

    @property
    def info(self) -> DeviceInfo:
        """The device that is profiled."""
        return self._backend.info

    @property
    def clock(self) -> Clock:
        """Whose time it is: ``"device"`` for timestamps, else ``"host"``."""
        return self._clock

    @property
    def seconds(self) -> float:
        """What all records took together."""
        return sum(record.seconds for record in self.records)

    def summary(self, by: Literal["name", "label"] = "name") -> list[report.Row]:
        """The records gathered by the name of what was done, or by label; what took longest comes first. Once
        :meth:`Device.roofline` was asked for, each bandwidth is also a share of that of the device's own copies.

        Raises:
            ProfileError: ``by`` is neither, or the profile has not begun. DeviceLost: the device stopped answering.

        >>> from krnlpy import Buffer, Device
        >>> with Device.host().profile() as p:
        ...     x, y = Buffer.ones(1000), Buffer.ones(1000)
        >>> [(row.name, row.calls, row.share) for row in p.summary()]
        [('fill', 2, 1.0)]
        """
        return report.summarize(self.records, by, rooflines.get(self._backend))

    def table(self, by: Literal["name", "label"] = "name") -> str:
        """:meth:`summary` as text.

        Raises:
            ProfileError, DeviceLost: as :meth:`summary`.

        >>> from krnlpy import Buffer, Device
        >>> with Device.host().profile() as p:
        ...     x = Buffer.ones(1000)
        >>> p.table().splitlines()[1].split()[:3]
        ['calls', 'total', 'ms']
        """
        return report.table(self.summary(by), self._device, self.clock)

    def __str__(self) -> str:
        return self.table()

    @property
    def _device(self) -> str:
        return f"{self.info.name}, {self.info.driver}"

    def _repr_html_(self) -> str:
        """What notebooks show: the table of a profile that has ended."""
        if self._session is not None or self._records is None:
            return as_html(repr(self))
        return report.html(self.summary(), self._device, self.clock)

    def __repr__(self) -> str:
        about = f"profile of {self._device}"
        if self._session is not None:
            return f"<{about}: open>"  # what was measured is not known before the device was waited for
        if self._records is None:
            return f"<{about}: not begun>"
        return f"<{about}: {len(self._records)} records, {1e3 * self.seconds:.4g} ms by the {self.clock}'s clock>"

    def to_json(self, path: str | Path) -> None:
        """Writes the device, the clock, and all records with times in seconds, as JSON. The file is complete or not
        there.

        Raises:
            FileError: it can't be written; a file that was there before is unchanged.
            ProfileError: the profile has not begun. DeviceLost: the device stopped answering.

        >>> import json
        >>> from pathlib import Path
        >>> from krnlpy import Buffer, Device
        >>> with Device.host().profile() as p:
        ...     x = Buffer.ones(1000)
        >>> p.to_json("profile.json")
        >>> [record["kind"] for record in json.loads(Path("profile.json").read_text())["records"]]
        ['fill']
        """
        files.write(path, json.dumps(report.as_json(self.info, self.clock, self.records)).encode())

    def to_chrome_trace(self, path: str | Path) -> None:
        """Writes the records and labels for https://ui.perfetto.dev, or ``chrome://tracing``. The file is complete or
        not there.

        Raises:
            FileError: it can't be written; a file that was there before is unchanged.
            ProfileError: the profile has not begun. DeviceLost: the device stopped answering.

        >>> from krnlpy import Buffer, Device
        >>> with Device.host().profile() as p:
        ...     x = Buffer.ones(1000)
        >>> p.to_chrome_trace("trace.json")
        """
        records = self.records
        trace = report.as_chrome_trace(self.info, self.clock, records, self._ranges)
        files.write(path, json.dumps(trace).encode())


class _Entry(NamedTuple):
    span: Span
    kind: Kind
    name: str
    label: str
    rest: tuple[Any, ...]


_MEASURED = ("launch", "launch_indirect", "copy", "fill", "upload", "download", "replay")


class _Session:
    """The profiling of a backend, which all its open profiles share."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.timer = backend.timer()
        self.entries: list[_Entry] = []
        self.ranges: list[labels.LabelRange] = []
        self.users = 0
        self._inside = threading.local()

    def start(self) -> None:
        """Puts methods that measure in the place of the backend's."""
        interposition.put(
            self.backend,
            Layer(Rank.PROFILE, _MEASURED, lambda name, method: partial(getattr(self, f"_{name}"), method)),
        )
        labels.listeners[self.backend] = self.ranges.append

    def stop(self) -> None:
        """Puts the backend's own methods back."""
        interposition.remove(self.backend, Rank.PROFILE)
        del labels.listeners[self.backend]
        self.timer.close()

    def _note(
        self,
        kind: Kind,
        name: str,
        work: Callable[[], None],
        read: int,
        written: int,
        groups: tuple[int, int, int] | None = None,
        threads: tuple[int, int, int] | None = None,
    ) -> None:
        if getattr(self._inside, "work", False):  # a backend may use its own methods: a launch takes its report back
            work()
            return
        self._inside.work = True
        try:
            span = self.timer.time(work)
        finally:
            self._inside.work = False
        rest = (groups, threads, read, written, threading.current_thread().name)
        self.entries.append(_Entry(span, kind, name, labels.path(self.backend), rest))

    def _launch(
        self,
        original: Callable[..., None],
        executable: Any,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> None:
        work = partial(original, executable, groups, bindings, parameters)
        self._note("kernel", executable.name, work, *_bytes(executable, bindings), groups, executable.threads)

    def _launch_indirect(
        self,
        original: Callable[..., None],
        executable: Any,
        counts: Binding,
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> None:
        work = partial(original, executable, counts, bindings, parameters)
        self._note("kernel", executable.name, work, *_bytes(executable, bindings), None, executable.threads)

    def _copy(
        self, original: Callable[..., None], source: Any, source_offset: int, to: Any, to_offset: int, nbytes: int
    ) -> None:
        self._note("copy", "copy", partial(original, source, source_offset, to, to_offset, nbytes), nbytes, nbytes)

    def _fill(self, original: Callable[..., None], memory: Any, offset: int, nbytes: int, pattern: bytes) -> None:
        self._note("fill", "fill", partial(original, memory, offset, nbytes, pattern), 0, nbytes)

    def _upload(self, original: Callable[..., None], memory: Any, offset: int, data: Any) -> None:
        self._note("upload", "upload", partial(original, memory, offset, data), 0, data.nbytes)

    def _download(self, original: Callable[..., None], memory: Any, offset: int, out: Any) -> None:
        self.backend.wait()  # a download waits; that is not part of its time
        self._note("download", "download", partial(original, memory, offset, out), out.nbytes, 0)

    def _replay(self, original: Callable[..., None], recording: Any) -> None:
        with labels.label(self.backend, "graph"):
            perform(self.backend, recording.commands)


def _bytes(executable: Any, bindings: Sequence[Binding]) -> tuple[int, int]:
    """What a launch may read, and what it may write."""
    read = written = 0
    for (_, first, end), (reads, writes) in zip(bindings, executable.accesses, strict=True):
        read += (end - first) * reads
        written += (end - first) * writes
    return read, written


_sessions: dict[Backend, _Session] = {}
_lock = threading.RLock()
renew_after_fork(__name__, "_lock")


def _enter(backend: Backend) -> _Session:
    interposition.refuse_within(_lock)
    with _lock:
        session = _sessions.get(backend)
        if session is None:
            session = _Session(backend)
            session.start()
            _sessions[backend] = session
        session.users += 1
        return session


def _leave(session: _Session) -> None:
    with _lock:
        session.users -= 1
        if not session.users:
            del _sessions[session.backend]
            session.stop()
