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
    "nn.functional.pad.replicate_negative": "an axis that is cropped to nothing has no edge to repeat",
    **dict.fromkeys(["sparse.mm", "sparse.sampled_addmm", "to_sparse"], SPARSE),
    **dict.fromkeys(
        [
            "bernoulli",
            "normal",
            "nn.functional.alpha_dropout",
            "nn.functional.dropout",
            "nn.functional.dropout2d",
            "nn.functional.dropout3d",
            "nn.functional.feature_alpha_dropout",
            "nn.functional.fractional_max_pool2d",
            "nn.functional.fractional_max_pool3d",
            "nn.functional.rrelu",
            "pca_lowrank",
            "svd_lowrank",
        ],
        RANDOM,
    ),
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
NOT_ASKED: dict[str, Callable[[tuple[Any, ...], dict[str, Any]], str | None]] = {}
