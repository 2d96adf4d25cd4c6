r"""`recheck`: verify a serialised derivation again, with nothing but the standard library and no code of the deriver.

It differentiates the definitions itself (forwards) and shows differences to be zero in an algebra of its own, where a
term is one product under all of its sums. A digest binds each step to its place, claim and side conditions. A root or
logarithm of what may not be positive, and a division or a kink where something may be zero, is refused unless stated.

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
import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction as Q
from itertools import chain, groupby, permutations, product, starmap
from typing import Any, NamedTuple

__all__ = ["Recheck", "recheck"]

Atom = Any  # (kind, contents, indices): "var x", "delta" or a function; indices: (0, k) summed, (1, name) free
Poly = dict[Any, Q]  # (summed indices with sizes, sorted atoms with exponents) -> coefficient
Dual = tuple[Poly, int, Poly]  # value, sign, slope
ANY, NONNEGATIVE, POSITIVE = 0, 1, 2
ONE: Poly = {((), ()): Q(1)}
MOST = 20_000  # terms, and orders of equal sums
MINUS, PI = ["num", "-1"], ["ref", "pi", []]
OTHERS = {"sinh": "cosh", "cosh": "sinh", "sin": "cos", "Abs": "sign", "loggamma": "digamma"}
SLOPES: dict[str, Any] = {  # trees of f'(x), from those of x and f(x)
    "exp": lambda x, y: y, "log": lambda x, y: ["pow", x, MINUS], "sign": lambda x, y: ["num", "0"],
    "Step": lambda x, y: ["num", "0"], "cos": lambda x, y: ["mul", MINUS, ["call", "sin", x]],
    "tanh": lambda x, y: ["add", ["num", "1"], ["mul", MINUS, y, y]],
    "tan": lambda x, y: ["add", ["num", "1"], ["mul", y, y]],
    "atan": lambda x, y: ["pow", ["add", ["num", "1"], ["mul", x, x]], MINUS],
    "erf": lambda x, y: ["mul", ["num", "2"], ["pow", PI, ["num", "-1/2"]], ["call", "exp", ["mul", MINUS, x, x]]],
    **{name: lambda x, y, slope=slope: ["call", slope, x] for name, slope in OTHERS.items()},
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
        checker = _Checker(data)
        digest = _digest("", {n: x for n, x in data.items() if n != "steps"})
        for at, step in enumerate(data["steps"]):  # noqa: B007
            digest = _digest(digest, {n: x for n, x in step.items() if n != "certificate"})
            if step["certificate"]["claim"] != digest:
                raise RefusedError("the certificate belongs to another claim")
            checker.step(step)
        if missing := sorted(data["arguments"].keys() - checker.shown):
            raise RefusedError(f"no gradient is given for {', '.join(missing)}")
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
        kind = "" if isinstance(error, RefusedError) else f"malformed: {type(error).__name__} "
        return Recheck("REFUSED", at, f"{kind}{error}")
    held = f", with {', '.join(data['held'])} held constant" if data["held"] else ""
    return Recheck("PROVED", None, f"all {len(data['steps'])} steps hold{held}")


def _digest(before: str, claim: Mapping[str, Any]) -> str:
    return hashlib.sha256((before + json.dumps(claim, sort_keys=True)).encode()).hexdigest()


class _Checker:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data, self.shown, self.contents = data, set[str](), dict[str, Any]()  # contents: of functions and bases
        leaves = {**data["arguments"], **data["constants"], **data["cotangent"]}
        self.rank = {n: len(x["indices"]) for n, x in leaves.items()} | dict.fromkeys([*data["sizes"], "pi"], 0)
        self.binary = {f"var {n}" for n, x in leaves.items() if x["binary"]} | {f"held {n}" for n in data["truths"]}
        self.positive = {f"var {n}" for n in [*data["sizes"], "pi", *[n for n, x in leaves.items() if x["positive"]]]}
        self.binary, self.positive = self.binary | {"Step"}, self.positive | {"exp", "cosh", "Abs", "positive"}
        self.known: dict[str, Any] = {}  # definitions: formal indices, tree, value, sign
        self.seed, self.moved = "", dict[str, Poly]()  # what derivatives are by, and those of definitions
        self.conditions()

    def at(self, factors: Iterable[Any], names: Mapping[Any, Any]) -> list[Any]:
        return [((*a[:2], tuple([names.get(i, i) for i in a[2]])), e) for a, e in factors]

    def add(self, *parts: Poly) -> Poly:
        total: Poly = {}
        for key, c in chain(*[p.items() for p in parts]):
            total[key] = total.get(key, Q(0)) + c
        return {key: c for key, c in total.items() if c}

    def scale(self, poly: Poly, c: Q) -> Poly:
        return {key: c * d for key, d in poly.items() if c}

    def mul(self, *parts: Poly) -> Poly:
        result = ONE
        for part in parts:
            if len(result) * len(part) > MOST:
                raise RefusedError("an expression is too long to be multiplied out")
            pairs = [(*self.opened(x, 3), y, c * d) for x, c in part.items() for y, d in result.items()]
            result = self.add(*[self.term([*y[0], *bound], [*y[1], *factors], c) for bound, factors, y, c in pairs])
        return result

    def opened(self, key: Any, tag: int) -> tuple[list[Any], list[Any]]:
        """The summed indices of a term, with sizes, and its factors, in which these are called otherwise."""
        return [((tag, i[1]), n) for i, n in key[0]], self.at(key[1], {i: (tag, i[1]) for i, _ in key[0]})

    def rename(self, poly: Poly, names: Mapping[Any, Any]) -> Poly:
        return self.add(*[self.term(bound, self.at(factors, names), c) for (bound, factors), c in poly.items()])

    def sum(self, poly: Poly, bound: Iterable[Any]) -> Poly:
        return self.add(*[self.term([*inner, *bound], factors, c) for (inner, factors), c in poly.items()])

    def atom(self, kind: str, contents: str = "", indices: Iterable[Any] = (), e: Q = Q(1)) -> Poly:
        return self.term([], [((kind, contents, tuple(indices)), e)], Q(1))

    def size(self, text: str) -> Poly:
        """A size such as ``2*B+-1``."""
        products = [term.split("*") for term in text.split("+")]
        return self.add(*[self.mul(self.scale(ONE, Q(c)), *[self.atom(f"var {n}") for n in ns]) for c, *ns in products])

    def term(self, bound: Iterable[Any], factors: Iterable[Any], c: Q) -> Poly:
        """A term in canonical form: deltas used up, unused indices replaced by their sizes, the others named anew."""
        live, queue, flat = dict(bound), list(factors), dict[Atom, Any]()
        while found := [a for a, _ in queue if a[0] == "delta"]:
            i, j = min(sorted(a[2]) for a in found)
            gone, stays = (i, j) if i in live else (j, i)
            queue = self.at([(a, e) for a, e in queue if a[0] != "delta" or sorted(a[2]) != [i, j]], {gone: stays})
            if i != j and live.pop(gone, None) is None:
                flat["delta", "", (i, j)] = Q(1)
        for a, e in queue:
            flat[a] = flat.get(a, 0) + e
        flat = {a: Q(1) if e > 1 and a[0] in self.binary else e for a, e in flat.items() if e}
        used = {i: n for i, n in live.items() if any(i in a[2] for a in flat)}
        tried = [(sorted(self.at(flat.items(), o)), k, o) for k, o in enumerate(self._orders(used, flat))]
        named, _, order = min(tried)
        key = (tuple([(order[i], live[i]) for i in order]), tuple(named))
        unused = [self.size(n) for i, n in live.items() if i not in used]
        return self.mul({key: c}, *unused) if unused else {key: c}

    def _orders(self, live: Mapping[Any, str], flat: Mapping[Atom, Any]) -> list[dict[Any, Any]]:
        """The ways to name summed indices that nothing but their names tells apart."""
        near = {i: [x for x in flat.items() if i in x[0][2]] for i in live}
        rank: dict[Any, Any] = {i: (0, n) for i, n in live.items()}
        for _ in live:
            looks = {i: sorted((a[:2], e, [(j == i, rank.get(j, j)) for j in a[2]]) for a, e in near[i]) for i in live}
            rank = {i: (0, str(sorted(looks.values()).index(x))) for i, x in looks.items()}
        ties = [list(g) for _, g in groupby(sorted(live, key=rank.__getitem__), key=rank.__getitem__)]
        if math.prod(math.factorial(len(g)) for g in ties) > MOST:
            raise RefusedError("a sum is too symmetric to be named")
        return [{i: (0, k) for k, i in enumerate(chain(*order))} for order in product(*map(permutations, ties))]

    def closed(self, kind: str, args: Sequence[Poly], e: Q = Q(1)) -> Poly:
        """An atom that stands for something of these expressions, whatever their free indices are called."""
        atoms = [a for p in args for _, factors in p for a, _ in factors]
        free = sorted({i for a in atoms for i in a[2] if i[0] == 1})
        tried = [(o, {i: (2, k) for k, i in enumerate(o)}) for o in permutations(free)]
        key, order = min((tuple([tuple(sorted(self.rename(p, n).items())) for p in args]), o) for o, n in tried)
        text = hashlib.sha256(repr(key).encode()).hexdigest()
        self.contents[text] = 1 + max([self.contents[a[1]][0] for a in atoms if a[1] in self.contents], default=0), key
        return self.atom(kind, text, order, e)

    def content(self, atom: Atom) -> Poly:
        return self.rename(dict(self.contents[atom[1]][1][0]), {(2, k): i for k, i in enumerate(atom[2])})

    def cleared(self, poly: Poly) -> Poly:
        """The expression with every power base at its lowest power, outer ones first; empty only if it is zero."""
        done = set[Any]()
        while found := {a[:2] for _, factors in poly for a, _ in factors if a[0] in ("positive", "nonzero")} - done:
            base = max(found, key=lambda a: (self.contents[a[1]][0], a))
            done.add(base)
            powers = [((), Q(0)), *[(a, e) for _, factors in poly for a, e in factors if a[:2] == base]]
            low = {part: min(e for _, e in powers if e % 1 == part) for part in {e % 1 for _, e in powers}}
            everywhere = {(a, Q(0)) for a, e in powers if e == low[Q(0)] < 0 and all(i[0] == 1 for i in a[2])}
            terms = []
            for key, c in poly.items():
                bound, factors = self.opened(key, 4)
                parts = [{((), ()): c}]
                for a, e in [*factors, *[p for p in everywhere if p[0] not in dict(key[1])]]:
                    own = low[e % 1] if a[:2] == base else e
                    parts += [self.term([], [(a, own)], Q(1)), *[self.content(a) for _ in range(int(e - own))]]
                terms.append(self.sum(self.mul(*parts), bound))
            poly = self.add(*terms)
        return poly

    def step(self, step: Mapping[str, Any]) -> None:
        """Refuse a step that does not hold."""
        rule, name, indices = step["rule"], step["node"], step["indices"]
        poly, sign, _ = self.dual(step["after"])
        own = step["before"] == ["ref", name, indices] and len({*indices}) == len(indices)
        if {i for _, factors in poly for a, _ in factors for i in a[2] if i[0] == 1} - {(1, i) for i in indices}:
            raise RefusedError("the right side has indices that the left side has not")
        if rule == "definition" and own and name not in {**self.rank, **self.known}:
            self.known[name] = (indices, step["after"], poly, sign)
            self.conditions()
        elif (rule in ("adjoint", "gradient") and own) or rule in ("solve", "invariant"):
            before = self.derivative(name, indices) if own and rule != "solve" else self.dual(step["before"])[0]
            if self.cleared(self.add(before, self.scale(poly, Q(-1)))):
                raise RefusedError("the sides are not shown to be equal")
            self.shown.add(name if rule == "gradient" else "")
        else:
            raise RefusedError(f"{rule}: no such rule, or another left side than it must have")

    def derivative(self, name: str, indices: Sequence[str]) -> Poly:
        """The derivative of the sum of output times cotangent."""
        self.seed, self.moved = name, {}
        ((cotangent, leaf),) = self.data["cotangent"].items()
        g = self.atom(f"var {cotangent}", "", [(1, i) for i, _ in leaf["indices"]])
        flow = self.mul(g, self.dual(self.data["output"])[2])
        self.seed = ""
        total = self.sum(flow, [((1, i), n) for i, n in leaf["indices"]])
        return self.rename(total, {(5, k): (1, i) for k, i in enumerate(indices)})

    def dual(self, tree: Any) -> Dual:
        """The expression in terms of arguments, its sign as far as it is known, and its derivative by the seed."""
        match tree:
            case ["num", text]:
                return self.scale(ONE, Q(text)), POSITIVE if Q(text) > 0 else NONNEGATIVE if Q(text) == 0 else ANY, {}
            case (poly, sign) if isinstance(tree, tuple):  # a known value, never from data
                return poly, sign, {}
            case ["delta", i, j]:
                return self.atom("delta", "", [(1, i), (1, j)]), NONNEGATIVE, {}
            case ["ref", name, indices]:
                return self.ref(name, indices)
            case ["add" | "mul" as kind, *parts]:
                polys, signs, flows = zip(*map(self.dual, parts), strict=True)
                if kind == "add":
                    return self.add(*polys), max(signs) if min(signs) else ANY, self.add(*flows)
                slopes = [self.mul(flow, *polys[:k], *polys[k + 1 :]) for k, flow in enumerate(flows) if flow]
                known = [max(s, NONNEGATIVE - polys.count(p) % 2) for p, s in zip(polys, signs, strict=True)]
                return self.mul(*polys), min(known), self.add(*slopes)
            case ["sum", bound, body] if len({i for i, _ in bound}) == len(bound):
                poly, sign, flow = self.dual(body)
                low = sign if all("-" not in n for _, n in bound) else min(sign, NONNEGATIVE)
                poly, flow = (self.sum(p, [((1, i), n) for i, n in bound]) for p in (poly, flow))
                return poly, low, flow
            case ["pow", base, ["num", text]]:
                poly, sign, flow = self.dual(base)
                slope = self.scale(self.mul(self.power(poly, sign, Q(text) - 1)[0], flow), Q(text)) if flow else {}
                return *self.power(poly, sign, Q(text)), slope
            case ["pow", base, exponent] | ["call", "pow", base, exponent]:
                return self.dual(["call", "exp", ["mul", exponent, ["call", "log", base]]])
            case ["call", "stop", body]:
                return *self.dual(body)[:2], {}
            case ["call", name, *parts] if name in SLOPES or name in ("digamma", "truth", *self.data["held"]):
                args = [self.dual(p) for p in parts]
                poly, sign = self.call(name, args)
                if name not in SLOPES and any(arg[2] for arg in args) and name not in self.data["held"]:
                    raise RefusedError(f"the derivative of {name} is not known here")
                flow = args[0][2] if name in SLOPES else {}
                return poly, sign, self.mul(self.dual(SLOPES[name](args[0][:2], (poly, sign)))[0], flow) if flow else {}
            case ["reduce", name, bound, body] if name in self.data["held"]:
                inside = self.rename(self.dual(body)[0], {(1, i): (6, k) for k, (i, _) in enumerate(bound)})
                return self.closed(f"held {name} over {[n for _, n in bound]}", [inside]), ANY, {}
        raise RefusedError(f"not understood here: {' '.join(map(str, tree[:2]))}")

    def ref(self, name: str, indices: Sequence[str]) -> Dual:
        """A name: of a definition, which was read once at its own indices, or of an argument, constant or size."""
        deltas = [(("delta", "", ((1, i), (5, k))), Q(1)) for k, i in enumerate(indices)]
        flow = self.term([], deltas, Q(1)) if name == self.seed else {}
        if name not in self.known:
            if self.rank.get(name) != len(indices):
                raise RefusedError(f"{name} with {len(indices)} indices is not known")
            var = f"var {name}"
            sign = POSITIVE if var in self.positive else NONNEGATIVE if var in self.binary else ANY
            return self.atom(var, "", [(1, i) for i in indices]), sign, flow
        formal, tree, poly, sign = self.known[name]
        names = {(1, i): (1, j) for i, j in zip(formal, indices, strict=True)}
        if self.seed and name != self.seed and name not in self.moved:
            self.moved[name] = self.dual(tree)[2]
        return self.rename(poly, names), sign, flow or self.rename(self.moved.get(name, {}), names)

    def call(self, name: str, args: Sequence[Dual]) -> tuple[Poly, int]:
        """A function; exp of a sum is a product, and exp of a multiple of a logarithm a power."""
        poly, sign, _ = args[0]
        if name == "exp":
            parts = []
            for (bound, factors), c in poly.items():
                log = not bound and len(factors) == 1 and factors[0][0][0] == "log" and factors[0][1] == 1
                base = self.content(factors[0][0]) if log else self.closed("exp", [{(bound, factors): Q(1)}])
                parts.append(self.power(base, POSITIVE, c)[0])
            return self.mul(*parts), POSITIVE
        if name == "truth" and self.add(self.mul(poly, poly), self.scale(poly, Q(-1))):
            raise RefusedError("a condition is neither 0 nor 1")
        if name == "Step":
            return self.step_of(poly, sign, bool(args[0][2])), NONNEGATIVE
        if name == "truth" or (name == "Abs" and sign):
            return poly, sign
        if name in ("log", "Abs", "sign"):
            self.require(poly, sign, name == "log")
        kind = name if name in (*SLOPES, "digamma") else f"held {name}"
        return self.closed(kind, [arg[0] for arg in args]), POSITIVE if name in ("cosh", "Abs") else ANY

    def step_of(self, poly: Poly, sign: int, moving: bool) -> Poly:
        """1 where positive, else 0; taken apart by steps inside; one atom for both signs where stated not to be 0."""
        inner = next((a for _, factors in poly for a, _ in factors if a[0] in self.binary), None)
        if inner is not None:
            if any(i[0] == 0 for i in inner[2]):
                raise RefusedError("a condition depends on a sum of conditions")
            off = {k: c for k, c in poly.items() if inner not in dict(k[1])}
            on = [(b, [p for p in fs if p[0] != inner], c) for (b, fs), c in poly.items() if inner in dict(fs)]
            yes, no = (self.step_of(p, ANY, moving) for p in (self.add(off, *starmap(self.term, on)), off))
            return self.add(no, self.mul(self.atom(*inner), self.add(yes, self.scale(no, Q(-1)))))
        if sign == POSITIVE or poly.keys() <= ONE.keys():
            return ONE if sign == POSITIVE or any(c > 0 for c in poly.values()) else {}
        if moving:
            self.require(poly, ANY, False)
        if poly[min(poly)] < 0 and self.holds(poly, ANY, False):
            return self.add(ONE, self.scale(self.step_of(self.scale(poly, Q(-1)), ANY, False), Q(-1)))
        return self.closed("Step", [self.scale(poly, 1 / abs(poly[min(poly)]))])

    def power(self, poly: Poly, sign: int, e: Q) -> tuple[Poly, int]:
        """A rational power; a monomial of positive factors is taken apart, anything else becomes an atom."""
        whole = e.denominator == 1
        found = POSITIVE if sign == POSITIVE or not whole else NONNEGATIVE if sign or e % 2 == 0 else ANY
        if whole and 0 <= e <= 16:
            return self.mul(*[poly] * int(e)), found
        if not poly or not whole or e < 0:
            self.require(poly, sign, not whole)
        ((bound, factors),) = poly if len(poly) == 1 else ((("",), ()),)
        if not bound and all(whole or a[0] in self.positive for a, _ in factors) and (factors or whole):
            c = poly[bound, factors]
            front = self.scale(ONE, c ** int(e)) if whole else self.power(self.scale(ONE, c), POSITIVE, e)[0]
            powers = [(a, k if a[0] == "delta" else k * e) for a, k in factors]
            return self.mul(front, self.term([], powers, Q(1))), found
        sure = found == POSITIVE or self.holds(poly, sign, True)
        return (ONE if poly == ONE else self.closed("positive" if sure else "nonzero", [poly], e)), found

    def require(self, poly: Poly, sign: int, positive: bool) -> None:
        """Refuse what must be positive, or not zero, where neither its form nor a stated condition says so."""
        ((bound, factors),) = poly if len(poly) == 1 else ((("",), ()),)
        single = not bound and factors and (poly[bound, factors] > 0 or not positive)
        parts = [(self.atom(*a), ANY, positive and k % 2 != 0) for a, k in factors if a[0] not in self.positive]
        known = sign == POSITIVE or self.holds(poly, sign, positive)
        if not known and not (single and all(self.holds(*p) for p in parts)):
            raise RefusedError(f"a condition is missing: something must be {'positive' if positive else 'not zero'}")

    def holds(self, poly: Poly, sign: int, positive: bool) -> bool:
        """Whether a condition is stated, up to a factor."""
        strict, unequal = (self.stated is None or (r, self.unit(poly, r)) in self.stated for r in (">", "!="))
        return strict or (unequal and (not positive or sign == NONNEGATIVE))

    def conditions(self) -> None:
        """Read the stated conditions that speak of known names only."""
        self.stated: set[Any] | None = None
        found = set()
        for relation, tree in self.data["conditions"]:
            with contextlib.suppress(RefusedError):
                found.add((relation, self.unit(self.dual(tree)[0], relation)))
        self.stated = found

    def unit(self, poly: Poly, relation: str) -> Any:
        """The name of an expression over its first coefficient (over the size of that, if the sign matters)."""
        if not poly:
            raise RefusedError("a power of 0 is not defined")
        c = abs(poly[min(poly)]) if relation == ">" else poly[min(poly)]
        return next(iter(self.closed("", [self.scale(poly, 1 / c)])))[1][0][0][1]
