"""Generators: known answers, state, streams that do not meet, and what they refuse."""

from __future__ import annotations

import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from autograph import Tensor, dropout, random
from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.random.generator import philox
from krnlpy import Buffer, Device, GlobalMut, kernel, u32
from krnlpy.dsl import global_id, philox4x32, uvec2, uvec4
from tests.support.typed import untyped

ONES = 0xFFFFFFFF

# Of kat_vectors in Random123, the authors' own implementation: counter, key, result.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES, ONES, ONES, ONES), (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@kernel(threads=1)
def encrypt(counter: GlobalMut[u32], key: GlobalMut[u32]) -> None:
    if global_id() == 0:
        words = philox4x32(uvec4(counter[0], counter[1], counter[2], counter[3]), uvec2(key[0], key[1]))
        counter[0], counter[1], counter[2], counter[3] = words.x, words.y, words.z, words.w


def test_known_answers(device: Device) -> None:
    for counter, key, expected in KNOWN:
        assert philox(counter, key) == expected
        words = Buffer.from_numpy(np.array(counter, np.uint32), device)
        encrypt.with_groups(1)(words, Buffer.from_numpy(np.array(key, np.uint32), device))
        assert tuple(words.numpy().tolist()) == expected


def test_a_draw_is_a_function_of_seed_and_count() -> None:
    first = random.Generator(5)
    draws = [random.uniform(first, 10).numpy() for _ in range(3)]
    assert not np.array_equal(draws[0], draws[1])
    state = json.loads(json.dumps(first.state_dict()))
    assert state == {"seed": 5, "counter": 3}
    after = random.uniform(first, 10).numpy()
    second = random.Generator(0)
    second.load_state_dict(state)
    np.testing.assert_array_equal(random.uniform(second, 10).numpy(), after)
    np.testing.assert_array_equal(random.uniform(random.Generator(5, 1), 10).numpy(), draws[1])
    # Every call is one draw, of whatever size and kind.
    third = random.Generator(5)
    random.normal(third, (0, 3))
    dropout(Tensor.ones(7), 0.0, third)
    np.testing.assert_array_equal(random.uniform(third, 10).numpy(), draws[2])
    assert repr(third) == "Generator(seed=5, counter=3)"
    for other in (copy.copy(third), copy.deepcopy(third), pickle.loads(pickle.dumps(third))):
        assert other.state_dict() == third.state_dict()
        other.key()
    assert third.counter == 3


def test_seeds_and_counts_of_64_bits_all_matter() -> None:
    def words(seed: int, counter: int) -> tuple[int, int]:
        return random.Generator(seed, counter).key()

    numbers = [0, 1, 1 << 31, 1 << 32, 1 << 63, (1 << 64) - 1]
    found = {words(seed, counter) for seed in numbers for counter in numbers}
    assert len(found) == len(numbers) ** 2
    last = random.Generator(0, (1 << 64) - 1)
    last.key()
    assert last.counter == 0


def test_spawned_generators_are_others() -> None:
    parent = random.Generator(5)
    children = parent.spawn(3) + parent.spawn(2)
    assert parent.counter == 2 and len({child.seed for child in children} | {5}) == 6
    assert [c.seed for c in random.Generator(5).spawn(3)] == [c.seed for c in children[:3]]
    streams = np.stack([random.normal(g, 4096).numpy() for g in (*children, parent)])
    # Correlations of independent normal numbers have a standard deviation of 1/64 here.
    off = np.corrcoef(streams) - np.eye(6)
    assert np.abs(off).max() < 6 / 64


def test_threads_share_a_generator_without_drawing_twice() -> None:
    generator = random.Generator(1)
    with ThreadPoolExecutor(4) as pool:
        keys = list(pool.map(lambda _: generator.key(), range(400)))
    assert len(set(keys)) == generator.counter == 400


@pytest.mark.parametrize("wrong", [-1, 1 << 64, 1.5, True, None, "1"])
def test_seeds_that_are_none(wrong: Any) -> None:
    with pytest.raises(AutographError, match=r"seed=.*0 to 2\*\*64 - 1"):
        random.Generator(wrong)
    generator = random.Generator(3)
    for state in ({"seed": 1, "counter": wrong}, {"seed": 1}, wrong, {"seed": 1, "counter": 2, "more": 3}):
        with pytest.raises(AutographError):
            generator.load_state_dict(untyped(state))
    with pytest.raises(AutographError):
        generator.spawn(wrong)
    assert generator.state_dict() == {"seed": 3, "counter": 0}


def test_wrong_arguments_change_nothing() -> None:
    g = random.Generator(3)
    x = Tensor.ones(3)
    whole = Tensor.from_numpy(np.arange(3))
    for error, call in [
        (AutographError, lambda: random.uniform(untyped(np.random.default_rng(0)), 3)),
        (AutographError, lambda: random.uniform(untyped(7), 3)),
        (ShapeError, lambda: random.uniform(g, -1)),
        (ShapeError, lambda: random.normal(g, untyped("ab"))),
        (DtypeError, lambda: random.uniform(g, 3, dtype="i32")),
        (DtypeError, lambda: random.normal(g, 3, dtype=bool)),
        (AutographError, lambda: random.uniform(g, 3, low=2, high=1)),
        (AutographError, lambda: random.uniform(g, 3, low=float("nan"))),
        (AutographError, lambda: random.uniform(g, 3, high=float("inf"))),
        (AutographError, lambda: random.normal(g, 3, std=-1)),
        (AutographError, lambda: random.normal(g, 3, mean=untyped("0"))),
        (AutographError, lambda: random.exponential(g, 3, scale=-1)),
        (AutographError, lambda: random.truncated_normal(g, 3, low=1, high=1)),
        (AutographError, lambda: random.truncated_normal(g, 3, std=0)),
        (AutographError, lambda: random.truncated_normal(g, 3, low=1, high=1 + 1e-12)),
        (AutographError, lambda: random.integers(g, 3, high=0)),
        (AutographError, lambda: random.integers(g, 3, high=untyped(1.5))),
        (DtypeError, lambda: random.integers(g, 3, high=257, dtype="u8")),
        (DtypeError, lambda: random.integers(g, 3, low=-1, high=1, dtype="u8")),
        (DtypeError, lambda: random.integers(g, 3, high=2, dtype="f32")),
        (AutographError, lambda: random.bernoulli(g, 1.5, 3)),
        (AutographError, lambda: random.bernoulli(g, 0.5)),
        (AutographError, lambda: random.bernoulli(g, x, 3)),
        (DtypeError, lambda: random.bernoulli(g, whole)),
        (AutographError, lambda: random.permutation(g, -1)),
        (AutographError, lambda: random.permutation(g, untyped("3"))),
        (AutographError, lambda: random.permutation(g, x, dtype="i32")),
        (ShapeError, lambda: random.permutation(g, x, axis=1)),
        (DtypeError, lambda: random.permutation(g, 257, dtype="u8")),
        (DtypeError, lambda: random.permutation(g, 3, dtype="f32")),
        (DtypeError, lambda: random.categorical(g, whole)),
        (ShapeError, lambda: random.categorical(g, x, axis=1)),
        (ShapeError, lambda: random.categorical(g, x, axis=untyped(None) or untyped(()))),
        (DtypeError, lambda: dropout(untyped(3), 0.5, g)),
        (DtypeError, lambda: dropout(whole, 0.5, g)),
        (AutographError, lambda: dropout(x, 1.5, g)),
        (AutographError, lambda: dropout(x, float("nan"), g)),
        (AutographError, lambda: dropout(x, 0.5, untyped(3))),
    ]:  # fmt: skip
        with pytest.raises(error):
            untyped(call)()
    assert g.counter == 0
