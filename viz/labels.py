"""The local derivatives that a picture of coupling writes on its edges."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from symgrad.tensor import Tensor
from viz.coupled import Coupling

__all__ = ["Derived"]


class Derived:
    """Local derivatives between names, from the derivation engine: all other names are held fixed."""

    def __init__(self, found: Coupling) -> None:
        self.d, self.found = found.derivation, found

    def local(self, source: Tensor, target: Tensor, diagonal: bool, k: str, i: str) -> tuple[str, str] | None:
        """LaTeX (of entry i of the target by entry k of the source) and SymPy text of the derivative."""
        if self.d is None:
            return None
        from sympy import sstr

        from symgrad.symbolic.compact import compact
        from symgrad.symbolic.normal import Poly, rename
        from symgrad.symbolic.read import tangents
        from symgrad.symbolic.structure import indices_of

        stops = {x.serial for x in (*self.found.inputs, *self.found.names)} - {target.serial}
        d = self._up_to(target)
        moving, at = tangents(d.reader, [x for x in d.record.forward if x.serial not in stops], source)
        own = indices_of(target.shape)
        same = {x: next((y for y in own if y.size == x.size and (diagonal or not self._is_axis(x))), x) for x in at}
        tree = compact(d.program.reduce(rename(moving.get(target.serial, Poly({})), same)))
        every = tuple(dict.fromkeys((*own, *same.values())))
        letters = d.letters(every)
        shown = {letters[x]: (i if x in own else k) if self._is_axis(x) else "" for x in every}
        if self.found.along[target.serial] is None:
            shown.update({letters[x]: k for x in every if self._is_axis(x)})
        return self._entry(d.latex_of(tree), shown), str(sstr(d.sympy(tree, every)))

    def _is_axis(self, index: Any) -> bool:
        return bool(index.size == ((((str(self.found.dim),)), 1),))

    def _entry(self, latex: str, shown: dict[str, str]) -> str:
        """The free letters of a formula as the entries that the label is about; those of other axes left out."""

        def subscript(match: re.Match[str]) -> str:
            inside = match[1].strip("{}")
            if any(c not in shown for c in inside):
                return "" if inside == str(self.found.dim) else match[0]
            text = "".join(shown[c] for c in inside)
            return f"_{{{text}}}" if text else ""

        latex = re.sub(r"^\\frac\{(\w+)\}\{(\w+)\}\\,(\\left\(.*\\right\))$", r"\\frac{\1\3}{\2}", latex)
        return re.sub(r"_(\{[A-Za-z]+\}|[A-Za-z])(?![A-Za-z])", subscript, latex)

    def _up_to(self, target: Tensor) -> Any:
        """The derivation of what comes before a name, so that its formulas do without later names."""
        record = self.d.record
        forward = [x for x in record.forward if x.serial <= target.serial]
        return replace(self.d, record=replace(record, forward=forward, output=target, backward=[], adjoints={}))
