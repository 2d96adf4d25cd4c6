"""`gradcheck`: the analytic gradient against a numeric one, with error bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.checking.complexstep import Program, complex_step, program
from symgrad.checking.handwritten import of_numpy
from symgrad.checking.numeric import Arrays, Estimate, Line, bends, derivative, rounding_noise, singularity
from symgrad.checking.report import Entry, GradCheck
from symgrad.checking.subject import Subject, arguments_of, of_tensors
from symgrad.context import generator
from symgrad.errors import GradientError

__all__ = ["gradcheck"]

_EPS = float(np.finfo(np.float64).eps)
_SAFETY = 8.0  # error bars are estimates
_NEARBY = 8  # points with other last bits, whose derivatives show the rounding error
_PLATEAU = 8.0  # of the noise of f: as much of a slope may be lost where f is flat up to rounding
_FINER = (6e-2, 3e-4, 2e-6, 1e-8)  # of the step of the first estimate: where to look again
_EVIDENCE = 3.0  # digits of agreement that are no accident
_NOTHING = 0.05  # of the error bar: a gradient that is 0 but for rounding
_SMALL = 1e-6  # of the largest element: a step for smaller ones would drown in rounding


def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    order: int = 1,
    backward: Callable[..., Any] | None = None,
    *,
    argnums: int | tuple[int, ...] | None = None,
    entries: int = 64,
    directions: int = 4,
    seed: int = 0,
) -> GradCheck:
    r"""Check the gradient of f against numeric derivatives, with error bars instead of tolerances.

    For a random, non-constant cotangent v the analytic gradient of :math:`\langle v, f(x) \rangle` is compared
    with the numeric one, element by element for small inputs, along random directions and at a sample of
    elements for large ones. At order 2 the same is done to :math:`(x, v) \mapsto J(x)^{\mathsf T} v`, and so on.

    The numeric value comes from the complex step where f is made of analytic ops, else from Ridders'
    extrapolation; it is computed in float64 also for float32 inputs. An entry is right if the two values
    differ by less than their error bars together: truncation and rounding of the numeric value, and rounding
    of the analytic one, as seen when the last bits of the inputs change.

    Parameters
    ----------
    f : callable
        A function of Tensors (of any nested result), or with ``backward=`` one of NumPy arrays.
    inputs : tuple, dict, or array_like
        The positional arguments of f; the arguments by name; or its one argument. A list of numbers is one
        array, a list of arrays is as a tuple. Arguments may be nested.
    order : int
        Up to which order derivatives are checked.
    backward : callable, optional
        A hand-written NumPy gradient of a NumPy function ``f(*arrays) -> array``. It is called by keyword with
        f's argument names and g, the cotangent (g_bar if f has a g), and returns a dict by name, a tuple in
        argument order, or one array. It is checked as it is.
    argnums : int or tuple of int, optional
        Which arguments to differentiate by; all by default. Booleans, strings and None are passed through.
    entries : int
        Inputs of at most this many elements are checked element by element, larger ones at a quarter as many.
    directions : int
        Number of random directions for larger inputs.
    seed : int
        Of cotangents, directions and samples.

    Returns
    -------
    GradCheck
        True exactly if the gradient is right; see its ``verdict``, ``worst``, ``entries`` and ``table()``.

    Raises
    ------
    SymgradError
        A child of it for inputs that cannot be checked: integers, NaN, none at all, a backward whose result
        does not fit.

    Notes
    -----
    Differences see through `stop_gradient`: a function that uses it on purpose is WRONG here.

    References
    ----------
    C. J. F. Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Adv. Eng. Software 4 (1982) 75-76.
    W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real functions",
    SIAM Review 40 (1998) 110-112.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> sg.gradcheck(lambda x: sg.sin(x) * x, np.array([0.5, 2.0]), order=2)
    <gradcheck: RIGHT, order 2, 6 entries, complex step>

    A wrong rule, and where it is wrong most:

    >>> cube = sg.op("cube", lambda x: x**3, pullback=(lambda g, y, x: g * 3 * x,))
    >>> report = sg.gradcheck(cube, (np.array([1.0, 2.0]),))
    >>> bool(report), report.verdict, report.worst.input, report.worst.index
    (False, 'WRONG', 'x0', (1,))

    A hand-written backward:

    >>> report = sg.gradcheck(lambda x: np.tanh(x), 0.3, backward=lambda x, g: g * (1 - np.tanh(x) ** 2))
    >>> report.verdict
    'RIGHT'
    """
    for name, number, least in (("order", order, 1), ("entries", entries, 1), ("directions", directions, 1)):
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise GradientError(f"gradcheck: {name} must be an integer of at least {least}, got {number!r}")
    given = arguments_of(f, inputs, argnums)
    found: list[Entry] = []
    with np.errstate(all="ignore"):
        subject = of_tensors(f, given) if backward is None else of_numpy(f, backward, given)
        for k in range(1, order + 1):
            stage = _Stage(subject, k, seed)
            if k < order:
                following = subject.gradient(stage.cotangents, k + 1)
            if stage.fault is not None:
                return GradCheck(stage.fault[0], tuple(found), stage.fault[1])
            found += stage.compare(entries, directions)
            if stage.drifted():
                return GradCheck("NONDETERMINISTIC", tuple(found), "f gave other values after a number of calls")
            if k == order or not GradCheck.of(tuple(found)):
                break
            subject = following
    return GradCheck.of(tuple(found))


@dataclass
class _Stage:
    """One order of derivative: the point, a cotangent, and all that is computed once."""

    subject: Subject
    order: int
    seed: int
    fault: tuple[str, str] | None = field(init=False, default=None)
    run: Program | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        subject, points = self.subject, self.subject.points
        self.values = subject.value(points)
        self.cotangents = [_signs(self._random("cotangent", k), y) for k, y in enumerate(self.values)]
        self.gradients = subject.pull(points, self.cotangents)
        self.fault = self._fault()
        if self.fault is not None:
            return
        self.points = [x.astype(np.float64) for x in points]
        self.weights = _flat(self.cotangents)
        self.coarseness = max(float(np.finfo(x.dtype).eps) for x in points) / _EPS
        nearby = [self._nearby(k) for k in range(_NEARBY)]
        self.wobble = [[g - h for g, h in zip(subject.pull(x, v), self.gradients, strict=True)] for x, v in nearby]
        self.nearby = [_scaled(self.points, k) for k in (1, -1)]
        if subject.core is not None:
            self.run = self._program()
        self.size = float(np.sum(np.abs(self._outputs(self.points))))
        moving = [k for k, x in enumerate(self.points) if x.size]
        noises = [rounding_noise(self._outputs, self.points, k, self._random("noise", k)) for k in moving]
        self.noise = np.max(noises, axis=0) if noises else np.zeros(self.weights.shape)

    def _random(self, purpose: str, *key: int) -> np.random.Generator:
        return generator((self.seed, self.order, *purpose.encode(), *key))

    def _nearby(self, k: int) -> tuple[Arrays, Arrays]:
        """The point and the cotangent with other last bits."""
        shaken = [_shaken(v, self._random("bits", j, k)) for j, v in enumerate(self.cotangents)]
        return _scaled(self.subject.points, k + 1), shaken

    def _outputs(self, points: Arrays) -> NDArray[Any]:
        found: NDArray[Any] = self.weights * _flat(self.subject.value(points))
        return found

    def _fault(self) -> tuple[str, str] | None:
        """What makes a comparison impossible: other bits on a second call, or outputs that are not finite."""
        if self.drifted():
            return "NONDETERMINISTIC", "f gave other values on a second call with equal inputs"
        if not _same_bits(self.gradients, self.subject.pull(self.subject.points, self.cotangents)):
            return "NONDETERMINISTIC", "the gradient had other values on a second call with equal inputs"
        for k, y in enumerate(self.values):
            if not np.isfinite(y).all():
                index = tuple(int(j) for j in np.argwhere(~np.isfinite(y))[0])
                return "UNSURE", f"output {k} is {y[index]} at index {index}: outside of the domain, or at its edge"
        return None

    def drifted(self) -> bool:
        """Whether the function gives other bits now than at first."""
        return not _same_bits(self.values, self.subject.value(self.subject.points))

    def _program(self) -> Program | None:
        """The complex program, if it gives the values that the function itself gives."""
        run = program(self.subject.core, self.points)  # type: ignore[arg-type]
        if run is None:
            return None
        try:
            found = self.weights * np.real(run([x.astype(np.complex128) for x in self.points]))
        except Exception:  # an op that does not run here on complex arrays: differences do without
            return None
        base = self._outputs(self.points)
        return run if np.abs(found - base).max(initial=0) <= 1e-9 * np.abs(base).max(initial=0) else None

    # Comparisons

    def compare(self, entries: int, directions: int) -> Iterator[Entry]:
        """All comparisons of this order."""
        for place in range(len(self.points)):
            yield from _doubted(list(self._place(place, entries, directions)))

    def _place(self, place: int, entries: int, directions: int) -> Iterator[Entry]:
        x = self.points[place]
        if x.size <= entries:
            yield from (self._element(place, k) for k in range(x.size))
            return
        random = self._random("directions", place)
        for j in range(directions):
            yield from self._along(place, _scale(x) * _signs(random, x), f"direction {j}")
        sample = random.choice(x.size, max(entries // 4, 1), replace=False)
        yield from (self._element(place, int(k)) for k in np.sort(sample))

    def _element(self, place: int, k: int) -> Entry:
        x = self.points[place]
        index = tuple(int(i) for i in np.unravel_index(k, x.shape))
        scale = _scale(x)[index]
        direction = np.zeros(x.shape)
        direction[index] = scale
        largest = float(np.abs(x).max()) / float(scale)
        return self._entry(place, index, direction, float(scale), (1.0, largest) if largest > 10 else (1.0,))

    def _along(self, place: int, direction: NDArray[Any], label: str) -> Iterator[Entry]:
        """The comparison along a direction; where it is wrong, also at the element to blame, found by halving."""
        whole = self._entry(place, label, direction, 1.0, (1.0,))
        yield whole
        if whole.status != "wrong":
            return
        left = np.arange(direction.size)
        while len(left) > 1:
            halves = np.array_split(left, 2)
            gaps = []
            for half in halves:
                part = np.zeros(direction.size)
                part[half] = direction.ravel()[half]
                gaps.append(self._entry(place, label, part.reshape(direction.shape), 1.0, (1.0,)).excess)
            left = halves[int(np.argmax(gaps))]
        yield self._element(place, int(left[0]))

    def _entry(
        self, place: int, index: tuple[int, ...] | str, direction: NDArray[Any], scale: float, starts: tuple[float, ...]
    ) -> Entry:
        """Compare along one direction; values are given per unit of the input."""
        along = direction != 0

        def project(gradient: NDArray[Any]) -> float:
            return float(np.sum(gradient[along] * direction[along]))

        analytic = project(self.gradients[place])
        moves = [abs(project(w[place])) for w in self.wobble]
        own = max((m for m in moves if np.isfinite(m)), default=0.0) + 2 * _EPS * self.coarseness * abs(analytic)
        status, numeric, bar, method, note = self._verdict(place, direction, starts, analytic, own)
        values = (analytic / scale, numeric / scale, bar / scale)
        return Entry(self.subject.names[place], index, self.order, *values, status, method, note)

    def _verdict(
        self, place: int, direction: NDArray[Any], starts: tuple[float, ...], analytic: float, own: float
    ) -> tuple[str, float, float, str, str]:
        """Status, numeric value, error bar, method and note."""

        def judge(found: Estimate) -> tuple[bool, float]:
            bar = _SAFETY * (found.error + own + _PLATEAU * self.coarseness * found.noise)
            return abs(analytic - found.value) <= bar, bar

        if self.run is not None:
            exact = complex_step(self.run, self.weights, self.points, self.nearby, place, direction, self.noise)
            if exact is not None:
                right, bar = judge(exact)
                return "right" if right else "wrong", exact.value, bar, "complex step", ""
        line = Line(self._outputs, self.points, place, direction, self.noise)
        found = derivative(line, starts)
        right, bar = judge(found)
        size = max(self.size, line.size)
        blurred = not found.error <= 1e-3 * abs(found.value) + 1e-9 * size
        if not right or blurred or bends(line, found.step):
            singular = singularity(line, found.step)
            if singular is not None:
                admitted = singular.admits(analytic, bar=_SAFETY * own)
                status = singular.status if admitted else "wrong"
                return status, singular.middle, singular.width / 2, "Ridders", str(singular)
        step = found.step
        if not right:  # a second opinion, in case the steps of the first were all too long
            for factor in _FINER:
                other = derivative(line, (factor * step,))
                if abs(other.value - found.value) > other.error + found.error:
                    found = other
            right, bar = judge(found)
        if not right and found.value == 0 and line.hides(analytic):
            return "unsure", 0.0, bar, "Ridders", "f moves in steps too coarse to show such a slope"
        return "right" if right else "wrong", found.value, bar, "Ridders", ""


def _doubted(entries: list[Entry]) -> list[Entry]:
    """The entries of one input; unsure ones if none of them agrees to a few digits, though they are not 0."""
    if any(e.digits > _EVIDENCE for e in entries) or all(abs(e.analytic) <= _NOTHING * e.error for e in entries):
        return entries
    note = "the error bars are too wide to tell"
    return [replace(e, status="unsure", note=note) if e.status == "right" else e for e in entries]


def _flat(arrays: Arrays) -> NDArray[Any]:
    return np.concatenate([np.ravel(y).astype(np.float64) for y in arrays])


def _signs(random: np.random.Generator, like: NDArray[Any]) -> NDArray[Any]:
    """Numbers of random sign and of size 1/2 to 3/2, exact in float32: none hides an element."""
    signs = np.where(random.random(like.shape) < 0.5, -1, 1)
    found: NDArray[Any] = (signs * (0.5 + random.random(like.shape))).astype(np.float32).astype(like.dtype)
    return found


def _shaken(x: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """An array with other last bits."""
    found: NDArray[Any] = (x * (1 + np.finfo(x.dtype).eps * random.choice((-1.0, 1.0), x.shape))).astype(x.dtype)
    return found


def _scaled(arrays: Arrays, k: int) -> Arrays:
    """Arrays with other last bits, all by one factor, so that equal elements stay equal: ties are kept."""
    return [(x * (1 + k * np.finfo(x.dtype).eps)).astype(x.dtype) for x in arrays]


def _scale(x: NDArray[Any]) -> NDArray[Any]:
    """The natural size of a step for every element."""
    largest = float(np.abs(x).max(initial=0)) or 1.0
    return np.where(x == 0, largest, np.maximum(np.abs(x), _SMALL * largest))


def _same_bits(a: Arrays, b: Arrays) -> bool:
    return len(a) == len(b) and all(
        x.shape == y.shape and x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True)
    )
