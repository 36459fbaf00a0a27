"""What is saved goes on as if it had not stopped, bit for bit; and which files are kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograph import (
    SGD,
    Adam,
    BatchNorm1,
    Dense,
    Dropout,
    Layer,
    Relu,
    Sequential,
    Tensor,
    random,
    read_checkpoint,
    save_checkpoint,
)
from autograph.data import DataLoader
from autograph.errors import AutographError, CheckpointError
from autograph.metrics import Accuracy
from autograph.optim import schedules
from autograph.train import Callback, Checkpoints, EarlyStopping, Trainer
from krnlpy import Device, bf16
from krnlpy.errors import FileMissing
from tests.support.tiers import deep, one_vulkan_device

from .tiny import BATCHES, Shuffled, bits, curves, fit, make

pytestmark = pytest.mark.one_vulkan_device


class Killed(Callback):
    """Ends the program, as far as that can be done in a test, after a step or in the evaluation after it."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, trainer: Trainer) -> None:
        if trainer.step == self.step:
            raise MemoryError


@pytest.mark.parametrize(
    ("dtype", "steps"),
    [("f32", [2, 5, 8]), *(pytest.param(t, range(1, 3 * BATCHES), marks=deep) for t in ("f32", "bf16"))],
)
def test_resumed_is_uninterrupted_at_any_step(dtype: str, steps: Sequence[int], device: Device, tmp_path: Path) -> None:
    """Saved after each second step and each epoch; stopped after each step."""
    if device.info.backend == "interpreter":
        pytest.skip("takes seconds, and shows nothing more")
    whole = make(device=device, dtype=dtype)
    fit(whole, Killed(0), EarlyStopping("right", 9, "max"), epochs=3)
    for step in steps:
        path = tmp_path / str(step) / "m.cbor"
        with pytest.raises(MemoryError):
            fit(
                make(Checkpoints(path, every=2), device=device, dtype=dtype),
                Killed(step), EarlyStopping("right", 9, "max"), epochs=3,
            )  # fmt: skip
        resumed, early = make(Checkpoints(path, every=2), device=device, dtype=dtype), EarlyStopping("right", 9, "max")
        fit(resumed, Killed(0), early, epochs=3, resume=True)
        assert bits(resumed) == bits(whole), step


@one_vulkan_device
def test_layers_loader_metrics_and_schedules_of_the_package(device: Device, tmp_path: Path) -> None:
    """Running statistics, dropout, batches read ahead by threads and changed at random, Adam, a plateau."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((40, 6)).astype(np.float32), rng.integers(0, 3, 40).astype(np.int32)

    def noisy(batch: Any, generator: random.Generator) -> Any:
        return batch[0] + random.normal(generator, batch[0].shape, device=device) * 0.1, batch[1]

    def trained(stop: int, checkpoint: Any = None, **how: Any) -> Trainer:
        model = Sequential(
            Dense(6, 8, seed=0, device=device), BatchNorm1(8, device=device), Relu(), Dropout(0.5, seed=1),
            Dense(8, 3, bias=True, seed=2, device=device),
        )  # fmt: skip
        loader = DataLoader((x, t), 8, shuffle=True, workers=1, prefetch=3, device=device, transform=noisy)
        trainer = Trainer(
            model, Adam(), schedules.Plateau(0.02, 0.5, patience=0, threshold=0.2), Tensor.cross_entropy_loss,
            metrics={"accuracy": Accuracy()}, checkpoint=checkpoint,
        )  # fmt: skip
        trainer.fit(
            loader, epochs=3, evaluation=DataLoader((x, t), 16, device=device), callbacks=[Killed(stop)],
            progress="none", **how,
        )  # fmt: skip
        return trainer

    whole = trained(0)
    with pytest.raises(MemoryError):
        trained(7, Checkpoints(tmp_path / "m", every=1))
    assert read_checkpoint(tmp_path / "m").metadata["training"]["batches"]["loader"]["batch"] == 1
    assert bits(trained(0, resume=tmp_path / "m")) == bits(whole)
    assert whole.history[-1]["rate"] < 0.02


def test_a_list_of_batches_is_passed_over(tmp_path: Path) -> None:
    """A loader without a state goes on at the batch after the last, too; with Adam, accumulation, epochs by steps."""
    loader = list(Shuffled())
    how: dict[str, Any] = {"steps_per_epoch": 3, "epochs": 4, "progress": "none"}

    def trainer(path: Path | None) -> Trainer:
        checkpoint = None if path is None else Checkpoints(path, every=1)
        return make(checkpoint, optimizer=Adam(), accumulate=2)

    whole = trainer(None)
    whole.fit(loader, callbacks=[Killed(0)], **how)
    for step in (1, 4, 6, 11):
        with pytest.raises(MemoryError):
            trainer(tmp_path / "m").fit(loader, callbacks=[Killed(step)], **how)
        resumed = trainer(tmp_path / "m")
        resumed.fit(loader, callbacks=[Killed(0)], resume=True, **how)
        assert bits(resumed) == bits(whole)


def test_nothing_to_resume_from(tmp_path: Path) -> None:
    trainer = make(tmp_path / "run" / "m.cbor")
    fit(trainer, epochs=1, resume=True)
    assert trainer.epoch == 1
    again = make(tmp_path / "run" / "m.cbor")
    fit(again, epochs=1, resume=True)
    assert (again.step, curves(again.history)) == (trainer.step, curves(trainer.history)), "and nothing to do"


def test_going_on_from_another_file(tmp_path: Path) -> None:
    whole = make()
    fit(whole, epochs=3)
    fit(make(Checkpoints(tmp_path / "a", best="loss")), epochs=2)
    for checkpoint in (None, tmp_path / "b"):
        trainer = make(checkpoint)
        fit(trainer, epochs=3, resume=tmp_path / "a")
        assert bits(trainer) == bits(whole)
    assert read_checkpoint(tmp_path / "a").metadata["training"]["epoch"] == 2, "which stays as it is"
    assert read_checkpoint(tmp_path / "b").metadata["training"]["epoch"] == 3
    with pytest.raises(FileMissing):
        fit(make(), epochs=3, resume=tmp_path / "c")


def test_early_stopping_is_remembered(tmp_path: Path) -> None:
    def stopped(trainer: Trainer, patience: int, **how: Any) -> Trainer:
        fit(trainer, EarlyStopping("train_loss", patience, least=10.0), epochs=9, **how)
        return trainer

    path = tmp_path / "m"
    first = stopped(make(path), 2)
    assert first.epoch == 4 and "train_loss did not improve for 3 epochs" in str(first.stopped)
    assert stopped(make(path), 2, resume=True).epoch == 4, "what was stopped stays so"
    assert stopped(make(path), 4, resume=True).epoch == 6, "with more patience, it goes on"


def test_early_stopping_finds_its_quantity() -> None:
    trainer = make()
    early = EarlyStopping("right", patience=0, mode="max")
    history = fit(trainer, early, epochs=20)
    values = [entry["evaluation_right"] for entry in history]
    assert early.best == max(values) and values[-1] <= max(values[:-1])
    assert all(b > a for a, b in pairwise(values[:-1]))
    with pytest.raises(AutographError, match="the history has no 'mistake'; it has"):
        fit(make(), EarlyStopping("mistake"), epochs=1)
    for wrong in ({"patience": -1}, {"mode": "least"}):
        with pytest.raises(AutographError, match="expected"):
            EarlyStopping("loss", **wrong)
    early.on_epoch(trainer, {"evaluation_right": float("nan")})
    assert early.best == max(values), "NaN is no improvement"


def test_the_last_files_and_the_best_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "run" / "m.cbor"
    trainer = make(Checkpoints(path, every=2, keep=3, best="loss"))
    history = fit(trainer, epochs=4)
    names = {"m.cbor", "m-best.cbor", "m-step-16.cbor", "m-step-18.cbor", "m-step-20.cbor"}
    assert {file.name for file in path.parent.iterdir()} == names
    losses = [entry["evaluation_loss"] for entry in history]
    best = read_checkpoint(path.parent / "m-best.cbor").metadata
    assert len(best["history"]) == losses.index(min(losses)) + 1
    assert read_checkpoint(path.parent / "m-step-18.cbor").metadata["training"]["step"] == 18
    # Going on removes what is older, whoever wrote it, and knows the best.
    (path.parent / "m-step-3.cbor").touch()
    again = make(Checkpoints(path, every=2, keep=2, best="loss"))
    fit(again, epochs=5, resume=True)
    losses = [entry["evaluation_loss"] for entry in again.history]
    assert {file.name for file in path.parent.iterdir()} == {
        "m.cbor", "m-best.cbor", "m-step-24.cbor", "m-step-25.cbor"
    }  # fmt: skip
    best = read_checkpoint(path.parent / "m-best.cbor").metadata
    assert len(best["history"]) == losses.index(min(losses)) + 1


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m"
    fit(make(path), EarlyStopping(), epochs=1)
    trainer = make(path)
    before = bits(trainer)
    with pytest.raises(CheckpointError, match=r"saved with the callbacks \['EarlyStopping'\], not \[\]"):
        fit(trainer, epochs=2, resume=True)
    with pytest.raises(CheckpointError, match="the file's optimizer is SGD, not Adam"):
        fit(make(path, optimizer=Adam()), EarlyStopping(), epochs=2, resume=True)
    with pytest.raises(AutographError, match="the loader is not that which was saved: it has no state"):
        trainer.fit([*Shuffled()], epochs=2, callbacks=[EarlyStopping()], resume=True, progress="none")
    with pytest.raises(AutographError, match="the metric right is not that which was saved"):
        fit(make(path, metrics={"right": _Forgetful()}), EarlyStopping(), epochs=2, resume=True)
    save_checkpoint(path, trainer.model, trainer.optimizer)
    with pytest.raises(CheckpointError, match="holds a model, but no training that could go on"):
        fit(trainer, epochs=2, resume=True)
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="is not an autograph file"):
        fit(trainer, epochs=2, resume=True)
    assert bits(trainer) == before
    for wrong in ({"keep": 0}, {"every": 0}, {"mode": "all"}):
        with pytest.raises(AutographError, match="expected"):
            Checkpoints(path, **wrong)


class _Forgetful:
    """A metric that can't be saved."""

    def update(self, *_: Any) -> None: ...

    def reset(self) -> None: ...

    def compute(self) -> float:
        return 0.5


def test_a_metric_without_a_state_is_for_whole_epochs(tmp_path: Path) -> None:
    fit(make(tmp_path / "m", metrics={"x": _Forgetful()}), epochs=1)
    trainer = make(tmp_path / "m", metrics={"x": _Forgetful()})
    assert [entry["train_x"] for entry in fit(trainer, epochs=2, resume=True)] == [0.5, 0.5]


def test_a_model_saved_by_training_is_loaded_as_any_other(tmp_path: Path) -> None:
    from autograph import load_checkpoint

    trainer = make(tmp_path / "m", dtype=bf16)
    fit(trainer, epochs=1)
    other = make(dtype=bf16)
    metadata = load_checkpoint(tmp_path / "m", other.model, SGD(momentum=0.9))
    assert metadata["history"] == trainer.history
    assert bits(other)[:3] == bits(trainer)[:3]
    assert isinstance(other.model, Layer)
