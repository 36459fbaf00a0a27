"""Ctrl-C, SIGTERM and the end of the process: the step ends, the state is saved, the signal does what it does."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from autograph import read_checkpoint
from autograph.train import Callback, Trainer
from tests.support import process
from tests.support.tiers import deep

from .tiny import Shuffled, bits, fit, make

PROGRAM = ("-m", "tests.autograph.train.tiny")


class Raises(Callback):
    """Sends a signal to this process, once or twice."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers

    def on_step(self, trainer: Trainer) -> None:
        if trainer.step == 7:
            for number in self.numbers:
                signal.raise_signal(number)


class Quiet(Callback):
    """In its place in the same run elsewhere."""


Quiet.__name__ = Quiet.__qualname__ = "Raises"


def test_ctrl_c_ends_the_step_and_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = make()
    fit(whole, Quiet(), epochs=3)
    trainer = make(tmp_path / "m")
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, Raises(signal.SIGINT), epochs=3)
    assert (trainer.step, trainer.stopped) == (7, "SIGINT")
    said = capsys.readouterr().err
    assert said == f"SIGINT after step 7; saved to {tmp_path / 'm'}: fit(..., resume=True) goes on from there\n"
    resumed = make(tmp_path / "m")
    fit(resumed, Quiet(), epochs=3, resume=True)
    assert bits(resumed) == bits(whole)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        fit(make(), Raises(signal.SIGINT), epochs=3)
    assert "nothing was saved: Trainer(checkpoint=...) names a file" in capsys.readouterr().err


def test_a_second_one_does_not_wait(tmp_path: Path) -> None:
    trainer = make(tmp_path / "m")
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, Raises(signal.SIGINT, signal.SIGINT), epochs=3)
    assert len(read_checkpoint(tmp_path / "m").metadata["history"]) == 1, "of the first epoch"


def test_a_program_may_have_its_own_handlers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        trainer = make(tmp_path / "m")
        history = fit(trainer, Raises(signal.SIGINT, signal.SIGTERM), epochs=3)
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, ignored)
    assert (len(history), trainer.step, trainer.stopped, came) == (1, 7, "SIGTERM", [signal.SIGTERM])
    assert "SIGTERM after step 7" in capsys.readouterr().err


def test_a_signal_within_the_evaluation(tmp_path: Path) -> None:
    whole = make()
    fit(whole, epochs=3)

    class Second(Shuffled):
        def __iter__(self) -> Any:
            if self.passes == 1:
                signal.raise_signal(signal.SIGINT)
            return super().__iter__()

    trainer, loader = make(tmp_path / "m"), Shuffled()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(loader, epochs=3, evaluation=Second(seed=1), progress="none")
    assert (trainer.step, trainer.epoch) == (10, 1), "the epoch is not closed"
    resumed = make(tmp_path / "m")
    fit(resumed, epochs=3, resume=True)
    assert bits(resumed) == bits(whole)
    # In a notebook one goes on with the same trainer, whose loader goes on with it.
    order = Shuffled(seed=1)
    order.passes = 1
    assert trainer.stopped == "SIGINT"
    trainer.fit(loader, epochs=3, evaluation=order, progress="none")
    assert bits(trainer) == bits(whole)


def test_in_other_threads_nothing_is_caught() -> None:
    trainer = make()
    thread = threading.Thread(target=fit, args=(trainer,), kwargs={"epochs": 1})
    thread.start()
    thread.join()
    assert trainer.epoch == 1


def begun(folder: Path, epochs: int, pause: float) -> subprocess.Popen[str]:
    """A process that trains; when this returns, it has begun."""
    child = process.start(*PROGRAM, folder, epochs, pause)
    assert child.stdout is not None and child.stdout.readline() == "begins\n", child.communicate()
    return child


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=deep)])
def test_a_process_ends_as_signals_ask(number: signal.Signals, tmp_path: Path) -> None:
    child = begun(tmp_path, 1_000_000, 0.005)
    while not (tmp_path / "model.cbor").exists():
        time.sleep(0.01)
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert f"{number.name} after step " in err and "fit(..., resume=True) goes on" in err
    # Python turns KeyboardInterrupt that nobody catches into the end by SIGINT.
    assert child.returncode == -number
    step = int(err.split("after step ")[1].split(";")[0])
    assert read_checkpoint(tmp_path / "model.cbor").metadata["training"]["step"] == step
    assert out.count("epoch") == step // 5


@deep
def test_killed_at_any_moment_nothing_is_lost(tmp_path: Path) -> None:
    """Killed at 100 random moments; each time it goes on. In the end everything is as if it had never stopped."""
    epochs = 600
    whole = tmp_path / "whole"
    expected = process.output(*PROGRAM, whole, epochs)
    folder = tmp_path / "killed"
    generator, steps = random.Random(0), [0]
    for _ in range(100):
        child = begun(folder, epochs, 0.0005)
        assert child.stdout is not None
        for _ in range(generator.randrange(5)):  # where it was resumed, and epochs
            assert child.stdout.readline() != "", child.communicate()
        time.sleep(generator.uniform(0, 0.02))
        child.kill()
        child.communicate()
        assert child.returncode == -signal.SIGKILL, "it was killed before it was done"
        if (folder / "model.cbor").exists():
            steps.append(read_checkpoint(folder / "model.cbor").metadata["training"]["step"])
        assert steps == sorted(steps), "nothing that was saved is lost"
    assert 0 < steps[-1] < 5 * epochs
    finished = process.output(*PROGRAM, folder, epochs)
    assert finished.splitlines()[-1] == expected.splitlines()[-1]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in whole.iterdir())
    for name in ("model.cbor", "model-best.cbor"):
        ours, theirs = (read_checkpoint(where / name) for where in (folder, whole))
        assert {k: v.tobytes() for k, v in ours.parameters.items()} == {
            k: v.tobytes() for k, v in theirs.parameters.items()
        }
        assert (ours.generators, ours.metadata["training"]["scores"]) == (
            theirs.generators, theirs.metadata["training"]["scores"]
        )  # fmt: skip
    lines = [(where / "log.jsonl").read_text().splitlines() for where in (folder, whole)]
    assert [line.split(", ")[0] for line in lines[0]] == [line.split(", ")[0] for line in lines[1]]
