"""Peers in processes of their own: they answer, and what goes wrong with them is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from benches import peer_process
from benches.harness import Unavailable
from benches.peer_process import ProcessRunner
from benches.selection import Peer

_PEER = """
import sys
import numpy as np
from benches.peer_process import serve

class Doubling:
    def __init__(self):
        print("welcome")
        if "broken" in sys.argv:
            raise RuntimeError("no device")
        self.value = np.ones(3)

    def run(self, iterations):
        self.value *= 2.0 ** iterations
        if iterations > 9:
            raise SystemExit("too much")

    def wait(self):
        pass

    def result(self):
        return self.value

serve(Doubling)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "doubling_peer.py").write_text(_PEER)
    monkeypatch.setattr(peer_process, "FOLDERS", [str(tmp_path)])
    return "doubling_peer"


def test_a_process_does_what_is_asked(module: str) -> None:
    runner = ProcessRunner(module, counts_wait=True)
    runner.run(2)
    assert runner.sample(3) > 0
    assert runner.result().tolist() == [32, 32, 32]


def test_what_is_wrong_with_a_process_is_told(module: str) -> None:
    with pytest.raises(Unavailable, match="RuntimeError: no device"):
        ProcessRunner(module, "broken", counts_wait=True)
    with pytest.raises(Unavailable, match=r"its process ended: .*No module named no_such_peer"):
        ProcessRunner("no_such_peer", counts_wait=True)
    runner = ProcessRunner(module, counts_wait=True)
    with pytest.raises(Unavailable, match="its process ended: too much"):
        runner.run(10)


def test_a_peer_that_is_not_installed() -> None:
    with pytest.raises(Unavailable, match="no_such_peer is not installed"):
        Peer("none", "no_such_peer", runs_apart=True).require()
