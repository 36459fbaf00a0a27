"""SHA-256 of many messages of one block, with the constants of its rounds in a table.

A port of ``sha256.c`` of Brad Conte's crypto-algorithms, which CUDA ports of it start from (public domain):
https://github.com/B-Con/crypto-algorithms/blob/master/sha256.c
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, func, kernel, u8, u32
from krnlpy.dsl import global_id, local_array, rotr

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Array, Work, main


def _first_bits(root: int, count: int) -> Array:
    """The first 32 bits behind the point of square or cube roots of the first primes."""
    primes = [n for n in range(2, 312) if all(n % d for d in range(2, n))][:count]
    found = []
    for prime in primes:
        low, high = 0, prime << 32
        while high - low > 1:  # the largest whole number whose power is at most that of the prime, scaled
            middle = (low + high) // 2
            low, high = (middle, high) if middle**root <= prime << 32 * root else (low, middle)
        found.append(low & 0xFFFFFFFF)
    return np.array(found, np.uint32)


K = _first_bits(3, 64)
START = _first_bits(2, 8)


@func
def ch(x: u32, y: u32, z: u32) -> u32:
    return (x & y) ^ (~x & z)


@func
def maj(x: u32, y: u32, z: u32) -> u32:
    return (x & y) ^ (x & z) ^ (y & z)


@func
def ep0(x: u32) -> u32:
    return rotr(x, 2) ^ rotr(x, 13) ^ rotr(x, 22)


@func
def ep1(x: u32) -> u32:
    return rotr(x, 6) ^ rotr(x, 11) ^ rotr(x, 25)


@func
def sig0(x: u32) -> u32:
    return rotr(x, 7) ^ rotr(x, 18) ^ (x >> 3)


@func
def sig1(x: u32) -> u32:
    return rotr(x, 17) ^ rotr(x, 19) ^ (x >> 10)


@kernel
def sha256_transform(data: Global[u8, 2], state: GlobalMut[u32, 2]) -> None:
    message = global_id()
    if message >= len(data):
        return
    m = local_array(u32, 64)
    for i in range(16):
        block = data[message, 4 * i : 4 * i + 4]
        m[i] = (u32(block[0]) << 24) | (u32(block[1]) << 16) | (u32(block[2]) << 8) | block[3]
    for i in range(16, 64):
        m[i] = sig1(m[i - 2]) + m[i - 7] + sig0(m[i - 15]) + m[i - 16]

    a, b, c, d, e, f, g, h = START
    for i in range(64):
        t1 = h + ep1(e) + ch(e, f, g) + K[i] + m[i]
        t2 = ep0(a) + maj(a, b, c)
        h = g
        g = f
        f = e
        e = d + t1
        d = c
        c = b
        b = a
        a = t1 + t2

    for i, word in enumerate([a, b, c, d, e, f, g, h]):
        state[message][i] = START[i] + word


def padded(text: bytes) -> bytes:
    """A message of up to 55 bytes as a block."""
    return text + b"\x80" + bytes(55 - len(text)) + (8 * len(text)).to_bytes(8, "big")


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` messages."""
    rng = np.random.default_rng(0)
    texts = [bytes(rng.integers(0, 256, length, np.uint8)) for length in rng.integers(0, 56, size)]
    blocks = np.frombuffer(b"".join(map(padded, texts)), np.uint8).reshape(size, 64)
    data, state = Buffer.from_numpy(blocks, device), Buffer.zeros((size, 8), u32, device)

    def check() -> None:
        for text, words in zip(texts, state.numpy(), strict=True):
            assert words.astype(">u4").tobytes() == hashlib.sha256(text).digest()

    run = sha256_transform.with_global_threads(size)
    yield Work("SHA-256", lambda: run(data, state), check, size / 1e6, "Mblocks")


if __name__ == "__main__":
    main(example, size=10_000)
