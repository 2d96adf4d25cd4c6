"""`compile`: trace a function once per shape, and replay its plan."""

from __future__ import annotations

import functools
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from symgrad.context import MODE, RUN
from symgrad.errors import GraphError, SymgradError, TracingError
from symgrad.plan.fusing import available
from symgrad.plan.program import Plan
from symgrad.tensor import Tensor, tensor
from symgrad.tracing import positional, trace
from symgrad.trees import flatten, tree_map

__all__ = ["Compiled", "compile"]

_log = logging.getLogger("symgrad")


class Compiled:
    """A function with a plan per shape, dtype and mode of its arguments; see `compile`.

    Attributes
    ----------
    plan : Plan or None
        The plan of the latest call.
    """

    def __init__(self, f: Callable[..., Any], fast: bool | None = None) -> None:
        functools.update_wrapper(self, f)
        if fast and not available():
            raise SymgradError("compile: fast=True needs the extra of that name: pip install 'symgrad[fast]'")
        self.fast = fast
        self.function = f
        self.plan: Plan | None = None
        self._plans: dict[Any, list[Plan | str]] = {}
        self._quick: dict[Any, Plan] = {}
        self._latest: tuple[list[Any], Plan | None] = ([], None)
        self._held = False
        self._fallbacks = 0
        self._lock = threading.RLock()  # the plans hand the leaves over to each other

    def __reduce__(self) -> Any:
        """Copies and pickles are compiled anew where they are used; a decorated function is found by its name."""
        found = getattr(sys.modules.get(self.__module__), getattr(self, "__qualname__", ""), None)
        return self.__qualname__ if found is self else (Compiled, (self.function, self.fast))

    def __call__(self, /, *args: Any, **named: Any) -> Any:
        """Run the plan for these arguments, making it at their first call."""
        if named:
            args = positional(self.function, args, named, "compile")
        if MODE.get() is None:  # the common case, quickly: plain arrays of a kind seen before
            try:
                kinds: list[Any] = [(type(a), a.shape, a.dtype) for a in args]
                kinds.append((run := RUN.get()) is None or run.training)
                known, plan = self._latest
                if kinds != known:
                    plan = self._quick.get(tuple(kinds))
                    self._latest = kinds, plan
            except AttributeError:
                plan = None
            if plan is not None and (not plan.flags or plan.holds()):
                return self._run(plan, args)
        return self._general(args)

    def _general(self, args: tuple[Any, ...]) -> Any:
        leaves = [x for a in args for x in flatten(a)[0]]
        if self._must_record(leaves):
            return self._eagerly(args)
        if any(type(x) is float for x in leaves):
            args = _weak_floats(args, leaves)
            leaves = [x for a in args for x in flatten(a)[0]]
        arrays = [_array(x) for x in leaves if not isinstance(x, (bool, str))]
        if (mode := MODE.get()) is not None and mode.anomaly:  # who looks for a node needs the nodes
            return self._instead(args, leaves)
        plan = self._plan(args, leaves, arrays)
        if isinstance(plan, str):
            self._fallbacks += 1
            return self._instead(args, leaves)
        tensors_in = any(isinstance(x, Tensor) for x in leaves)
        if _differentiated(plan, tensors_in):
            return self._eagerly(args)
        if all(type(a) is np.ndarray for a in args):
            run = RUN.get()
            self._quick[(*[(type(a), a.shape, a.dtype) for a in args], run is None or run.training)] = plan
            self._latest = [], None
        result = self._run(plan, arrays)
        return tree_map(tensor, result) if tensors_in else result

    def _eagerly(self, args: tuple[Any, ...]) -> Any:
        """The function itself, on leaves that have their newest values."""
        if self._held:
            self.publish()
        return self.function(*args)

    def _instead(self, args: tuple[Any, ...], leaves: list[Any]) -> Any:
        """What a plan would give, by the function itself: on Tensors, as when traced; arrays for arrays."""
        given = [tree_map(lambda x: x if isinstance(x, (bool, str, Tensor)) else tensor(x), a) for a in args]
        result = self._eagerly(tuple(given))
        if any(isinstance(x, Tensor) for x in leaves):
            return result
        return tree_map(lambda y: np.array(y.numpy()) if isinstance(y, Tensor) else y, result)

    def _run(self, plan: Plan, arrays: Any) -> Any:
        """Run a plan; what another one holds back is published first, so that this one reads it."""
        with self._lock:
            if self.plan is not plan:
                if self.plan is not None:
                    self.plan.publish()
                self.plan = plan
            return plan.hand_out(plan.run(arrays, not self._held))

    @staticmethod
    def _must_record(leaves: list[Any]) -> bool:
        """Whether somebody differentiates or traces through this call."""
        mode = MODE.get()
        if mode is not None and mode.trace is not None:
            return True
        return any(isinstance(x, Tensor) and x.requires_grad for x in leaves)

    def _plan(self, args: Any, leaves: list[Any], arrays: list[Any]) -> Plan | str:
        """The plan for these arguments, made at the first call of their kind; or why there is none."""
        run = RUN.get()
        static = tuple((k, x) for k, x in enumerate(leaves) if isinstance(x, (bool, str)))
        kinds, nesting = tuple([(a.shape, a.dtype) for a in arrays]), tuple([flatten(a)[1] for a in args])
        key = (kinds, nesting, static, run is None or run.training)
        known = self._plans.setdefault(key, [])
        for plan in known:
            if isinstance(plan, str) or plan.holds():
                return plan
        known.append(self._make(args))
        return known[-1]

    def _make(self, args: Any) -> Plan | str:
        name = getattr(self.function, "__name__", "step")
        try:
            fast = available() if self.fast is None else self.fast
            return Plan(trace(self.function, *args), name if name.isidentifier() else "step", fast)
        except TracingError as error:
            _log.warning("compile: %s runs eagerly, because it cannot be traced: %s", name, error)
            return str(error)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Publish the leaves' new values only when the block ends: for many steps that nobody watches.

        Inside of the block nobody else sees the new values, another compiled function included. An error in a step
        takes back all steps of the block so far.
        """
        before, self._held = self._held, True
        try:
            yield
        finally:
            self._held = before
            if not before:
                self.publish()

    def publish(self) -> None:
        """Give all leaves their newest values now."""
        with self._lock:
            for plan in self._all():
                if isinstance(plan, Plan):
                    plan.publish()

    def _all(self) -> list[Plan | str]:
        return [plan for known in self._plans.values() for plan in known]

    def report(self) -> str:
        """How many plans there are, and how many calls ran eagerly and why."""
        plans = [p for p in self._all() if isinstance(p, Plan)]
        reasons = [p for p in self._all() if isinstance(p, str)]
        text = f"{len(plans)} plan(s), {self._fallbacks} eager call(s)"
        for plan in plans:
            shapes = ", ".join(f"{x.name} {x.dtype}{tuple(x.shape)}" for x in plan.graph.inputs)
            text += f"\n  {shapes or 'no arguments'}: {plan!r}"
        return text + "".join(f"\n  eager because: {reason}" for reason in reasons)


def _differentiated(plan: Plan, tensors_in: bool) -> bool:
    """Whether somebody may differentiate the result by a leaf that the function closes over."""
    mode = MODE.get()
    keeps = tensors_in and not plan.graph.assigned and (mode is None or mode.recording)
    return any([leaf.requires_grad & (3 if keeps else 2) for leaf, _ in plan.graph.leaves])


def _weak_floats(args: tuple[Any, ...], leaves: list[Any]) -> tuple[Any, ...]:
    """The arguments with Python floats in the dtype of the floating arrays beside them: numbers widen nothing."""
    kinds = {x.dtype for x in leaves if hasattr(x, "dtype") and x.dtype.kind == "f"}
    dtype = np.result_type(*kinds) if kinds else np.dtype(np.float64)
    return tuple([tree_map(lambda x: np.asarray(x, dtype) if type(x) is float else x, a) for a in args])


def _array(x: Any) -> Any:
    value = x.value if isinstance(x, Tensor) else x
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise GraphError(f"compile: an argument is {array.dtype}; pass arrays of real numbers")
    return array


def compile(f: Callable[..., Any], *, fast: bool | None = None) -> Compiled:
    """Make a function fast: traced once per shape and dtype, then replayed into fixed buffers.

    Leaves that f reads are read at every call, and leaves that it assigns get their new values when
    the call returns, so a whole training step (forward, backward, update) compiles. Whether a module is in
    training mode is looked up at every call too. Other Python values are frozen at the first call, as in
    `jax.jit`. A plan does not warn of divisions by zero and the like; `detect_anomaly` finds them.

    Parameters
    ----------
    f : callable
        Of arrays, numbers, and nested dicts, lists and tuples of them; traceable. What cannot be traced runs
        eagerly, and says why once (logger "symgrad"). A list of numbers is such a nest, as in `trace`.
    fast : bool, optional
        Fuse chains of elementwise operations with the extra ``fast`` (numba); by default where it is installed.
        Results are equal up to rounding.

    Raises
    ------
    SymgradError
        If ``fast=True`` and the extra is missing.

    Returns
    -------
    Compiled
        Call it like f: arrays in, arrays out. ``.plan.source`` is the program.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> fast = sg.compile(lambda x: (x * x).sum(), fast=False)
    >>> fast(np.array([1.0, 2.0]))
    array(5.)
    >>> print(fast.plan.source)
    def step(x):
        einsum1[()] = vdot(x, x)
        return (einsum1,)
    <BLANKLINE>
    """
    return Compiled(f, fast)
