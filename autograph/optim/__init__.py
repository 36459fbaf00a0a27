"""Optimizers, written as update rules: functions of numbers."""

from . import schedules
from .adam import Adam, AdamW, NAdam, RAdam
from .adaptive import Adadelta, Adagrad, Lion, RMSprop
from .lamb import LAMB
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
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "RuleOptimizer",
    "Update",
    "UpdateRule",
    "schedules",
]
