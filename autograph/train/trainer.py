"""The loop: steps, epochs, evaluations, saves."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from math import inf, nan
from os import PathLike
from typing import Any

from autograph.errors import AutographError, CheckpointError
from autograph.files.checkpoints import checkpoint_payload, read_checkpoint, restore_checkpoint
from autograph.nn.layer import Layer
from autograph.optim import MovingAverage, Optimizer
from autograph.tensor.tensor import Tensor
from krnlpy.errors import FileMissing

from .batches import Count, Stream, count_of, length_of
from .callbacks import Callback, Entry, watched
from .display import Display, Progress, complain, display, numbered, scored, summary
from .saving import Checkpoints, Saver
from .scores import Scores, require_stateful, restore, state_of
from .signals import Interruption
from .steps import Forward, Step


class Trainer:
    """Trains a model by batches. All that it does are these lines, and what one wants around them:

        model.init_parameter_grads()
        loss(model(x), t).backward()
        model.update(schedule(step), optimizer)

    Losses and metrics stay on the device, and are read each ``read_every`` steps and at the end of an epoch.

    Args:
        model: what is trained.
        optimizer: changes its parameters. With a :class:`autograph.optim.LossScale`, losses are scaled.
        schedule: the learning rate, or a function from the number of the step, from 0, to it. One that has ``update``,
            such as :class:`autograph.optim.schedules.Plateau`, is told the ``monitor`` after each epoch.
        loss: a function of what ``forward`` gives; its result is the mean over the batch.
        metrics: by name, of what ``forward`` gives, such as :class:`autograph.metrics.Accuracy`.
        forward: a function of the model and a batch that gives a tuple, the arguments of ``loss`` and of the metrics.
            By default a batch is ``(input, target)``, and they are ``(model(input), target)``; an input of floats is
            converted to the dtype of the model's first parameter.
        clip_norm: the most that the norm of all gradients may be; None for no limit.
        clip_value: the most that a number of a gradient may be, above and below 0; None for no limit.
        average: of the model's parameters, which goes on with each step, and is what the evaluation is of.
        captured: whether steps are recorded and replayed, as by :func:`autograph.capture`: to the same bits, and
            quicker; ``forward`` and ``loss`` must then be such that they can be recorded.
        accumulate: so many batches make a step, whose gradient is that of the mean over all of their examples.
        count: how many examples a batch has, or how many tokens: means over an epoch are weighted by it. By default
            the length of its first axis.
        read_every: after so many steps the loss is read and shown, which waits for the device.
        checkpoint: a file, or :class:`Checkpoints`, where the state is saved after each epoch and when training ends.
        monitor: ``"loss"`` or the name of a metric, as :class:`EarlyStopping` names it.

    Attributes:
        epoch: how many are done.
        step: how many are done.
        rate: the last step's learning rate.
        loss: the last step's loss, on the device.
        history: a dict for each epoch: ``epoch`` and ``step`` (done then), ``rate``, ``train_loss``, and with an
            evaluation ``evaluation_loss``, the same of each metric (arrays as lists), the ``seconds`` of its steps, and
            ``per_second``, of examples.
        stopped: why training ended before it was done: a callback's reason, or the name of a signal; else None.

    Raises:
        AutographError: an argument is of another kind.

    >>> import numpy as np
    >>> from autograph import SGD, Dense
    >>> from autograph.train import Trainer
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> batches = [(x, np.array([0, 0, 0, 1]))]
    >>> model = Dense(2, 2, bias=True, seed=0)
    >>> trainer = Trainer(model, SGD(momentum=0.9), 0.5, loss=lambda y, t: y.cross_entropy_loss(t))
    >>> history = trainer.fit(batches, epochs=100, progress="none")
    >>> len(history), history[-1]["train_loss"] < 0.1
    (100, True)
    """

    def __init__(
        self,
        model: Layer,
        optimizer: Optimizer,
        schedule: float | Callable[[int], float],
        loss: Callable[..., Tensor],
        *,
        metrics: Mapping[str, Any] | None = None,
        forward: Forward | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        average: MovingAverage | None = None,
        captured: bool = False,
        accumulate: int = 1,
        count: Count = count_of,
        read_every: int = 25,
        checkpoint: str | PathLike[str] | Checkpoints | None = None,
        monitor: str = "loss",
    ) -> None:
        if not isinstance(model, Layer):
            raise AutographError(f"Trainer: the model is of type {type(model).__name__}; expected a Layer")
        for name, value in (("accumulate", accumulate), ("read_every", read_every)):
            _require_count(name, value)
        self.model, self.optimizer = model, optimizer
        self.schedule = schedule if callable(schedule) else _constant(schedule)
        self.metrics = dict(metrics or {})
        self._average = average
        self.accumulate, self.read_every, self.monitor = accumulate, read_every, monitor
        if not (checkpoint is None or isinstance(checkpoint, Checkpoints)):
            checkpoint = Checkpoints(checkpoint)
        self._saver = None if checkpoint is None else Saver(checkpoint)
        self.epoch = self.step = 0
        self.rate = nan
        self.loss = Tensor.full((), nan)
        self.history: list[Entry] = []
        self.stopped: str | None = None
        self._step = Step(model, optimizer, loss, forward, count, clip_norm, clip_value, average, captured)
        self._callbacks: list[Callback] = []
        self._interruption = Interruption()
        self._display: Display = display("none")
        self._scores = Scores(self.metrics)
        self._stream: Stream | None = None
        self._epoch_steps = 0  # done in this epoch
        self._is_epoch_done = False  # all of its steps are; the evaluation is not
        self._seconds = 0.0

    def fit(
        self,
        batches: Any,
        *,
        epochs: int | None = None,
        steps: int | None = None,
        steps_per_epoch: int | None = None,
        evaluation: Any = None,
        callbacks: Sequence[Callback] = (),
        resume: bool | str | PathLike[str] = False,
        progress: Progress = "auto",
        unit: str = "examples",
    ) -> list[Entry]:
        """Trains until so many epochs, or steps, are done in all.

        The first Ctrl-C or SIGTERM lets the step end, saves, says how to resume, and does then what it does elsewhere:
        raises KeyboardInterrupt, or ends the process. A second one does so at once.

        Args:
            batches: can be iterated as often as wanted, such as a DataLoader or a list; each time is an epoch. If it
                has ``state()`` and ``restore(state)``, its position is saved so, else it is counted. NumPy arrays in
                batches are moved to the model's device.
            epochs: until so many are done; None for no limit.
            steps: until so many are done; None for no limit. Where that is within an epoch, the epoch ends there.
            steps_per_epoch: an epoch has so many steps, and goes on where the one before ended; None for as many as
                ``batches`` gives.
            evaluation: the same for the evaluation after each epoch, with the model in its mode of evaluation; or
                None.
            callbacks: are called in this order.
            resume: go on from the checkpoint, if there is one, or from another file, which has to be there: bit for bit
                as if training had not stopped, on the same device, if model, optimizer, batches and callbacks are made
                as they were.
            progress: ``"bar"``, ``"lines"`` (one an epoch), ``"none"``, or ``"auto"``: a bar in terminals, a line that
                changes in notebooks, else lines.
            unit: what examples are called.

        Returns:
            The history, which is the attribute.

        Raises:
            AutographError: an argument is of another kind, or there is neither a number of epochs nor one of steps.
            CheckpointError: the checkpoint is damaged or of another training, or cannot be written.
            FileMissing: ``resume`` names a file that is not there.

        >>> import tempfile
        >>> from autograph import SGD, Dense, Tensor
        >>> from autograph.train import Trainer
        >>> batch = (Tensor.ones((2, 3)), Tensor.from_numpy([0, 1]))
        >>> def trainer(folder):
        ...     model = Dense(3, 2, seed=0)
        ...     loss = lambda y, t: y.cross_entropy_loss(t)
        ...     return Trainer(model, SGD(), 0.1, loss, checkpoint=f"{folder}/model.cbor")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = trainer(folder).fit([batch], epochs=2, progress="none")
        ...     history = trainer(folder).fit([batch], epochs=3, resume=True, progress="none")
        >>> [entry["epoch"] for entry in history]
        [1, 2, 3]
        """
        for name, value in (("epochs", epochs), ("steps", steps), ("steps_per_epoch", steps_per_epoch)):
            if value is not None:
                _require_count(name, value)
        if epochs is None and steps is None:
            raise AutographError("fit: neither epochs nor steps; expected how long to train")
        if resume is True and self._saver is None:
            raise AutographError("fit: resume=True, but Trainer(checkpoint=...) names no file")
        if self._stream is None or self._stream.loader is not batches:
            self._stream = Stream(batches)
        plan = _Plan(self._stream, evaluation, epochs or inf, steps or inf, steps_per_epoch, unit)
        self._callbacks = list(callbacks)
        is_resumed = bool(resume) and self._resume(plan, resume)
        self.stopped = None
        self._display = display(progress)
        if is_resumed:
            self._display.line(f"resumed after epoch {self.epoch}, step {self.step}")
        self._interruption = Interruption()
        with self._interruption:
            try:
                for callback in self._callbacks:
                    callback.on_start(self)
                self._run(plan)
            finally:
                self._display.close()
                self._display = display("none")
                for callback in self._callbacks:
                    callback.on_end(self)
        self._interruption.obey()
        return self.history

    def evaluate(self, batches: Any) -> dict[str, Any]:
        """Loss and metrics over batches, with the model in its mode of evaluation; nothing is recorded.

        Args:
            batches: as :meth:`fit` takes them.

        Raises:
            AutographError: there is no batch.

        >>> from autograph import SGD, Dense, Tensor
        >>> from autograph.train import Trainer
        >>> trainer = Trainer(Dense(3, 2), SGD(), 0.1, loss=lambda y, t: ((y - t) ** 2).mean())
        >>> found = trainer.evaluate([(Tensor.zeros((5, 3)), Tensor.ones((5, 2)))])
        >>> found
        {'loss': 1.0}
        """
        scores = Scores(deepcopy(self.metrics))  # what training has added up stays, if this is interrupted
        training = self.model.training
        self.model.eval()
        self._step.find()
        try:
            for batch in batches:
                scores.add(*self._step.scored(batch))
                self._display.advance(1)
                if self._interruption.signal is not None:
                    raise _Interrupted
        finally:
            self.model.train(training)
        if not scores.count:
            raise AutographError("evaluate: there are no batches")
        return scores.values()

    def stop(self, reason: str) -> None:
        """Ends training after this step, or this epoch if it is called at its end; for callbacks.

        Raises:
            AutographError: the reason is not text.

        >>> from autograph.train import Callback
        >>> class Patience(Callback):
        ...     def on_epoch(self, trainer, entry):
        ...         if entry["seconds"] > 60:
        ...             trainer.stop("too slow")
        """
        if not isinstance(reason, str):
            raise AutographError(f"stop: reason={reason!r}; expected text")
        self.stopped = reason

    def _run(self, plan: _Plan) -> None:
        while self._interruption.signal is None and not self.stopped:
            if not self._is_epoch_done:
                if self.epoch >= plan.epochs or self.step >= plan.steps:
                    break
                self._is_epoch_done = self._epoch(plan)
            if not self._is_epoch_done:
                self._save(plan, None)
                break
            before = None if self._saver is None else self._state(plan)
            try:
                entry = self._close_epoch(plan)
            except _Interrupted:
                self._save(plan, None, before)
            else:
                self._display.line(summary(entry, plan.epochs, plan.unit))
                self._save(plan, entry)
            del before  # it holds elements that the next step changes, which would be recorded again
        if self._interruption.signal is not None:
            self._tell_how_to_resume(self._interruption.signal.name)
        elif self.stopped:
            self._display.line(f"stopped after epoch {self.epoch}: {self.stopped}")

    def _epoch(self, plan: _Plan) -> bool:
        """The steps of an epoch, or what is left of them; False if a signal came between."""
        total = plan.stream.length if plan.steps_per_epoch is None else plan.steps_per_epoch * self.accumulate
        self._display.begin(numbered(self.epoch + 1, plan.epochs), total, self._epoch_steps * self.accumulate)
        self.model.train()
        self._step.find()
        start, before = time.perf_counter(), self._seconds
        while True:
            group = plan.stream.take(self.accumulate)
            if not group:
                if self._epoch_steps and plan.steps_per_epoch is None:
                    break
                continue  # with the next pass
            self.rate = float(self.schedule(self.step))
            self.loss = self._step.take(group, self.rate, self._scores)
            self.step += 1
            self._epoch_steps += 1
            self._seconds = before + time.perf_counter() - start
            text = None
            if self._epoch_steps % self.read_every == 1 or self.read_every == 1:
                text = scored(self._scores.values())
                text += f"  {self._scores.count / self._seconds:,.0f} {plan.unit}/s"
            self._display.advance(len(group), text)
            for callback in self._callbacks:
                callback.on_step(self)
            if self._interruption.signal is not None:
                return False
            if self.stopped or self._epoch_steps == plan.steps_per_epoch or self.step >= plan.steps:
                break
            if self._saver and self._saver.every and self.step % self._saver.every == 0:
                self._save(plan, None)
        self._scores.read()
        self._seconds = before + time.perf_counter() - start
        return True

    def _close_epoch(self, plan: _Plan) -> Entry:
        """The entry of an epoch whose steps are done; evaluates, and tells the schedule and callbacks."""
        entry: Entry = {"epoch": self.epoch + 1, "step": self.step, "rate": self.rate}
        entry |= {f"train_{name}": value for name, value in self._scores.values().items()}
        count, seconds = self._scores.count, self._seconds
        if plan.evaluation is not None:
            self._display.begin("evaluation", length_of(plan.evaluation), 0)
            with nullcontext() if self._average is None else self._average.swapped_in():
                scores = self.evaluate(plan.evaluation)
            entry |= {f"evaluation_{name}": value for name, value in scores.items()}
        entry |= {"seconds": seconds, "per_second": count / seconds if seconds else inf}
        self.epoch += 1
        self._scores, self._epoch_steps, self._seconds = Scores(self.metrics), 0, 0.0
        self._is_epoch_done = False
        if hasattr(self.schedule, "update"):
            self.schedule.update(watched(entry, self.monitor))
        self.history.append(entry)
        for callback in self._callbacks:
            callback.on_epoch(self, entry)
        return entry

    def _state(self, plan: _Plan) -> dict[str, Any]:
        """What is saved beside the model and what its optimizer remembers of it."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "epoch_steps": self._epoch_steps,
            "epoch_done": self._is_epoch_done,
            "rate": self.rate,
            "seconds": self._seconds,
            "scores": self._scores.state(),
            "batches": plan.stream.state(),
            "evaluation": state_of(plan.evaluation),
            "schedule": state_of(self.schedule),
            "optimizer": state_of(self.optimizer),
            "average": state_of(self._average),
            "callbacks": [[type(callback).__name__, callback.state()] for callback in self._callbacks],
        }

    def _save(self, plan: _Plan, entry: Entry | None, training: dict[str, Any] | None = None) -> None:
        if self._saver is not None:
            is_best = self._saver.note(self.step, entry)
            training = (training or self._state(plan)) | {"files": self._saver.state()}
            metadata = {"history": self.history, "training": training}
            self._saver.write(checkpoint_payload(self.model, self.optimizer, metadata), is_best)

    def _tell_how_to_resume(self, signal: str) -> None:
        self.stopped = signal
        done = f"{signal} after step {self.step}"
        if self._saver is None:
            complain(f"{done}; nothing was saved: Trainer(checkpoint=...) names a file")
        else:
            complain(f"{done}; saved to {self._saver.path}: fit(..., resume=True) goes on from there")

    def _resume(self, plan: _Plan, path: Any) -> bool:
        """Takes the state that a file has; False if there is no file, and none was named."""
        is_named, own = path is not True, None if self._saver is None else self._saver.path
        path = path if is_named else own
        try:
            found = read_checkpoint(path)
        except FileMissing:
            if is_named:
                raise
            return False
        training, history = (found.metadata.get(name) for name in ("training", "history"))
        if not isinstance(training, dict) or not isinstance(history, list):
            raise CheckpointError(f"{path} holds a model, but no training that could go on")
        names = [type(callback).__name__ for callback in self._callbacks]
        saved = [name for name, _ in training["callbacks"]]
        if names != saved:
            raise CheckpointError(f"{path} was saved with the callbacks {saved}, not {names}")
        scores = training["scores"]
        parts = [
            (plan.stream.loader, training["batches"]["loader"], "the loader"),
            (plan.evaluation, training["evaluation"], "the evaluation's loader"),
            (self.schedule, training["schedule"], "the schedule"),
            (self.optimizer, training["optimizer"], "the optimizer"),
            (self._average, _tensors(training["average"]), "the average"),
            *((metric, scores["metrics"].get(name), f"the metric {name}") for name, metric in self.metrics.items()),
        ]
        for part in parts:
            require_stateful(*part)
        restore_checkpoint(found, path, self.model, self.optimizer)
        plan.stream.restore(training["batches"])
        for part in parts[1:5]:
            restore(*part)
        self._scores.restore(scores)
        if self._saver is not None and path == own:
            self._saver.restore(training["files"])
        for callback, (_, state) in zip(self._callbacks, training["callbacks"], strict=True):
            callback.restore(state)
        self.epoch, self.step, self.history = training["epoch"], training["step"], history
        self._epoch_steps, self._is_epoch_done = training["epoch_steps"], training["epoch_done"]
        self.rate, self._seconds = training["rate"], training["seconds"]
        return True


@dataclass(frozen=True)
class _Plan:
    """What is trained with, and for how long."""

    stream: Stream
    evaluation: Any
    epochs: float
    steps: float
    steps_per_epoch: int | None
    unit: str


class _Interrupted(Exception):
    """A signal came while the model was evaluated."""


def _tensors(state: Any) -> Any:
    """A state of tensors, which a file has as arrays."""
    return state and {name: Tensor.from_numpy(array) for name, array in state.items()}


def _constant(rate: Any) -> Callable[[int], float]:
    try:
        number = float(rate)
    except (TypeError, ValueError):
        raise AutographError(f"Trainer: schedule={rate!r}; expected a number, or a function of the step") from None
    return lambda step: number


def _require_count(name: str, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise AutographError(f"{name}={value!r}; expected a whole number of at least 1")
