r"""Trees as LaTeX, in the manner of a lecture: fractions, roots, one letter per index, sums from 1 to the size."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from symgrad.symbolic.expr import Add, Call, Expr, Kronecker, Mul, Num, Pow, Reduction, Ref, Total
from symgrad.symbolic.factors import Number, Var, label
from symgrad.symbolic.indices import QUOTIENT, REMAINDER, At, Extent, Index, divided, unjoined
from symgrad.symbolic.sympy_io import Letters

__all__ = ["SLOPE", "Latex", "name_latex"]

_LETTERS = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega
Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
"""
GREEK = frozenset(_LETTERS.split())
SPECIAL = {"eps": r"\epsilon", "lam": r"\lambda", "sigma2": r"\sigma^2"}
ACCENTS = {"hat": r"\hat", "bar": r"\bar", "tilde": r"\tilde", "dot": r"\dot"}
RELATIONS = {"greater": ">", "less": "<", "greater_equal": r"\ge", "less_equal": r"\le", "equal": "=",
             "not_equal": r"\ne"}  # fmt: skip
FUNCTION = {"log": r"\ln", "maximum": r"\max", "minimum": r"\min", "Abs": "abs", "sign": r"\operatorname{sign}"}
SLOPE = "derivative"  # of the first argument by the second one
SUM, PRODUCT, ATOM = 0, 1, 2


def name_latex(name: str) -> str:
    r"""A name as LaTeX: ``sigma2`` is $\sigma^2$, ``zhat`` is $\hat{z}$, ``w_1`` is $w_{1}$."""
    if name in SPECIAL:
        return SPECIAL[name]
    if name in GREEK:
        return "\\" + name
    for suffix, accent in ACCENTS.items():
        if name.endswith(suffix) and len(name) > len(suffix):
            return f"{accent}{{{name_latex(name[: -len(suffix)].rstrip('_'))}}}"
    match = re.fullmatch(r"([A-Za-z]+?)_?(\d+)", name)
    if match:
        return f"{name_latex(match[1])}_{{{match[2]}}}"
    if "_" in name.strip("_"):
        head, tail = name.strip("_").split("_", 1)
        return f"{name_latex(head)}_{{{name_latex(tail)}}}"
    shown = "".join(_READ.get(c, c) for c in name)
    return shown if len(name) == 1 else rf"\mathrm{{{shown}}}"


_READ = {**{c: f"\\{c}" for c in "%#$&_{}"}, "\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim "}  # by TeX itself


def size_latex(size: Extent) -> str:
    """A size."""
    parts = [(" " if c > 0 else "") + _size_term(names, c) for names, c in reversed(size)]
    return "".join(p if p.startswith("-") else "+" + p.strip() for p in parts).removeprefix("+")


def _size_term(names: tuple[str, ...], c: int) -> str:
    product = r"\,".join(names)
    return product if c == 1 and names else f"-{product}" if c == -1 and names else f"{c}{product}"


class Latex:
    """Prints trees, given the letters of the free indices and the author's LaTeX of names."""

    def __init__(self, letters: Letters, names: Mapping[str, str]) -> None:
        self.letters, self.names = letters, names

    def __call__(self, tree: Expr, level: int = SUM) -> str:
        """The LaTeX of a tree, in parentheses where ``level`` (sum, product, atom) binds tighter than the tree."""
        match tree:
            case Num(value):
                return self._number(value, level)
            case Ref(var):
                return self.var(var)
            case Kronecker(first, second):
                return rf"\delta_{{{self._subscript((first, second)[:: 1 - 2 * isinstance(first, At)])}}}"
            case Add(terms):
                text = "".join(self._signed(t, k == 0) for k, t in enumerate(terms))
                return text if level == SUM else rf"\left({text}\right)"
            case Mul() | Pow():
                return self._product(tree, level)
            case Call(name, args):
                return self._call(name, args)
            case Total(bound, body):
                signs = [rf"\sum_{{{c}=1}}^{{{size_latex(i.size)}}}" for c, i in self._entered(bound)]
                return self._over(signs, bound, body, level)
            case Reduction(name, bound, body):
                head = f"\\{name}" if name in ("max", "min") else rf"\operatorname{{{name}}}"
                return self._over([f"{head}_{{{c}}}" for c, _ in self._entered(bound)], bound, body, level)

    def var(self, var: Var) -> str:
        """A variable with its indices as subscripts."""
        name = self.names.get(var.name) or name_latex(var.name)
        if not var.indices:
            return name
        indices = self._subscript(var.indices)
        base = f"{{{name}}}" if "_" in name else name
        return f"{base}_{{{indices}}}" if len(indices) > 1 else f"{base}_{indices}"

    def _subscript(self, indices: Sequence[Index | At]) -> str:
        """Letters, and labels at their own indices; an array that was reshaped keeps the indices that it had."""
        texts = [self._index(i) for i in unjoined(indices)]
        return ("," if any(len(text) > 1 for text in texts) else "").join(texts)

    def _index(self, i: Index | At) -> str:
        if not isinstance(i, At):
            return self.letters[i]
        if i.name == QUOTIENT:
            size = size_latex(divided(i.indices[0].size, i.size) or ())
            return rf"\lceil {self._index(i.indices[0])}/{size}\rceil"
        if i.name == REMAINDER:
            return rf"{self._index(i.indices[0])} \bmod {size_latex(i.size)}"
        return self.var(label(i))

    def _number(self, value: Number, level: int) -> str:
        value = Fraction(value)
        magnitude = _decimal(abs(value)) or rf"\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
        text = f"-{magnitude}" if value < 0 else magnitude
        return text if value >= 0 or level == SUM else rf"\left({text}\right)"

    def _signed(self, term: Expr, first: bool) -> str:
        text = self(term, SUM)
        return text if first else f" - {text[1:].strip()}" if text.startswith("-") else f" + {text}"

    def _product(self, tree: Expr, level: int) -> str:
        factors = list(tree.factors) if isinstance(tree, Mul) else [tree]
        c = Fraction(1)
        above: list[Expr] = []
        below: list[Expr] = []
        beside: list[Expr] = []
        for f in factors:
            if isinstance(f, Num):
                c = c * f.value
            elif isinstance(f, Pow) and isinstance(f.exponent, Num) and f.exponent.value < 0:
                below.append(f.base if f.exponent.value == -1 else Pow(f.base, Num(-f.exponent.value)))
            else:
                (beside if isinstance(f, Add | Total) else above).append(f)
        sign, c = ("-" if c < 0 else ""), abs(c)
        if below and not above and c.numerator == 1 and len(beside) == 1 and isinstance(beside[0], Add):
            above, beside = beside, []
        if below or c.denominator != 1:
            top = self._joined(above, c.numerator)
            bottom = self._joined(below, c.denominator)
            parts = [rf"\frac{{{top}}}{{{bottom}}}"]
        else:
            parts = [self._joined(above, c.numerator)] if above or c != 1 else []
        last = sorted(beside, key=lambda f: isinstance(f, Total))
        parts += [self(f, ATOM if isinstance(f, Total) and f is not last[-1] else PRODUCT) for f in last]
        text = sign + r"\,".join(parts)
        return text if level < ATOM and not (sign and level) else rf"\left({text}\right)"

    def _joined(self, factors: list[Expr], c: int) -> str:
        factors = sorted(factors, key=lambda f: isinstance(f, Total))
        if len(factors) == 1 and c == 1:
            return self._power(factors[0], SUM)  # inside the braces of a fraction or root: no parentheses
        levels = [ATOM if isinstance(f, Total) and f is not factors[-1] else PRODUCT for f in factors]
        front = [str(c)] if c != 1 or not factors else []
        return r"\,".join(front + [self._power(f, level) for f, level in zip(factors, levels, strict=True)])

    def _power(self, tree: Expr, level: int) -> str:
        if not isinstance(tree, Pow):
            return self(tree, level)
        exponent = tree.exponent
        if exponent == Num(Fraction(1, 2)):
            return rf"\sqrt{{{self(tree.base)}}}"
        text = self(tree.base, ATOM)
        power = self._exponent(exponent)
        if isinstance(tree.base, Ref) and (tree.base.var.indices or "^" in text):
            return rf"{text}^{{{power}}}" if "^" not in text else rf"\left({text}\right)^{{{power}}}"
        return rf"{text}^{{{power}}}"

    def _exponent(self, exponent: Expr) -> str:
        if isinstance(exponent, Num) and Fraction(exponent.value).denominator != 1:
            return str(Fraction(exponent.value))
        return self(exponent)

    def _call(self, name: str, args: tuple[Expr, ...]) -> str:
        if name == "stop":  # a mark for derivatives
            return self(args[0], ATOM)
        if name == SLOPE:
            return rf"\frac{{\partial {self(args[0])}}}{{\partial {self(args[1])}}}"
        if name == "exp":
            return rf"e^{{{self(args[0])}}}"
        if name == "pow":
            return rf"{self(args[0], ATOM)}^{{{self(args[1])}}}"
        if name == "Step":
            return rf"\left[{self(args[0])} > 0\right]"
        if name == "Abs":
            return rf"\left|{self(args[0])}\right|"
        if name in RELATIONS:
            return rf"{self(args[0])} {RELATIONS[name]} {self(args[1])}"
        head = FUNCTION.get(name, "\\" + name if name in ("sin", "cos", "tan", "sinh", "cosh", "tanh") else "")
        return (head or rf"\operatorname{{{name}}}") + rf"\left({', '.join(map(self, args))}\right)"

    def _entered(self, bound: tuple[Index, ...]) -> list[tuple[str, Index]]:
        return list(zip(self.letters.enter(bound), bound, strict=True))

    def _over(self, signs: list[str], bound: tuple[Index, ...], body: Expr, level: int) -> str:
        text = " ".join([*signs, self(body, PRODUCT)])
        self.letters.leave(bound)
        return text if level < ATOM else rf"\left({text}\right)"


def _decimal(value: Fraction) -> str:
    """A terminating decimal that a person would write, or nothing."""
    if value.denominator == 1:
        return str(value.numerator)
    if value.denominator > 100 and 10 ** len(str(value.denominator)) % value.denominator == 0:
        return f"10^{{-{len(str(value.denominator)) - 1}}}" if value.numerator == 1 else f"{float(value):g}"
    return ""
