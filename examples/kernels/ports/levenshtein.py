"""Levenshtein's distance of each two of many words: how many letters to insert, remove or replace.

A port of ``edit_distance_matrix`` of RAPIDS cuDF, which is CUDA C++ (Apache License 2.0):
https://github.com/rapidsai/cudf/blob/main/cpp/src/text/edit_distance.cu
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, func, i32, kernel, u8
from krnlpy.dsl import global_id

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main

LETTERS = 24  # of a word, at most


@func
def compute_distance(
    d_str: Global[u8], str_length: i32, d_tgt: Global[u8], tgt_length: i32, buffer: GlobalMut[i32, 2]
) -> i32:
    if str_length == 0:
        return tgt_length
    if tgt_length == 0:
        return str_length

    begin = d_str if str_length < tgt_length else d_tgt
    itr = d_tgt if str_length < tgt_length else d_str
    n = min(str_length, tgt_length)
    m = max(str_length, tgt_length)
    # the last row and the one to fill
    v0 = buffer[0]
    v1 = buffer[1]
    for j in range(n + 1):
        v0[j] = j

    for i in range(m):
        v1[0] = i + 1
        for j in range(n):
            sub_cost = v0[j] + (itr[i] != begin[j])
            del_cost = v0[j + 1] + 1
            ins_cost = v1[j] + 1
            v1[j + 1] = min(min(sub_cost, del_cost), ins_cost)
        v0, v1 = v1, v0
    return v0[n]


@kernel
def edit_distance_matrix(
    d_strings: Global[u8, 2], lengths: Global[i32], d_buffer: GlobalMut[i32, 3], d_results: GlobalMut[i32, 2]
) -> None:
    strings_count = len(lengths)
    idx = global_id()
    if idx >= strings_count * strings_count:
        return
    row = idx // strings_count
    col = idx % strings_count
    if row > col:
        return  # bottom half is computed with the top half of matrix
    distance = 0
    if row != col:
        distance = compute_distance(d_strings[row], lengths[row], d_strings[col], lengths[col], d_buffer[idx])
    d_results[row, col] = distance  # top half of matrix
    d_results[col, row] = distance  # bottom half of matrix


def distance(a: bytes, b: bytes) -> int:
    """The distance of two words, by the definition."""
    last = list(range(len(b) + 1))
    for i, x in enumerate(a):
        row = [i + 1]
        for j, y in enumerate(b):
            row.append(min(last[j] + (x != y), last[j + 1] + 1, row[j] + 1))
        last = row
    return last[-1]


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` words."""
    rng = np.random.default_rng(0)
    words = [bytes(rng.integers(97, 101, length, np.uint8)) for length in rng.integers(0, LETTERS + 1, size)]
    letters = np.zeros((size, LETTERS), np.uint8)
    for i, word in enumerate(words):
        letters[i, : len(word)] = list(word)
    strings = Buffer.from_numpy(letters, device)
    lengths = Buffer.from_numpy(np.array([len(word) for word in words], np.int32), device)
    buffer = Buffer.zeros((size * size, 2, LETTERS + 1), i32, device)
    results = Buffer.zeros((size, size), i32, device)

    def check() -> None:
        some = slice(None, None, max(1, size // 32))
        expected = [[distance(a, b) for b in words[some]] for a in words[some]]
        np.testing.assert_array_equal(results.numpy()[some, some], expected)

    matrix = edit_distance_matrix.with_global_threads(size * size)
    yield Work(
        "Levenshtein", lambda: matrix(strings, lengths, buffer, results), check, size * (size - 1) / 2e6, "Mpairs"
    )


if __name__ == "__main__":
    main(example, size=256)
