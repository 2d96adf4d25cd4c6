"""``symgrad prove``: whether two formulas are equal for all sizes and all real values."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from symgrad.cli.deriving import Limit
from symgrad.cli.frame import Answer, command

__all__ = ["prove"]


@command
def prove(
    a: Annotated[str, typer.Argument(metavar="A", help="A formula.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    *,
    limit: Limit = 60.0,
) -> Answer:
    """Prove that two formulas are equal, or find the smallest sizes and a rational point where they differ.

    The exit code is 0 only if it is proved.

    Examples
    --------
      symgrad prove "(x + 1)**2" "x**2 + 2*x + 1"
      symgrad prove "sum(z - mean(z, i), i)" "0"
      symgrad prove "mean(z**2, i)" "mean(z, i)**2"
    """
    from symgrad.symbolic import prove as proved
    from symgrad.symbolic.limits import time_limit

    with time_limit(limit, "prove"):
        found = proved(a, b)
    lines = [f"{found.verdict}: {found.method}"]
    if found.assumptions:
        from symgrad.symbolic.plain import plain

        lines.append("assumed: " + ", ".join(map(plain, found.assumptions)))
    point = {str(k): _plain(v) for k, v in (found.counterexample or {}).items()}
    lines += [f"  {name} = {_line(value)}" for name, value in point.items() if value != []]
    data = {"verdict": found.verdict, "method": found.method, "assumptions": found.assumptions}
    return Answer("\n".join(lines), {**data, "counterexample": point or None}, found.verdict == "PROVED")


def _plain(value: Any) -> Any:
    """Sizes as numbers, rationals as text, arrays as a map from indices."""
    if isinstance(value, dict):
        return {",".join(map(str, at)): str(x) for at, x in value.items()}
    return list(value) if isinstance(value, tuple) else value if isinstance(value, int) else str(value)


def _line(value: Any) -> str:
    return ", ".join(f"[{at}] {x}" for at, x in value.items()) if isinstance(value, dict) else str(value)
