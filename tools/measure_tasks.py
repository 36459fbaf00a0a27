"""Lines and times of the tasks of docs/coming-from-pytorch.md, here and in PyTorch: writes the page's table.

    python tools/measure_tasks.py [--print]

Each side runs in a process of its own, on one thread. What is timed are the statements of a task, not its imports and
definitions; the time is the CPU time of the process, which others on the machine disturb least, the least of many runs.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import linecache
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "coming-from-pytorch.md"
BEGIN, END = "<!-- tasks: begin (python tools/measure_tasks.py writes this) -->", "<!-- tasks: end -->"
SIDES = {"krnlpy": "python", "PyTorch": "py"}
SECONDS = 0.5
"""That the runs of a task take together, at least."""
_DEFINITIONS = ast.Import | ast.ImportFrom | ast.ClassDef | ast.FunctionDef
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "KRNLPY_HOST_THREADS": "1"}


def tasks(page: str) -> dict[str, dict[str, str]]:
    """The tasks' programs by title and side; "" is what both begin with."""
    parts = re.split(r"^### \d+\. (.*)$", page.partition("## Ten tasks")[2], flags=re.MULTILINE)
    found = {"": {side: _block(parts[0], "python") for side in SIDES}}
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        found[title] = {side: _block(text, fence) for side, fence in SIDES.items()}
    return found


def _block(text: str, fence: str) -> str:
    (block,) = re.findall(rf"^```{fence}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return str(block)


def lines(source: str) -> int:
    """Those that are not blank, comments or imports."""
    texts = [line.strip() for line in source.splitlines()]
    return sum(bool(text) and not text.startswith(("#", "import ", "from ")) for text in texts)


def times(sources: list[str]) -> list[float]:
    """The least CPU time of each program's statements, in seconds; they run one after the other, as one module."""
    names: dict[str, Any] = {"__name__": "tasks"}
    found = []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        for place, source in enumerate(sources):
            file = f"{folder}/task{place}.py"
            Path(file).write_text(source)  # kernels are read from their file
            linecache.checkcache(file)
            body = ast.parse(source).body
            definitions: list[ast.stmt] = [node for node in body if isinstance(node, _DEFINITIONS)]
            rest = [node for node in body if not isinstance(node, _DEFINITIONS)]
            exec(compile(ast.Module([*definitions], []), file, "exec"), names)
            statements = compile(ast.Module(rest, []), file, "exec")
            exec(statements, names)  # compiles kernels, and warms up
            measured: list[float] = []
            while sum(measured) < SECONDS and len(measured) < 200:
                began = time.process_time()
                exec(statements, names)
                measured.append(time.process_time() - began)
            found.append(min(measured))
    return found


def table(page: str) -> str:
    """The measured table, with a line that says on what."""
    found = tasks(page)
    measured = {}
    for side in SIDES:
        done = subprocess.run(
            [sys.executable, __file__, "--side", side],
            input=json.dumps([programs[side] for programs in found.values()]),
            env={**os.environ, **_ONE_THREAD},
            capture_output=True,
            text=True,
            check=True,
        )
        measured[side] = json.loads(done.stdout)
    rows = ["| task | lines here | in PyTorch | ms here | in PyTorch |", "|---|---:|---:|---:|---:|"]
    for place, (title, programs) in enumerate(found.items()):
        if title:
            counts = [str(lines(programs[side])) for side in SIDES]
            shown = [f"{1e3 * measured[side]['seconds'][place]:.3g}" for side in SIDES]
            rows.append(f"| {title} | {' | '.join(counts)} | {' | '.join(shown)} |")
    totals = [str(sum(lines(programs[side]) for title, programs in found.items() if title)) for side in SIDES]
    rows.append(f"| all | {' | '.join(totals)} | | |")
    about = f"_CPU time on one thread, {_cpu()}, PyTorch {measured['PyTorch']['torch']}; the least of many runs._"
    return "\n".join([about, "", *rows])


def _cpu() -> str:
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def main(arguments: list[str]) -> int:
    """Measures, and writes or prints the table."""
    if arguments[:1] == ["--side"]:
        result: dict[str, Any] = {"seconds": times(json.loads(sys.stdin.read()))}
        if arguments[1] == "PyTorch":
            import torch

            result["torch"] = torch.__version__
        print(json.dumps(result))
        return 0
    page = PAGE.read_text(encoding="utf-8")
    made = table(page)
    if "--print" in arguments:
        print(made)
        return 0
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
