"""The normal form against brute-force loops, and the identities that it must decide by equality of maps."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest

from symgrad.symbolic.exact import Evaluator, size_at
from symgrad.symbolic.expr import Add, Expr, Kronecker, Mul, Num, Pow, Ref, Total, fold
from symgrad.symbolic.factors import Var
from symgrad.symbolic.indices import Index, index
from symgrad.symbolic.normal import delta, number, rename, sum_over, variable
from symgrad.symbolic.program import Program
from symgrad.symbolic.rewrite import free_indices, positive_root, substitute

L, J, K = (index(n, "B") for n in "ijk")


def a(*indices):
    return variable("a", *indices)


def b(*indices):
    return variable("b", *indices)


def test_a_product_of_sums_is_a_double_sum():
    assert sum_over(a(L) * b(J), L, J) == sum_over(a(L), L) * sum_over(b(L), L)


def test_a_sum_of_products_is_not_a_product_of_sums():
    assert sum_over(a(L) * b(L), L) != sum_over(a(L), L) * sum_over(b(L), L)


def test_bound_names_do_not_matter():
    assert sum_over(a(L) * b(L), L) == sum_over(a(K) * b(K), K)


def test_renaming_a_free_index_cannot_be_captured():
    total = sum_over(a(J) * variable("W", L, J), J)
    assert rename(total, {L: J}) == rename(sum_over(a(K) * variable("W", L, K), K), {L: J})
    assert free_indices(rename(total, {L: J})) == {J}


def test_substitution_cannot_be_captured():
    total = sum_over(variable("W", L, J), J)
    inner = sum_over(a(J) * b(L), J)
    replaced = substitute(total, lambda v, e: rename(inner, {L: v.indices[1]}) if v.name == "W" else None)
    assert replaced == sum_over(a(L), L) * sum_over(b(L), L)


def test_deltas_contract():
    assert sum_over(delta(L, J) * a(J), J) == a(L)
    assert sum_over(delta(L, J) * delta(J, K), J) == delta(L, K)
    assert sum_over(delta(L, J), L, J) == variable("B", positive=True)
    assert delta(L, J) * a(L) == delta(L, J) * a(J)


def test_cancelling_factors_under_a_sum_leave_the_size():
    ratio = sum_over(variable("w", J, L) * positive_root(variable("w", J, K), -1), J)
    assert rename(ratio, {K: L}) == variable("B", positive=True)


def test_an_unused_index_is_a_size():
    assert sum_over(a(L), J) == a(L) * variable("B", positive=True)


def test_roots_of_numbers_fold():
    root = positive_root(number(8), Fraction(1, 2))
    assert root is not None
    assert root * root == number(8)


def test_the_root_of_a_square_is_refused_unless_positive():
    x, y = variable("x"), variable("y", positive=True)
    assert positive_root(x * x, Fraction(1, 2)) is None
    assert positive_root(y * y, Fraction(1, 2)) == y


SIZES = {"B": 3, "D": 2}
AXES = {"a": ("B",), "b": ("B",), "c": ("D",), "W": ("B", "D"), "s": ()}


def random_tree(rng: random.Random, scope: list[Index], depth: int) -> Expr:
    choice = rng.random()
    if depth == 0 or choice < 0.25:
        return leaf(rng, scope)
    if choice < 0.45:
        return Add(tuple(random_tree(rng, scope, depth - 1) for _ in range(rng.randint(2, 3))))
    if choice < 0.65:
        return Mul((Num(Fraction(rng.randint(-3, 3), 2)), *[random_tree(rng, scope, depth - 1) for _ in range(2)]))
    if choice < 0.75:
        return Pow(random_tree(rng, scope, depth - 1), Num(2))
    bound = Index(f"~t{rng.getrandbits(40)}", index("", rng.choice("BD")).size)
    return Total((bound,), random_tree(rng, [*scope, bound], depth - 1))


def leaf(rng: random.Random, scope: list[Index]) -> Expr:
    fitting = [n for n, axes in AXES.items() if all(any(i.size == index("", s).size for i in scope) for s in axes)]
    name = rng.choice(fitting)
    indices = tuple(rng.choice([i for i in scope if i.size == index("", s).size]) for s in AXES[name])
    same = [pair for pair in itertools.combinations(scope, 2) if pair[0].size == pair[1].size]
    if same and rng.random() < 0.15:
        return Kronecker(*sorted(rng.choice(same)))
    return Ref(Var(0, name, indices, False))


def brute(tree: Expr, at: dict[Index, int], point: dict) -> Fraction:
    match tree:
        case Num(value):
            return Fraction(value)
        case Ref(var):
            return point[var.name, tuple(at[i] for i in var.indices)]
        case Kronecker(first, second):
            return Fraction(at[first] == at[second])
        case Add(terms):
            return sum((brute(t, at, point) for t in terms), Fraction(0))
        case Mul(factors):
            product = Fraction(1)
            for f in factors:
                product *= brute(f, at, point)
            return product
        case Pow(base, Num(e)):
            return brute(base, at, point) ** int(e)
        case Total((i,), body):
            return sum((brute(body, {**at, i: n}, point) for n in range(size_at(i.size, SIZES))), Fraction(0))
    raise AssertionError(tree)


@pytest.mark.parametrize("seed", range(150))
def test_random_expressions_equal_brute_force_loops(seed):
    rng = random.Random(seed)
    i = index("i", "B")
    tree = random_tree(rng, [i], 4)
    point = {
        (name, at): Fraction(rng.randint(-6, 6), rng.randint(1, 4))
        for name, axes in AXES.items()
        for at in itertools.product(*[range(SIZES[s]) for s in axes])
    }
    program = Program()
    program.writing = False  # no names for sums: the bare normal form
    poly = fold(tree, program).poly
    evaluator = Evaluator(SIZES, point)
    for n in range(SIZES["B"]):
        assert evaluator.poly(poly, {i: n}) == brute(tree, {i: n}, point)
