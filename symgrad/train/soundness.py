"""Whether a state can be trained from, and which node spoilt one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from symgrad.context import detect_anomaly
from symgrad.errors import AnomalyError

__all__ = ["first_bad_node", "is_sound"]


def is_sound(arrays: Mapping[str, Any]) -> bool:
    """Whether all numbers are finite."""
    return all(bool(np.isfinite(a).all()) for a in arrays.values())


def first_bad_node(step: Callable[[], Any]) -> str:
    """Run a step op by op, and tell the node that first made a number that is not finite; "" if none did."""
    try:
        with np.errstate(all="ignore"), detect_anomaly():
            step()
    except AnomalyError as error:
        return f": {error}"
    except Exception:  # the step failed in another way than was to be explained
        return ""
    return ""
