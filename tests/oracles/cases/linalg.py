"""Products and decompositions."""

from __future__ import annotations

from typing import Any

import numpy as np

import symgrad as sg

from .base import Case, Shape, case, composition, positive_definite


def _products() -> list[Case]:
    pairs: list[tuple[str, Shape, Shape]] = [
        ("matrices", (2, 3), (3, 4)),
        ("vector matrix", (3,), (3, 2)),
        ("matrix vector", (2, 3), (3,)),
        ("vectors", (3,), (3,)),
        ("batch", (5, 2, 3), (5, 3, 2)),
        ("broadcast", (4, 1, 2, 3), (2, 3, 2)),
        ("batch vector", (4, 2, 3), (3,)),
        ("vector batch", (2,), (4, 2, 3)),
    ]
    found = [
        case("matmul", title, sg.matmul, a, b, ref=np.matmul, torch=lambda t, x, y: x @ y) for title, a, b in pairs
    ]
    found += [
        case("matmul", "empty", sg.matmul, (2, 0), (0, 3), ref=np.matmul),
        case("matmul", "itself", lambda x: x @ x, (3, 3), ref=lambda x: x @ x, torch=lambda t, x: x @ x),
        case("matmul", "dot", sg.dot, (2, 3), (3,), ref=np.dot, torch=lambda t, x, y: x @ y),
    ]
    sums: list[tuple[str, tuple[Shape, ...]]] = [
        ("ij,jk->ik", ((2, 3), (3, 4))),
        ("ij->ji", ((2, 3),)),
        ("ij->i", ((2, 3),)),
        ("ij->", ((2, 3),)),
        ("i,i->i", ((3,), (3,))),
        ("i,j->ij", ((3,), (2,))),
        ("ii->i", ((3, 3),)),
        ("ii", ((3, 3),)),
        ("iij->j", ((2, 2, 3),)),
        ("bij,bjk->bik", ((2, 3, 2), (2, 2, 3))),
        ("...ij,...j->...i", ((2, 2, 3), (3,))),
        ("ij,jk,kl->il", ((2, 3), (3, 2), (2, 2))),
        ("i,ij,j->", ((2,), (2, 3), (3,))),
        ("ij,kj", ((2, 3), (4, 3))),
    ]
    found += [
        case(
            "einsum",
            text,
            lambda *xs, text=text: sg.einsum(text, *xs),
            *shapes,
            ref=lambda *xs, text=text: np.einsum(text, *xs),
            torch=lambda t, *xs, text=text: t.einsum(text, *xs),
        )
        for text, shapes in sums
    ]
    found.append(
        case(
            "einsum",
            "dot of 3-d",
            sg.dot,
            (2, 3),
            (4, 3, 2),
            ref=np.dot,
            torch=lambda t, a, b: t.tensordot(a, b, dims=([-1], [-2])),
        )
    )
    return found


def _values(a: Any) -> Any:
    return sg.linalg.eigh(a).eigenvalues


def _projector(a: Any) -> Any:
    """The largest eigenvector's outer product: it does not depend on signs."""
    v = sg.linalg.eigh(a).eigenvectors[..., -1:]
    return v * sg.swapaxes(v, -1, -2)


def _torch_projector(t: Any, a: Any) -> Any:
    v = t.linalg.eigh((a + a.mT) / 2)[1][..., -1:]
    return v * v.mT


def _np_projector(a: Any) -> Any:
    v = np.linalg.eigh(a)[1][..., -1:]
    return v * np.swapaxes(v, -1, -2)


def _decompositions() -> list[Case]:
    found = []
    for op in ("eigh", "item"):
        found += [
            case(
                op,
                "values",
                _values,
                positive_definite(3),
                ref=np.linalg.eigvalsh,
                torch=lambda t, a: t.linalg.eigvalsh((a + a.mT) / 2),
            ),
            case(op, "vectors", _projector, positive_definite(3), ref=_np_projector, torch=_torch_projector),
            case(op, "batch", _values, positive_definite(2, 4), ref=np.linalg.eigvalsh),
            case(
                op,
                "both",
                lambda a: _values(a).sum() * _projector(a),
                positive_definite(2),
                ref=lambda a: np.linalg.eigvalsh(a).sum() * _np_projector(a),
            ),
        ]
    return found


COMPOSITIONS = [
    composition("outer", sg.outer, (3,), (2,), ref=np.outer, torch=lambda t, a, b: t.outer(a, b)),
]

CASES = _products() + _decompositions() + COMPOSITIONS
