"""Mutants of every gradient of the catalogue: wrong ones are refused with a counterexample, equal ones proved equal.

``make mutants`` tries all of them and prints the counts. Whether a mutant differs is decided apart
from the prover: both sides are evaluated by loops at fixed sizes and points, in rational or interval arithmetic.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections import Counter
from fractions import Fraction

from symgrad.symbolic import catalogue, derive
from symgrad.symbolic.exact import Evaluator, Intervals, size_at
from symgrad.symbolic.indices import fresh
from symgrad.symbolic.normal import Poly, rename, sum_over
from symgrad.symbolic.proof import _arguments
from symgrad.symbolic.rewrite import free_indices

SEEDS = range(3)


def mutants(poly):
    """The kind and the formula of each mutant: one term changed, or one factor, or the indices of one factor."""
    for monomial, c in sorted(poly.terms.items()):
        term = Poly({monomial: c})
        rest = poly - term
        yield "dropped term", rest
        yield "sign", rest - term
        yield "doubled term", poly + term
        yield "factor", rest + term.scale(Fraction(1, 2))
        for k, (f, e) in enumerate(monomial):
            others = Poly({monomial[:k] + monomial[k + 1 :]: c})
            yield "dropped factor", rest + others
            if f.rank == 0 and f.positive:
                yield "wrong power", rest + term * Poly({((f, 1),): 1})
            if f.rank == 2:
                yield from _other_axis(f, e, others, rest, poly)
        yield from _other_index(term, rest)


def _other_axis(total, e, others, rest, poly):
    """One of the summed indices becomes a free one of the same size, or a free one is summed as well."""
    if e == 1:
        for i in total.bound:
            same = [q for q in sorted(free_indices(poly)) if q.size == i.size]
            for q in same[:1]:
                names = {b: fresh(b.size) for b in total.bound}
                body = rename(Poly({total.body: 1}), names)
                left = [x for b, x in names.items() if b != i]
                yield "wrong axis", rest + others * sum_over(rename(body, {names[i]: q}), *left)


def _other_index(term, rest):
    """Two free indices of the same size change places."""
    free = sorted(free_indices(term))
    for a, b in itertools.combinations(free, 2):
        if a.size == b.size:
            yield "wrong index", rest + rename(term, {a: b, b: a})
    for i in free:
        total = fresh(i.size)
        yield "wrong axis", rest + sum_over(rename(term, {i: total}), total)


def differs(d, difference):
    """Whether a difference is surely not zero somewhere: evaluated by loops, apart from the prover."""
    names = sorted({n for v in d.program.leaves.values() for i in v.indices for ns, _ in i.size for n in ns})
    free = sorted(free_indices(difference))
    for seed, largest in itertools.product(SEEDS, (2, 3)):
        rng = random.Random(f"{seed} {largest}")
        sizes = {n: largest + k % 2 for k, n in enumerate(names)}
        point = {}
        for v in _arguments(d.program, [difference, *d.program.assumptions]):
            for at in itertools.product(*[range(size_at(i.size, sizes)) for i in v.indices]):
                if v.name in d.program.labels:
                    point[v.name, at] = Fraction(rng.randrange(size_at(d.program.labels[v.name], sizes)))
                    continue
                value = Fraction(rng.randint(1, 20), rng.randint(5, 9))
                positive = v.positive or rng.random() < 0.5
                point[v.name, at] = (
                    Fraction(rng.randint(0, 1)) if v.name in d.program.binary else value if positive else -value
                )
        evaluator = Evaluator(sizes, {k: x for k, x in point.items() if k[0] not in sizes}, d.program, Intervals())
        for at in itertools.product(*[range(size_at(i.size, sizes)) for i in free]):
            try:
                value = evaluator.poly(difference, dict(zip(free, at, strict=True)))
            except (ValueError, ZeroDivisionError, ArithmeticError, TypeError):
                continue
            if 0 not in value:
                return True
    return False


def tried(name, limit=None):
    """(kind, verdict, whether it truly differs) for the mutants of one entry, a random choice of them with a limit."""
    d = derive(name)
    found = [(a, kind, m) for a, poly in d.polys.items() for kind, m in mutants(poly)]
    if limit is not None:
        found = random.Random(name).sample(found, min(limit, len(found)))
    for argument, kind, mutant in found:
        difference = d.program.reduce(mutant - d.polys[argument])
        certificate = d.certify(d.record.arguments[argument], mutant)
        yield kind, certificate, not difference, lambda d=d, difference=difference: differs(d, difference)


def main(names):
    """Try all mutants of these entries, and print how many were refuted, proved equal, or neither."""
    counts: Counter[str] = Counter()
    for name in names:
        own: Counter[str] = Counter()
        for kind, certificate, _, truly in tried(name):
            wrong = certificate.verdict == "PROVED" and truly()
            own["WRONG PROOF" if wrong else certificate.verdict] += 1
            if certificate.verdict == "UNKNOWN":
                sys.stdout.write(f"  {name}: {kind} is UNKNOWN\n")
        counts += own
        sys.stdout.write(f"{name}: {dict(own)}\n")
        sys.stdout.flush()
    sys.stdout.write(
        f"{counts['FALSE']} refuted with a counterexample, {counts['PROVED']} proved equal, "
        f"{counts['UNKNOWN']} unknown, {counts['WRONG PROOF']} proved though they differ\n"
    )
    return int(counts["FALSE"] < 1000 or counts["WRONG PROOF"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or catalogue()))
