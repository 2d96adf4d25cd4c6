"""Transforms: vjp, jvp, grad, jacobian, hessian and their kin, which compose to any order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgrad.context import MODE, mode
from symgrad.errors import DTypeError, GradientError, TracingError
from symgrad.op import FUNCTIONS
from symgrad.ops.marks import alias
from symgrad.recording import apply, outputs_of
from symgrad.reverse import accumulate, nodes_below, ones, seeded, zeros
from symgrad.shapes import concrete, size_of
from symgrad.tensor import Tensor, as_tensor, tensor
from symgrad.trees import Structure, flatten, tree_map, unflatten

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

_TRANSFORM = 2  # the bit of requires_grad that arguments of transforms carry


class _Call:
    """One call of a function with some arguments replaced by fresh aliases, ready to be pulled back."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...], argnums: Any, has_aux: bool, where: str) -> None:
        self.where = where
        numbers = argnums if isinstance(argnums, tuple) else (argnums,)
        self.structures: list[Structure] = []
        self.aliases: list[Tensor] = []
        self.tensors_in = False
        new_args = list(args)
        for n in numbers:
            if not isinstance(n, int) or not -len(args) <= n < len(args):
                raise GradientError(f"{where}: argnums={argnums!r} does not fit {len(args)} positional argument(s)")
            if len({k % len(args) for k in numbers if isinstance(k, int)}) < len(numbers):
                raise GradientError(f"{where}: argnums={argnums!r} names an argument twice")
            leaves, structure = flatten(args[n])
            fresh = [self._alias(x, n) for x in leaves]
            self.structures.append(structure)
            self.aliases += fresh
            new_args[n] = unflatten(structure, fresh)
        self.tensors_in |= any(isinstance(x, Tensor) for a in args for x in flatten(a)[0])
        self.floor = self.aliases[0].serial if self.aliases else 0
        with mode(recording=True):
            result = f(*new_args)
        aux: Any = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise GradientError(f"{where}: with has_aux=True the function returns a pair (output, aux)")
            result, aux = result
        self.outputs, self.structure = flatten(tree_map(outputs_of, result))
        self.outputs = [as_tensor(y) for y in self.outputs]
        beside, structure = flatten(aux)
        self.arrays = self._runs_on_arrays([*self.outputs, *(x for x in beside if isinstance(x, Tensor))])
        self.aux = unflatten(structure, [self._value(x) if isinstance(x, Tensor) else x for x in beside])

    def _alias(self, x: Any, n: int) -> Tensor:
        self.tensors_in |= isinstance(x, Tensor)
        x = as_tensor(x)
        if x.dtype.kind != "f":
            raise DTypeError(
                f"{self.where}: argument {n} is {x.dtype}; gradients need floats: write 3.0 instead of 3, "
                "or convert with .astype(np.float64)"
            )
        fresh = apply(alias, (x,))
        fresh.requires_grad = x.requires_grad | _TRANSFORM
        return fresh

    def _runs_on_arrays(self, results: list[Tensor]) -> bool:
        """Whether nothing reached belongs to an enclosing transform or trace."""
        nodes = nodes_below(results, _TRANSFORM, self.floor)
        if self._tracing() or any(node.value is None for node in nodes):
            return False
        outside: Any = False
        for y in results:
            if y.serial < self.floor:
                outside |= y.requires_grad
        for a in self.aliases:
            for x in a.inputs:
                outside |= x.requires_grad
        own = {a.serial for a in self.aliases}
        for node in nodes:
            if node.serial in own:
                continue
            for x in node.inputs:
                if x.serial < self.floor or not x.requires_grad & _TRANSFORM:
                    outside |= x.requires_grad
        return not (outside & _TRANSFORM or (outside and self.tensors_in))

    @staticmethod
    def _tracing() -> bool:
        current = MODE.get()
        return current is not None and current.trace is not None

    def pull(self, cotangents: list[Any], arrays: bool) -> list[Any]:
        """Cotangents of the aliases from cotangents of the outputs."""
        seeds = [
            (y, seeded(y, g, arrays, self.where))
            for y, g in zip(self.outputs, cotangents, strict=True)
            if y.requires_grad & _TRANSFORM and y.serial >= self.floor
        ]
        kept = accumulate(seeds, _TRANSFORM, self.floor, arrays, {a.serial for a in self.aliases})
        return [self._result(kept.get(a.serial, (a, None))[1], a, arrays) for a in self.aliases]

    def _result(self, g: Any, a: Tensor, arrays: bool) -> Any:
        if g is None:
            g = zeros(a)
            return g if not arrays else np.asarray(g.value)
        return np.array(g) if arrays else g

    def leave(self, results: list[Any]) -> list[Any]:
        """Results in the kind that the caller gave: arrays for arrays, Tensors for Tensors."""
        if self.arrays and self.tensors_in:
            return [tensor(x) for x in results]
        return results

    def gradients(self, results: list[Any], single: bool) -> Any:
        """Results in the structure of the differentiated arguments."""
        leaves = iter(results)
        parts = tuple(unflatten(s, leaves) for s in self.structures)
        return parts[0] if single else parts

    def value(self) -> Any:
        """The function's output as the caller shall see it."""
        return unflatten(self.structure, [self._value(y) for y in self.outputs])

    def _value(self, y: Tensor) -> Any:
        if not self.arrays:
            return y
        return tensor(y.value) if self.tensors_in else np.array(y.value)


def vjp(f: Callable[..., Any], *args: Any, has_aux: bool = False) -> Any:
    r"""Value of f and its pullback: the map :math:`g \mapsto g^{\mathsf T} J`.

    Parameters
    ----------
    f : callable
        Of Tensors; arguments and result may be nested dicts, lists and tuples.
    *args : arrays or Tensors
        Where to evaluate.
    has_aux : bool
        Whether f returns ``(output, aux)``; aux is then returned as a third item.

    Returns
    -------
    y : like f's result
    pullback : callable
        From a cotangent of y to the tuple of cotangents of the arguments. It may be called again.

    Examples
    --------
    >>> import symgrad as sg
    >>> y, pull = sg.vjp(lambda a, b: a * b, 2.0, 3.0)
    >>> pull(1.0)
    (array(3.), array(2.))
    """
    call = _Call(f, args, tuple(range(len(args))), has_aux, "vjp")

    def pullback(cotangent: Any) -> Any:
        seeds = flatten(cotangent)[0]
        if len(seeds) != len(call.outputs):
            raise GradientError(f"vjp: the function has {len(call.outputs)} output(s), got {len(seeds)} cotangent(s)")
        outer = any(isinstance(g, Tensor) and (g.requires_grad or g.value is None) for g in seeds)
        arrays = call.arrays and not outer
        results = call.pull(seeds, arrays)
        return call.gradients(call.leave(results) if arrays else results, False)

    return (call.value(), pullback, call.aux) if has_aux else (call.value(), pullback)


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Any:
    """A function that returns the value and the gradient of a scalar function.

    Parameters
    ----------
    f : callable
        Returns one scalar (with ``has_aux``, a pair of it and anything).
    argnums : int or tuple of int
        Which positional arguments to differentiate by.
    has_aux : bool
        Whether f returns ``(scalar, aux)``.

    Returns
    -------
    callable
        With f's arguments; returns ``(value, gradient)`` or ``((value, aux), gradient)``. Arrays in, arrays
        out; any Tensor in, Tensors out.

    Raises
    ------
    GradientError
        If f's output is not a scalar, or argnums do not fit.
    DTypeError
        If an argument is of integers.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> sg.value_and_grad(lambda x: (x**3).sum())(np.array([1.0, 2.0]))
    (array(9.), array([ 3., 12.]))
    >>> sg.grad(lambda p: p["a"] * p["b"])({"a": 2.0, "b": 3.0})
    {'a': array(3.), 'b': array(2.)}
    """

    @functools.wraps(f, updated=())
    def differentiated(*args: Any, **options: Any) -> Any:
        call = _Call(lambda *a: f(*a, **options), args, argnums, has_aux, "grad")
        if len(call.outputs) != 1:
            raise GradientError(
                f"grad: the function returned {len(call.outputs)} outputs; return one scalar, or has_aux"
            )
        results = call.leave(call.pull([None], call.arrays))
        gradient = call.gradients(results, isinstance(argnums, int))
        return ((call.value(), call.aux) if has_aux else call.value()), gradient

    return differentiated


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Any:
    """A function that returns the gradient of a scalar function; see `value_and_grad`.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.grad(sg.grad(lambda x: x**3))(2.0)
    array(12.)
    """
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f, updated=())
    def gradient(*args: Any, **options: Any) -> Any:
        value, g = both(*args, **options)
        return (g, value[1]) if has_aux else g

    return gradient


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    r"""Value of f and its derivative along tangents: :math:`J v`.

    It is the pullback of the pullback: :math:`g \mapsto J^{\mathsf T} g` is linear, and its own pullback
    at any g is J.

    Parameters
    ----------
    f : callable
    primals, tangents : sequences of the same structure
        Arguments of f, and directions.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.jvp(sg.sin, (0.0,), (2.0,))
    (array(0.), array(2.))
    """
    primals, tangents = tuple(primals), tuple(tangents)
    points, directions = flatten(primals)[0], flatten(tangents)[0]
    if len(points) != len(directions):
        raise GradientError(f"jvp: {len(points)} primal(s) but {len(directions)} tangent(s)")
    call = _Call(f, primals, tuple(range(len(primals))), False, "jvp")
    plain = call.arrays and not any(isinstance(t, Tensor) and t.requires_grad for t in directions)

    def transpose(*cotangents: Any) -> Any:
        return call.pull(list(cotangents), False)

    start = [ones(y) for y in call.outputs]
    second = _Call(transpose, tuple(start), tuple(range(len(start))), False, "jvp")
    results = second.pull(directions, plain)
    if plain and (call.tensors_in or any(isinstance(t, Tensor) for t in directions)):
        results = [tensor(x) for x in results]
    return call.value(), unflatten(call.structure, results)


def jacobian(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Any:
    r"""A function that returns :math:`J_{i,j} = \partial y_i / \partial x_j`, of shape ``y.shape + x.shape``.

    Parameters
    ----------
    f : callable
        Returns one array.
    argnums : int or tuple of int

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> sg.jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @functools.wraps(f, updated=())
    def differentiated(*args: Any, **options: Any) -> Any:
        call = _Call(lambda *a: f(*a, **options), args, argnums, False, "jacobian")
        if len(call.outputs) != 1:
            raise GradientError(f"jacobian: the function returned {len(call.outputs)} outputs; return one array")
        (y,) = call.outputs
        if not concrete(y.shape):
            raise TracingError(
                f"jacobian: the output has the symbolic shape {y.shape}; use sg.derive for symbolic sizes"
            )
        rows = [call.pull([e], call.arrays) for e in _basis(y, call.arrays)]
        stacked = [_stack(column, y.shape, a) for a, column in _columns(rows, call.aliases)]
        return call.gradients(call.leave(stacked), isinstance(argnums, int))

    return differentiated


def _basis(y: Tensor, arrays: bool) -> list[Any]:
    """The unit cotangents of an output: arrays, or parts of one Tensor."""
    n = int(size_of(y.shape))
    basis = np.eye(n, dtype=y.dtype).reshape((n, *y.shape))
    whole = basis if arrays or not n else tensor(basis)
    return [whole[k] for k in range(n)]


def _columns(rows: list[list[Any]], aliases: list[Tensor]) -> list[tuple[Tensor, list[Any]]]:
    return [(a, [row[k] for row in rows]) for k, a in enumerate(aliases)]


def _stack(rows: list[Any], outer: Any, x: Tensor) -> Any:
    shape = (*outer, *x.shape)
    if not rows:
        return np.zeros(shape, x.dtype)
    if isinstance(rows[0], Tensor):
        return FUNCTIONS["reshape"](FUNCTIONS["stack"](rows), shape)
    return np.stack(rows).reshape(shape)


def hessian(f: Callable[..., Any], argnums: int = 0) -> Any:
    r"""A function that returns :math:`H_{ij} = \partial^2 f / \partial x_i \partial x_j`.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> sg.hessian(lambda x: x[0] * x[0] * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Any:
    r"""The product :math:`H v` of the Hessian at x with v, without the Hessian.

    Parameters
    ----------
    f : callable
        Scalar function of one argument.
    x, v : of one structure
        The point and the vector.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> sg.hvp(lambda x: (x**3).sum(), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """
    return vjp(grad(f), x)[1](v)[0]
