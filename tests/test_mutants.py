"""That tests notice faults: tools/mutants.py makes them. All of them apply; the deep tier runs the tests that are to
notice them, a few with each part of it."""

from __future__ import annotations

import shutil
import time
import zlib
from pathlib import Path

import pytest

from tools import mutants
from tools.mutants import MUTATIONS, ROOT, Mutation

from .support.tiers import deep


def ids(mutation: Mutation) -> str:
    """Of the fault itself, so that others leave it in its part of the deep tier."""
    return f"{Path(mutation.file).stem}-{zlib.crc32(mutation.name.encode()):08x}"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=ids)
def test_a_mutation_applies(mutation: Mutation) -> None:
    changed = mutation.changed((ROOT / mutation.file).read_text(encoding="utf-8"))
    assert changed is not None, f"{mutation.old!r} is not once in {mutation.file}"
    compile(changed, mutation.file, "exec")
    paths = [word for word in mutation.tests.split() if word.startswith("tests")]
    assert paths and all((ROOT / path).exists() for path in paths), mutation.tests


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of git, which says what to copy")
    return mutants.copied(tmp_path_factory.mktemp("mutant"))


@deep
@pytest.mark.parametrize("mutation", MUTATIONS, ids=ids)
def test_a_mutant_is_killed(mutation: Mutation, checkout: Path) -> None:
    assert mutants.judged(mutation, checkout) == "killed", mutation.name


_LEAVES_A_PROCESS = """
import subprocess, sys, time
from pathlib import Path

def test_leaves_a_process():
    program = "import os, time; open('pid', 'w').write(str(os.getpid()) + '.'); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", program])
    while not Path("pid").exists() or "." not in Path("pid").read_text():
        time.sleep(0.01)
    {end}
"""


@pytest.mark.parametrize("end", ["assert False", "time.sleep(600)"], ids=["fails", "never ends"])
def test_nothing_of_a_mutant_runs_on(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_it.py").write_text(_LEAVES_A_PROCESS.format(end=end))
    if end.startswith("time"):
        monkeypatch.setattr(mutants, "SECONDS", 2)
    assert mutants.run(tmp_path, "test_it.py") == 1
    pid = tmp_path / "pid"
    if pid.exists():  # a slow machine may have come to no test within the seconds
        while is_running(pid.read_text().removesuffix(".")):
            time.sleep(0.01)


def is_running(pid: str) -> bool:
    """Whether a process is there and has not ended; who started it may not have asked how it ended."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
