"""Functions that have torch's name and arguments: one line each, called the same way on both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symgrad as sg
from symgrad import linalg
from symgrad.nn import functional as F

from .base import Case, composition, positive_definite, spread_out

LABELS = np.array([2, 0, 1, 1])
SIGNS = np.array([1.0, -1.0, 1.0, -1.0])
MASK = np.array([[True, False, True], [True, True, False], [False, True, True]])


def functional(name: str, *args: Any, fixed: tuple[Any, ...] = (), domain: Any = (-3, 3), **options: Any) -> Case:
    """A case of nn.functional: arrays first, then fixed further arguments (arrays become torch's tensors)."""
    words = [*(v for v in fixed if isinstance(v, str)), *(f"{k}={v}" for k, v in options.items() if np.ndim(v) == 0)]
    title = f"F.{name} {' '.join(words)}"
    return composition(
        title + "".join(str(a) for a in args if isinstance(a, tuple)),
        lambda *xs: getattr(F, name)(*xs, *_typed(fixed, xs[0]), **_typed(options, xs[0])),
        *args,
        torch=lambda t, *xs: getattr(t.nn.functional, name)(*xs, *_given(t, fixed), **_given(t, options)),
        domain=domain,
    )


def _typed(values: Any, x: Any) -> Any:
    """Arrays of floats with the element type of another."""
    if isinstance(values, dict):
        return dict(zip(values, _typed(tuple(values.values()), x), strict=True))
    return tuple(v.astype(x.dtype) if getattr(v, "dtype", x.dtype).kind == "f" and hasattr(v, "shape") else v
                 for v in values)  # fmt: skip


def _given(t: Any, values: Any) -> Any:
    """Arrays as tensors; symgrad's axis is torch's dim."""
    if isinstance(values, dict):
        return {{"axis": "dim"}.get(k, k): t.as_tensor(v) if hasattr(v, "shape") else v for k, v in values.items()}
    return tuple(t.as_tensor(v) if hasattr(v, "shape") else v for v in values)


def function(name: str, f: Callable[..., Any], torch: Callable[..., Any], *args: Any, domain: Any = (-3, 3)) -> Case:
    """A case whose two calls differ."""
    return composition(name, f, *args, torch=torch, domain=domain)


def _positive(*shape: int) -> Any:
    return lambda rng: rng.uniform(0.2, 2.0, shape)


def _probabilities(*shape: int) -> Any:
    return lambda rng: rng.uniform(0.05, 0.95, shape)


BAGS, STARTS = np.array([3, 0, 2, 1, 1, 2]), np.array([0, 2, 2, 5])  # the second is empty, the last one padding
INDEX = np.array([[0, 2, 1], [1, 0, 0]])
HEADS = [
    ("masked", {"attn_mask": ~np.tri(3, dtype=bool), "is_causal": True}, ((3, 2, 4), (12, 4), (12,), (4, 4), (4,))),
    (
        "longer keys",
        {"key_padding_mask": np.array([[False, True, False], [False, False, False]]), "add_zero_attn": True,
         "average_attn_weights": False, "bias": True},
        ((3, 2, 4), (12, 4), (12,), (4, 4), (4,)),
    ),
    ("unbatched", {}, ((3, 4), (12, 4), (12,), (4, 4), (4,))),
]  # fmt: skip


def _bagged(t: Any, w: Any, reduce: str) -> Any:
    """Bags without the padding, row by row: torch's embedding_bag has no second derivative."""
    return t.stack([getattr(w[rows], reduce)(0) if rows else 0 * w[0] for rows in ([3, 0], [], [1, 1], [])])


def _attention(f: Any, options: Any, x: Any, w: Any, b: Any, out: Any, out_b: Any) -> Any:
    """Output and weights in one array; with bias, rows of the last matrix are one more key and value."""
    rest = {k: v for k, v in options.items() if k not in ("bias", "add_zero_attn")}
    more = (out[:1][None], out[1:2][None]) if "bias" in options else (None, None)
    zeros = "add_zero_attn" in options
    y, weights = f.multi_head_attention_forward(x, x, x, 4, 2, w, b, *more, zeros, 0.0, out, out_b, **rest)
    return (y * y).sum() * weights + y.sum()


def _multi_margin(t: Any, x: Any) -> Any:
    rows = range(4)
    margins = (1 - x[rows, LABELS][:, None] + x).clamp(min=0) ** 2
    return (margins.sum(1) - margins[rows, LABELS]).mean() / 3


ACTIVATIONS = [
    *(
        functional(name, (4, 6))
        for name in (
            "celu",
            "elu",
            "gelu",
            "hardshrink",
            "hardswish",
            "hardtanh",
            "leaky_relu",
            "logsigmoid",
            "mish",
            "relu6",
            "selu",
            "silu",
            "softplus",
            "softshrink",
            "softsign",
            "tanhshrink",
            "rrelu",
        )
    ),
    function("F.hardsigmoid", F.hardsigmoid, lambda t, x: t.clamp(x / 6 + 0.5, 0, 1), (6,), domain=(-6, 6)),
    functional("celu", (5,), alpha=0.5),
    functional("elu", (5,), alpha=1.6),
    functional("gelu", (5,), approximate="tanh"),
    functional("softplus", (5,), beta=2.0, threshold=1.0),
    functional("threshold", (5,), threshold=0.3, value=7.0),
    functional("prelu", (2, 3, 2), (3,)),
    functional("glu", (3, 4), axis=-1),
    functional("softmin", (3, 4), axis=0),
]

LOSSES = [
    *(
        functional(name, (4, 3), (4, 3), reduction=reduction)
        for name in ("l1_loss", "mse_loss", "smooth_l1_loss", "huber_loss")
        for reduction in ("mean", "none")
    ),
    functional("smooth_l1_loss", (4,), (4,), beta=0.3, reduction="sum"),
    functional("huber_loss", (4,), (4,), delta=0.3),
    functional("cross_entropy", (4, 3), fixed=(LABELS, np.array([0.2, 0.5, 1.5])), label_smoothing=0.1),
    functional("cross_entropy", (4, 3), fixed=(LABELS,), ignore_index=1),
    functional("cross_entropy", (2, 3, 2), fixed=(LABELS.reshape(2, 2),), reduction="none"),
    functional("cross_entropy", (4, 3), _probabilities(4, 3), label_smoothing=0.2, reduction="sum"),
    functional("nll_loss", (4, 3), fixed=(LABELS, np.array([0.2, 0.5, 1.5])), ignore_index=0),
    functional("binary_cross_entropy", _probabilities(4), _probabilities(4)),
    functional("binary_cross_entropy_with_logits", (4, 2), _probabilities(4, 2), pos_weight=np.array([0.5, 2.0])),
    functional("kl_div", (4, 3), _probabilities(4, 3), reduction="batchmean"),
    functional("kl_div", (4, 3), (4, 3), log_target=True, reduction="sum"),
    functional("poisson_nll_loss", (4,), _positive(4), full=True),
    functional("poisson_nll_loss", _positive(4), _positive(4), log_input=False),
    functional("gaussian_nll_loss", (4, 2), (4, 2), _positive(4, 2), full=True),
    functional("soft_margin_loss", (4,), fixed=(SIGNS,)),
    functional("hinge_embedding_loss", (4,), fixed=(SIGNS, 0.5)),
    functional("margin_ranking_loss", (4,), (4,), fixed=(SIGNS, 0.3)),
    functional("cosine_embedding_loss", (4, 3), (4, 3), fixed=(SIGNS, 0.1)),
    functional("triplet_margin_loss", (4, 3), (4, 3), (4, 3), swap=True),
    function("F.multi_margin_loss", lambda x: F.multi_margin_loss(x, LABELS, p=2), _multi_margin, (4, 3)),
    functional("multilabel_soft_margin_loss", (4, 3), _probabilities(4, 3)),
]

NETWORKS = [
    functional("normalize", (3, 4), p=2.0),
    functional("cosine_similarity", (3, 4), (3, 4)),
    functional("pairwise_distance", (3, 4), (3, 4), p=3.0),
    function("F.pdist", F.pdist, lambda t, x: t.linalg.vector_norm(x[[0, 0, 1]] - x[[1, 2, 2]], dim=-1), (3, 3)),
    functional("bilinear", (2, 3), (2, 4), (5, 3, 4), (5,)),
    functional("batch_norm", (4, 3, 2), fixed=(None, None), training=True),
    functional("batch_norm", (4, 3), fixed=(np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 0.5]))),
    functional("group_norm", (2, 4, 3), fixed=(2,)),
    functional("instance_norm", (2, 3, 4)),
    functional("layer_norm", (2, 3, 4), fixed=((3, 4),)),
    functional("rms_norm", (2, 3, 4), fixed=((4,),)),
    functional("local_response_norm", (2, 5, 3), fixed=(3,), alpha=0.5),
    functional("scaled_dot_product_attention", (2, 3, 4), (2, 3, 4), (2, 3, 5), attn_mask=MASK),
    functional("scaled_dot_product_attention", (3, 4), (3, 4), (3, 5), is_causal=True),
    function(
        "F.embedding",
        lambda w: F.embedding(LABELS, w, padding_idx=1),
        lambda t, w: t.nn.functional.embedding(t.as_tensor(LABELS), w, padding_idx=1),
        (3, 2),
    ),
    functional("pixel_shuffle", (1, 4, 2, 3), fixed=(2,)),
    functional("pixel_unshuffle", (1, 1, 2, 4), fixed=(2,)),
    functional("unfold", (1, 2, 4, 5), fixed=((2, 3),), padding=1, stride=2),
    functional("fold", (1, 12, 6), fixed=((3, 5), (2, 3)), dilation=1),
    functional("interpolate", (1, 2, 3), size=5, mode="linear", align_corners=True),
    functional("interpolate", (1, 1, 2, 3), scale_factor=1.7, mode="bilinear"),
    functional("interpolate", (1, 1, 2, 3), size=(4, 5), mode="bicubic"),
    functional("interpolate", (1, 1, 4, 5), size=(2, 3), mode="nearest-exact"),
    functional(
        "grid_sample", (1, 2, 3, 4), (1, 2, 3, 2), padding_mode="reflection", align_corners=True, domain=(-1.9, 1.9)
    ),
    functional("grid_sample", (1, 2, 3, 4), (1, 2, 3, 2), align_corners=False, mode="bicubic", domain=(-1.1, 1.1)),
    *(functional("pad", (1, 3, 4), fixed=((2, 1), mode)) for mode in ("reflect", "replicate", "circular")),
    functional(
        "grid_sample", (1, 2, 2, 3, 4), (1, 2, 1, 2, 3), padding_mode="border", align_corners=False, domain=(-1.1, 1.1)
    ),
    *(
        functional(
            f"fractional_max_pool{n}d",
            spread_out(1, 2, *(7, 6, 5)[:n]),
            fixed=(2,),
            output_size=3,
            _random_samples=np.linspace(0.1, 0.9, 2 * n).reshape(1, 2, n),
        )
        for n in (2, 3)
    ),
    functional("affine_grid", (2, 2, 3), fixed=((2, 1, 3, 4),), align_corners=False),
    *(functional(f"lp_pool{n}d", _positive(1, 2, *(6, 5, 4)[:n]), fixed=(3.0, 2)) for n in (2, 3)),
    *(
        function(
            f"F.embedding_bag {mode}",
            lambda w, mode=mode: F.embedding_bag(BAGS, w, STARTS, mode=mode, padding_idx=2),
            lambda t, w, mode=mode: _bagged(t, w, {"max": "amax"}.get(mode, mode)),
            (4, 3),
        )
        for mode in ("sum", "mean", "max")
    ),
    function(
        "F.embedding_bag weighted rows",
        lambda w, v: F.embedding_bag(INDEX, w, mode="sum", per_sample_weights=v),
        lambda t, w, v: (w[t.as_tensor(INDEX)] * v[..., None]).sum(1),
        (3, 2),
        (2, 3),
    ),
    *(
        function(
            f"F.multi_head_attention_forward {title}",
            lambda *xs, options=options: _attention(F, _typed(options, xs[0]), *xs),
            lambda t, *xs, options=options: _attention(t.nn.functional, _given(t, options), *xs),
            *shapes,
            domain=(-1, 1),
        )
        for title, options, shapes in HEADS
    ),
    function(
        "F.max_unpool1d",
        lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2),
        lambda t, x: t.nn.functional.max_unpool1d(*t.nn.functional.max_pool1d(x, 2, return_indices=True), 2),
        spread_out(1, 2, 6),
    ),
]

ARRAYS = [
    *(
        function(
            f"scatter_reduce {reduce} {self}",
            lambda x, v, reduce=reduce, self=self: sg.scatter_reduce(x, 0, INDEX, v, reduce, include_self=self),
            lambda t, x, v, reduce=reduce, self=self: x.scatter_reduce(
                0, t.as_tensor(INDEX), v, reduce, include_self=self
            ),
            (3, 3),
            (2, 3),
        )
        for reduce in ("sum", "prod", "mean", "amax")
        for self in (True, False)
    ),
    function("gather", lambda x: sg.gather(x, 1, INDEX), lambda t, x: x.gather(1, t.as_tensor(INDEX)), (2, 4)),
    function(
        "index_add",
        lambda x, v: sg.index_add(x, 1, LABELS, v, alpha=2),
        lambda t, x, v: x.index_add(1, t.as_tensor(LABELS), v, alpha=2),
        (2, 3),
        (2, 4),
    ),
    function(
        "masked_fill",
        lambda x: sg.masked_fill(x, MASK, 2.0),
        lambda t, x: x.masked_fill(t.as_tensor(MASK), 2.0),
        (3, 3),
    ),
    function(
        "masked_scatter",
        lambda x, v: sg.masked_scatter(x, MASK, v),
        lambda t, x, v: x.masked_scatter(t.as_tensor(MASK), v),
        (3, 3),
        (6,),
    ),
    function("diag_embed", lambda x: sg.diag_embed(x, 1), lambda t, x: t.diag_embed(x, 1), (2, 3)),
    function("diagonal", lambda x: sg.diagonal(x, -1, 0, 2), lambda t, x: t.diagonal(x, -1, 0, 2), (3, 2, 3)),
    function("tril", lambda x: sg.tril(x, -1), lambda t, x: t.tril(x, -1), (3, 4)),
    function("kron", sg.kron, lambda t, a, b: t.kron(a, b), (2, 3), (3, 1, 2)),
    function("vander", sg.vander, lambda t, x: t.stack([x**2, x, x**0], 1), (3,)),
    function("roll", lambda x: sg.roll(x, (1, -2), (0, 1)), lambda t, x: t.roll(x, (1, -2), (0, 1)), (3, 4)),
    *(
        function(
            name,
            lambda x, name=name: getattr(sg, name)(x, 1),
            lambda t, x, name=name: getattr(t.fft, name)(x, 1),
            (3, 5),
        )
        for name in ("fftshift", "ifftshift")
    ),
    function(
        "array_split",
        lambda x: sg.concatenate([(k + 1.0) * part for k, part in enumerate(sg.array_split(x, 3, 1))], 1),
        lambda t, x: t.cat([(k + 1.0) * part for k, part in enumerate(t.tensor_split(x, 3, 1))], 1),
        (2, 5),
    ),
    function("unstack", lambda x: sg.multiply(*sg.unstack(x, 1)), lambda t, x: t.mul(*x.unbind(1)), (3, 2)),
    function(
        "broadcast_arrays",
        lambda a, b: sg.stack(sg.broadcast_arrays(a, b)),
        lambda t, a, b: t.stack(t.broadcast_tensors(a, b)),
        (3, 1),
        (2,),
    ),
    function(
        "take_along_axis",
        lambda x: sg.take_along_axis(x, INDEX, 1),
        lambda t, x: t.take_along_dim(x, t.as_tensor(INDEX), 1),
        (2, 4),
    ),
    function("matvec", sg.matvec, lambda t, a, x: t.einsum("bij,bj->bi", a, x), (2, 3, 4), (2, 4)),
    function("vecmat", sg.vecmat, lambda t, x, a: t.einsum("bi,bij->bj", x, a), (2, 3), (2, 3, 4)),
    function(
        "lu_unpack",
        lambda a: sg.matmul(*linalg.lu_unpack(*linalg.lu_factor(a))[:0:-1]),
        lambda t, a: t.matmul(*t.lu_unpack(*t.linalg.lu_factor(a))[:0:-1]),
        (3, 3),
    ),
    function("rot90", lambda x: sg.rot90(x, 3, (0, 2)), lambda t, x: t.rot90(x, 3, (0, 2)), (2, 3, 2)),
    function(
        "repeat", lambda x: sg.repeat(x, [2, 0, 1], 1), lambda t, x: x.repeat_interleave(t.tensor([2, 0, 1]), 1), (2, 3)
    ),
    function("tile", lambda x: sg.tile(x, (2, 1, 2)), lambda t, x: t.tile(x, (2, 1, 2)), (2, 3)),
    function("cross", sg.cross, lambda t, a, b: t.linalg.cross(a, b), (2, 3), (2, 3)),
    function(
        "tensordot",
        lambda a, b: sg.tensordot(a, b, ((0, 2), (1, 0))),
        lambda t, a, b: t.tensordot(a, b, ((0, 2), (1, 0))),
        (2, 3, 4),
        (4, 2, 5),
    ),
    function(
        "multi_dot", lambda *xs: linalg.multi_dot(xs), lambda t, *xs: t.linalg.multi_dot(xs), (3,), (3, 4), (4, 2)
    ),
    function(
        "matrix_power",
        lambda a: linalg.matrix_power(a, -3),
        lambda t, a: t.linalg.matrix_power(a, -3),
        positive_definite(3),
    ),
    *(
        function(
            f"matrix_norm {ord}",
            lambda a, ord=ord: linalg.matrix_norm(a, ord),
            lambda t, a, ord=ord: t.linalg.matrix_norm(a, ord),
            (3, 2),
        )
        for ord in ("nuc", 2, 1, -np.inf, "fro")
    ),
    function(
        "lstsq", lambda a, b: linalg.lstsq(a, b).solution, lambda t, a, b: t.linalg.lstsq(a, b)[0], (4, 2), (4, 3)
    ),
    function("cov", sg.cov, lambda t, x: t.cov(x), (3, 5)),
    function("corrcoef", sg.corrcoef, lambda t, x: t.corrcoef(x), (3, 5)),
    function(
        "cdist",
        lambda a, b: sg.cdist(a, b, 3.0),
        lambda t, a, b: t.linalg.vector_norm(a[..., None, :] - b[None], 3, -1),
        (2, 3, 2),
        (4, 2),
    ),
]

CASES = [*ACTIVATIONS, *LOSSES, *NETWORKS, *ARRAYS]  # fmt: skip
