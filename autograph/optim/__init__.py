"""Optimizers, written as update rules: functions of numbers."""

from . import schedules
from .adam import Adam, AdamW, NAdam, RAdam
from .adaptive import Adadelta, Adagrad, Lion, RMSprop
from .gradients import clip_gradients_by_norm, clip_gradients_by_value
from .lamb import LAMB
from .loss_scale import LossScale
from .moving_average import MovingAverage
from .muon import Muon
from .optimizer import Optimizer
from .rule import Update, UpdateRule
from .rule_optimizer import RuleOptimizer
from .sgd import SGD

__all__ = [
    "LAMB",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "LossScale",
    "MovingAverage",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "RuleOptimizer",
    "Update",
    "UpdateRule",
    "clip_gradients_by_norm",
    "clip_gradients_by_value",
    "schedules",
]
