"""Batches read and moved ahead of time by threads, in order; the threads end with the iteration."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any


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

    ahead: deque[Future[Any]] = deque()
    try:
        for step in plan:
            if readers is None:
                ahead.append(placer.submit(of_step, step))
            else:
                ahead.append(placer.submit(of_read, step, readers.submit(read, step)))
            if len(ahead) > prefetch:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:  # also where the loop over this was left, by Ctrl-C too
        executors = [executor for executor in (readers, placer) if executor is not None]
        for executor in executors:
            executor.shutdown(wait=False, cancel_futures=True)
        for executor in executors:  # what is being read is read to its end, so that data sets may be closed afterwards
            with suppress(RuntimeError):  # garbage may be collected by one of these threads, which can't await itself
                executor.shutdown()
