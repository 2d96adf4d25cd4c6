"""What every op and composition is tested on, as data: the call, its inputs, and what others call the same thing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special

import symgrad as sg
from symgrad import losses
from symgrad.op import OPS

Shape = tuple[int, ...]
Draw = Callable[[np.random.Generator], Any]


@dataclass(frozen=True)
class Case:
    """One call: symgrad's function, shapes (or draws) of its inputs, and the references."""

    name: str
    f: Callable[..., Any]
    args: tuple[Shape | Draw, ...]
    reference: Callable[..., Any] | None = None
    torch: Callable[..., Any] | None = None  # (torch, *tensors)
    domain: tuple[Any, ...] = (-3, 3)
    piece: str | None = None
    op: str | None = None

    def inputs(self, dtype: Any = np.float64) -> list[Any]:
        """The inputs, the same at every call: drawn from the domain, and inside of the piece."""
        rng = np.random.default_rng(sum(map(ord, self.name)))
        if self.piece is not None:
            return self._in_piece(rng, dtype)
        return [self._draw(rng, k, dtype) for k in range(len(self.args))]

    def _interval(self, k: int) -> tuple[float, float]:
        bounds = self.domain[k] if isinstance(self.domain[0], tuple) else self.domain
        return float(bounds[0]), float(bounds[1])

    def _draw(self, rng: np.random.Generator, k: int, dtype: Any) -> Any:
        arg = self.args[k]
        if callable(arg):
            found = np.asarray(arg(rng))
            return found.astype(dtype) if found.dtype.kind == "f" else found
        return rng.uniform(*self._interval(k), arg).astype(dtype)

    def _in_piece(self, rng: np.random.Generator, dtype: Any) -> list[Any]:
        """Inputs of equal shapes, element by element inside of the piece."""
        shape = np.broadcast_shapes(*self.args)  # type: ignore[arg-type]
        count = math.prod(shape)
        found = [np.empty(count, dtype) for _ in self.args]
        for at in range(count):
            while True:
                point = [rng.uniform(*self._interval(k)) for k in range(len(self.args))]
                if inside(str(self.piece), point):
                    break
            for array, value in zip(found, point, strict=True):
                array[at] = value
        return [array.reshape(shape) for array in found]


def inside(piece: str, values: list[Any]) -> bool:
    """Whether all elements are inside of a piece such as ``(x > y) & (y > 0)`` (text of this repository only)."""
    names = dict(zip("xyz", map(np.asarray, values), strict=False))
    return bool(np.all(eval(piece, {"__builtins__": {}}, names)))


def bools(*shape: int) -> Draw:
    return lambda rng: rng.random(shape) < 0.5


def integers(low: int, high: int, *shape: int) -> Draw:
    return lambda rng: rng.integers(low, high, shape)


def spread_out(*shape: int) -> Draw:
    """Distinct numbers, at least 0.05 apart, so that no order changes in a small step."""
    return lambda rng: (rng.permutation(math.prod(shape)) * 0.17 - 1.0).reshape(shape)


def positive_definite(n: int, *lead: int) -> Draw:
    """Symmetric matrices with eigenvalues far apart."""

    def draw(rng: np.random.Generator) -> Any:
        q = np.linalg.qr(rng.normal(size=(*lead, n, n)))[0]
        return q * (1.0 + 1.5 * np.arange(n)) @ np.swapaxes(q, -1, -2)

    return draw


# --- elementwise ops: every op on every list of shapes

UNARY: list[tuple[Shape, ...]] = [((3, 4),), ((),), ((0, 2),)]
BINARY: list[tuple[Shape, ...]] = [((2, 3), (2, 3)), ((2, 1, 3), (4, 1)), ((), (3,)), ((3,), ()), ((0, 3), (1, 3))]
TERNARY: list[tuple[Shape, ...]] = [((2, 3), (2, 3), (2, 3)), ((2, 1), (3,), ()), ((), (), ()), ((0, 2), (2,), (1, 1))]

# name in symgrad -> name in torch (or a function of torch and the tensors)
ELEMENTWISE: dict[str, Any] = {
    "div0": "div",
    "mul0": "mul",
    "mul00": "mul",
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "negative": "neg",
    "square": "square",
    "reciprocal": "reciprocal",
    "sqrt": "sqrt",
    "hypot": "hypot",
    "power": "pow",
    "exp": "exp",
    "expm1": "expm1",
    "log": "log",
    "log1p": "log1p",
    "tanh": "tanh",
    "sinh": "sinh",
    "cosh": "cosh",
    "sigmoid": "sigmoid",
    "difference0": "sub",
    "logaddexp": "logaddexp",
    "erf": "erf",
    "gauss": lambda t, x: 2 / math.sqrt(math.pi) * t.exp(-x * x),
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "arcsin": "arcsin",
    "arccos": "arccos",
    "arctan": "arctan",
    "arctan2": "arctan2",
    "sign": "sign",
    "floor": "floor",
    "abs": "abs",
    "relu": "relu",
    "maximum": "maximum",
    "minimum": "minimum",
    "clip": lambda t, x, a, b: t.minimum(t.maximum(x, a), b),
    "remainder": "remainder",
    "floor_divide": lambda t, a, b: t.div(a, b, rounding_mode="floor"),
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "isfinite": "isfinite",
}
LOGICAL = ("logical_and", "logical_or", "logical_not")


def _by_name(name: str) -> Callable[..., Any]:
    return lambda t, *xs: getattr(t, name)(*xs)


def _elementwise() -> dict[str, list[Case]]:
    table: dict[str, list[Case]] = {}
    for name, other in ELEMENTWISE.items():
        op = OPS.get(name)
        if op is None:
            continue
        lists = {1: UNARY, 2: BINARY, 3: TERNARY}[op.arity]  # type: ignore[index]
        torch = _by_name(other) if isinstance(other, str) else other
        cases = []
        for piece in op.pieces or (None,):
            for shapes in lists:
                title = " ".join(filter(None, (name, piece, str(shapes))))
                cases.append(Case(title, op, shapes, None, torch, op.domain or (-3, 3), piece, name))
        table[name] = cases
    for name in LOGICAL:
        lists = UNARY if name == "logical_not" else BINARY
        table[name] = [
            Case(
                f"{name} {shapes}",
                OPS[name],
                tuple(bools(*s) for s in shapes),
                getattr(np, name),
                _by_name(name),
                op=name,
            )
            for shapes in lists
        ]
    table["where"] = [
        Case(f"where {c} {a} {b}", OPS["where"], (bools(*c), a, b), np.where, lambda t, *xs: t.where(*xs), op="where")
        for c, a, b in TERNARY
    ]
    return table


# --- other ops: one line per call


def case(op: str, title: str, f: Any, *args: Any, ref: Any = None, torch: Any = None, domain: Any = (-3, 3)) -> Case:
    return Case(f"{op} {title}", f, args, ref, torch, domain, op=op)


def _layout() -> list[Case]:
    return [
        case(
            "reshape",
            "(2,3)->(3,2)",
            lambda x: sg.reshape(x, (3, 2)),
            (2, 3),
            ref=lambda x: np.reshape(x, (3, 2)),
            torch=lambda t, x: x.reshape(3, 2),
        ),
        case("reshape", "-1", lambda x: sg.reshape(x, -1), (2, 3, 2), ref=np.ravel, torch=lambda t, x: x.reshape(-1)),
        case("reshape", "empty", lambda x: sg.reshape(x, (3, 0)), (0, 3), ref=lambda x: np.reshape(x, (3, 0))),
        case(
            "reshape",
            "0-d",
            lambda x: sg.reshape(x, (1, 1)),
            (),
            ref=lambda x: np.reshape(x, (1, 1)),
            torch=lambda t, x: x.reshape(1, 1),
        ),
        case("permute", "T", sg.transpose, (2, 3, 4), ref=np.transpose, torch=lambda t, x: x.permute(2, 1, 0)),
        case(
            "permute",
            "negative",
            lambda x: sg.transpose(x, (-1, 0, 1)),
            (2, 3, 4),
            ref=lambda x: np.transpose(x, (-1, 0, 1)),
            torch=lambda t, x: x.permute(2, 0, 1),
        ),
        case(
            "permute",
            "swapaxes",
            lambda x: sg.swapaxes(x, -1, 0),
            (2, 3, 4),
            ref=lambda x: np.swapaxes(x, -1, 0),
            torch=lambda t, x: x.swapaxes(-1, 0),
        ),
        case(
            "permute",
            "moveaxis",
            lambda x: sg.moveaxis(x, 0, -1),
            (2, 3, 4),
            ref=lambda x: np.moveaxis(x, 0, -1),
            torch=lambda t, x: t.moveaxis(x, 0, -1),
        ),
        case(
            "unsqueeze",
            "0",
            lambda x: sg.expand_dims(x, 0),
            (2, 3),
            ref=lambda x: np.expand_dims(x, 0),
            torch=lambda t, x: x.unsqueeze(0),
        ),
        case(
            "unsqueeze",
            "(0,-1)",
            lambda x: sg.expand_dims(x, (0, -1)),
            (2, 3),
            ref=lambda x: np.expand_dims(x, (0, -1)),
            torch=lambda t, x: x[None, ..., None],
        ),
        case("unsqueeze", "0-d", lambda x: sg.expand_dims(x, -1), (), ref=lambda x: np.expand_dims(x, -1)),
        case("squeeze", "all", sg.squeeze, (1, 3, 1), ref=np.squeeze, torch=lambda t, x: x.squeeze()),
        case(
            "squeeze",
            "-1",
            lambda x: sg.squeeze(x, -1),
            (1, 3, 1),
            ref=lambda x: np.squeeze(x, -1),
            torch=lambda t, x: x.squeeze(-1),
        ),
        case(
            "concatenate",
            "0",
            lambda a, b, c: sg.concatenate([a, b, c]),
            (1, 2),
            (0, 2),
            (3, 2),
            ref=lambda *xs: np.concatenate(xs),
            torch=lambda t, *xs: t.cat(xs),
        ),
        case(
            "concatenate",
            "-1",
            lambda a, b: sg.concatenate([a, b], -1),
            (2, 1),
            (2, 3),
            ref=lambda *xs: np.concatenate(xs, -1),
            torch=lambda t, *xs: t.cat(xs, -1),
        ),
        case(
            "concatenate",
            "twice",
            lambda a: sg.concatenate([a, a]),
            (2, 3),
            ref=lambda a: np.concatenate([a, a]),
            torch=lambda t, a: t.cat([a, a]),
        ),
        case(
            "concatenate",
            "stack",
            lambda a, b: sg.stack([a, b], -1),
            (2, 3),
            (2, 3),
            ref=lambda *xs: np.stack(xs, -1),
            torch=lambda t, *xs: t.stack(xs, -1),
        ),
        case(
            "expand",
            "rows",
            lambda x: sg.broadcast_to(x, (4, 2, 3)),
            (2, 1),
            ref=lambda x: np.broadcast_to(x, (4, 2, 3)),
            torch=lambda t, x: x.expand(4, 2, 3),
        ),
        case(
            "expand",
            "0-d",
            lambda x: sg.broadcast_to(x, (2,)),
            (),
            ref=lambda x: np.broadcast_to(x, (2,)),
            torch=lambda t, x: x.expand(2),
        ),
        case("expand", "empty", lambda x: sg.broadcast_to(x, (0, 3)), (3,), ref=lambda x: np.broadcast_to(x, (0, 3))),
        case(
            "sum_to",
            "(2,1)",
            lambda x: OPS["sum_to"](x, (2, 1)),
            (4, 2, 3),
            ref=lambda x: x.sum(axis=(0, 2), keepdims=True)[0],
            torch=lambda t, x: x.sum_to_size(2, 1),
        ),
        case("sum_to", "()", lambda x: OPS["sum_to"](x, ()), (2, 3), ref=np.sum, torch=lambda t, x: x.sum()),
        case("sum_to", "same", lambda x: OPS["sum_to"](x, (2,)), (2,), ref=lambda x: x, torch=lambda t, x: x + 0),
    ]


def _indexing() -> list[Case]:
    rows, columns = np.array([2, 0, 2]), np.array([1, 1, 0])
    mask = np.array([True, False, True])
    reads: list[tuple[str, Any, Shape]] = [
        ("int", 1, (3, 2)),
        ("negative int", (-1, -2), (3, 2)),
        ("slice", slice(1, None), (3, 2)),
        ("steps", (slice(None, None, 2), slice(None, None, -1)), (5, 4)),
        ("ellipsis", (..., 0), (2, 3, 4)),
        ("new axis", (None, slice(None), None, 1), (3, 2)),
        ("empty", slice(2, 2), (3, 2)),
        ("array", rows, (3, 2)),
        ("two arrays", (rows, columns), (3, 2)),
        ("apart", (rows, slice(None), columns), (3, 4, 2)),
        ("2-d array", np.array([[0, 1], [2, 2]]), (3, 2)),
        ("mask", mask, (3, 2)),
        ("mask of all axes", np.eye(3, dtype=bool), (3, 3)),
        ("int and array", (1, slice(None), columns), (3, 4, 2)),
        ("list", [0, 0, 1], (3,)),
    ]
    not_torch = {"steps", "int and array"}  # it has no negative steps, and puts the axes elsewhere than NumPy
    found = [
        case(
            "getitem",
            title,
            lambda x, key=key: sg.getitem(x, key),
            shape,
            ref=lambda x, key=key: x[key],
            torch=None if title in not_torch else lambda t, x, key=key: x[_torch_key(t, key)],
        )
        for title, key, shape in reads
    ]
    found += [
        case(
            "getitem",
            "take",
            lambda x: sg.take(x, rows, -2),
            (3, 2),
            ref=lambda x: np.take(x, rows, -2),
            torch=lambda t, x: x.index_select(0, t.as_tensor(rows)),
        ),
        case("labels", "of 3 classes", lambda t: OPS["labels"](t, 3, "loss"), integers(0, 3, 5), ref=lambda t: t),
        case("getitem", "take flat", lambda x: sg.take(x, [0, -1]), (3, 2), ref=lambda x: np.take(x, [0, -1])),
        case(
            "scatter",
            "array",
            lambda g: sg.scatter(g, rows, (4, 2)),
            (3, 2),
            torch=lambda t, g: t.zeros(4, 2, dtype=g.dtype).index_add(0, t.as_tensor(rows), g),
            ref=lambda g: np.array([g[1], 0 * g[0], g[0] + g[2], 0 * g[0]]),
        ),
        case(
            "scatter",
            "slice",
            lambda g: sg.scatter(g, slice(1, 3), (4,)),
            (2,),
            ref=lambda g: np.pad(g, (1, 1)),
            torch=lambda t, g: t.nn.functional.pad(g, (1, 1)),
        ),
        case(
            "scatter",
            "pad",
            lambda x: sg.pad(x, ((1, 0), (0, 2))),
            (2, 3),
            ref=lambda x: np.pad(x, ((1, 0), (0, 2))),
            torch=lambda t, x: t.nn.functional.pad(x, (0, 2, 1, 0)),
        ),
        case(
            "scatter",
            "pad with 5",
            lambda x: sg.pad(x, 1, constant_values=5.0),
            (2,),
            ref=lambda x: np.pad(x, 1, constant_values=5.0),
            torch=lambda t, x: t.nn.functional.pad(x, (1, 1), value=5.0),
        ),
    ]
    return found


def _torch_key(t: Any, key: Any) -> Any:
    parts = key if isinstance(key, tuple) else (key,)
    return tuple(t.as_tensor(p) if isinstance(p, (np.ndarray, list)) else p for p in parts)


def _reductions() -> list[Case]:
    where: list[tuple[str, Any, bool, Shape]] = [
        ("all", None, False, (3, 4)),
        ("axis 0", 0, False, (3, 4)),
        ("axis -1 kept", -1, True, (3, 4)),
        ("two axes", (0, -1), False, (2, 3, 2)),
        ("all kept", None, True, (2, 3)),
        ("0-d", None, False, ()),
    ]
    smooth: dict[str, tuple[Any, Any]] = {
        "sum": (np.sum, lambda t, x, a, k: t.sum(x, a, k)),
        "mean": (np.mean, lambda t, x, a, k: t.mean(x, a, k)),
        "max": (np.max, lambda t, x, a, k: t.amax(x, a, k)),
        "min": (np.min, lambda t, x, a, k: t.amin(x, a, k)),
        "norm2": (
            lambda x, axis, keepdims: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
            lambda t, x, a, k: t.linalg.vector_norm(x, 2, a, k),
        ),
    }
    found = []
    for op, (ref, torch) in smooth.items():
        f = sg.linalg.norm if op == "norm2" else getattr(sg, op)
        for title, axis, keep, shape in where:
            found.append(
                case(
                    op,
                    title,
                    lambda x, f=f, axis=axis, keep=keep: f(x, axis=axis, keepdims=keep),
                    spread_out(*shape) if op in ("max", "min") else shape,
                    ref=lambda x, ref=ref, axis=axis, keep=keep: ref(x, axis=axis, keepdims=keep),
                    torch=lambda t, x, g=torch, axis=axis, keep=keep: g(t, x, _torch_axes(x, axis), keep),
                )
            )
    for op in ("sum", "norm2"):
        f = sg.linalg.norm if op == "norm2" else sg.sum
        found.append(case(op, "empty", lambda x, f=f: f(x, axis=0), (0, 3), ref=lambda x: np.zeros(3)))
    found.append(case("max", "empty result", lambda x: sg.max(x, axis=1), (0, 3), ref=lambda x: np.zeros(0)))
    found.append(case("min", "empty result", lambda x: sg.min(x, axis=1), (0, 3), ref=lambda x: np.zeros(0)))
    found.append(case("mean", "empty result", lambda x: sg.mean(x, axis=1), (0, 3), ref=lambda x: np.zeros(0)))
    for op, ref in (("argmax", np.argmax), ("argmin", np.argmin)):
        for title, axis in (("all", None), ("axis -1", -1), ("axis 0", 0)):
            found.append(
                case(
                    op,
                    title,
                    lambda x, op=op, axis=axis: getattr(sg, op)(x, axis),
                    spread_out(3, 4),
                    ref=lambda x, ref=ref, axis=axis: ref(x, axis),
                    torch=lambda t, x, op=op, axis=axis: getattr(t, op)(x, axis),
                )
            )
    for op, ref in (("all", np.all), ("any", np.any)):
        for title, axis, keep in (("all", None, False), ("axis -1", -1, False), ("axes kept", (0, 2), True)):
            found.append(
                case(
                    op,
                    title,
                    lambda x, op=op, axis=axis, keep=keep: getattr(sg, op)(x > 0.5, axis=axis, keepdims=keep),
                    (2, 3, 2),
                    ref=lambda x, ref=ref, axis=axis, keep=keep: ref(x > 0.5, axis=axis, keepdims=keep),
                )
            )
    return found


def _torch_axes(x: Any, axis: Any) -> Any:
    return tuple(range(x.dim())) if axis is None else axis


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


def _others() -> list[Case]:
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
    inner = sg.checkpoint(lambda a, b: sg.sin(a) * b)
    pair = sg.checkpoint(lambda a: (sg.exp(a), a * a))
    found += [
        case(
            "call",
            "one output",
            lambda a, b: inner(a, b),
            (3,),
            (2, 3),
            ref=lambda a, b: np.sin(a) * b,
            torch=lambda t, a, b: t.sin(a) * b,
        ),
        case(
            "call",
            "two outputs",
            lambda a: pair(a)[0] * pair(a)[1],
            (3,),
            ref=lambda a: np.exp(a) * a * a,
            torch=lambda t, a: t.exp(a) * a * a,
        ),
        case("named", "mu", lambda x: sg.named(x, "mu") * 2, (3,), ref=lambda x: 2 * x, torch=lambda t, x: 2 * x),
        case("alias", "x", lambda x: OPS["alias"](x) * 2, (2, 2), ref=lambda x: 2 * x, torch=lambda t, x: 2 * x),
        case(
            "stop_gradient",
            "x",
            lambda x: sg.stop_gradient(x) * x,
            (3,),
            ref=lambda x: x * x,
            torch=lambda t, x: x.detach() * x,
        ),
        case(
            "astype",
            "there and back",
            lambda x: sg.astype(sg.astype(x, np.float32), np.float64) * 3.0,
            (3,),
            ref=lambda x: 3.0 * x.astype(np.float32).astype(np.float64),
            torch=lambda t, x: x.float().double() * 3.0,
        ),
        case(
            "astype",
            "to int",
            lambda x: x * sg.astype(x, np.int64),
            (3,),
            ref=lambda x: x * x.astype(np.int64),
            torch=lambda t, x: x * x.long(),
        ),
        case(
            "const", "literal", lambda x: x * 2.5 + 1, (3,), ref=lambda x: 2.5 * x + 1, torch=lambda t, x: 2.5 * x + 1
        ),
        case("size", "rows", lambda x: x / x.shape[0], (4, 2), ref=lambda x: x / 4, torch=lambda t, x: x / 4),
    ]
    return found


def _by_op(cases: list[Case]) -> dict[str, list[Case]]:
    table: dict[str, list[Case]] = {}
    for one in cases:
        table.setdefault(str(one.op), []).append(one)
    return table


OP_CASES: dict[str, list[Case]] = {
    **_elementwise(),
    **_by_op(_layout() + _indexing() + _reductions() + _products() + _others()),
}

# --- compositions


def composition(title: str, f: Any, *args: Any, ref: Any = None, torch: Any = None, domain: Any = (-3, 3)) -> Case:
    return Case(title, f, args, ref, torch, domain)


def _np_norm(p: float) -> Any:
    return lambda x: np.sum(np.abs(x) ** p, axis=-1) ** (1 / p)


def _torch_batch_norm(t: Any, z: Any, gamma: Any, beta: Any) -> Any:
    return t.nn.functional.batch_norm(z, None, None, gamma, beta, training=True, eps=1e-5)


def _torch_mlp(t: Any, x: Any, w: Any, b: Any, v: Any) -> Any:
    return t.nn.functional.cross_entropy(t.tanh(x @ w + b) @ v, t.tensor([0, 2, 1, 1]))


LABELS = np.array([0, 2, 1, 1])
SOFT = np.tile(np.float32([0.5, 0.25, 0.25]), (4, 1))

COMPOSITIONS: list[Case] = [
    composition(
        "softmax", sg.softmax, (3, 4), ref=lambda x: scipy.special.softmax(x, -1), torch=lambda t, x: t.softmax(x, -1)
    ),
    composition(
        "softmax axis 0",
        lambda x: sg.softmax(x, 0),
        (3, 4),
        ref=lambda x: scipy.special.softmax(x, 0),
        torch=lambda t, x: t.softmax(x, 0),
    ),
    composition(
        "log_softmax",
        sg.log_softmax,
        (3, 4),
        ref=lambda x: scipy.special.log_softmax(x, -1),
        torch=lambda t, x: t.log_softmax(x, -1),
    ),
    composition(
        "logsumexp all", sg.logsumexp, (3, 4), ref=scipy.special.logsumexp, torch=lambda t, x: t.logsumexp(x, (0, 1))
    ),
    composition(
        "logsumexp kept",
        lambda x: sg.logsumexp(x, -1, keepdims=True),
        (3, 4),
        ref=lambda x: scipy.special.logsumexp(x, -1, keepdims=True),
        torch=lambda t, x: t.logsumexp(x, -1, True),
    ),
    composition("var", sg.var, (3, 4), ref=np.var, torch=lambda t, x: t.var(x, correction=0)),
    composition(
        "var ddof",
        lambda x: sg.var(x, 0, ddof=1),
        (3, 4),
        ref=lambda x: np.var(x, 0, ddof=1),
        torch=lambda t, x: t.var(x, 0, correction=1),
    ),
    composition(
        "std",
        lambda x: sg.std(x, -1),
        (3, 4),
        ref=lambda x: np.std(x, -1),
        torch=lambda t, x: t.std(x, -1, correction=0),
    ),
    composition(
        "std ddof kept",
        lambda x: sg.std(x, 0, ddof=1, keepdims=True),
        (3, 4),
        ref=lambda x: np.std(x, 0, ddof=1, keepdims=True),
        torch=lambda t, x: t.std(x, 0, correction=1, keepdim=True),
    ),
    composition("prod", sg.prod, (2, 3), ref=np.prod, torch=lambda t, x: x.prod()),
    composition(
        "prod axis",
        lambda x: sg.prod(x, -1, keepdims=True),
        (2, 5),
        ref=lambda x: np.prod(x, -1, keepdims=True),
        torch=lambda t, x: x.prod(-1, keepdim=True),
    ),
    composition(
        "prod with zeros",
        lambda x: sg.prod(x * np.array([0, 1, 0, 1]), 0),
        (4,),
        ref=lambda x: np.prod(x * np.array([0, 1, 0, 1])),
        torch=lambda t, x: t.prod(x * t.tensor([0, 1, 0, 1])),
    ),
    composition(
        "norm 1",
        lambda x: sg.linalg.norm(x, 1, axis=-1),
        (3, 4),
        ref=_np_norm(1),
        torch=lambda t, x: t.linalg.vector_norm(x, 1, -1),
    ),
    composition(
        "norm 3",
        lambda x: sg.linalg.norm(x, 3, axis=-1),
        (3, 4),
        ref=_np_norm(3),
        torch=lambda t, x: t.linalg.vector_norm(x, 3, -1),
    ),
    composition(
        "norm 1.5",
        lambda x: sg.linalg.norm(x, 1.5, axis=-1),
        (3, 4),
        ref=_np_norm(1.5),
        torch=lambda t, x: t.linalg.vector_norm(x, 1.5, -1),
    ),
    composition(
        "norm inf",
        lambda x: sg.linalg.norm(x, np.inf, axis=-1),
        spread_out(3, 4),
        ref=lambda x: np.max(np.abs(x), -1),
        torch=lambda t, x: t.linalg.vector_norm(x, math.inf, -1),
    ),
    composition("outer", sg.outer, (3,), (2,), ref=np.outer, torch=lambda t, a, b: t.outer(a, b)),
    composition(
        "batch_norm",
        sg.batch_norm,
        (5, 3),
        (3,),
        (3,),
        torch=_torch_batch_norm,
        ref=lambda z, g, b: g * (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) + b,
    ),
    composition(
        "layer_norm",
        sg.layer_norm,
        (4, 3),
        (3,),
        (3,),
        torch=lambda t, z, g, b: t.nn.functional.layer_norm(z, (3,), g, b, 1e-5),
        ref=lambda z, g, b: g * (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5) + b,
    ),
    composition(
        "mse",
        losses.mse,
        (3, 2),
        (3, 2),
        ref=lambda a, b: np.mean((a - b) ** 2),
        torch=lambda t, a, b: t.nn.functional.mse_loss(a, b),
    ),
    composition(
        "cross_entropy labels",
        lambda x: losses.cross_entropy(x, LABELS),
        (4, 3),
        ref=lambda x: -np.mean(scipy.special.log_softmax(x, -1)[np.arange(4), LABELS]),
        torch=lambda t, x: t.nn.functional.cross_entropy(x, t.tensor(LABELS)),
    ),
    composition(
        "cross_entropy soft",
        lambda x: losses.cross_entropy(x, SOFT),
        (4, 3),
        ref=lambda x: -np.mean(np.sum(SOFT * scipy.special.log_softmax(x, -1), -1)),
        torch=lambda t, x: t.nn.functional.cross_entropy(x, t.tensor(SOFT, dtype=x.dtype)),
    ),
    composition(
        "mlp",
        lambda x, w, b, v: losses.cross_entropy(sg.tanh(x @ w + b) @ v, LABELS),
        (4, 2),
        (2, 5),
        (5,),
        (5, 3),
        torch=_torch_mlp,
        ref=lambda x, w, b, v: -np.mean(scipy.special.log_softmax(np.tanh(x @ w + b) @ v, -1)[np.arange(4), LABELS]),
    ),
    composition(
        "attention",
        lambda q, k, v: sg.softmax(q @ k.T / 2.0) @ v,
        (3, 4),
        (5, 4),
        (5, 2),
        ref=lambda q, k, v: scipy.special.softmax(q @ k.T / 2.0, -1) @ v,
        torch=lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v),
    ),
    composition("x**3", lambda x: x**3, (3,), ref=lambda x: x**3, torch=lambda t, x: x**3),
    composition("2**x", lambda x: 2**x, (3,), ref=lambda x: 2**x, torch=lambda t, x: 2**x),
    composition("x*x*x", lambda x: x * x * x, (3,), ref=lambda x: x**3, torch=lambda t, x: x * x * x),
    composition("x**x", lambda x: x**x, (3,), ref=lambda x: x**x, torch=lambda t, x: x**x, domain=(0.3, 2)),
    composition(
        "rosenbrock",
        lambda x: ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum(),
        (5,),
        ref=lambda x: np.sum((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2),
        torch=lambda t, x: ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum(),
    ),
    composition(
        "where unused",
        lambda x: sg.where(x > 0, sg.sqrt(sg.maximum(x, 0.0)), x * 2),
        (6,),
        ref=lambda x: np.where(x > 0, np.sqrt(np.maximum(x, 0)), 2 * x),
        torch=lambda t, x: t.where(x > 0, t.sqrt(t.where(x > 0, x, 1.0)), 2 * x),
    ),
]

ALL: list[Case] = [one for cases in OP_CASES.values() for one in cases] + COMPOSITIONS
