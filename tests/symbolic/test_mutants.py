"""A sample of the mutants of the catalogue; `make mutants` tries all of them."""

from __future__ import annotations

from collections import Counter

import pytest
from gradient_mutants import differs, main, mutants, tried

from symgrad.symbolic import catalogue, derive

LARGE = {"bn_tanh_network", "relu_network"}  # in `make mutants` only


def test_mutants_are_refuted_or_truly_equal(capsys):
    counts: Counter[str] = Counter()
    for name in sorted(set(catalogue()) - LARGE):
        for kind, certificate, same, truly in tried(name, limit=3):
            assert certificate.verdict in ("FALSE", "PROVED"), (name, kind)
            assert (certificate.counterexample is not None) == (certificate.verdict == "FALSE")
            if certificate.verdict == "PROVED":
                assert not truly(), (name, kind)
            assert not (same and certificate.verdict == "FALSE"), (name, kind)
            counts[certificate.verdict] += 1
    with capsys.disabled():
        print(f"\n{counts['FALSE']} mutants refuted, {counts['PROVED']} proved equal", end=" ")
    assert counts["FALSE"] > 120


def test_equal_mutants_are_proved():
    verdicts = Counter(certificate.verdict for _, certificate, _, _ in tried("linear_batch_norm"))
    assert verdicts["PROVED"] == 5  # parts of the gradient of a bias before BatchNorm, which is zero
    assert verdicts["UNKNOWN"] == 0


def test_the_judge_is_apart_from_the_prover():
    d = derive("batch_norm")
    poly = d.polys["z"]
    kinds = {kind for kind, _ in mutants(poly)}
    assert kinds >= {"dropped term", "sign", "doubled term", "factor", "dropped factor", "wrong power", "wrong axis"}
    assert all(differs(d, mutant - poly) for _, mutant in mutants(poly))
    assert not differs(d, poly - poly)


def test_few_mutants_are_a_failure(capsys):
    assert main(["tanh"]) == 1
    assert "refuted with a counterexample, 0 proved equal, 0 unknown, 0 proved though" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["batch_norm", "softmax", "attention"])
def test_kinds_of_mutants(name):
    d = derive(name)
    assert len(list(mutants(next(iter(d.polys.values()))))) >= 5
