r"""`recheck`: verify a serialised derivation again, with nothing but the standard library and no code of the deriver.

It differentiates the definitions itself, forwards: what moves is moved by an infinitesimal, whose square is zero. It
shows differences to be zero in an algebra of its own, where a term is one product under all of its sums. A digest
binds each step to its place, claim and side conditions. A root or logarithm of what may not be positive, and a
division or a kink where something may be zero, is refused unless stated.

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
Poly = dict[Any, Q]  # products, as sorted atoms with exponents, and their coefficients
ANY, NONNEGATIVE, POSITIVE, BINARY = 0, 1, 2, 1  # what is known of the sign of an expression
SIGNS = {"Step": BINARY, "exp": POSITIVE, "cosh": POSITIVE, "Abs": POSITIVE, "positive": POSITIVE}
ONE, NEGATIVE, MOVED = {(): Q(1)}, {(): Q(-1)}, (("moved", "", ()), Q(1))
MOST, LARGE = 300_000, 1 << 9_999  # products that may be looked at, and numbers in them
MISSING = "a condition is missing: something must be positive, or not zero"
MINUS, PI = ["num", "-1"], ["ref", "pi", []]
OTHERS = {"sinh": "cosh", "cosh": "sinh", "sin": "cos", "Abs": "sign"}
SLOPES: dict[str, Any] = {  # trees of f'(x), from those of x and f(x)
    "exp": lambda x, y: y,
    "log": lambda x, y: ["pow", x, MINUS],
    "tanh": lambda x, y: ["add", ["num", "1"], ["mul", MINUS, y, y]],
    "erf": lambda x, y: ["mul", ["num", "2"], ["pow", PI, ["num", "-1/2"]], ["call", "exp", ["mul", MINUS, x, x]]],
    "atan": lambda x, y: ["pow", ["add", ["num", "1"], ["mul", x, x]], MINUS],
    "tan": lambda x, y: ["add", ["num", "1"], ["mul", y, y]],
    "cos": lambda x, y: ["mul", MINUS, ["call", "sin", x]],
    **{f: lambda x, y, g=g: ["call", g, x] for f, g in OTHERS.items()},
    **dict.fromkeys(["Step", "sign", "stop"], lambda x, y: ["num", "0"]),
}


class Recheck(NamedTuple):
    """PROVED, or REFUSED with the number of the first step that does not hold (from 0) and the reason."""

    verdict: str
    step: int | None
    reason: str

    def __bool__(self) -> bool:
        return self.verdict == "PROVED"


def _must(hold: object, reason: str) -> None:
    if not hold:
        raise ValueError(reason)


def recheck(data: Mapping[str, Any]) -> Recheck:
    """Verify every step of a derivation given as plain data, ``d.data()``, which JSON can hold."""
    at: int | None = None
    try:
        data = json.loads(json.dumps(data))  # so that it is plain
        checker = _Checker(data)
        digest = _digest("", {n: x for n, x in data.items() if n != "steps"})
        for at, step in enumerate(data["steps"]):  # noqa: B007
            digest = _digest(digest, {n: x for n, x in step.items() if n != "certificate"})
            _must(step["certificate"]["claim"] == digest, "the certificate belongs to another claim")
            checker.step(step["rule"], step["node"], step["indices"], step["before"], step["after"])
        missing = sorted(data["arguments"].keys() - {x["node"] for x in data["steps"] if x["rule"] == "gradient"})
        _must(not missing, f"no gradient is given for {', '.join(missing)}")
        held = f", with {', '.join(data['held'])} held constant" if data["held"] else ""
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
        return Recheck("REFUSED", at, str(error) if isinstance(error, ValueError) else f"malformed: {error!r}")
    return Recheck("PROVED", None, f"all {len(data['steps'])} steps hold{held}")


def _digest(before: str, claim: Mapping[str, Any]) -> str:
    return hashlib.sha256((before + json.dumps(claim, sort_keys=True)).encode()).hexdigest()


class _Checker:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data, self.stated, self.extents = data, list[Any](), dict[str, Any]()  # extents: sizes as expressions
        self.known, self.values = dict[str, Any](), dict[Any, Any]()  # trees of names, and what they are for each seed
        self.seed, self.contents, self.left = tuple[str, ...](), dict[Any, Poly](), MOST  # moves; inside of atoms; work
        self.signs = SIGNS | {f"held {name}[]": BINARY for name in data["truths"]}  # of kinds of atoms
        sizes: dict[str, Any] = {n: {"indices": [], "positive": True, "binary": False} for n in (*data["sizes"], "pi")}
        for leaves in (sizes, data["arguments"], data["constants"], data["cotangent"]):
            for name, leaf in leaves.items():
                atom = f"var {name}", "", tuple([(1, i, n) for i, n in leaf["indices"]])
                sign = self.signs[atom[0]] = POSITIVE if leaf["positive"] else int(leaf["binary"])
                self.define(name, leaf["indices"], ({((atom, Q(1)),): Q(1)}, sign))
            self.extents = self.extents or {n: self.value(tree, {}) for n, tree in data["extents"].items()}

    def define(self, name: str, indices: Sequence[Any], tree: Any) -> None:
        """Take up a name and what it stands for, and read the stated conditions that speak of known names only."""
        _must(name not in self.known and len(dict(indices)) == len(indices), f"{name}, or an index of it, stands twice")
        self.known[name] = [(1, i, n) for i, n in indices], tree
        for relation, condition, free in self.data["conditions"]:
            with contextlib.suppress(ValueError):
                self.stated.append((relation, self.closed("", [self.value(condition, dict(free))[0]])))

    def add(self, *parts: Poly) -> Poly:
        total: Poly = {}
        for key, c in chain(*[p.items() for p in parts]):
            total[key] = total.get(key, Q(0)) + c
        return {key: c for key, c in total.items() if c}

    def mul(self, *parts: Poly) -> Poly:
        result, *others = parts
        for part in others:
            result = self.add(*[self.term(c * d, x, y) for x, c in result.items() for y, d in part.items()])
        return result

    def at(self, factors: Iterable[Any], names: Mapping[Index, Index]) -> list[Any]:
        return [((*a[:2], tuple([names.get(i, i) for i in a[2]])), e) for a, e in factors]

    def rename(self, poly: Poly, names: Mapping[Index, Index]) -> Poly:
        """The expression at other indices; over those that become summed ones, its sum."""
        ones = [(("delta", "", (i, i)), Q(1)) for i, new in names.items() if new[0] < 0]
        return self.add(*[self.term(c, self.at([*factors, *ones], names)) for factors, c in poly.items()])

    def term(self, c: Q, *parts: Any) -> Poly:
        """A product in canonical form: deltas used up, unused indices replaced by sizes, summed ones named anew."""
        self.left -= 1
        _must(self.left and abs(c.numerator) + c.denominator < LARGE, "an expression, or a number in it, is too long")
        queue, flat = [], dict[Atom, Any]()
        for n, factors in enumerate(parts):
            queue += self.at(factors, {i: (-1 - n, i[:2], i[2]) for a, _ in factors for i in a[2] if i[0] <= 0})
        live = dict.fromkeys([i for a, _ in queue for i in a[2] if i[0] < 0])
        while found := [sorted(a[2]) for a, _ in queue if a[0] == "delta"]:
            i, j = min(found)
            _must(i[2] == j[2], "a delta is of indices over different sizes")
            gone, stays = (i, j) if i in live else (j, i)
            queue = self.at([(a, e) for a, e in queue if a[0] != "delta" or sorted(a[2]) != [i, j]], {gone: stays})
            if i != j and live.pop(gone, stays) == stays:
                flat["delta", "", (i, j)] = Q(1)
        for a, e in queue:
            flat[a] = flat.get(a, 0) + e
        flat = {a: Q(1) if e > 1 and self.signs.get(a[0]) == BINARY else e for a, e in flat.items() if e}
        names = self.named({i: (0, 0, i[2]) for i in live if any(i in a[2] for a in flat)}, flat.items())
        key = tuple(sorted(self.at(flat.items(), names)))
        sizes = [self.extents[i[2]][0] for i in live if i not in names]
        return self.mul({key: c}, *sizes) if flat.get(MOVED[0], 0) < 2 else {}

    def named(self, rank: dict[Index, Index], flat: Iterable[Any]) -> dict[Index, Index]:
        """New names of summed indices by their places alone; of those whose places are alike, any comes first."""
        near = list(zip(flat, self.at(flat, rank), strict=True))
        looks = {i: (rank[i], sorted((b, [j == i for j in a[2]]) for (a, _), b in near if i in a[2])) for i in rank}
        found = {i: (0, sorted(looks.values()).index(look), i[2]) for i, look in looks.items()}
        alike = [i for i in rank if list(found.values()).count(found[i]) > 1]
        if found == rank and alike:
            found[min(alike, key=found.__getitem__)] = 0, -1, ""
        return rank if found == rank else self.named(found, flat)

    def closed(self, kind: str, args: Sequence[Poly], e: Q = Q(1)) -> Poly:
        """An atom that stands for these expressions, whatever their free indices are called (Step: up to a factor)."""
        unit = [self.mul({(): 1 / max(map(abs, p.values()))}, p) if p and kind in ("Step", "") else p for p in args]
        free = sorted({i for p in unit for factors in p for a, _ in factors for i in a[2] if i[0] == 1})
        tried = [(o, {i: (2, k, i[2]) for k, i in enumerate(o)}) for o in permutations(free)]
        key, order = min((tuple([tuple(sorted(self.rename(p, n).items())) for p in unit]), o) for o, n in tried)
        text = hashlib.sha256(repr(key).encode()).hexdigest()
        self.contents[kind, text] = dict(*key[:1])
        return {(((kind, text, order if kind else ()), e),): Q(1)}

    def cleared(self, poly: Poly) -> Poly:
        """The expression with every power base at its lowest power, outer ones first; empty only if it is zero."""
        for base in reversed([b for b in self.contents if b[0] in ("positive", "nonzero")]):
            powers = [((), Q(0)), *[(a, e) for factors in poly for a, e in factors if a[:2] == base]]
            low = {part: min(e for _, e in powers if e % 1 == part) for part in {e % 1 for _, e in powers}}
            everywhere = {a for a, e in powers if e == low[Q(0)] < 0 and all(i[0] for i in a[2])}
            terms = []
            for factors, c in poly.items() if len(powers) > 1 else ():
                free = {i: (4, *i[1:]) for a, _ in factors for i in a[2] if i[0] == 0}
                here = self.at([*factors, *[(a, Q(0)) for a in everywhere - dict(factors).keys()]], free)
                parts = [self.term(c, [p for p in here if p[0][:2] != base])]
                for a, e in [p for p in here if p[0][:2] == base]:
                    inside = self.rename(self.contents[base], {(2, k, i[2]): i for k, i in enumerate(a[2])})
                    parts += [self.term(Q(1), [(a, low[e % 1])]), *[inside] * int(e - low[e % 1])]
                terms.append(self.rename(self.mul(*parts), {new: (-1, *new[1:]) for new in free.values()}))
            poly = self.add(*terms) if len(powers) > 1 else poly
        return poly

    def step(self, rule: str, name: str, indices: Sequence[Any], before: Any, after: Any) -> None:
        """Refuse a step that does not hold."""
        scope, named = dict(indices), rule in ("definition", "adjoint", "gradient")
        own = before == ["ref", name, [i for i, _ in indices]] and len(scope) == len(indices)
        _must(own if named else rule in ("solve", "invariant"), f"{rule}: no such rule, or not for this left side")
        right, _ = self.value(after, scope)
        if rule == "definition":
            return self.define(name, indices, after)
        left, _ = self.value(before, scope)
        if named:  # the left side is what the total moves by
            self.seed = (name,)
            total, self.seed = self.value(self.data["total"], {})[0], ()
            places = {(5, k, n): (1, i, n) for k, (i, n) in enumerate(indices)}
            left = self.rename({key: c for key, c in total.items() if MOVED in key}, places)
        difference = self.add(left, self.mul({(MOVED,) if named else (): Q(-1)}, right))
        _must(not self.cleared(difference), "the sides are not shown to be equal")

    def value(self, tree: Any, scope: Mapping[str, str]) -> tuple[Poly, int]:
        """The expression in terms of leaves, and its sign as far as it is known; the scope tells sizes of indices."""
        match tree:
            case (poly, sign) if isinstance(tree, tuple):  # a known value, never from data
                return poly, sign
            case ["num", text]:
                c = Q(*map(int, text.split("/")))
                return self.add({(): c}), POSITIVE if c > 0 else int(c == 0)
            case ["delta", i, j]:
                return self.term(Q(1), [(("delta", "", ((1, i, scope[i]), (1, j, scope[j]))), Q(1))]), NONNEGATIVE
            case ["ref", name, at]:  # it is read once at its own indices, for each seed
                formal, body = self.known.get(name, ((), ()))
                indices = [(1, i, scope[i]) for i in at]
                _must(body and [i[2] for i in formal] == [i[2] for i in indices], f"{name} at such indices is unknown")
                if (self.seed, name) not in self.values:
                    self.values[self.seed, name] = self.value(body, {i: n for _, i, n in formal})
                poly, sign = self.values[self.seed, name]
                deltas = [(("delta", "", (i, (5, k, i[2]))), Q(1)) for k, i in enumerate(indices)]
                moved = self.term(Q(1), [MOVED, *deltas]) if self.seed == (name,) else {}
                return self.add(self.rename(poly, dict(zip(formal, indices, strict=True))), moved), sign
            case ["add" | "mul" as kind, *parts]:
                polys, signs = zip(*[self.value(p, scope) for p in parts], strict=True)
                if kind == "add":
                    return self.add(*polys), max(signs) if min(signs) else ANY
                return self.mul(*polys), min(max(signs[k], 1 - polys.count(p) % 2) for k, p in enumerate(polys))
            case ["sum", bound, body] if len(dict(bound)) == len(bound):
                poly, sign = self.value(body, {**scope, **dict(bound)})
                low = min([sign, *[max(NONNEGATIVE, self.extents[n][1]) for _, n in bound]])
                return self.rename(poly, {(1, i, n): (-1, k, n) for k, (i, n) in enumerate(bound)}), low
            case ["pow", body, ["num", what]] | ["call", what, body] if tree[0] == "pow" or what in SLOPES:
                poly, sign = self.value(body, scope)
                moving = {key: c for key, c in poly.items() if MOVED in key}
                x = {key: c for key, c in poly.items() if key not in moving}, sign
                e = Q(*map(int, what.split("/"))) if tree[0] == "pow" else None
                y = self.call(what, *x, bool(moving)) if e is None else self.power(*x, e)
                slope = SLOPES[what](x, y) if e is None else ["mul", tree[2], ["pow", x, ["num", str(e - 1)]]]
                return self.add(y[0], self.mul(self.value(slope, {})[0], moving) if moving else {}), y[1]
            case ["call" | "reduce" as kind, name, *parts] if name in self.data["held"]:
                bound = parts.pop(0) if kind == "reduce" else []
                args = [self.value(["call", "stop", p], {**scope, **dict(bound)})[0] for p in parts]
                inner = {(1, i, n): (6, k, n) for k, (i, n) in enumerate(bound)}
                return self.closed(f"held {name}{[n for _, n in bound]}", [self.rename(p, inner) for p in args]), ANY
        raise ValueError(f"not understood here: {' '.join(map(str, tree[:2]))}")

    def call(self, name: str, poly: Poly, sign: int, moving: bool) -> tuple[Poly, int]:
        """A function: exp of a sum is a product; a step, 1 where positive, else 0, is taken apart by those inside."""
        if name == "exp":
            parts = [self.power(self.closed("exp", [{factors: Q(1)}]), POSITIVE, c)[0] for factors, c in poly.items()]
            return self.mul(ONE, *parts), POSITIVE
        if name == "stop" or (name == "Abs" and sign):
            return poly, sign
        positive = name == "Step" and self.holds(poly, sign, True)
        if name == "Step" and (positive or poly.keys() <= ONE.keys()):
            return (ONE if positive else {}), NONNEGATIVE
        inner = next((a for factors in poly for a, _ in factors if self.signs.get(a[0]) == BINARY), None)
        if name == "Step" and inner:
            _must(all(i[0] for i in inner[2]), "a condition depends on a sum of conditions")
            off = {factors: c for factors, c in poly.items() if inner not in dict(factors)}
            on = self.add(*[self.term(c, [p for p in factors if p[0] != inner]) for factors, c in poly.items()])
            yes, no = (self.call("Step", p, ANY, moving)[0] for p in (on, off))
            return self.add(no, self.mul({((inner, Q(1)),): Q(1)}, self.add(yes, self.mul(NEGATIVE, no)))), NONNEGATIVE
        sure = self.holds(poly, sign, name == "log")
        _must(sure or not (moving if name == "Step" else name in ("log", "Abs", "sign")), MISSING)
        if name == "Step" and sure and poly[min(poly)] < 0:  # one atom for both signs
            return self.add(ONE, self.mul(NEGATIVE, self.closed("Step", [self.mul(NEGATIVE, poly)]))), NONNEGATIVE
        return self.closed(name, [poly]), self.signs.get(name, ANY)

    def power(self, poly: Poly, sign: int, e: Q) -> tuple[Poly, int]:
        """A rational power; a product of positive factors is taken apart, anything else becomes an atom."""
        whole = e.denominator == 1
        found = max(sign, 1 - int(e) % 2) if whole else POSITIVE
        _must(abs(e) * len(repr(poly)) < MOST, "a power is too high")
        if whole and e >= 0:
            return self.mul(ONE, *[poly] * int(e)), found
        _must(self.holds(poly, sign, not whole), MISSING)
        (factors, c), *others = poly.items()
        apart = whole or all(self.signs.get(a[0]) == POSITIVE for a, _ in factors)
        if apart and not others and all(i[0] for a, _ in factors for i in a[2]):
            number = {(): c ** int(e)} if whole or c == 1 else self.closed("positive", [{(): c}], e)
            return self.mul(number, self.term(Q(1), [(a, k * e) for a, k in factors])), found
        return self.closed("positive" if self.holds(poly, sign, True) else "nonzero", [poly], e), found

    def holds(self, poly: Poly, sign: int, positive: bool) -> bool:
        """Whether an expression is positive, or not zero, by its form or as stated of it or of its factors."""
        told = [self.closed("", [p]) for p in (poly, self.mul(NEGATIVE, poly))]
        unequal = any(("!=", name) in self.stated for name in told)
        known = sign == POSITIVE or (">", told[0]) in self.stated or (unequal and (sign > ANY or not positive))
        ((factors, c), *others) = poly.items() or [((), Q(0))]
        parts = [({((a, Q(1)),): Q(1)}, self.signs.get(a[0], ANY), positive and k % 2 != 0) for a, k in factors]
        single = not others and all(i[0] for a, _ in factors for i in a[2]) and (c > 0 if positive else c != 0)
        return known or (single and all(p[1] == POSITIVE or (p[0] != poly and self.holds(*p)) for p in parts))
