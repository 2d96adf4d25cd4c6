"""A planted mutant of a rule: the test of an item must pass with the rule and fail with every mutant of it."""

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
