"""Optimizers, written as update rules: functions of numbers."""

from .adam import Adam, AdamW, NAdam, RAdam
from .adaptive import Adadelta, Adagrad, Lion, RMSprop
from .optimizer import Optimizer
from .rule import RuleOptimizer, UpdateRule
from .sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "RuleOptimizer",
    "UpdateRule",
]
