"""Planted mutants: the test of an item passes with the rule as it is, and fails with every mutant of the rule."""

import functools
from collections.abc import Callable
from typing import Any

import pytest


def fails(check: Callable[..., None], *given: Any) -> bool:
    """Whether an assertion of the check does not hold; any other error is the mutant's own and no finding."""
    try:
        check(*given)
    except AssertionError:
        return True
    return False


def holds_only_for(check: Callable[[Any], None], rule: Any, **mutants: Any) -> None:
    """Assert a check of the rule, and that it notices every mutant that stands in the rule's place."""
    check(rule)
    unnoticed = [name for name, mutant in mutants.items() if not fails(check, mutant)]
    assert not unnoticed, f"the check passes with {unnoticed}"


def fails_with(**mutants: Callable[[pytest.MonkeyPatch], None]) -> Callable[..., Any]:
    """Run a test as it is, and once per mutant: a function that plants a wrong rule inside of the library."""

    def decorate(test: Callable[[], None]) -> Callable[..., None]:
        def run(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
            if planted == "right":
                test()
                return
            mutants[planted](monkeypatch)
            assert fails(test), f"passes with the mutant {planted!r}"

        functools.update_wrapper(run, test)
        del run.__wrapped__  # type: ignore[attr-defined]  # pytest would look for the fixtures of the inner one
        return pytest.mark.parametrize("planted", ["right", *mutants])(run)

    return decorate
