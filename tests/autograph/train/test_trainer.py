"""The loop does what the lines do that one would write without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograph import SGD, Dense, Tensor
from autograph.errors import AutographError
from autograph.optim import LossScale, MovingAverage, clip_gradients_by_norm, clip_gradients_by_value
from autograph.train import Callback, Trainer
from krnlpy import Device, bf16, f16, f32
from tests.support.tiers import deep, one_vulkan_device

from ..lenet5 import LeNet5
from .tiny import BATCHES, Falling, Right, Shuffled, Tiny, bits, cross_entropy, curves, fit, make

pytestmark = pytest.mark.one_vulkan_device


class Noted(Callback):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.epochs: list[int] = []
        self.ends = 0

    def on_step(self, trainer: Trainer) -> None:
        self.steps.append(trainer.step)
        self.losses.append(trainer.loss.item())

    def on_epoch(self, trainer: Trainer, entry: dict[str, Any]) -> None:
        self.epochs.append(entry["epoch"])

    def on_end(self, trainer: Trainer) -> None:
        self.ends += 1


@one_vulkan_device
def test_the_same_bits_as_the_plain_loop(device: Device) -> None:
    model, optimizer, schedule, loader, losses = Tiny(device), SGD(momentum=0.9), Falling(), Shuffled(), []
    counts, step = [], 0
    for _ in range(3):
        for x, t in loader:
            model.init_parameter_grads()
            loss = model(Tensor.from_numpy(x, device)).cross_entropy_loss(Tensor.from_numpy(t, device))
            loss.backward()
            model.update(schedule(step), optimizer)
            step += 1
            losses.append(loss.item())
            counts.append(len(t))
        mean = sum(loss * n for loss, n in zip(losses[-BATCHES:], counts[-BATCHES:], strict=True)) / len(loader.x)
        schedule.update(mean)
    trainer, noted = make(device=device), Noted()
    history = fit(trainer, noted, epochs=3, evaluation=None)
    assert noted.losses == losses
    assert history[-1]["train_loss"] == mean
    assert [entry["step"] for entry in history] == [BATCHES, 2 * BATCHES, 3 * BATCHES]
    for p, q in zip(model.parameters(), trainer.model.parameters(), strict=True):
        assert p.numpy().tobytes() == q.numpy().tobytes()
    assert model.mean.numpy().tobytes() == next(trainer.model.buffers()).numpy().tobytes()


def test_lenet5_has_the_same_bits_as_in_the_plain_loop() -> None:
    check_lenet5(Device.host())


@deep
def test_lenet5_has_them_on_every_device(device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("millions of products")
    check_lenet5(device)


def check_lenet5(device: Device) -> None:
    from autograph.data import batches, load_mnist

    data = load_mnist(download=False, progress=False)
    chosen = [part for _, part in zip(range(4), batches(len(data.train_images), 20, seed=0, epoch=1), strict=False)]
    pairs = [(data.train_images[part], data.train_classes[part]) for part in chosen]

    def forward(model: Any, batch: Any) -> Any:
        x, t = batch
        return model(x.scaled_cast(1 / 255, "f32")), t

    plain, optimizer, losses = LeNet5(device, seed=1), SGD(0.9), []
    for images, classes in pairs:
        plain.init_parameter_grads()
        x = Tensor.from_numpy(images, device).scaled_cast(1 / 255, "f32")
        loss = plain(x).cross_entropy_loss(Tensor.from_numpy(classes, device))
        losses.append(loss)
        loss.backward()
        plain.update(0.05, optimizer)
    trainer, noted = Trainer(LeNet5(device, seed=1), SGD(0.9), 0.05, cross_entropy, forward=forward), Noted()
    trainer.fit(pairs, epochs=1, callbacks=[noted], progress="none")
    assert noted.losses == [loss.item() for loss in losses]
    for p, q in zip(plain.parameters(), trainer.model.parameters(), strict=True):
        assert p.numpy().tobytes() == q.numpy().tobytes()
        assert p.state["velocity"].numpy().tobytes() == q.state["velocity"].numpy().tobytes()


def test_evaluation_is_of_the_trained_model_and_changes_nothing() -> None:
    trainer = make()
    history = fit(trainer, epochs=1)
    before = bits(trainer)
    assert trainer.evaluate(Shuffled(seed=1)) == {
        "loss": history[-1]["evaluation_loss"], "right": history[-1]["evaluation_right"]
    }  # fmt: skip
    assert bits(trainer) == before and trainer.model.training
    loader = Shuffled(seed=1)
    y = trainer.model.eval()(Tensor.from_numpy(loader.x))
    assert history[-1]["evaluation_right"] == pytest.approx(y.accuracy(loader.t).item(), rel=2.0**-24)  # f32
    # Five losses of at most 1 by f32, whose mean is by f64; the whole set's is one sum of 28.
    assert history[-1]["evaluation_loss"] == pytest.approx(y.cross_entropy_loss(loader.t).item(), abs=28 * 2.0**-24)
    assert not any(p.tracked for p in trainer.model.parameters())


def test_accumulation_is_the_gradient_of_all_examples() -> None:
    """Of batches of 6, 6, 6 and then 6 and 4 examples, as if they were one of 18 and one of 10."""
    loader = Shuffled()
    x, t = loader.x, loader.t

    def parts(size: int) -> list[Any]:
        return [(x[i : i + size], t[i : i + size]) for i in range(0, len(x), size)]

    def trained(batches: list[Any], accumulate: int) -> Trainer:
        trainer = Trainer(Dense(3, 2, seed=0), SGD(0.9), 0.5, cross_entropy, accumulate=accumulate)
        trainer.fit(batches, epochs=3, progress="none")
        return trainer

    one, three = trained(parts(18), 1), trained(parts(6), 3)
    assert one.step == three.step == 6
    # Six steps of at most 0.5 times a sum of 18 products of at most 3 in another order, in f32.
    weights = [next(trainer.model.parameters()).numpy() for trainer in (one, three)]
    np.testing.assert_allclose(weights[0], weights[1], rtol=0, atol=6 * 18 * 3 * 2.0**-24)
    assert one.history[-1]["train_loss"] == pytest.approx(three.history[-1]["train_loss"], abs=1e-6)


def test_steps_end_within_an_epoch_and_go_on() -> None:
    whole, parts = make(), make()
    fit(whole, epochs=3, evaluation=None)
    loader = Shuffled()
    for steps in (1, 4, 5, 12, 15):
        parts.fit(loader, steps=steps, progress="none")
        assert parts.step == steps
    assert [entry["step"] for entry in parts.history] == [1, 4, 5, 10, 12, 15]
    assert parts.epoch == 6  # of those, each of which ended one
    noted = Noted()
    fit(make(), noted, steps=7, epochs=100, evaluation=None)
    assert noted.steps == list(range(1, 8)) and noted.epochs == [1, 2]


def test_epochs_of_so_many_steps_go_on_in_the_data() -> None:
    seen = []

    def forward(model: Any, batch: Any) -> Any:
        seen.append(float(batch[0].sum()))
        return model(batch[0]), batch[1]

    trainer = make(forward=forward)
    history = fit(trainer, epochs=4, steps_per_epoch=3, evaluation=None)
    assert [entry["step"] for entry in history] == [3, 6, 9, 12]
    expected = [float(Tensor.from_numpy(x).sum()) for loader in [Shuffled()] for _ in range(3) for x, _ in loader]
    assert seen == expected[:12]


def test_a_callback_stops_training() -> None:
    class Stop(Callback):
        def on_step(self, trainer: Trainer) -> None:
            if trainer.step == 7:
                trainer.stop("seven")

        def on_epoch(self, trainer: Trainer, entry: dict[str, Any]) -> None:
            entry["note"] = "mine"

    trainer, noted = make(), Noted()
    history = fit(trainer, Stop(), noted, epochs=9)
    assert (trainer.step, trainer.epoch, trainer.stopped, noted.ends) == (7, 2, "seven", 1)
    assert [entry["note"] for entry in history] == ["mine", "mine"]


def test_callbacks_are_told_of_the_end_after_an_error() -> None:
    class Breaks(Callback):
        def on_step(self, trainer: Trainer) -> None:
            raise ZeroDivisionError

    noted, trainer = Noted(), make()
    with pytest.raises(ZeroDivisionError):
        fit(trainer, noted, Breaks(), epochs=1)
    assert noted.ends == 1
    assert len(fit(trainer, epochs=1)) == 1, "training can go on"


def test_losses_are_read_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    original = Tensor.__float__

    def counted(tensor: Tensor) -> float:
        reads.append(tensor)
        return original(tensor)

    monkeypatch.setattr(Tensor, "__float__", counted)
    trainer = make(metrics={}, read_every=2)
    seen = []

    class Look(Callback):
        def on_step(self, trainer: Trainer) -> None:
            seen.append(len(reads))

    fit(trainer, Look(), epochs=1, evaluation=None)
    assert seen == [1, 1, 3, 3, 5]


def test_bf16_takes_batches_of_f32() -> None:
    trainer = make(dtype=bf16)
    fit(trainer, epochs=2)
    master = trainer.model.first.weight.state["master"]  # type: ignore[attr-defined]
    assert master.dtype == f32 and trainer.model.first.weight.dtype == bf16  # type: ignore[attr-defined]
    assert trainer.history[1]["train_loss"] < 1


def test_clipped_scaled_and_averaged_as_by_hand(tmp_path: Path) -> None:
    """In f16, by the lines that one would write; then saved and gone on from."""
    device = Device.host()
    model, average = Tiny(device, dtype=f16), MovingAverage(model_of := Tiny(device, dtype=f16), 0.5)
    optimizer, loader = LossScale(SGD(momentum=0.9), 256.0, every=3), Shuffled()
    by_hand = MovingAverage(model, 0.5)
    for x, t in loader:
        model.init_parameter_grads()
        loss = model(Tensor.from_numpy(x, device).cast(f16)).cross_entropy_loss(Tensor.from_numpy(t, device))
        optimizer.scaled(loss).backward()
        optimizer.unscale(model)
        clip_gradients_by_value(model, 0.4)
        clip_gradients_by_norm(model, 0.5)
        model.update(0.1, optimizer)
        by_hand.update()

    def trainer(model: Tiny, average: MovingAverage, checkpoint: Any) -> Trainer:
        return Trainer(
            model, LossScale(SGD(momentum=0.9), 256.0, every=3), 0.1, cross_entropy, clip_norm=0.5, clip_value=0.4,
            average=average, checkpoint=checkpoint,
        )  # fmt: skip

    first = trainer(model_of, average, tmp_path / "m")
    history = first.fit(Shuffled(), epochs=1, evaluation=Shuffled(seed=1), progress="none")
    for p, q in zip(model.parameters(), model_of.parameters(), strict=True):
        assert p.numpy().tobytes() == q.numpy().tobytes()
    for name, value in by_hand.state().items():
        assert value.numpy().tobytes() == average.state()[name].numpy().tobytes()
    assert first.optimizer.state() == optimizer.state() == {"scale": 512.0, "good": 2.0}  # type: ignore[attr-defined]
    with average.swapped_in():
        assert first.evaluate(Shuffled(seed=1))["loss"] == history[0]["evaluation_loss"]
    assert first.evaluate(Shuffled(seed=1))["loss"] != history[0]["evaluation_loss"]
    again = Tiny(device, dtype=f16, seed=5)
    resumed = trainer(again, MovingAverage(again, 0.5), tmp_path / "m")
    for one, loader in ((first, Shuffled()), (resumed, Shuffled())):
        loader.passes = 1
        one.fit(loader, epochs=2, resume=one is resumed, evaluation=Shuffled(seed=1), progress="none")
    assert bits_of(again) == bits_of(model_of)
    assert curves(first.history) == curves(resumed.history)


def bits_of(model: Tiny) -> list[bytes]:
    return [p.numpy().tobytes() for p in model.parameters()]


@pytest.mark.one_vulkan_device
@pytest.mark.parametrize("accumulate", [1, 2])
def test_captured_steps_have_the_same_bits(device: Device, accumulate: int) -> None:
    """With dropout, running statistics, limits, averages, a rate that changes, and evaluations between."""
    trained = []
    for captured in (False, True):
        model = Tiny(device)
        average = MovingAverage(model, 0.5)
        trainer = Trainer(
            model, SGD(momentum=0.9), Falling(), cross_entropy, metrics={"right": Right()}, clip_norm=0.5,
            average=average, captured=captured, accumulate=accumulate,
        )  # fmt: skip
        trainer.fit(Shuffled(), epochs=5, evaluation=Shuffled(seed=1), progress="none")
        trained.append((bits_of(model), model.mean.numpy().tobytes(), curves(trainer.history)))
    assert trained[0] == trained[1]


def test_models_of_several_inputs_and_losses_of_anything() -> None:
    """Batches that are dicts, losses of three values, no metrics, tokens for examples."""

    def forward(model: Any, batch: Any) -> Any:
        return model(batch["x"]), batch["y"], batch["weight"]

    def loss(y: Tensor, t: Tensor, weight: Tensor) -> Tensor:
        return ((y - t) * (y - t) * weight).mean()

    ones = np.ones((4, 2), np.float32)
    batches = [{"x": ones, "y": 5 * ones[:, :1], "weight": ones[:, 1:]}]
    trainer = Trainer(Dense(2, 1, seed=0), SGD(), 0.1, loss, forward=forward, count=lambda batch: batch["x"].size)
    history = trainer.fit(batches, epochs=20, progress="none")
    assert history[-1]["train_loss"] < 0.01 < history[0]["train_loss"]
    assert history[0]["per_second"] * history[0]["seconds"] == pytest.approx(8)
    # A schedule may be any function of the step.
    pair = [(np.ones((1, 2), np.float32), np.ones((1, 1), np.float32))]
    trainer = Trainer(Dense(2, 1, seed=0), SGD(), lambda step: 1 / (step + 1), lambda y, t: ((y - t) ** 2).mean())
    assert [entry["rate"] for entry in trainer.fit(pair, epochs=2, progress="none")] == [1.0, 0.5]


@pytest.mark.parametrize(
    ("made", "how", "message"),
    [
        ({}, {}, "neither epochs nor steps"),
        ({}, {"epochs": 0}, "epochs=0; expected a whole number of at least 1"),
        ({}, {"steps": 1.5}, "steps=1.5"),
        ({}, {"epochs": 1, "batches": 3}, "type int; expected what can be iterated"),
        ({}, {"epochs": 1, "batches": iter([])}, "iterated as often as wanted"),
        ({}, {"epochs": 1, "batches": []}, "gives no batches"),
        ({}, {"epochs": 1, "batches": [np.ones(3)]}, r"expected \(input, target\)"),
        ({}, {"epochs": 1, "batches": [[1, 2]]}, r"Trainer\(\.\.\., count=\)"),
        ({}, {"epochs": 1, "evaluation": []}, "evaluate: there are no batches"),
        ({}, {"epochs": 1, "progress": "much"}, "progress='much'"),
        ({}, {"epochs": 1, "resume": True}, "names no file"),
        ({"accumulate": 0}, {}, "accumulate=0"),
        ({"schedule": "fast"}, {}, "schedule='fast'"),
        ({"model": 3}, {}, "the model is of type int"),
        ({"monitor": "nothing"}, {"epochs": 1}, "the history has no 'nothing'; it has"),
    ],
)
def test_what_is_wrong_is_said(made: Any, how: Any, message: str) -> None:
    given: dict[str, Any] = {
        "model": Dense(3, 2), "optimizer": SGD(), "schedule": Falling(), "loss": cross_entropy,
        "metrics": {"right": Right()}, **made,
    }  # fmt: skip
    with pytest.raises(AutographError, match=message):
        Trainer(**given).fit(how.pop("batches", Shuffled()), **{"progress": "none", **how})
    assert curves([]) == []
