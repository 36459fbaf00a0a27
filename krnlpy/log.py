"""What krnlpy writes to Python's ``logging``, under the logger ``krnlpy``.

``KRNLPY_LOG`` sets the level and writes to standard error, unless the program handles logs itself: then its own
handlers get them. Without it nothing is configured, and nothing is written. The root logger is left alone.
"""

from __future__ import annotations

import logging

from . import config

logger = logging.getLogger("krnlpy")


class _Fallback(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error where the program has no handlers of its own."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            super().emit(record)


def start() -> None:
    """Gives the logger its handler and level. Called once, when this module is imported."""
    if not config.log:
        logger.addHandler(logging.NullHandler())
        return
    handler = _Fallback()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(config.log.upper())


start()
