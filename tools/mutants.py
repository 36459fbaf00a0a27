"""Whether tests fail where the code is wrong: ``mutants.py [-k WORD] [-j JOBS]``, or ``make mutants``.

Each mutation is a small fault that somebody could make. It is made in a copy of the checkout, and the tests that are to
notice it run there. What they don't notice is a missing test. A mutation whose text is not in its file exactly once
no longer applies, which is an error, too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
_NOTHING_RAN = dict.fromkeys((3, 4, 5), "no test runs")
"""By pytest's exit status: an error of its own, a wrong argument, no tests found."""
SECONDS = 300
"""A mutant that runs longer than this is noticed: it never ends."""

HOST, INTERPRETER, VULKAN = "--device host", "--device interpreter", "--device 0"


@dataclass(frozen=True)
class Mutation:
    """A fault.

    Attributes:
        file: where it is made.
        old: text that stands there once.
        new: what stands there instead.
        tests: arguments of pytest: the tests that are to fail.
    """

    file: str
    old: str
    new: str
    tests: str

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.file}: {self.old.strip()!r} -> {self.new.strip()!r}"

    def changed(self, text: str) -> str | None:
        """The file's text with the fault, or None where it does not apply."""
        return text.replace(self.old, self.new) if text.count(self.old) == 1 else None


_DIRECT, _POOLING = "autograph/functions/convolution/direct.py", "autograph/functions/pooling/maxima.py"
_ACCURACY, _REDUCERS = "autograph/functions/losses/accuracy.py", "autograph/functions/reducers"
_SHAPES, _REARRANGED = "autograph/functions/shapes", f"tests/autograph/functions/test_shapes.py {HOST}"
_FUSION, _SHARING = "krnlpy/graphs/fusion", f"tests/graphs/fusion/test_sharing.py {HOST}"
_STRIDES, _HAZARDS = "krnlpy/views/strides.py", "krnlpy/vulkan/queue/hazards.py"
_COLLECTIVES, _MASKS = "krnlpy/dsl/semantics/collectives.py", "krnlpy/dsl/llvm/threads/masks.py"
_SUBGROUPS = f"tests/conformance/test_subgroups.py {INTERPRETER}"
_VIEWS = f"tests/buffers/test_views.py tests/buffers/test_buffer.py {HOST}"

_FORWARD, _ACTIVITY = "krnlpy/dsl/passes/derivative/forward.py", "krnlpy/dsl/passes/derivative/activity.py"
_SLOPES = f"tests/conformance/test_derivatives_of_functions.py {HOST}"
_DERIVED = f"tests/conformance/test_derivatives.py {HOST}"

MUTATIONS = [
    # Conversions
    Mutation("krnlpy/scalar.py", "np.isnan(wide) | ", "", "tests/krnlpy/test_scalar.py"),
    Mutation("krnlpy/scalar.py", "source = source.astype(np.float32)", "pass", "tests/krnlpy/test_scalar.py"),
    Mutation(
        "krnlpy/dsl/glsl/expressions.py",
        'f"clamp({text}, {to.min}, {to.max})", _PRIMARY',
        'f"({text})", _PRIMARY',
        f"tests/conformance/test_casts.py tests/conformance/test_conversions.py {VULKAN}",
    ),
    Mutation(
        "krnlpy/dsl/llvm/expressions.py",
        "icmp ult {t} {count}, {type.bits}",
        "icmp ule {t} {count}, {type.bits}",
        f"tests/conformance/test_operators.py {HOST}",
    ),
    # Bytes of truth values
    Mutation(
        "krnlpy/dsl/llvm/expressions.py",
        'icmp ne i8 {value}, 0")',
        'trunc i8 {value} to i1")',
        f"tests/conformance/test_truth_values.py {HOST}",
    ),
    Mutation(
        "krnlpy/dsl/glsl/places.py",
        'return f"({bits} != 0u)"',
        'return f"({bits} == 1u)"',
        f"tests/conformance/test_truth_values.py {VULKAN}",
    ),
    Mutation(
        "krnlpy/dsl/llvm/atomics.py",
        'if op == "compare_exchange" and type is not boolean:\n            old,',
        'if op == "compare_exchange":\n            old,',
        f"tests/conformance/test_atomics.py -k bytes_of_others {HOST}",
    ),
    Mutation(
        "krnlpy/scalar.py",
        "return np.bool_(int(value) != 0)",
        "return np.bool_(value & 1)",
        "tests/krnlpy/test_scalar.py",
    ),
    # Indices out of range
    Mutation(
        "krnlpy/dsl/glsl/places.py",
        'for line in lines), "}"] if check else lines',
        'for line in lines), "}"] if False else lines',
        f"tests/conformance/test_bounds.py {VULKAN}",
    ),
    Mutation(
        "krnlpy/dsl/llvm/expressions.py",
        "icmp ult i32 {wide}, {length}",
        "icmp ule i32 {wide}, {length}",
        f"tests/conformance/test_bounds.py {HOST}",
    ),
    # Views
    Mutation(_STRIDES, "if not -n <= i < n:", "if not -n <= i <= n:", _VIEWS),
    Mutation(_STRIDES, "broadcast |= stride == 0", "broadcast = stride == 0", _VIEWS),
    Mutation(_STRIDES, "            low += (n - 1) * stride", "            low += n * stride", _VIEWS),
    Mutation(_STRIDES, "new_strides.append(stride * step)", "new_strides.append(stride)", _VIEWS),
    Mutation(_STRIDES, "outer == inner * n for", "outer >= inner * n for", _VIEWS),
    Mutation(_STRIDES, "        offset * old // new,\n", "        offset,\n", _VIEWS),
    # Barriers and hazards
    Mutation(
        "krnlpy/dsl/passes/uniformity.py",
        '"subgroup_thread_id", "item_id")',
        '"subgroup_thread_id")',
        "tests/dsl/passes/test_uniformity.py",
    ),
    Mutation(
        "krnlpy/dsl/passes/uniformity.py",
        "isinstance(e.place, ir.GlobalParameter) and not e.place.mutable",
        "isinstance(e.place, ir.GlobalParameter)",
        "tests/dsl/passes/test_uniformity.py",
    ),
    Mutation(_HAZARDS, "or (writes and read.overlaps(first, end))", "", "tests/vulkan/queue/test_hazards.py"),
    Mutation(_HAZARDS, "if (first | end) & 3:", "if False:", "tests/vulkan/queue/test_hazards.py"),
    Mutation(
        _HAZARDS,
        "place = bisect_right(self.ends, first)",
        "place = bisect_left(self.ends, first)",
        "tests/vulkan/queue/test_hazards.py",
    ),
    # Memory
    Mutation(
        "krnlpy/vulkan/memory/allocator.py",
        "high = self._end_of.get(end, end)",
        "high = end",
        "tests/vulkan/memory/test_allocator.py",
    ),
    Mutation(
        "krnlpy/host/memory.py",
        "getrefcount(self.array) + getrefcount(block) == _ALONE and",
        "getrefcount(block) > 0 and",
        "tests/host/test_memory.py",
    ),
    Mutation("krnlpy/host/memory.py", "and not getweakrefcount(block)", "", "tests/host/test_memory.py"),
    Mutation("krnlpy/host/memory.py", " and not config.debug", "", "tests/host/test_memory.py"),
    # Memory that temporaries of graphs share
    Mutation(f"{_FUSION}/sharing.py", "mine.first <= t.last", "mine.first < t.last", _SHARING),
    Mutation(f"{_FUSION}/sharing.py", "Lifetime(memory.nbytes, number if", "Lifetime(memory.nbytes, 0 if", _SHARING),
    Mutation(
        f"{_FUSION}/sharing.py",
        "spans[old].first < number == spans[old].last",
        "spans[old].first < number",
        _SHARING,
    ),
    Mutation(f"{_FUSION}/in_place.py", "        if loads and is_stored:\n            return False\n", "", _SHARING),
    Mutation(f"{_FUSION}/in_place.py", "(a.size, a.offset, a.shape, a.strides)", "(a.size,)", _SHARING),
    Mutation(
        "krnlpy/graphs/temporaries.py",
        "if isinstance(command, Call) and command.outputs is None:",
        "if False:",
        _SHARING,
    ),
    Mutation("krnlpy/graphs/graph.py", "if id(memory) not in self._held]", "]", _SHARING),
    # The geometry of launches
    Mutation(
        "krnlpy/kernels/dispatch.py",
        "-(-self._count // plan.threads[0])",
        "self._count // plan.threads[0]",
        f"tests/kernels/test_kernel.py {HOST}",
    ),
    Mutation("krnlpy/kernels/plan.py", "-(-y // threads[1])", "y // threads[1]", f"tests/kernels {HOST}"),
    Mutation(
        "krnlpy/kernels/configuration.py",
        "(name, repr(value)) for",
        "(name, value) for",
        f"tests/kernels tests/conformance/test_specs.py {HOST}",
    ),
    # Sums, and operations made of functions
    Mutation(
        f"{_REDUCERS}/kernels.py",
        "end - rest)",
        "end - rest - 1)",
        f"tests/autograph/functions/test_reductions.py {HOST}",
    ),
    Mutation(
        f"{_REDUCERS}/kernels.py",
        '"end = min(begin + length, n)",\n                "for k in range(width):"',
        '"end = begin + length",\n                "for k in range(width):"',
        f"tests/autograph/functions/test_reductions.py {HOST}",
    ),
    Mutation(
        f"{_REDUCERS}/reducer.py",
        "replace(whole, finish=None, results=states, given=states, count=None)",
        "replace(whole, finish=None, results=states, given=states, count=None, identity=(1,) * len(states))",
        f"tests/autograph/functions/test_reductions.py {HOST}",
    ),
    Mutation(
        f"{_REDUCERS}/sums.py",
        "if a < added or (",
        "if a <= added or (",
        f"tests/autograph/functions/test_elementwise.py tests/autograph/autograd {HOST}",
    ),
    Mutation(
        "autograph/functions/elementwise/operation.py",
        "dtype if shape == first.shape else accumulator(dtype)",
        "dtype",
        f"tests/autograph/functions/test_made_operations.py {HOST}",
    ),
    Mutation(
        "autograph/functions/elementwise/operation.py",
        "if constant not in (0.0, 1.0)",
        "if constant not in (0.0, 1.0, -1.0)",
        f"tests/autograph/functions/test_elementwise.py {HOST}",
    ),
    Mutation(
        "autograph/autograd/tape.py",
        "if is_recorded and not edge.is_recordable:",
        "if False:",
        f"tests/autograph/autograd/test_higher_derivatives.py {HOST}",
    ),
    # Joining, padding, rearranging, creation
    Mutation(
        f"{_SHAPES}/padding.py",
        "_add(source, total)",
        "source.copy_from(total)",
        _REARRANGED,
    ),
    Mutation(
        f"{_SHAPES}/padding.py",
        "reversed(_borders(sums, shape, widths, mode))",
        "_borders(sums, shape, widths, mode)",
        _REARRANGED,
    ),
    Mutation(
        f"{_SHAPES}/padding.py",
        "x.buffer.cast(accumulator(x.dtype))",
        "x.buffer.copy()",
        _REARRANGED,
    ),
    Mutation(
        f"{_SHAPES}/arrangement.py",
        "back, every = tuple(-n for n in shifts)",
        "back, every = tuple(n for n in shifts)",
        _REARRANGED,
    ),
    Mutation(
        f"{_SHAPES}/diagonals.py",
        "y = x if column - row <= above else T(0)",
        "y = x if column - row < above else T(0)",
        _REARRANGED,
    ),
    Mutation(
        _STRIDES,
        "offset += k * across if k > 0 else -k * down",
        "offset += k * across if k > 0 else k * down",
        f"{_REARRANGED} tests/buffers/test_views.py",
    ),
    Mutation(
        "autograph/functions/sequences.py",
        "(int(value) + half) % (2 * half) - half",
        "int(value) % half",
        f"tests/autograph/functions/test_creation.py {HOST}",
    ),
    Mutation(
        "autograph/functions/creation.py",
        "tensor.share.users.append(None)",
        "tensor.share.users.extend([])",
        f"tests/autograph/functions/test_creation.py {HOST}",
    ),
    # Convolutions and pools
    Mutation(
        _DIRECT,
        "inside = ix >= 0 and at <= last_x and at * PART == ix",
        "inside = ix >= 0 and at <= last_x + 1 and at * PART == ix",
        f"tests/autograph/functions/test_conv2.py {INTERPRETER}",
    ),
    Mutation(
        _DIRECT,
        "y < x.shape[4] and y * part_y == iy:",
        "y < x.shape[4]:",
        f"tests/autograph/functions/test_conv2.py {INTERPRETER}",
    ),
    Mutation(
        "autograph/functions/convolution/geometry.py",
        "(n + b - r - 1) // s + 1",
        "(n + b - r) // s + 1",
        f"tests/autograph/functions/test_conv2.py {HOST}",
    ),
    Mutation(
        _POOLING,
        "return value > best or",
        "return value >= best or",
        f"tests/autograph/functions/test_max_pool2.py {HOST}",
    ),
    Mutation(
        _POOLING,
        "height, SH, PH, ADAPTIVE) + 1)",
        "height, SH, PH, ADAPTIVE))",
        f"tests/autograph/functions/test_max_pool2.py {HOST}",
    ),
    # Losses
    Mutation(
        _ACCURACY,
        "hits = 1.0 if class_index(classes, count) == predicted else 0.0",
        "hits = 1.0 if class_index(classes, count) <= predicted else 0.0",
        f"tests/autograph/functions/test_loss.py {HOST}",
    ),
    Mutation(
        "autograph/functions/classes.py",
        "0 <= index < count else -1",
        "0 <= index <= count else -1",
        f"tests/autograph/functions/test_loss.py {INTERPRETER}",
    ),
    # Gradients and optimizers
    Mutation(
        "autograph/autograd/tape.py",
        "part if before is None else before + part",
        "part",
        f"tests/autograph/autograd/test_autograd.py {HOST}",
    ),
    Mutation(
        "autograph/autograd/tape.py",
        "gradient.detach() if before is None else before + gradient",
        "gradient.detach()",
        f"tests/autograph/autograd {HOST}",
    ),
    Mutation(
        "autograph/autograd/tape.py",
        "recording.on = is_recorded and edge.is_recordable",
        "recording.on = is_recorded or edge.is_recordable",
        f"tests/autograph/autograd/test_recording_off.py {HOST}",
    ),
    Mutation(
        "autograph/optim/sgd.py",
        "velocity = momentum * v + slope",
        "velocity = momentum * (v + slope)",
        f"tests/autograph/optim/test_sgd.py {HOST}",
    ),
    Mutation("autograph/optim/rule.py", "del state[name]", "pass", f"tests/autograph/optim {HOST}"),
    # Files and caches
    Mutation(
        "autograph/files/container.py",
        "hashlib.sha256(payload).digest() != digest",
        "False",
        "tests/autograph/files/test_checkpoint_files.py",
    ),
    Mutation(
        "autograph/files/container.py",
        "if size != expected:",
        "if size < expected:",
        "tests/autograph/files/test_checkpoint_files.py",
    ),
    Mutation("krnlpy/cache/entry.py", "payload if data == packed(key, payload) else None", "payload", "tests/cache"),
    Mutation("krnlpy/cache/store.py", "in sorted(found):", "in sorted(found, reverse=True):", "tests/cache"),
    # What is known of drivers
    Mutation(
        "krnlpy/vulkan/pipelines/driver_defects.py",
        'cpu = _cpu() if info.kind == "cpu" else ""',
        'cpu = ""',
        "tests/vulkan/pipelines/test_driver_defects.py",
    ),
    Mutation(
        "krnlpy/vulkan/pipelines/driver_defects.py",
        "passes if passes < PASSES else 0",
        "passes",
        "tests/vulkan/pipelines/test_driver_defects.py",
    ),
    # Subgroups
    Mutation(_COLLECTIVES, "(self & ~3) + place", "(self & ~7) + place", _SUBGROUPS),
    Mutation(_COLLECTIVES, "row = [None, *row[:-1]]", "row = [*row]", _SUBGROUPS),
    Mutation(
        "krnlpy/dsl/llvm/threads/lanes.py",
        "icmp ult i32 {source}, {size}",
        "icmp ule i32 {source}, {size}",
        f"tests/conformance/test_subgroups.py {HOST}",
    ),
    # The host's threads and masks
    Mutation(
        "krnlpy/host/threads/regions.py",
        "umin.i64(i64 %far, i64 %count)",
        "umin.i64(i64 %far, i64 %far)",
        f"tests/host/test_pool.py {HOST}",
    ),
    Mutation(
        _MASKS,
        "first = self._loops[-1] + 1",
        "first = self._loops[-1]",
        f"tests/conformance/test_subgroups.py tests/conformance/test_left_loops.py {HOST}",
    ),
    Mutation(_MASKS, '{"return": 0, ', '{"return": 1, ', f"tests/host/test_groups.py {HOST}"),
    # Rows, slices, tables and truth values
    Mutation(
        "krnlpy/dsl/frontend/syntax/indexing.py",
        "Span(start, span.length, old.step * span.step)",
        "Span(start, span.length, span.step)",
        f"tests/conformance/test_rows.py {HOST}",
    ),
    Mutation(
        "krnlpy/dsl/frontend/views.py",
        "return (entry.step, length)",
        "return (1, length)",
        f"tests/conformance/test_rows.py {HOST}",
    ),
    Mutation(
        "krnlpy/dsl/glsl/tables.py",
        "self._starts[table] = start",
        "self._starts[table] = 0",
        f"tests/conformance/test_tables.py {VULKAN}",
    ),
    Mutation(
        "krnlpy/dsl/glsl/places.py",
        'return f"({bits} != 0u)"',
        'return f"({bits} == 1u)"',
        f"tests/conformance/test_truth_values.py {VULKAN}",
    ),
    # The language's library
    Mutation(
        "krnlpy/dsl/library/random.py",
        "in unroll(range(10)):",
        "in unroll(range(9)):",
        f"tests/conformance/test_random.py {HOST}",
    ),
    Mutation(
        "krnlpy/dsl/library/logarithms.py",
        "return log(u) + lost / u",
        "return log(u) + lost",
        f"tests/conformance/test_elementary.py tests/conformance/test_accuracy.py -k log1p {HOST}",
    ),
    # Derivatives
    Mutation(_FORWARD, "mul(add(x, y), ir.const(0.5", "mul(add(x, y), ir.const(1.0", f"{_SLOPES} -k limits"),
    Mutation(_FORWARD, "add(mul(x, b), mul(y, a)) for", "add(mul(x, b), mul(y, b)) for", f"{_DERIVED} -k statements"),
    Mutation(
        _FORWARD, "div(add(x, neg(mul(y, value))), b)", "div(add(x, mul(y, value)), b)", f"{_DERIVED} -k statements"
    ),
    Mutation(_FORWARD, "add(add(mul(x, b), mul(y, a)), z)", "add(mul(x, b), mul(y, a))", f"{_SLOPES} -k fma"),
    Mutation(_FORWARD, "place=self._copies.place(s.place), index", "index", f"{_DERIVED} -k arrays"),
    Mutation(_ACTIVITY, "if before | mask != before:", "if mask and not before:", _DERIVED),
]


def copied(folder: Path) -> Path:
    """A copy of the checkout as it is, but for what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def run(folder: Path, tests: str) -> int:
    """The exit status of pytest in a copy; 1 where it does not end. Nothing that was compiled before is used."""
    environment = {
        **os.environ,
        "KRNLPY_NO_CACHE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",  # it would be taken for that of the next mutant
        "PYTHONPATH": str(folder),
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests.split()]
    started = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return started.wait(SECONDS)
    except subprocess.TimeoutExpired:
        return 1
    finally:
        with contextlib.suppress(ProcessLookupError):  # none is left
            os.killpg(started.pid, signal.SIGKILL)  # what a mutant never ends may be in a process that a test started
        started.wait()


def judged(mutation: Mutation, folder: Path) -> str:
    """What becomes of a mutation in a copy, which is afterwards as it was before."""
    path = folder / mutation.file
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    changed = mutation.changed(before)
    if changed is None:
        return "does not apply"
    path.write_text(changed, encoding="utf-8")
    try:
        return {0: "SURVIVED", **_NOTHING_RAN}.get(run(folder, mutation.tests), "killed")
    finally:
        path.write_text(before, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 if each mutation was killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", metavar="WORD", default="", help="only mutations whose file or text has this word")
    parser.add_argument("-j", metavar="JOBS", type=int, default=2, help="how many run at a time")
    given = parser.parse_args(arguments)
    chosen = [mutation for mutation in MUTATIONS if given.k in mutation.name]
    with tempfile.TemporaryDirectory() as name:
        copies: SimpleQueue[Path] = SimpleQueue()
        for job in range(given.j):
            copies.put(copied(Path(name, str(job))))

        def with_a_copy(mutation: Mutation) -> bool:
            folder = copies.get()
            try:
                result = judged(mutation, folder)
            finally:
                copies.put(folder)
            print(f"{result:<15} {mutation.name}", flush=True)
            return result == "killed"

        with ThreadPoolExecutor(given.j) as pool:
            killed = list(pool.map(with_a_copy, chosen))
    print(f"{sum(killed)} of {len(killed)} mutants killed")
    return 0 if all(killed) else 1


if __name__ == "__main__":
    sys.exit(main())
