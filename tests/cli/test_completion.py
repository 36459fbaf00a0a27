"""``krnlpy completion``: scripts of shells, which know the commands and their options."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from krnlpy.cli import command, completion


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_scripts(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    assert command.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in ("krnlpy", "doctor", "info", "inspect", "json", "verbose"))
    if program := shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(script)
        assert subprocess.run([program, "-n", path], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    command.main(["completion", "bash"])
    script = tmp_path / "script"
    function = '$(complete -p krnlpy | sed "s/.*-F //; s/ .*//")'
    asked = f'COMP_WORDS=(krnlpy do); COMP_CWORD=1; {function}; echo "${{COMPREPLY[@]}}"'
    script.write_text(f"{capsys.readouterr().out}\n{asked}\n")
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["doctor"]


def test_shtab_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert command.main(["completion", "bash"]) == 1
    assert "pip install krnlpy[completion]" in capsys.readouterr().err
