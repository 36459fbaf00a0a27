"""The command line of ``python -m benches``."""

from __future__ import annotations

import argparse

import pytest

from benches import __main__ as program


@pytest.mark.parametrize(
    "words",
    [
        ["--peer", "a", "--peer", "b", "--device", "0", "--device", "host"],
        ["--peer", "a", "b", "--device", "0", "host"],
    ],
)
def test_peers_and_devices_add_up(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[argparse.Namespace] = []

    def run(arguments: argparse.Namespace) -> int:
        seen.append(arguments)
        return 0

    monkeypatch.setattr(program, "_run", run)
    assert program.main(["run", "saxpy", *words]) == 0
    assert program.main(["run", "saxpy"]) == 0
    assert [(a.peer, a.device) for a in seen] == [(["a", "b"], ["0", "host"]), (None, None)]
