"""What a gradient check found, as data, text and a notebook table."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Entry", "GradCheck"]

_SEVERITY = ("right", "kink", "domain edge", "unsure", "wrong")
_VERDICTS = dict(zip(_SEVERITY, ("RIGHT", "KINK", "EDGE", "UNSURE", "WRONG"), strict=True))
_COLUMNS = ("input", "index", "order", "analytic", "numeric", "error bar", "digits", "status", "method")
SHOWN = 8  # entries, the worst ones


@dataclass(frozen=True, slots=True)
class Entry:
    r"""One comparison of an analytic with a numeric derivative.

    Attributes
    ----------
    input : str
        Name of the argument, with its place in a nested one: ``"params['w']"``.
    index : tuple of int, or str
        Of the element; ``"direction 0"`` where a whole array was moved along a random direction.
    order : int
        1 for the gradient of f, 2 for the gradient of the gradient, and so on.
    analytic, numeric : float
        Derivatives of :math:`\langle v, f \rangle` for the random cotangent v.
    error : float
        The error bar: how far the two may lie apart by truncation and rounding.
    status : str
        ``right``, ``kink``, ``domain edge``, ``unsure`` or ``wrong``.
    method : str
        ``complex step`` or ``Ridders``.
    note : str
        What was met at the point, such as the one-sided derivatives at a kink.
    """

    input: str
    index: tuple[int, ...] | str
    order: int
    analytic: float
    numeric: float
    error: float
    status: str
    method: str
    note: str = ""

    @property
    def digits(self) -> float:
        """Decimal digits on which analytic and numeric agree, from 0 to 16."""
        gap, size = abs(self.analytic - self.numeric), max(abs(self.analytic), abs(self.numeric))
        if self.analytic == self.numeric:
            return 16.0
        if not (math.isfinite(gap) and gap < size):
            return 0.0
        return min(16.0, -math.log10(gap / size))

    @property
    def excess(self) -> float:
        """The difference in units of the error bar."""
        gap = abs(self.analytic - self.numeric)
        if self.analytic == self.numeric or self.status in ("kink", "domain edge"):
            return 0.0
        return gap / self.error if self.error > 0 and math.isfinite(gap) else math.inf

    def __str__(self) -> str:
        place = f"{self.input}{list(self.index)}" if isinstance(self.index, tuple) else f"{self.input}, {self.index}"
        text = (
            f"{place}: {self.status} at order {self.order}: analytic {self.analytic:.10g}, "
            f"numeric {self.numeric:.10g} ± {self.error:.1e} ({self.method}), {self.digits:.1f} digits agree"
        )
        return f"{text}; {self.note}" if self.note else text


@dataclass(frozen=True, slots=True, repr=False)
class GradCheck:
    """The result of `symgrad.gradcheck`; true exactly if nothing speaks against the gradient.

    Attributes
    ----------
    verdict : str
        ==================  =====  =========================================================================
        verdict             bool   meaning
        ==================  =====  =========================================================================
        RIGHT               true   every entry agrees within its error bar
        KINK                true   as RIGHT, but some entries stand at a kink, where the analytic value is a
                                   subgradient (it lies between the one-sided derivatives)
        EDGE                true   as RIGHT, but some entries stand at the edge of the domain or where the
                                   slope is infinite, and the analytic value is the one-sided derivative
        UNSURE              false  nothing is wrong, but some error bars are too wide to tell, or f is not
                                   finite at the point
        WRONG               false  some entry lies outside of its error bar
        NONDETERMINISTIC    false  two calls on equal inputs gave different bits
        ==================  =====  =========================================================================
    entries : tuple of Entry
        Every comparison, in order of derivative, input and index.
    message : str
        What else is to be said, such as where f was not finite.
    """

    verdict: str
    entries: tuple[Entry, ...]
    message: str = ""

    @classmethod
    def of(cls, entries: tuple[Entry, ...]) -> GradCheck:
        """The report on these entries: its verdict is that of the most severe one."""
        worst = max((_SEVERITY.index(e.status) for e in entries), default=0)
        return cls(_VERDICTS[_SEVERITY[worst]], entries, "" if entries else "the inputs hold no elements")

    def __bool__(self) -> bool:
        return self.verdict in ("RIGHT", "KINK", "EDGE")

    @property
    def worst(self) -> Entry | None:
        """The most severe entry, and among equals the one furthest out of its error bar."""
        return max(self.entries, key=_severity, default=None)

    @property
    def level(self) -> str:
        """The methods that the numeric values come from, the more trustworthy first."""
        return ", ".join(sorted({e.method for e in self.entries}, key=str.lower))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per entry, for a data frame."""
        return [dict(zip(_COLUMNS, _cells(e), strict=True)) for e in self.entries]

    def table(self, limit: int = SHOWN) -> str:
        """The worst entries as aligned text."""
        lines = [_COLUMNS, *(_texts(e) for e in self._worst_first(limit))]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)

    def _worst_first(self, limit: int) -> list[Entry]:
        return sorted(self.entries, key=_severity, reverse=True)[:limit]

    def _rest(self) -> str:
        hidden = len(self.entries) - SHOWN
        return f"... and {hidden} more" if hidden > 0 else ""

    def _headline(self) -> str:
        order = max((e.order for e in self.entries), default=1)
        n = len(self.entries)
        parts = [f"gradcheck: {self.verdict}", f"order {order}", f"{n} {'entry' if n == 1 else 'entries'}"]
        return ", ".join([*parts, *filter(None, (self.level, self.message))])

    def __str__(self) -> str:
        worst = self.worst
        if worst is None:
            return self._headline()
        rest = f"\n{self._rest()}" if self._rest() else ""
        return f"{self._headline()}\nworst: {worst}\n{self.table()}{rest}"

    def __repr__(self) -> str:
        return f"<{self._headline()}>"

    def _repr_html_(self) -> str:
        def row(cells: Any, tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

        body = "".join(row(_texts(e), "td") for e in self._worst_first(SHOWN))
        rest = f"<p>{self._rest()}</p>" if self._rest() else ""
        return f"<p><b>{html.escape(self._headline())}</b></p><table>{row(_COLUMNS, 'th')}{body}</table>{rest}"


def _severity(e: Entry) -> tuple[int, float]:
    return _SEVERITY.index(e.status), e.excess


def _cells(e: Entry) -> tuple[Any, ...]:
    return e.input, e.index, e.order, e.analytic, e.numeric, e.error, e.digits, e.status, e.method


def _texts(e: Entry) -> tuple[str, ...]:
    index = e.index if isinstance(e.index, str) else str(list(e.index))
    numbers = (f"{e.analytic:.10g}", f"{e.numeric:.10g}", f"{e.error:.1e}", f"{e.digits:.1f}")
    return (e.input, index, str(e.order), *numbers, e.status, e.method)
