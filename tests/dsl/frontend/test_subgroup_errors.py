"""Wrong uses of subgroups: what is said of them, and where. Part of the catalogue of wrong kernels."""

from __future__ import annotations

from pathlib import Path

import pytest

from krnlpy.errors import KernelError, KernelSyntaxError, KernelTypeError

from .test_kernel_errors import body, compile_kernel, load

HELPERS = "from krnlpy.dsl import *\n"
GROUPS = "a: GlobalMut[f32], n: i32, m: u32"

WRONG: list[tuple[str, type[KernelError], str, str]] = [
    (body("y = subgroup_add(x)"), KernelSyntaxError, "a kernel with items has no groups of its own", "subgroup_add(x)"),
    (body("a[0] = f32(subgroup_add(n, 1))", GROUPS), KernelTypeError, "subgroup_add takes 1 argument(s), 2 given", ""),
    (body("a[0] = f32(subgroup_elect(n))", GROUPS), KernelTypeError, "subgroup_elect takes 0 argument(s)", ""),
    (body("a[0] = f32(subgroup_add(n > 0))", GROUPS), KernelTypeError, "truth value; convert it", ""),
    (body("a[0] = f32(subgroup_and(n > 0))", GROUPS), KernelTypeError, "write subgroup_all or subgroup_any", ""),
    (body("a[0] = subgroup_xor(a[0])", GROUPS), KernelTypeError, "subgroup_xor needs an integer, not f32", ""),
    (body("a[0] = subgroup_clustered_add(a[0], n)", GROUPS), KernelTypeError, "the size of a cluster is a whole", "n"),
    (body("a[0] = subgroup_clustered_add(a[0], 6)", GROUPS), KernelTypeError, "a power of two up to 128, not 6", ""),
    (body("a[0] = subgroup_clustered_add(a[0], 256)", GROUPS), KernelTypeError, "up to 128, not 256", ""),
    (body("a[0] = subgroup_quad_broadcast(a[0], 4)", GROUPS), KernelTypeError, "the places 0 to 3, not 4", ""),
    (body("a[0] = subgroup_quad_broadcast(a[0], n)", GROUPS), KernelTypeError, "the place in a quad is a whole", "n"),
    (body("a[0] = subgroup_shuffle(a[0], 1.5)", GROUPS), KernelTypeError, "a lane is an integer of at most", "1.5"),
    (body("a[0] = subgroup_shuffle_up(a[0], i64(n))", GROUPS), KernelTypeError, "a distance of lanes is an", "i64(n)"),
    (
        body("a[0] = f32(subgroup_ballot_find_lsb(m))", GROUPS),
        KernelTypeError,
        "takes what subgroup_ballot returns",
        "m",
    ),
    (
        body("if thread_id() > n:\n    barrier()", GROUPS),
        KernelSyntaxError,
        "depends on thread_id()",
        "thread_id() > n",
    ),
]


@pytest.mark.parametrize(("source", "error", "message", "marked"), WRONG, ids=[entry[2] for entry in WRONG])
def test_wrong_kernel(tmp_path: Path, source: str, error: type[KernelError], message: str, marked: str) -> None:
    with pytest.raises(error) as caught:
        compile_kernel(load(tmp_path, HELPERS + source))
    assert message in str(caught.value)
    _, line, caret = str(caught.value).splitlines()
    first = caret.index("^")
    assert not marked or line[first : first + len(caret.strip())] == marked
