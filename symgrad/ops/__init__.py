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
    solving,
    special,
    trigonometric,
    updating,
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
    "solving",
    "special",
    "trigonometric",
    "updating",
]
