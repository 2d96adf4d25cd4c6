"""The op table by family; each op is one declaration."""

from symgrad.ops import (
    arithmetic,
    decomposition,
    exponential,
    indexing,
    layout,
    marks,
    order,
    piecewise,
    product,
    reduction,
    sliding,
    special,
    trigonometric,
)

__all__ = [
    "arithmetic",
    "decomposition",
    "exponential",
    "indexing",
    "layout",
    "marks",
    "order",
    "piecewise",
    "product",
    "reduction",
    "sliding",
    "special",
    "trigonometric",
]
