"""Every update rule is drawn from its signature alone."""

import pytest

import viz
from symgrad.optim import rules

RULES = [getattr(rules, name) for name in rules.__all__ if callable(getattr(rules, name))]


@pytest.mark.parametrize("rule", RULES, ids=lambda f: f.__name__)
def test_a_rule(rule):
    scene = viz.draw(rule).scene
    kinds = {card.full: card.kind for card in scene.cards}
    assert kinds["theta"] == "parameter"
    assert scene.title == rule.__name__
