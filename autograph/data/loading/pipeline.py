"""Batches read and moved ahead of time by threads, in order; the threads end with the iteration."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

_PATIENCE = 1.0  # seconds


def in_order(
    plan: Iterable[Any], read: Callable[[Any], Any], place: Callable[[Any, Any], Any], *, workers: int, prefetch: int
) -> Iterator[Any]:
    """``place(step, read(step))`` of each step of a plan.

    Args:
        plan: the steps.
        read: runs in several threads at once if there is more than one worker.
        place: runs in one thread, in the order of the plan.
        workers: threads that read; without any, those that place also read.
        prefetch: steps that are begun before they are asked for; 0 uses no thread.
    """
    if not prefetch:
        for step in plan:
            yield place(step, read(step))
        return
    readers = ThreadPoolExecutor(workers, "autograph-reader") if workers else None
    placer = ThreadPoolExecutor(1, "autograph-placer")

    # Neither function may know this generator: it is closed when nobody looks at it any more, and threads look.
    def of_step(step: Any) -> Any:
        return place(step, read(step))

    def of_read(step: Any, batch: Future[Any]) -> Any:
        return place(step, batch.result())

    ahead: deque[tuple[Future[Any], ...]] = deque()  # of each step: its result, and what it was read by
    try:
        for step in plan:
            if readers is None:
                ahead.append((placer.submit(of_step, step),))
            else:
                reading = readers.submit(read, step)
                ahead.append((placer.submit(of_read, step, reading), reading))
            if len(ahead) > prefetch:
                yield _first(ahead)
        while ahead:
            yield _first(ahead)
    finally:  # also where the loop over this was left, by Ctrl-C too
        for executor in (readers, placer):
            if executor is not None:
                executor.shutdown(wait=False, cancel_futures=True)
        # Data sets may be closed afterwards: what is being read is awaited. Not for ever, since this also runs where
        # garbage is collected, which may be in one of these threads, or while a lock is held that they need.
        wait([future for step in ahead for future in step if future.running()], _PATIENCE)


def _first(ahead: deque[tuple[Future[Any], ...]]) -> Any:
    result = ahead[0][0].result()
    ahead.popleft()  # not before: what is waited for is known until then
    return result
