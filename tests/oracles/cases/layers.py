"""Layers of `symgrad.nn` as functions of their input and parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgrad import nn

from .base import composition, integers, spread_out


def layer(make: Callable[[], Any], *names: str) -> Callable[..., Any]:
    """A function of (x, *parameters) that runs the layer with these in the places named."""

    def run(x: Any, *parameters: Any) -> Any:
        model = make()
        for name, value in zip(names, parameters, strict=True):
            at = model
            *path, last = name.split(".")
            for part in path:
                at = getattr(at, part)
            at._slots.pop(last)
            at.__dict__[last] = value
        return model(x)

    return run


def torch_layer(make: Callable[[Any], Any], *names: str, transposed: bool = True) -> Callable[..., Any]:
    """The torch module with these parameters, matrices transposed."""

    def run(t: Any, x: Any, *parameters: Any) -> Any:
        turned = [p.T if p.ndim == 2 and transposed else p for p in parameters]
        y = t.func.functional_call(make(t.nn).double(), dict(zip(names, turned, strict=True)), (x,))
        return y[0] if isinstance(y, tuple) else y

    return run


def _attention(t: Any, x: Any, *parameters: Any) -> Any:
    q, bq, k, v, bv, o, bo = parameters
    given = {
        "in_proj_weight": t.cat([q.T, k.T, v.T]),
        "in_proj_bias": t.cat([bq, 0 * bq, bv]),
        "out_proj.weight": o.T,
        "out_proj.bias": bo,
    }
    module = t.nn.MultiheadAttention(4, 2, batch_first=True).double()
    return t.func.functional_call(module, given, (x, x, x))[0]


def _attention_without_key_bias() -> Any:
    model = nn.MultiheadAttention(4, 2)
    model.key.bias = None
    return model


def _sequence(t: Any, x: Any, *parameters: Any) -> Any:
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return torch_layer(lambda n: n.GRU(3, 2, batch_first=True), *names)(t, x, *parameters)


def _running(kind: str) -> Any:
    def make() -> Any:
        model = getattr(nn, kind)(3).eval()
        model.running_mean.assign([0.5, -1.0, 2.0])
        model.running_var.assign([0.5, 2.0, 1.0])
        return model

    return make


def _torch_running(t: Any, z: Any, gamma: Any, beta: Any) -> Any:
    mean, var = t.tensor([0.5, -1.0, 2.0]), t.tensor([0.5, 2.0, 1.0])
    return t.nn.functional.batch_norm(z, mean.double(), var.double(), gamma, beta, eps=1e-5)


def _of_units(t: Any, z: Any, gamma: Any, beta: Any) -> Any:
    chosen = t.nn.functional.batch_norm(z[:, [2, 0]], None, None, gamma, beta, training=True)
    return t.stack([chosen[:, 1], z[:, 1], chosen[:, 0]], 1)


AFFINE = ("weight", "bias")
CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
HEADS = ["query.weight", "query.bias", "key.weight", "value.weight", "value.bias", "out.weight", "out.bias"]


def _cell(name: str, gates: int) -> Any:
    shapes = ((3, 2 * gates), (2, 2 * gates), (2 * gates,), (2 * gates,))

    def first(x: Any, *parameters: Any) -> Any:
        y = layer(lambda: getattr(nn, name)(3, 2), *CELL)(x, *parameters)
        return y[0] if isinstance(y, tuple) else y

    return composition(f"nn.{name}", first, (4, 3), *shapes, torch=torch_layer(lambda n: getattr(n, name)(3, 2), *CELL))


CASES = [
    composition(
        "nn.Linear",
        layer(lambda: nn.Linear(4, 3), *AFFINE),
        (5, 4), (4, 3), (3,),
        torch=torch_layer(lambda n: n.Linear(4, 3), *AFFINE),
    ),
    composition(
        "nn.BatchNorm1d",
        layer(lambda: nn.BatchNorm1d(3), *AFFINE),
        (5, 3), (3,), (3,),
        torch=torch_layer(lambda n: n.BatchNorm1d(3), *AFFINE),
    ),
    composition(
        "nn.BatchNorm1d of sequences",
        layer(lambda: nn.BatchNorm1d(3), *AFFINE),
        (2, 3, 4), (3,), (3,),
        torch=torch_layer(lambda n: n.BatchNorm1d(3), *AFFINE),
    ),
    composition(
        "nn.BatchNorm1d of units",
        layer(lambda: nn.BatchNorm1d(3, units=[2, 0]), *AFFINE),
        (5, 3), (2,), (2,),
        torch=_of_units,
    ),
    composition(
        "nn.BatchNorm2d",
        layer(lambda: nn.BatchNorm2d(3), *AFFINE),
        (2, 3, 2, 2), (3,), (3,),
        torch=torch_layer(lambda n: n.BatchNorm2d(3), *AFFINE),
    ),
    composition(
        "nn.BatchNorm2d in evaluation", layer(_running("BatchNorm2d"), *AFFINE), (2, 3, 2, 2), (3,), (3,),
        torch=_torch_running,
    ),
    composition(
        "nn.LayerNorm",
        layer(lambda: nn.LayerNorm((3, 2)), *AFFINE),
        (4, 3, 2), (3, 2), (3, 2),
        torch=torch_layer(lambda n: n.LayerNorm((3, 2)), *AFFINE, transposed=False),
    ),
    composition(
        "nn.RMSNorm",
        layer(lambda: nn.RMSNorm(4), "weight"),
        (3, 4), (4,),
        torch=torch_layer(lambda n: n.RMSNorm(4, eps=1e-5), "weight"),
    ),
    composition(
        "nn.GroupNorm",
        layer(lambda: nn.GroupNorm(2, 4), *AFFINE),
        (2, 4, 3), (4,), (4,),
        torch=torch_layer(lambda n: n.GroupNorm(2, 4), *AFFINE),
    ),
    composition(
        "nn.InstanceNorm2d",
        layer(lambda: nn.InstanceNorm2d(2)),
        (2, 2, 2, 2),
        torch=torch_layer(lambda n: n.InstanceNorm2d(2)),
    ),
    composition(
        "nn.WeightNorm",
        layer(lambda: nn.WeightNorm(nn.Linear(4, 3)), "layer.weight", "gain", "layer.bias"),
        (2, 4), (4, 3), (1, 3), (3,),
        torch=lambda t, x, v, g, b: x @ (g * v / v.norm(dim=0, keepdim=True)) + b,
    ),
    composition(
        "nn.Conv2d",
        layer(lambda: nn.Conv2d(2, 4, (2, 3), stride=2, padding=1, groups=2), *AFFINE),
        (2, 2, 4, 5), (4, 1, 2, 3), (4,),
        torch=torch_layer(lambda n: n.Conv2d(2, 4, (2, 3), stride=2, padding=1, groups=2), *AFFINE),
    ),
    composition(
        "nn.Conv1d",
        layer(lambda: nn.Conv1d(2, 3, 2, dilation=2), *AFFINE),
        (2, 2, 6), (3, 2, 2), (3,),
        torch=torch_layer(lambda n: n.Conv1d(2, 3, 2, dilation=2), *AFFINE),
    ),
    composition(
        "nn pooling",
        lambda x: nn.MaxPool2d(2)(x) + nn.AvgPool2d(2)(x) * nn.AdaptiveAvgPool2d(1)(x),
        spread_out(1, 2, 4, 4),
        torch=lambda t, x: t.nn.MaxPool2d(2)(x) + t.nn.AvgPool2d(2)(x) * t.nn.AdaptiveAvgPool2d(1)(x),
    ),
    composition(
        "nn.WeightNorm of a convolution",
        layer(lambda: nn.WeightNorm(nn.Conv1d(2, 3, 2)), "layer.weight", "gain", "layer.bias"),
        (1, 2, 5), (3, 2, 2), (3, 1, 1), (3,),
        torch=lambda t, x, v, g, b: t.nn.functional.conv1d(x, g * v / v.norm(dim=(1, 2), keepdim=True), b),
    ),
    composition(
        "nn.Embedding",
        lambda indices, weight: layer(lambda: nn.Embedding(5, 3), "weight")(indices, weight),
        integers(0, 5, 2, 4), (5, 3),
        torch=lambda t, indices, weight: t.nn.functional.embedding(indices, weight),
    ),
    composition(
        "nn.MultiheadAttention",
        layer(_attention_without_key_bias, *HEADS),  # nothing depends on that bias
        (2, 3, 4), (4, 4), (4,), (4, 4), (4, 4), (4,), (4, 4), (4,),
        torch=_attention,
    ),
    _cell("RNNCell", 1),
    _cell("GRUCell", 3),
    _cell("LSTMCell", 4),
    composition(
        "nn.Recurrent",
        layer(lambda: nn.Recurrent(nn.GRUCell(3, 2)), *[f"cell.{name}" for name in CELL]),
        (2, 4, 3), (3, 6), (2, 6), (6,), (6,),
        torch=_sequence,
    ),
]  # fmt: skip
