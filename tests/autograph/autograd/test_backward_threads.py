"""Backward passes in several threads: no gradient is lost, and a graph is used once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from autograph import Parameter, Tensor
from autograph.autograd import differentiable
from autograph.errors import AutographError
from krnlpy import Device, f32
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

pytestmark = one_vulkan_device


@pytest.fixture
def short_turns() -> Any:
    """Threads change places as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def opened(device: Device, value: float = 1.0) -> Parameter:
    result = Parameter(Tensor.full((), value, f32, device))
    result.init_grad()
    return result


def test_gradients_of_all_threads_add_up(device: Device, short_turns: Any) -> None:
    p, passes, count = opened(device), 8, 4
    ready = threading.Barrier(count)

    def run(factor: Any) -> None:
        losses = [p * factor for _ in range(passes)]
        ready.wait()
        for loss in losses:
            loss.backward()

    for _ in range(5):
        p.init_grad()
        threads = [threading.Thread(target=run, args=(2**i,)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert present(p.grad).item() == passes * (2**count - 1)  # whole numbers: exact in any order


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that starts another in a thread of its own, and holds that up where it adds its first tensors; what it
    gives lets the thread go on and waits for its end."""
    add = Tensor.__add__

    def start(function: Callable[..., Any]) -> Any:
        reached, go_on = threading.Event(), threading.Event()

        def added(self: Any, other: Any) -> Any:
            if threading.current_thread() is thread and not reached.is_set():
                reached.set()
                assert go_on.wait(60)
            return add(self, other)

        monkeypatch.setattr(Tensor, "__add__", added)
        thread = threading.Thread(target=function)
        thread.start()
        assert reached.wait(60)

        def end() -> None:
            go_on.set()
            thread.join()

        return end

    return start


def test_what_comes_while_a_sum_is_computed_is_not_lost(device: Device, held_up: Any) -> None:
    p = opened(device)
    (p * 1).backward()
    end = held_up(lambda: (p * 2).backward())
    (p * 4).backward()
    end()
    assert present(p.grad).item() == 7


def test_a_slot_that_is_emptied_meanwhile_is_empty(device: Device, held_up: Any) -> None:
    p = opened(device)
    (p * 1).backward()
    end = held_up(lambda: (p * 2).backward())
    p.init_grad()
    end()
    assert present(p.grad).item() == 2


def test_two_threads_do_not_run_through_one_graph(device: Device) -> None:
    p = opened(device)
    reached, go_on = threading.Event(), threading.Event()

    def waits(gradient: Tensor) -> Any:
        reached.set()
        assert go_on.wait(60)
        return gradient

    trunk = p * 3
    first, second = differentiable(trunk.detach(), [(trunk, waits)]), trunk * 5
    thread = threading.Thread(target=first.backward)
    thread.start()
    assert reached.wait(60)
    with pytest.raises(AutographError, match="already called"):
        second.backward()
    go_on.set()
    thread.join()
    assert present(p.grad).item() == 3


def test_one_thread_records_while_another_runs_backwards(device: Device) -> None:
    p = opened(device)
    reached, go_on = threading.Event(), threading.Event()

    def waits(gradient: Tensor) -> Any:
        reached.set()
        assert go_on.wait(60)
        return gradient

    y = differentiable(p.detach(), [(p, waits)])
    thread = threading.Thread(target=y.backward)
    thread.start()
    assert reached.wait(60)
    assert (p * 2).tracked
    go_on.set()
    thread.join()
