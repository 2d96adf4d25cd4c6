"""A planted mutant of a rule: the test of an item must pass with the rule and fail with every mutant of it.

`holds_only_for` takes the rule and its mutants as functions; `fails_with` plants mutants into the library.
"""

import functools
from collections.abc import Callable
from typing import Any

import pytest


def survives(check, subject):
    """Whether a check passes."""
    try:
        check(subject)
    except AssertionError:
        return False
    return True


def holds_only_for(check, rule, **mutants):
    """Assert a check of the rule, and that it notices every mutant."""
    check(rule)
    noticed = {name: not survives(check, mutant) for name, mutant in mutants.items()}
    if not all(noticed.values()):
        pytest.fail(f"the check passes with {[name for name, seen in noticed.items() if not seen]}")


def fails_with(**mutants: Callable[[pytest.MonkeyPatch], None]) -> Callable[..., Any]:
    """Run a test as it is, and once per mutant: a function that plants a wrong rule, with which it must fail."""

    def decorate(test: Callable[[], None]) -> Callable[..., None]:
        def run(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
            if planted == "right":
                test()
                return
            mutants[planted](monkeypatch)
            try:
                test()
            except Exception:
                return
            pytest.fail(f"passes with the mutant {planted!r}")

        functools.update_wrapper(run, test)
        del run.__wrapped__  # type: ignore[attr-defined]  # pytest would look for the fixtures of the inner one
        return pytest.mark.parametrize("planted", ["right", *mutants])(run)

    return decorate
