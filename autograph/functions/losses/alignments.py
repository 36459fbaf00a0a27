"""Kernels of connectionist temporal classification: the paths through a sequence that read as its labels.

After A. Graves et al., "Connectionist temporal classification" (2006), in logarithms. A group has a sequence; its
threads have the states: the labels, with a blank before, between and after them.
"""

from __future__ import annotations

from math import inf, nan
from typing import Any, Literal

from autograph.functions.classes import class_index
from autograph.functions.launch import grid_stride, max_passes, split_rows
from autograph.functions.type_variables import C, U
from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, func, i32, kernel
from krnlpy.dsl import barrier, exp, global_id, global_threads, group_id, item_id, log, thread_id, threads


@func
def _label(targets: Any, start: Any, state: Any, blank: Any, count: Any) -> Any:
    """The class of a state; -1 where it is out of range."""
    return class_index(targets[start + state // 2], count) if state % 2 == 1 else blank


@func
def _is_skipped(targets: Any, start: Any, state: Any) -> Any:
    """Whether the blank before a state may be left out: before a label that differs from the one before it."""
    if state < 3 or state % 2 == 0:
        return False
    return targets[start + state // 2] != targets[start + state // 2 - 1]


@func
def _logarithm(frame: Any, label: Any) -> Any:
    return frame[max(label, 0)] if label >= 0 else nan


@func
def _sum(x: Any, y: Any, z: Any) -> Any:
    """``log(exp(x) + exp(y) + exp(z))``."""
    top = max(max(x, y), z)
    # The maximum passes by NaN, the sum does not.
    return x + y + z if top == -inf else top + log(exp(x - top) + exp(y - top) + exp(z - top))


@kernel(unchecked=True)
def _walk(
    x: Global[U, Literal[3]],
    starts: Global[i32],
    frames: Global[i32],
    lengths: Global[i32],
    alphas: GlobalMut[U, Literal[3]],
    targets: Global[C],
    blank: i32,
    begin: i32,
    end: i32,
) -> None:
    """The logarithm of the probability of all paths that are in a state after a frame, for some frames."""
    n, count = group_id(), x.shape[2]
    start, states = starts[n], 2 * lengths[n] + 1
    for t in range(begin, min(end, frames[n])):
        for s in range(thread_id(), states, threads()):
            before = U(0.0) if t == 0 and s < 2 else U(-inf)
            if t > 0:
                one = alphas[n, t - 1, s - 1] if s > 0 else U(-inf)
                two = alphas[n, t - 1, s - 2] if _is_skipped(targets, start, s) else U(-inf)
                before = _sum(alphas[n, t - 1, s], one, two)
            alphas[n, t, s] = before + _logarithm(x[n, t], _label(targets, start, s, blank, count))
        barrier()


@kernel(unchecked=True)
def _finish(
    frames: Item[i32],
    lengths: Item[i32],
    losses: ItemMut[U],
    alphas: Global[U, Literal[3]],
) -> None:
    last, end = frames - 1, 2 * lengths
    if frames == 0:
        losses = U(0.0) if lengths == 0 else U(inf)
    else:
        label = alphas[item_id(), last, end - 1] if lengths > 0 else U(-inf)
        losses = -_sum(alphas[item_id(), last, end], label, U(-inf))


@kernel(unchecked=True)
def _walk_back(
    x: Global[U, Literal[3]],
    starts: Global[i32],
    frames: Global[i32],
    lengths: Global[i32],
    alphas: Global[U, Literal[3]],
    losses: Global[U],
    betas: GlobalMut[U, Literal[3]],
    shares: GlobalMut[U, Literal[3]],
    targets: Global[C],
    blank: i32,
    begin: i32,
    end: i32,
) -> None:
    """The share of the paths that are in a state after a frame, of all that read as the labels, for some frames from
    the last one back. Of what comes after a frame, the one before it needs no more."""
    n, count = group_id(), x.shape[2]
    start, states, length = starts[n], 2 * lengths[n] + 1, frames[n]
    for back in range(begin, min(end, length)):
        t = length - 1 - back
        for s in range(thread_id(), states, threads()):
            after = U(0.0) if back == 0 and s >= states - 2 else U(-inf)
            if back > 0:
                old = betas[n, (back + 1) % 2]
                one, two = U(-inf), U(-inf)
                frame = x[n, t + 1]
                same = old[s] + _logarithm(frame, _label(targets, start, s, blank, count))
                if s + 1 < states:
                    one = old[s + 1] + _logarithm(frame, _label(targets, start, s + 1, blank, count))
                if s + 2 < states and _is_skipped(targets, start, s + 2):
                    two = old[s + 2] + _logarithm(frame, _label(targets, start, s + 2, blank, count))
                after = _sum(same, one, two)
            betas[n, back % 2, s] = after
            shares[n, t, s] = exp(alphas[n, t, s] + after + losses[n])
        barrier()


@kernel(unchecked=True)
def _gather(
    starts: Global[i32],
    frames: Global[i32],
    lengths: Global[i32],
    losses: Global[U],
    dlosses: Global[U],
    shares: Global[U, Literal[3]],
    dx: GlobalMut[U, Literal[3]],
    targets: Global[C],
    blank: i32,
    keeps_infinity: i32,
) -> None:
    """Adds up the shares of the states of a class: a thread has a frame, and does so in one order."""
    for item in range(global_id(), dx.shape[0] * dx.shape[1], global_threads()):
        n, t = item // dx.shape[1], item % dx.shape[1]
        if t < frames[n] and (keeps_infinity != 0 or losses[n] != inf):
            for s in range(2 * lengths[n] + 1):
                label = _label(targets, starts[n], s, blank, dx.shape[2])
                dx[n, t, max(label, 0)] -= shares[n, t, s] * dlosses[n]


def _threads(device: Device) -> int:
    """Of a group: on a CPU (the host, or a driver that runs there) as many as go in step, on a GPU enough to hide how
    long memory takes."""
    if device.info.kind in ("host", "interpreter"):
        return 1
    return device.info.subgroup_threads if device.info.kind == "cpu" else 64


def _in_parts(kernel: Any, buffers: tuple[Buffer, ...], targets: Buffer, blank: int) -> None:
    """Launches a kernel that loops over frames, over so many of them at a time as a thread may pass."""
    device, (_, frames, states) = buffers[0].device, buffers[4].shape
    width = _threads(device)
    step = max(1, max_passes(device) // (-(-states // width) + 2))
    for some in split_rows(*buffers):
        bound = kernel.with_threads(width).with_groups(len(some[0]))
        for begin in range(0, frames, step):
            bound(*some, targets, blank, begin, min(begin + step, frames))


def losses(
    x: Buffer, targets: Buffer, starts: Buffer, frames: Buffer, lengths: Buffer, most: int, blank: int
) -> tuple[Buffer, Buffer]:
    """The loss of each sequence, and what its gradient needs.

    Args:
        x: logarithms of probabilities, ``[n, frames, classes]``.
        targets: the labels of all sequences.
        starts: where those of each begin.
        frames: how many each has.
        lengths: how many labels each has.
        most: labels of a sequence.
        blank: its class.
    """
    n, most_frames, _ = x.shape
    alphas = Buffer.empty((n, most_frames, 2 * most + 1), x.dtype, x.device)
    loss = Buffer.empty(n, x.dtype, x.device)
    _in_parts(_walk, (x, starts, frames, lengths, alphas), targets, blank)
    for some in split_rows(frames, lengths, loss, alphas):
        _finish(*some)
    return loss, alphas


def gradient(
    x: Buffer,
    targets: Buffer,
    starts: Buffer,
    frames: Buffer,
    lengths: Buffer,
    blank: int,
    loss: Buffer,
    alphas: Buffer,
    dloss: Buffer,
    keeps_infinity: bool,
) -> Buffer:
    """The gradient of the logarithms for that of the losses."""
    n, most_frames, states = alphas.shape
    betas, shares = Buffer.empty((n, 2, states), x.dtype, x.device), Buffer.empty_like(alphas)
    dx = Buffer.zeros(x.shape, x.dtype, x.device)
    _in_parts(_walk_back, (x, starts, frames, lengths, alphas, loss, betas, shares), targets, blank)
    for some in split_rows(starts, frames, lengths, loss, dloss, shares, dx):
        grid_stride(_gather, len(some[0]) * most_frames, states)(*some, targets, blank, keeps_infinity)
    return dx
