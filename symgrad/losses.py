"""Loss functions under the names that people look for; torch's names are aliases."""

from __future__ import annotations

from symgrad.functions.losses import cross_entropy, mse

__all__ = ["cross_entropy", "mse", "mse_loss"]

mse_loss = mse
