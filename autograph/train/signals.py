"""Ctrl-C and SIGTERM, noted until what is being done is done."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """While it is entered, the first Ctrl-C or SIGTERM is noted; a second one does what it does elsewhere.

    Python handles signals in the main thread alone: in others, nothing changes. What the program ignores is ignored.

    Attributes:
        signal: the one that came, or None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for one in _SIGNALS:
                handler = signal.getsignal(one)
                if handler is not None and handler is not signal.SIG_IGN:  # None: not of Python's
                    self._before[one] = handler
                    signal.signal(one, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = signal.Signals(number)
        else:
            self.__exit__(None, None, None)
            signal.raise_signal(number)

    def obey(self) -> None:
        """Does what the signal asks, after leaving: KeyboardInterrupt, the end of the process, or the program's own."""
        if self.signal is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            signal.raise_signal(self.signal)
