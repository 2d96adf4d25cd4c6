"""Functions whose values are those of NumPy, called on one matrix: title, symgrad's call, NumPy's call."""

from __future__ import annotations

import numpy as np

import symgrad as sg
from symgrad import linalg

NUMPY = {
    "flip": (sg.flip, np.flip),
    "fliplr": (sg.fliplr, np.fliplr),
    "flipud": (sg.flipud, np.flipud),
    "rot90": (lambda x: sg.rot90(x, -1), lambda x: np.rot90(x, -1)),
    "roll": (lambda x: sg.roll(x, 5), lambda x: np.roll(x, 5)),
    "roll axes": (lambda x: sg.roll(x, 1, (0, 1)), lambda x: np.roll(x, 1, (0, 1))),
    "tile": (lambda x: sg.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3))),
    "repeat": (lambda x: sg.repeat(x, 3), lambda x: np.repeat(x, 3)),
    "insert": (lambda x: sg.insert(x, 1, 9.0, axis=1), lambda x: np.insert(x, 1, 9.0, axis=1)),
    "insert many": (
        lambda x: sg.insert(x, [0, 3], [7.0, 8.0, 9.0], axis=0),
        lambda x: np.insert(x, [0, 3], [7.0, 8.0, 9.0], axis=0),
    ),
    "insert flat": (lambda x: sg.insert(x, -1, 9.0), lambda x: np.insert(x, -1, 9.0)),
    "delete": (lambda x: sg.delete(x, slice(1, 3), 0), lambda x: np.delete(x, slice(1, 3), 0)),
    "append": (lambda x: sg.append(x, [1.0]), lambda x: np.append(x, [1.0])),
    "compress": (lambda x: sg.compress([True, False, True], x, 1), lambda x: np.compress([True, False, True], x, 1)),
    "extract": (lambda x: sg.extract(x.numpy() > 0, x), lambda x: np.extract(x > 0, x)),
    "select": (lambda x: sg.select([x > 1, x < 0], [x, -x], 5.0), lambda x: np.select([x > 1, x < 0], [x, -x], 5.0)),
    "take": (lambda x: sg.take(x, [7, -1], mode="wrap"), lambda x: np.take(x, [7, -1], mode="wrap")),
    "take clip": (lambda x: sg.take(x, [70, -1], 1, mode="clip"), lambda x: np.take(x, [70, -1], 1, mode="clip")),
    "moveaxis": (lambda x: sg.moveaxis(x[None], (0, 1), (2, 0)), lambda x: np.moveaxis(x[None], (0, 1), (2, 0))),
    "rollaxis": (lambda x: sg.rollaxis(x[None], 2, 1), lambda x: np.rollaxis(x[None], 2, 1)),
    "atleast_3d": (sg.atleast_3d, np.atleast_3d),
    "vstack": (lambda x: sg.vstack([x, x[0]]), lambda x: np.vstack([x, x[0]])),
    "hstack": (lambda x: sg.hstack([x, x]), lambda x: np.hstack([x, x])),
    "dstack": (lambda x: sg.dstack([x, x]), lambda x: np.dstack([x, x])),
    "column_stack": (lambda x: sg.column_stack([x[:, 0], x]), lambda x: np.column_stack([x[:, 0], x])),
    "meshgrid": (lambda x: sg.meshgrid(x[0], x[:, 0])[1], lambda x: np.meshgrid(x[0], x[:, 0])[1]),
    "meshgrid sparse": (
        lambda x: sg.meshgrid(x[0], x[:, 0], sparse=True, indexing="ij")[1],
        lambda x: np.meshgrid(x[0], x[:, 0], sparse=True, indexing="ij")[1],
    ),
    "tri": (lambda x: sg.triu(x, -1), lambda x: np.triu(x, -1)),
    "trace": (lambda x: linalg.trace(x, 1), lambda x: np.trace(x, 1)),
    "diag": (lambda x: sg.diag(x, -1), lambda x: np.diag(x, -1)),
    "diagflat": (lambda x: sg.diagflat(x[0], 1), lambda x: np.diagflat(x[0], 1)),
    "kron": (lambda x: sg.kron(x, x[0]), lambda x: np.kron(x, x[0])),
    "inner": (lambda x: sg.inner(x, x), lambda x: np.inner(x, x)),
    "vdot": (lambda x: sg.vdot(x, x), lambda x: np.vdot(x, x)),
    "cov": (lambda x: sg.cov(x, rowvar=False), lambda x: np.cov(x, rowvar=False)),
    "cov weights": (
        lambda x: sg.cov(x, fweights=[1, 2, 1], aweights=[0.2, 0.5, 0.3]),
        lambda x: np.cov(x, fweights=[1, 2, 1], aweights=[0.2, 0.5, 0.3]),
    ),
    "corrcoef": (sg.corrcoef, np.corrcoef),
    "cond": (linalg.cond, np.linalg.cond),
    "matrix_rank": (linalg.matrix_rank, np.linalg.matrix_rank),
    **{
        f"pad {mode}": (
            lambda x, mode=mode: sg.pad(x, ((1, 2), (2, 1)), mode),
            lambda x, mode=mode: np.pad(x, ((1, 2), (2, 1)), mode),
        )
        for mode in ("edge", "reflect", "symmetric", "wrap")
    },
    "pad constants": (
        lambda x: sg.pad(x, 1, constant_values=((1, 2), (3, 4))),
        lambda x: np.pad(x, 1, constant_values=((1, 2), (3, 4))),
    ),
    "cross of two": (lambda x: sg.cross(x[:, :2], x[:, 1:]), lambda x: x[:, 0] * x[:, 2] - x[:, 1] * x[:, 1]),
    "sliding windows": (
        lambda x: sg.sliding_window_view(x, (2, 2)),
        lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 2)),
    ),
}
