"""Elementwise functions, special functions, reductions, scans and sorting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CALLS: dict[str, str | Callable[..., Any]] = {
    "abs": "abs",
    "exp": "exp",
    "atan2": "arctan2",
    "sum": "sum",
}
