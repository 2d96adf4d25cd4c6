r"""`recheck`: verify a serialised derivation again, with nothing but the standard library and no code of the deriver.

It differentiates the definitions itself, forwards: what a derivative is by is moved by an infinitesimal, whose square
is zero. It shows differences to be zero in an algebra of its own, where a term is one product under all of its sums.
A digest binds each step to its place, claim and side conditions. A root or logarithm of what may not be positive, and
a division or a kink where something may be zero, is refused unless stated.

Examples
--------
>>> import symgrad as sg
>>> recheck(sg.derive("mse").data())
Recheck(verdict='PROVED', step=None, reason='all 4 steps hold')
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction as Q
from itertools import chain, permutations
from typing import Any, NamedTuple

__all__ = ["Recheck", "recheck"]

Index = Any  # (0, k, size) summed, (1, name, size) free; others while at work
Atom = Any  # (kind, contents, indices): "var x", "delta", "moved", or a function or base by a digest of its contents
Poly = dict[Any, Q]  # (summed indices, sorted atoms with exponents) -> coefficient
Value = tuple[Poly, int]  # and what is known of the sign:
ANY, NONNEGATIVE, POSITIVE = 0, 1, 2
ONE: Poly = {((), ()): Q(1)}
MOVED = (("moved", "", ()), Q(1))
MOST = 20_000  # terms, and exponents
MINUS, PI = ["num", "-1"], ["ref", "pi", []]
OTHERS = {"sinh": "cosh", "cosh": "sinh", "sin": "cos", "Abs": "sign", "loggamma": "digamma"}
SLOPES: dict[str, Any] = {  # trees of f'(x), from those of x and f(x)
    "exp": lambda x, y: y, "log": lambda x, y: ["pow", x, MINUS], "cos": lambda x, y: ["mul", MINUS, ["call", "sin", x]],
    "tanh": lambda x, y: ["add", ["num", "1"], ["mul", MINUS, y, y]],
    "tan": lambda x, y: ["add", ["num", "1"], ["mul", y, y]],
    "atan": lambda x, y: ["pow", ["add", ["num", "1"], ["mul", x, x]], MINUS],
    "erf": lambda x, y: ["mul", ["num", "2"], ["pow", PI, ["num", "-1/2"]], ["call", "exp", ["mul", MINUS, x, x]]],
    **{name: lambda x, y, slope=slope: ["call", slope, x] for name, slope in OTHERS.items()},
    **dict.fromkeys(["Step", "sign", "stop"], lambda x, y: ["num", "0"]),
    **dict.fromkeys(["digamma", "truth"], lambda x, y: ["the slope of", y]),  # which is refused
}  # fmt: skip


class Recheck(NamedTuple):
    """PROVED, or REFUSED with the number of the first step that does not hold (from 0) and the reason."""

    verdict: str
    step: int | None
    reason: str

    def __bool__(self) -> bool:
        return self.verdict == "PROVED"


class RefusedError(ValueError):
    """What does not hold."""


def recheck(data: Mapping[str, Any]) -> Recheck:
    """Verify every step of a derivation given as plain data, ``d.data()``, which JSON can hold."""
    at: int | None = None
    try:
        data = json.loads(json.dumps(data))  # so that it is plain
        checker = _Checker(data)
        digest = _digest("", {n: x for n, x in data.items() if n != "steps"})
        for at, step in enumerate(data["steps"]):  # noqa: B007
            digest = _digest(digest, {n: x for n, x in step.items() if n != "certificate"})
            if step["certificate"]["claim"] != digest:
                raise RefusedError("the certificate belongs to another claim")
            checker.step(step["rule"], step["node"], step["indices"], step["before"], step["after"])
        if missing := sorted(data["arguments"].keys() - checker.shown):
            raise RefusedError(f"no gradient is given for {', '.join(missing)}")
        held = f", with {', '.join(data['held'])} held constant" if data["held"] else ""
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
        kind = "" if isinstance(error, RefusedError) else f"malformed: {type(error).__name__} "
        return Recheck("REFUSED", at, f"{kind}{error}")
    return Recheck("PROVED", None, f"all {len(data['steps'])} steps hold{held}")


def _digest(before: str, claim: Mapping[str, Any]) -> str:
    return hashlib.sha256((before + json.dumps(claim, sort_keys=True)).encode()).hexdigest()


def _at(factors: Iterable[Any], names: Mapping[Index, Index]) -> list[Any]:
    return [((*a[:2], tuple([names.get(i, i) for i in a[2]])), e) for a, e in factors]


def _named(rank: dict[Index, Index], factors: Sequence[Any]) -> dict[Index, Index]:
    """New names of summed indices by their places alone; of those whose places are alike, any comes first."""
    near = {i: [(a, e) for a, e in factors if i in a[2]] for i in rank}
    seen = {i: sorted((a[:2], e, [(j == i, rank.get(j, j)) for j in a[2]]) for a, e in near[i]) for i in rank}
    looks = sorted((rank[i], seen[i]) for i in rank)
    found = {i: (0, looks.index((rank[i], seen[i])), i[2]) for i in rank}
    alike = [i for i in rank if list(found.values()).count(found[i]) > 1]
    if found == rank and alike:
        found[min(alike, key=found.__getitem__)] = 0, -1, ""
    return rank if found == rank else _named(found, factors)


class _Checker:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data, self.seed, self.shown = data, "", set[str]()  # seed: what is moved
        self.contents: dict[str, Any] = {}  # of functions and bases: height, and expressions
        self.known: dict[str, Any] = {}  # names: their indices, and a tree
        self.values: dict[Any, Value] = {}  # of these, for each seed
        self.stated: set[Any] = set()
        self.binary = {"Step", *[f"held {n} over []" for n in data["truths"]]}
        self.positive = {"exp", "cosh", "Abs", "positive"}
        size = {"indices": [], "positive": True, "binary": False}
        self.leaves(dict.fromkeys([*data["sizes"], "pi"], size))
        self.extents = {text: self.value(tree, {}) for text, tree in data["extents"].items()}
        for part in ("arguments", "constants", "cotangent"):
            self.leaves(data[part])

    def leaves(self, leaves: Mapping[str, Any]) -> None:
        for name, leaf in leaves.items():
            sign = POSITIVE if leaf["positive"] else int(leaf["binary"])
            self.positive |= {f"var {name}"} if leaf["positive"] else set()
            self.binary |= {f"var {name}"} if leaf["binary"] else set()
            atom = self.atom(f"var {name}", "", [(1, i, n) for i, n in leaf["indices"]])
            self.define(name, leaf["indices"], (atom, sign))

    def define(self, name: str, indices: Sequence[Any], tree: Any) -> None:
        """Take up a name and what it stands for, and read the stated conditions that speak of known names only."""
        if name in self.known or len(dict(indices)) < len(indices):
            raise RefusedError(f"{name} is defined twice, or has an index twice")
        self.known[name] = [(1, i, n) for i, n in indices], tree
        for relation, condition, free in self.data["conditions"]:
            with contextlib.suppress(RefusedError):
                poly, _ = self.value(condition, dict(free))
                self.stated |= {
                    (relation, self.unit(p)) for p in (poly, self.scale(poly, Q(-1)))[: 1 + (relation != ">")]
                }

    def add(self, *parts: Poly) -> Poly:
        total: Poly = {}
        for key, c in chain(*[p.items() for p in parts]):
            total[key] = total.get(key, Q(0)) + c
        return {key: c for key, c in total.items() if c}

    def scale(self, poly: Poly, c: Q) -> Poly:
        return {key: c * d for key, d in poly.items() if c}

    def mul(self, *parts: Poly) -> Poly:
        result, *others = parts
        for part in others:
            if len(result) * len(part) > MOST:
                raise RefusedError("an expression is too long to be multiplied out")
            result = self.add(*[self.term(c * d, x, y) for x, c in result.items() for y, d in part.items()])
        return result

    def rename(self, poly: Poly, names: Mapping[Index, Index], bound: Iterable[Index] = ()) -> Poly:
        """The expression at other indices, and its sum over some."""
        return self.add(*[self.term(c, ([*own, *bound], _at(factors, names))) for (own, factors), c in poly.items()])

    def atom(self, kind: str, contents: str = "", indices: Iterable[Index] = (), e: Q = Q(1)) -> Poly:
        return self.term(Q(1), ((), [((kind, contents, tuple(indices)), e)]))

    def term(self, c: Q, *parts: Any) -> Poly:
        """A product in canonical form: deltas used up, unused indices replaced by their sizes, the others named anew."""
        live, queue, flat = [], [], dict[Atom, Any]()
        for n, (bound, factors) in enumerate(parts):
            apart = {i: (-1 - n, i, i[2]) for i in bound}
            live, queue = [*live, *apart.values()], [*queue, *_at(factors, apart)]
        while found := [sorted(a[2]) for a, _ in queue if a[0] == "delta"]:
            i, j = min(found)
            if i[2] != j[2]:
                raise RefusedError("a delta is of indices over different sizes")
            gone, stays = (i, j) if i in live else (j, i)
            queue = _at([(a, e) for a, e in queue if a[0] != "delta" or sorted(a[2]) != [i, j]], {gone: stays})
            if i != j and gone not in live:
                flat["delta", "", (i, j)] = Q(1)
            live = [k for k in live if k != gone or i == j]
        for a, e in queue:
            flat[a] = flat.get(a, 0) + e
        if flat.get(MOVED[0], 0) > 1:
            return {}
        flat = {a: Q(1) if e > 1 and a[0] in self.binary else e for a, e in flat.items() if e}
        names = _named({i: (0, 0, i[2]) for i in live if any(i in a[2] for a in flat)}, list(flat.items()))
        key = (tuple(sorted(names.values())), tuple(sorted(_at(flat.items(), names))))
        return self.mul({key: c}, *[self.extents[i[2]][0] for i in live if i not in names])

    def closed(self, kind: str, args: Sequence[Poly], e: Q = Q(1)) -> Poly:
        """An atom that stands for something of these expressions, whatever their free indices are called."""
        atoms = [a for p in args for _, factors in p for a, _ in factors]
        free = sorted({i for a in atoms for i in a[2] if i[0] == 1})
        tried = [(o, {i: (2, k, i[2]) for k, i in enumerate(o)}) for o in permutations(free)]
        key, order = min((tuple([tuple(sorted(self.rename(p, n).items())) for p in args]), o) for o, n in tried)
        text = hashlib.sha256(repr(key).encode()).hexdigest()
        self.contents[text] = 1 + max([self.contents[a[1]][0] for a in atoms if a[1] in self.contents], default=0), key
        return self.atom(kind, text, order, e)

    def content(self, atom: Atom) -> Poly:
        return self.rename(dict(self.contents[atom[1]][1][0]), {(2, k, i[2]): i for k, i in enumerate(atom[2])})

    def cleared(self, poly: Poly) -> Poly:
        """The expression with every power base at its lowest power, outer ones first; empty only if it is zero."""
        done = set[Any]()
        while found := {a[:2] for _, factors in poly for a, _ in factors if a[0] in ("positive", "nonzero")} - done:
            base = max(found, key=lambda a: (self.contents[a[1]][0], a))
            done.add(base)
            powers = [((), Q(0)), *[(a, e) for _, factors in poly for a, e in factors if a[:2] == base]]
            low = {part: min(e for _, e in powers if e % 1 == part) for part in {e % 1 for _, e in powers}}
            everywhere = {a for a, e in powers if e == low[Q(0)] < 0 and all(i[0] == 1 for i in a[2])}
            terms = []
            for (bound, factors), c in poly.items():
                free = {i: (4, *i[1:]) for i in bound}
                parts = [self.scale(ONE, c)]
                for a, e in _at([*factors, *[(a, Q(0)) for a in everywhere - dict(factors).keys()]], free):
                    own = low[e % 1] if a[:2] == base else e
                    parts += [self.atom(*a, own), *[self.content(a) for _ in range(int(e - own))]]
                terms.append(self.rename(self.mul(*parts), {}, free.values()))
            poly = self.add(*terms)
        return poly

    def step(self, rule: str, name: str, indices: Sequence[Any], before: Any, after: Any) -> None:
        """Refuse a step that does not hold."""
        own = before == ["ref", name, [i for i, _ in indices]] and len(dict(indices)) == len(indices)
        right, _ = self.value(after, dict(indices))
        if rule == "definition" and own:
            return self.define(name, indices, after)
        left, _ = self.value(before, dict(indices))
        if rule in ("adjoint", "gradient") and own:  # what the sum of output times cotangent moves by
            ((cotangent, leaf),) = self.data["cotangent"].items()
            factors = ["mul", ["ref", cotangent, [i for i, _ in leaf["indices"]]], self.data["output"]]
            self.seed = name
            moved = _parted(self.value(["sum", leaf["indices"], factors], {})[0])[1]
            self.seed = ""
            left = self.rename(moved, {(5, k, n): (1, i, n) for k, (i, n) in enumerate(indices)})
            right = self.mul(right, self.atom(*MOVED[0]))
        elif rule not in ("solve", "invariant"):
            raise RefusedError(f"{rule}: no such rule, or another left side than it must have")
        if self.cleared(self.add(left, self.scale(right, Q(-1)))):
            raise RefusedError("the sides are not shown to be equal")
        self.shown.add(name if rule == "gradient" else "")

    def value(self, tree: Any, scope: Mapping[str, str]) -> Value:
        """The expression in terms of leaves, and its sign as far as it is known; the scope tells sizes of indices."""
        match tree:
            case (poly, sign) if isinstance(tree, tuple):  # a known value, never from data
                return poly, sign
            case ["num", text]:
                c = Q(*map(int, text.split("/")))
                return self.scale(ONE, c), POSITIVE if c > 0 else int(c == 0)
            case ["delta", i, j]:
                return self.atom("delta", "", [(1, i, scope[i]), (1, j, scope[j])]), NONNEGATIVE
            case ["ref", name, indices]:
                return self.ref(name, [(1, i, scope[i]) for i in indices])
            case ["add", *parts]:
                polys, signs = zip(*[self.value(p, scope) for p in parts], strict=True)
                return self.add(*polys), max(signs) if min(signs) else ANY
            case ["mul", *parts]:
                polys, signs = zip(*[self.value(p, scope) for p in parts], strict=True)
                return self.mul(*polys), min(
                    [max(s, 1 - polys.count(p) % 2) for p, s in zip(polys, signs, strict=True)]
                )
            case ["sum", bound, body] if len(dict(bound)) == len(bound):
                poly, sign = self.value(body, {**scope, **dict(bound)})
                low = min([sign, *[max(NONNEGATIVE, self.extents[n][1]) for _, n in bound]])
                return self.rename(poly, {}, [(1, i, n) for i, n in bound]), low
            case ["pow", body, ["num", what]] | ["call", what, body] if tree[0] == "pow" or what in SLOPES:
                poly, sign = self.value(body, scope)
                still, moving = _parted(poly)
                e = Q(what) if tree[0] == "pow" else Q(0)
                x = still, sign
                y = self.power(still, sign, e) if e else self.call(what, still, sign, bool(moving))
                slope = ["mul", ["num", what], ["pow", x, ["num", str(e - 1)]]] if e else SLOPES[what](x, y)
                return self.add(y[0], self.mul(self.value(slope, {})[0], moving) if moving else {}), y[1]
            case ["pow", base, exponent] | ["call", "pow", base, exponent]:
                return self.value(["call", "exp", ["mul", exponent, ["call", "log", base]]], scope)
            case ["call" | "reduce" as kind, name, *parts] if name in self.data["held"]:
                bound = parts.pop(0) if kind == "reduce" else []
                polys = [_parted(self.value(p, {**scope, **dict(bound)})[0])[0] for p in parts]
                names = {(1, i, n): (6, k, n) for k, (i, n) in enumerate(bound)}
                return self.closed(
                    f"held {name} over {[n for _, n in bound]}", [self.rename(p, names) for p in polys]
                ), ANY
        raise RefusedError(f"not understood here: {' '.join(map(str, tree[:2]))}")

    def ref(self, name: str, indices: Sequence[Index]) -> Value:
        """A name at some indices; it is read once at its own, for each seed."""
        formal, tree = self.known.get(name, ((), None))
        if tree is None or [i[2] for i in formal] != [i[2] for i in indices]:
            raise RefusedError(f"{name} with {len(indices)} such indices is not known")
        if (self.seed, name) not in self.values:
            self.values[self.seed, name] = self.value(tree, {i: n for _, i, n in formal})
        poly, sign = self.values[self.seed, name]
        deltas = [(("delta", "", (i, (5, k, i[2]))), Q(1)) for k, i in enumerate(indices)]
        moved = self.term(Q(1), ((), [MOVED, *deltas])) if name == self.seed else {}
        return self.add(self.rename(poly, dict(zip(formal, indices, strict=True))), moved), sign

    def call(self, name: str, poly: Poly, sign: int, moving: bool) -> Value:
        """A function; exp of a sum is a product, and exp of a multiple of a logarithm a power."""
        if name == "exp":
            parts = [ONE]
            for (bound, factors), c in poly.items():
                log = not bound and len(factors) == 1 and factors[0][0][0] == "log" and factors[0][1] == 1
                base = self.content(factors[0][0]) if log else self.closed("exp", [{(bound, factors): Q(1)}])
                parts.append(self.power(base, POSITIVE, c)[0])
            return self.mul(*parts), POSITIVE
        if name == "Step":
            return self.step_of(poly, sign, moving), NONNEGATIVE
        if name == "truth" and self.add(self.mul(poly, poly), self.scale(poly, Q(-1))):
            raise RefusedError("a condition is neither 0 nor 1")
        if name in ("truth", "stop") or (name == "Abs" and sign):
            return poly, sign
        if name in ("log", "Abs", "sign"):
            self.require(poly, sign, name == "log")
        return self.closed(name, [poly]), POSITIVE if name in ("cosh", "Abs") else ANY

    def step_of(self, poly: Poly, sign: int, moving: bool) -> Poly:
        """1 where positive, else 0; taken apart by steps inside; one atom for both signs where stated not to be 0."""
        inner = next((a for _, factors in poly for a, _ in factors if a[0] in self.binary), None)
        if inner is not None:
            if any(i[0] == 0 for i in inner[2]):
                raise RefusedError("a condition depends on a sum of conditions")
            off = {key: c for key, c in poly.items() if inner not in dict(key[1])}
            on = [self.term(c, (b, [p for p in f if p[0] != inner])) for (b, f), c in poly.items() if inner in dict(f)]
            yes, no = (self.step_of(p, ANY, moving) for p in (self.add(off, *on), off))
            return self.add(no, self.mul(self.atom(*inner), self.add(yes, self.scale(no, Q(-1)))))
        if sign == POSITIVE or poly.keys() <= ONE.keys():
            return ONE if sign == POSITIVE or any(c > 0 for c in poly.values()) else {}
        if moving:
            self.require(poly, ANY, False)
        if poly[min(poly)] < 0 and self.holds(poly, ANY, False):
            return self.add(ONE, self.scale(self.step_of(self.scale(poly, Q(-1)), ANY, False), Q(-1)))
        return self.closed("Step", [self.scale(poly, 1 / max(map(abs, poly.values())))])

    def power(self, poly: Poly, sign: int, e: Q) -> Value:
        """A rational power; a product of positive factors is taken apart, anything else becomes an atom."""
        whole = e.denominator == 1
        found = max(sign, 1 - int(e) % 2) if whole else POSITIVE
        if abs(e) > MOST:
            raise RefusedError("a power is too high")
        if poly == ONE or (whole and e >= 0):
            return self.mul(ONE, *[poly] * int(e)), found
        self.require(poly, sign, not whole)
        ((bound, factors), c), *others = poly.items()
        if bound or others or not (whole or (factors and all(a[0] in self.positive for a, _ in factors))):
            sure = found == POSITIVE or self.holds(poly, sign, True)
            return self.closed("positive" if sure else "nonzero", [poly], e), found
        front = self.scale(ONE, c ** int(e)) if whole else self.power(self.scale(ONE, c), POSITIVE, e)[0]
        return self.mul(front, *[self.atom(*a, k * e) for a, k in factors]), found

    def require(self, poly: Poly, sign: int, positive: bool) -> None:
        """Refuse what must be positive, or not zero, where neither its form nor a stated condition says so."""
        if not self.holds(poly, sign, positive):
            raise RefusedError(f"a condition is missing: something must be {'positive' if positive else 'not zero'}")

    def holds(self, poly: Poly, sign: int, positive: bool) -> bool:
        """Whether the form, or a condition that is stated of the expression or of its factors, says so."""
        text, ((bound, factors), c), *others = self.unit(poly), *poly.items()
        if sign == POSITIVE or (">", text) in self.stated or (("!=", text) in self.stated and (sign or not positive)):
            return True
        parts = [(self.atom(*a), ANY, positive and k % 2 != 0) for a, k in factors if a[0] not in self.positive]
        single = not bound and not others and (c > 0 or not positive)
        return single and all(p[0] != poly and self.holds(*p) for p in parts)

    def unit(self, poly: Poly) -> Any:
        """The name of an expression up to a positive factor."""
        if not poly:
            raise RefusedError("a power of 0 is not defined")
        return next(iter(self.closed("", [self.scale(poly, 1 / max(map(abs, poly.values())))])))[1][0][0][1]


def _parted(poly: Poly) -> tuple[Poly, Poly]:
    """What stands still, and what moves."""
    moving = {key: c for key, c in poly.items() if MOVED in key[1]}
    return {key: c for key, c in poly.items() if key not in moving}, moving
