"""Layout, indexing, linear algebra, and the functions of neural networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CALLS: dict[str, str | Callable[..., Any]] = {
    "matmul": "matmul",
}
