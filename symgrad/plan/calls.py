"""The passes for plans without the extra `fast`, in which every operation on small arrays costs a call of NumPy."""

from __future__ import annotations

from functools import partial

from symgrad.graph import Graph
from symgrad.passes import eliminate_dead
from symgrad.plan.chains import multiply_chains
from symgrad.plan.joining import join_biases
from symgrad.plan.stacking import stack_rows, stack_updates
from symgrad.plan.views import merge_views

__all__ = ["save_calls"]

PASSES = (partial(join_biases, copied=1.0), multiply_chains, stack_rows, stack_updates)
"""What `save_calls` does, in order."""


def save_calls(graph: Graph) -> Graph:
    """Fewer calls for the same values."""
    for step in PASSES:
        changed = step(graph)
        graph = graph if changed is graph else merge_views(changed)
    return eliminate_dead(graph)
