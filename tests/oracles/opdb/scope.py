"""What of torch's op database is no question to symgrad, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

COMPLEX = "complex numbers are out of scope"
SPARSE = "sparse arrays are out of scope"
RANDOM = "its result is random"
TYPES = "an element type that symgrad does not have"
MEMORY = "about memory, not about numbers: strides, views, copies"
INTERNAL = "an inner part of torch, under no public name"

OUT_OF_SCOPE: dict[str, str] = {
    **dict.fromkeys(
        ["cdouble", "cfloat", "chalf", "complex", "polar", "view_as_complex", "stft", "linalg.eig", "linalg.eigvals"],
        COMPLEX,
    ),
    **dict.fromkeys(
        [f"fft.{kind}{n}" for kind in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft") for n in ("", "2", "n")],
        COMPLEX,
    ),
    **dict.fromkeys(["sparse.mm", "sparse.sampled_addmm", "to_sparse"], SPARSE),
    **dict.fromkeys(
        [
            "bernoulli",
            "normal",
            "pca_lowrank",
            "svd_lowrank",
        ],
        RANDOM,
    ),
    "nextafter": "a step in floating point is no function of real numbers, and torch has no derivative of it",
    **dict.fromkeys(["bfloat16", "half"], TYPES),
    **dict.fromkeys(
        ["as_strided", "as_strided_copy", "as_strided_scatter", "resolve_conj", "resolve_neg"],
        MEMORY,
    ),
    **dict.fromkeys(
        [
            "max_pool2d_with_indices_backward",
            "native_batch_norm",
            "native_dropout_backward",
            "native_group_norm",
            "native_layer_norm",
            "torch.ops.aten._safe_softmax.default",
        ],
        INTERNAL,
    ),
    "nn.functional.ctc_loss": "no connectionist temporal classification",
}

# Samples that ask for what symgrad does not have: by name of the op, a test of (args, options) that says what.
Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Asked = Callable[[tuple[Any, ...], dict[str, Any]], str | None]


def _drawn(args: tuple[Any, ...], options: dict[str, Any], default: bool = True) -> str | None:
    return RANDOM if options.get("training", default) and 0 < options.get("p", 0.5) < 1 else None


NOT_ASKED: dict[str, Asked] = {
    **{f"nn.functional.{name}": _drawn for name in ("dropout", "dropout3d", "alpha_dropout", "feature_alpha_dropout")},
    "nn.functional.dropout2d": lambda args, options: (
        "torch warns, and takes (B, C, L): that is dropout1d" if args[0].ndim == 3 else _drawn(args, options)
    ),
}

# Random samples made definite: dropout is off, the leak has one value, the windows are where these numbers say.


def _windows(args: tuple[Any, ...], options: dict[str, Any]) -> Arguments:
    import torch

    x, n = args[0], args[0].ndim - 2
    given = torch.linspace(0.1, 0.9, x.shape[0] * x.shape[1] * n, dtype=x.dtype).reshape(*x.shape[:2], n)
    return args, options | {"_random_samples": given}


DEFINITE: dict[str, Callable[[tuple[Any, ...], dict[str, Any]], Arguments]] = {
    "nn.functional.fractional_max_pool2d": _windows,
    "nn.functional.fractional_max_pool3d": _windows,
    "nn.functional.multi_head_attention_forward": lambda args, options: ((*args[:10], 0.0, *args[11:]), options),
    "nn.functional.rrelu": lambda args, options: (args, options | {"lower": 0.25, "upper": 0.25}),
    "nn.functional.scaled_dot_product_attention": lambda args, options: (args, options | {"dropout_p": 0.0}),
}

# Where torch's second derivative is no answer: what is wrong with it.
NO_SECOND = {
    "nn.functional.linear_cross_entropy.chunked": "torch takes the gradient, found beforehand, as constant",
    "nn.functional.linear_cross_entropy.chunked_none": "torch raises",
}

# Below what part of 1 two numbers need not agree, where it is more than 1e-3 because of torch's rounding.
FLOORS = {
    "logcumsumexp": 1e-2,  # an element of 1e4: 8e-12 off the value in 60 digits, symgrad 5e-20
    "nn.functional.multi_head_attention_forward": 0.1,  # scores of hundreds: what a saturated softmax leaves
    "nn.functional.normalize": 1e-2,  # vectors of one element are constant: torch's second derivative is 5e-12
}
