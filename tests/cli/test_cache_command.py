"""``krnlpy cache``: says what is there, and removes what is ours."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from krnlpy import config
from krnlpy.cache.store import KINDS, Cache
from krnlpy.cli import command as cli


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "cache_dir", tmp_path / "cache")
    return tmp_path / "cache"


def test_info(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cache_bytes", 3 << 20)
    Cache.of("spirv").put("a", bytes(1 << 20))
    Cache.of("spirv").put("b", bytes(1 << 20))
    (folder / "spirv" / "notes.txt").write_text("mine")
    assert cli.main(["cache", "info"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"folder  {folder}",
        "limit   3 MiB of each kind (KRNLPY_CACHE_BYTES)",
        "spirv   2 entries, 2 MiB of SPIR-V",
        "host    0 entries, 0 B of machine code",
        "tuning  0 entries, 0 B of choices of tuned kernels",
        "probes  0 entries, 0 B of answers of drivers",
    ]
    assert cli.main(["cache", "info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["folder"], found["limit_bytes"]) == (str(folder), 3 << 20)
    assert found["kinds"]["spirv"]["entries"] == 2
    assert 2 << 20 < found["kinds"]["spirv"]["bytes"] < (2 << 20) + 400


def test_clear(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in KINDS:
        Cache.of(kind).put("a", b"payload")
    (folder / "other").mkdir()
    (folder / "other" / f"{'0' * 64}.cbor").write_bytes(b"of somebody else")
    (folder / "host" / "notes.txt").write_text("mine")
    assert cli.main(["cache", "clear"]) == 0
    assert capsys.readouterr().out == f"removed {len(KINDS)} entries from {folder}\n"
    left = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    assert left == ["host/notes.txt", f"other/{'0' * 64}.cbor"]
    shutil.rmtree(folder)
    assert cli.main(["cache", "clear"]) == 0
    assert not folder.exists()


def test_what_cannot_be_removed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Cache.of("spirv").put("a", b"payload")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "not yours", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    assert cli.main(["cache", "clear"]) == 1
    assert "not yours" in capsys.readouterr().err


def test_no_cache(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cache_dir", None)
    assert cli.main(["cache", "info"]) == 0
    assert "nothing is kept (KRNLPY_NO_CACHE)" in capsys.readouterr().out
    assert cli.main(["cache", "clear"]) == 0
