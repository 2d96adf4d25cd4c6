"""Optimizers: update rules written once, and schedules."""

from symgrad.optim import rules, schedules
from symgrad.optim.optimizer import SGD, Adam, Optimizer

__all__ = ["SGD", "Adam", "Optimizer", "rules", "schedules"]
