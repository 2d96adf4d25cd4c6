"""Tests that must fail where a wrong rule is planted."""

import functools
from collections.abc import Callable
from typing import Any

import pytest


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
