"""The op table by family; each op is one declaration."""

from symgrad.ops import (
    arithmetic,
    decomposition,
    exponential,
    indexing,
    layout,
    marks,
    piecewise,
    product,
    reduction,
    sliding,
    trigonometric,
)

__all__ = [
    "arithmetic",
    "decomposition",
    "exponential",
    "indexing",
    "layout",
    "marks",
    "piecewise",
    "product",
    "reduction",
    "sliding",
    "trigonometric",
]
