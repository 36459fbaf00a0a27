"""The shell blocks of the pages: commands run as they stand, and print what the page shows that they print.

``sh`` blocks are commands, ``console`` blocks commands behind ``$`` with their output, ``text`` blocks a message, which
the test of its page compares, a drawing, or what a network wrote; ``py`` and ``cuda`` blocks are programs of other
libraries, which need their devices.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benches import __main__ as benches_program
from krnlpy.cli import command as krnlpy_command
from tests.support.typed import present

from .pages import PAGES, ROOT, blocks, fenced

COMMANDS = sorted(
    {
        line.partition("  #")[0].strip()
        for page in PAGES
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if line.strip() and not line.startswith("#")
    }
)
TRANSCRIPTS = [(page, block) for page in PAGES for block in blocks(page, "console")]


def test_every_block_says_what_it_is() -> None:
    kinds = {page: {fence for fence, _ in fenced(page)} for page in PAGES}
    assert {p: k for p, k in kinds.items() if k - {"python", "sh", "console", "text", "py", "cuda"}} == {}
    others = {"docs/migrating.md", "docs/array-api.md", "docs/coming-from-pytorch.md"}
    assert {p for p, k in kinds.items() if k & {"py", "cuda"}} == others
    texts = {"docs/architecture.md", "docs/examples.md", "docs/installation.md", "docs/tutorial-kernels.md"}
    assert {p for p, k in kinds.items() if "text" in k} == texts
    for page in others:
        for block in blocks(page, "py"):
            compile(block, page, "exec")


def environment(folder: Path) -> dict[str, str]:
    """One in which ``python`` is this one, ``krnlpy`` the checkout's command, and modules of a folder are found."""
    bin = folder / "bin"
    bin.mkdir(exist_ok=True)
    for name, arguments in (("python", '"$@"'), ("krnlpy", '-m krnlpy.cli "$@"')):
        path = bin / name
        path.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments}\n")
        path.chmod(0o755)
    paths = os.pathsep.join([str(folder), *sys.path])
    return {**os.environ, "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": paths}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what commands may read and write."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("benches", "examples", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.mark.skipif(os.name == "nt", reason="the blocks are for a POSIX shell")
@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "&&" in command:
        first, _, rest = command.partition("&&")
        test_command(first, checkout, tmp_path, monkeypatch)
        test_command(rest.strip(), checkout, tmp_path, monkeypatch)
        return
    words = [word for word in shlex.split(command) if not re.match(r"\w+=.*/", word)]
    if words[:2] == ["pip", "install"]:  # what that installs, tests/packaging shows
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        name, extras = present(re.fullmatch(r"([\w-]+)(?:\[([\w,]+)\])?", words[2])).groups()
        assert name == project["name"]
        assert set((extras or "").split(",")) - {""} <= set(project["optional-dependencies"])
        return
    if words[:4] == ["python", "-m", "benches", "run"]:  # takes minutes: only its arguments are checked
        monkeypatch.setattr(benches_program, "_run", lambda _: 0)
        assert benches_program.main(words[3:]) == 0
        return
    if words[:2] == ["krnlpy", "bench"]:  # takes minutes, too
        krnlpy_command.make_parser().parse_args(words[1:])
        return
    options = [word for word in words if word.startswith("--")]
    if words[1:2] and words[1].startswith("examples/networks/"):  # trains for minutes: only its options are looked up
        command = f"{words[0]} {words[1]} --help"
    if words[0] == "make":  # sets up an environment, or runs all tests
        if not shutil.which("make"):
            pytest.skip("make is not installed")
        command = command.replace("make ", "make --dry-run ", 1)
    done = subprocess.run(
        command, shell=True, cwd=checkout, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout or ">" in command
    assert all(option in done.stdout for option in options if "--help" in command)


def typed(block: str) -> tuple[str, list[str], str]:
    """Of a transcript: the command, what was typed at the prompts of pdb, and the rest."""
    first, _, rest = block.partition("\n")
    assert first.startswith("$ ")
    return first[2:], re.findall(r"^\(Pdb\) (.*)$", rest, re.MULTILINE), rest


@pytest.mark.skipif(os.name == "nt", reason="the blocks are for a POSIX shell")
@pytest.mark.parametrize(("page", "block"), TRANSCRIPTS, ids=[page for page, _ in TRANSCRIPTS])
def test_transcript(page: str, block: str, tmp_path: Path) -> None:
    # What the pages say that the files are: the first program of docs/debugging.md, stopped before its last line; and
    # the package with the workload of docs/runtime.md.
    program = blocks("docs/debugging.md")[0]
    (tmp_path / "program.py").write_text(program.replace("    y = share\n", "    breakpoint()\n    y = share\n"))
    (workload,) = (block for block in blocks("docs/runtime.md") if "def workload" in block)
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "__init__.py").touch()
    (tmp_path / "mypackage" / "krnlpy_workload.py").write_text(workload)
    command, answers, shown = typed(block)
    done = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        env=environment(tmp_path),
        input="".join(f"{answer}\n" for answer in answers),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.replace(f"{tmp_path.resolve()}{os.sep}", "")
    # From Python 3.13 on, pdb shows the line of breakpoint() itself, which the page says.
    said = said.replace("(11)normalize()\n-> breakpoint()", "(12)normalize()\n-> y = share")
    for answer in answers:  # which a terminal shows behind the prompt
        before, _, after = re.split(r"(\(Pdb\) )(?!\x00)", said, maxsplit=1)
        said = f"{before}(Pdb) \x00{answer}\n{after}"
    # How long a file is depends on the version of the GLSL compiler.
    size = re.compile(r"\d+ bytes")
    assert size.sub("N bytes", said.replace("\x00", "")) == size.sub("N bytes", shown)
