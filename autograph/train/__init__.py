"""Training: a loop that one can do without, and what watches, logs, shows and saves it."""

from .callbacks import Callback, EarlyStopping
from .curves import Curves, plot_curves
from .logs import CsvLog, JsonLinesLog, TensorBoardLog
from .saving import Checkpoints
from .trainer import Trainer

__all__ = [
    "Callback",
    "Checkpoints",
    "CsvLog",
    "Curves",
    "EarlyStopping",
    "JsonLinesLog",
    "TensorBoardLog",
    "Trainer",
    "plot_curves",
]
