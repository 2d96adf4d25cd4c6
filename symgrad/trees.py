"""Nested dicts, lists and tuples as flat lists of their leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["flatten", "tree_map", "unflatten"]

Structure = tuple[type, Any, tuple["Structure", ...]] | None


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """Leaves from left to right, and the structure that puts them back; None holds no leaf.

    Examples
    --------
    >>> leaves, structure = flatten({"w": 1, "b": [2, 3]})
    >>> leaves, unflatten(structure, [10, 20, 30])
    ([1, 2, 3], {'w': 10, 'b': [20, 30]})
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> Structure:
    kind = type(tree)
    if kind is dict:
        return kind, tuple(tree), tuple([_flatten(v, leaves) for v in tree.values()])
    if kind in (list, tuple) or (isinstance(tree, tuple) and hasattr(tree, "_fields")):
        return kind, None, tuple([_flatten(v, leaves) for v in tree])
    if tree is None:
        return type(None), None, ()
    leaves.append(tree)
    return None


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """The tree of this structure with these leaves (from an iterator, with its next ones)."""
    return _unflatten(structure, iter(leaves))


def _unflatten(structure: Structure, leaves: Any) -> Any:
    if structure is None:
        return next(leaves)
    kind, keys, children = structure
    if kind is type(None):
        return None
    values = [_unflatten(child, leaves) for child in children]
    if kind is dict:
        return dict(zip(keys, values, strict=True))
    return kind(values) if kind in (list, tuple) else kind(*values)


def tree_map(f: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with f applied to every leaf."""
    leaves, structure = flatten(tree)
    return unflatten(structure, [f(x) for x in leaves])
