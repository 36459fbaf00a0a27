"""Logs, pictures, and what is shown."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from autograph.errors import AutographError
from autograph.train import (
    Callback,
    Checkpoints,
    CsvLog,
    Curves,
    JsonLinesLog,
    TensorBoardLog,
    Trainer,
    plot_curves,
)
from autograph.train.display import Notebook
from krnlpy.errors import FileError
from tests.support.tiers import deep

from .test_resume import Killed
from .tiny import curves, fit, make


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_tables_and_lines_go_on_where_training_does(tmp_path: Path) -> None:
    def run(name: str, step: int, **how: Any) -> Any:
        folder = tmp_path / name
        logs = [CsvLog(folder / "log.csv"), JsonLinesLog(folder / "log.jsonl", every=2)]
        trainer = make(folder / "m")
        if step:
            with pytest.raises(MemoryError):
                fit(trainer, *logs, Killed(step), epochs=3, **how)
        else:
            fit(trainer, *logs, Killed(0), epochs=3, **how)
        return trainer

    whole = run("whole", 0)
    run("parts", 9)
    with (tmp_path / "parts" / "log.jsonl").open("a") as file:
        file.write('{"step": 9, "lo')  # a line that was not finished
    assert rows(tmp_path / "parts" / "log.csv")[-1]["step"] == "5"
    run("parts", 0, resume=True)
    tables = [rows(tmp_path / name / "log.csv") for name in ("whole", "parts")]
    assert [float(row["evaluation_loss"]) for row in tables[0]] == [e["evaluation_loss"] for e in whole.history]
    lines = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    for log in (tables, lines):
        assert curves(log[0]) == curves(log[1])
    assert [(line["step"], line.get("epoch")) for line in lines[0]] == [
        (2, None), (4, None), (5, 1), (6, None), (8, None), (10, None), (10, 2), (12, None), (14, None), (15, 3)
    ]  # fmt: skip
    run("whole", 0)
    assert len(rows(tmp_path / "whole" / "log.csv")) == 3, "training that begins anew begins its logs anew"
    assert (tmp_path / "whole" / "log.jsonl").read_text().count("\n") == 10


def test_the_line_of_an_epoch_that_was_not_saved_is_dropped(tmp_path: Path) -> None:
    class Dies(Callback):
        def on_epoch(self, trainer: Trainer, entry: dict[str, Any]) -> None:
            if self.dies and trainer.epoch == 2:
                raise MemoryError

        def __init__(self, dies: bool) -> None:
            self.dies = dies

    def run(dies: bool) -> None:
        trainer = make(Checkpoints(tmp_path / "m", every=1))
        log = JsonLinesLog(tmp_path / "log.jsonl", every=5)
        fit(trainer, log, Dies(dies), epochs=3, resume=True)

    with pytest.raises(MemoryError):
        run(True)
    run(False)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["step"], line.get("epoch")) for line in lines] == [
        (5, None), (5, 1), (10, None), (10, 2), (15, None), (15, 3)
    ]  # fmt: skip


@deep  # its packages take seconds to import
def test_events_for_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    trainer = make(tmp_path / "m")
    fit(trainer, TensorBoardLog(tmp_path / "events", every=4), epochs=2)
    [file] = (tmp_path / "events").iterdir()
    found = events(file)
    for tag, name in (("loss/train", "train_loss"), ("right/evaluation", "evaluation_right")):
        assert found[tag] == [(e["step"], np.float32(e[name]).item()) for e in trainer.history]
    assert [step for step, _ in found["step/loss"]] == [4, 8]
    again = make(tmp_path / "m")
    fit(again, TensorBoardLog(tmp_path / "events", every=None), epochs=3, resume=True)
    [new] = {*(tmp_path / "events").iterdir()} - {file}
    assert [step for step, _ in events(new)["loss/train"]] == [15]


def events(path: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars of a file of events, by tag."""
    from tensorboardX.proto.event_pb2 import Event

    data = path.read_bytes()
    found: dict[str, list[tuple[int, float]]] = {}
    while data:  # length and its checksum, the event and its checksum
        size = int.from_bytes(data[:8], "little")
        event = Event.FromString(data[12 : 12 + size])
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
        data = data[16 + size :]
    return found


def test_curves_are_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    trainer = make()
    fit(trainer, Curves(tmp_path / "a" / "curves.svg", "Tiny"), epochs=2)
    text = (tmp_path / "a" / "curves.svg").read_text()
    assert all(f"<!-- {word} -->" in text for word in ("Tiny", "loss", "right", "train", "evaluation", "epoch"))
    fit(make(), Curves(tmp_path / "plain"), epochs=1, evaluation=None)
    assert (tmp_path / "plain").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(AutographError, match="the history has no train_loss"):
        plot_curves([], tmp_path / "x.png")
    with pytest.raises(AutographError, match=r"x\.txt: Format 'txt' is not supported"):
        plot_curves(trainer.history, tmp_path / "x.txt")
    (tmp_path / "file").touch()
    with pytest.raises(AutographError, match=r"the folder of .* cannot be made"):
        plot_curves(trainer.history, tmp_path / "file" / "x.png")


@pytest.mark.parametrize(
    ("module", "made", "extra"),
    [("matplotlib", Curves, "plot"), ("tensorboardX", TensorBoardLog, "tensorboard")],
)
def test_what_is_missing_is_said_before_training(
    module: str, made: Any, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        AutographError, match=rf"needs {module}, which is not installed; `pip install 'krnlpy\[{extra}\]'`"
    ):
        made("x")


def test_wrong_settings_of_logs() -> None:
    for made in (JsonLinesLog, TensorBoardLog):
        if made is JsonLinesLog or importlib.util.find_spec("tensorboardX"):  # to import it takes seconds
            with pytest.raises(AutographError, match="every=0; expected"):
                made("x", every=0)
    with pytest.raises(FileError, match="empty"):
        CsvLog("")


def test_a_line_an_epoch_where_nobody_looks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(make(), epochs=2, progress="auto", unit="flowers")
    lines = capsys.readouterr().out.splitlines()
    number = r"\d\.\d{4}"
    for epoch, line in enumerate(lines, 1):
        assert re.fullmatch(
            rf"epoch {epoch}/2  train loss {number}  train right {number}  evaluation loss {number}"
            rf"  evaluation right {number}  [\d,]+ flowers/s",
            line,
        )
    assert len(lines) == 2
    fit(make(tmp_path / "m"), epochs=2, progress="none")
    fit(make(tmp_path / "m"), epochs=3, progress="lines", resume=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "resumed after epoch 2, step 10" and lines[1].startswith("epoch 3/3  ") and len(lines) == 2
    fit(make(), epochs=1, progress="none")
    assert capsys.readouterr().out == ""


def test_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setattr("rich.console.Console.is_dumb_terminal", False)
    monkeypatch.setenv("COLUMNS", "120")
    fit(make(), epochs=2, progress="auto", pause=0.07)
    shown = capsys.readouterr().out
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"epoch 1/2 .* [1-5]/5 loss \d\.\d{4}  right \d\.\d{4}  [\d,]+ examples/s \d:\d\d:\d\d", text)
    lines = re.findall(r"^epoch [12]/2  train loss .* examples/s *$", text.replace("\r", "\n"), re.MULTILINE)
    assert len(lines) == 2, "which stay above it"


def test_a_line_that_changes_in_notebooks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, data: dict[str, str], raw: bool) -> None:
            assert raw
            shown.append(data["text/plain"])

    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    vars(display)["display"] = lambda data, raw, display_id: Handle()
    vars(ipython)["display"] = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr("rich.console.Console.is_jupyter", True, raising=False)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    fit(make(), epochs=1, progress="auto")
    assert any(
        re.fullmatch(r"epoch 1/1  4/5  loss \d\.\d{4}  right \d\.\d{4}  [\d,]+ examples/s", text) for text in shown
    )
    assert any(text.startswith("evaluation  0/5") for text in shown) and shown[-1] == ""
    assert capsys.readouterr().out.startswith("epoch 1/1  train loss")
    notebook = Notebook()
    notebook.begin("epoch 1", None, 3)
    notebook.advance(20)
    assert shown[-1] == "epoch 1  23  "
