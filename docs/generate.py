"""Write the generated pages of docs/ from the tables in the code: python docs/generate.py [--check].

ops.md comes from `OPS`, `FUNCTIONS` and the catalogue, optimizers.md from `optim.rules` and `optim.schedules`,
gallery.md and its pictures from gallery.py.
Nothing is copied by hand: rules are the pullback texts run on SymPy scalars or traced on symbolic sizes, verdicts
are proofs and checks made now. With --check nothing is written; exit code 1 says which pages differ.
"""

import importlib
import importlib.util
import inspect
import itertools
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import sympy

import symgrad as sg
import symgrad.ops
from symgrad import optim, symbolic
from symgrad.op import FUNCTIONS, OPS, Op
from symgrad.ops.marks import astype
from symgrad.ops.reduction import norm2
from symgrad.ops.sliding import window_argmax, window_max
from symgrad.optim import rules, schedules
from symgrad.optim.presets import PRESETS
from symgrad.optim.rules.declare import declaration
from symgrad.shapes import bind
from symgrad.symbolic import scalars
from symgrad.symbolic.entries import entry
from symgrad.tensor import Tensor, abstract, reachable

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "oracles")]

import optim_cases  # noqa: E402
from peers import all_names, checked_against, peers  # noqa: E402

NOTE = "<!-- Written by docs/generate.py (make docs). Change the code it is read from, not this page. -->"

# What the tables do not say: shapes to trace the rule of an op on that is not elementwise, and a call that reaches it.
s = sg.spec
WINDOWS = ((1,), (3,), (1,), (1,))
EXAMPLES = {
    "reshape": ((s("A", "B"),), sg.ravel),
    "permute": ((s("A", "B", "C"),), lambda x: sg.transpose(x, (1, 2, 0))),
    "unsqueeze": ((s("A", "B"),), lambda x: sg.expand_dims(x, 1)),
    "squeeze": ((s("A", 1),), lambda x: sg.squeeze(x, 1)),
    "concatenate": ((s("A", "C"), s("B", "C")), lambda a, b: sg.concatenate([a, b])),
    "matmul": ((s("A", "B"), s("B", "C")), lambda a, b: sg.matmul(a, b)),
    "einsum": ((s("A", "B"), s("B", "C")), lambda a, b: sg.einsum("ij,jk->ik", a, b)),
    "eigh": ((s(3, 3),), lambda a: tuple(sg.linalg.eigh(a))),
    "getitem": ((s("A", "B"),), lambda x: x[1:]),
    "scatter": ((s("A"),), lambda x: sg.scatter(x, slice(1, None), (x.shape[0] + 1,))),
    "named": ((s("A"),), lambda x: sg.named(x, "u")),
    "alias": ((s("A"),), lambda x: OPS["alias"](x)),
    "astype": ((s("A"),), lambda x: sg.astype(x, np.float32)),
    "expand": ((s("A"),), lambda x: sg.broadcast_to(x, (2, x.shape[0]))),
    "sum_to": ((s("A", "B"),), lambda x: OPS["sum_to"](x, (x.shape[1],))),
    "sum": ((s("A", "B"),), lambda x: sg.sum(x, axis=0)),
    "mean": ((s("A", "B"),), lambda x: sg.mean(x, axis=0)),
    "max": ((s("A", "B"),), lambda x: sg.max(x, axis=0)),
    "min": ((s("A", "B"),), lambda x: sg.min(x, axis=0)),
    "cumsum": ((s("A", "B"),), lambda x: sg.cumsum(x, axis=0)),
    "norm2": ((s("A", "B"),), lambda x: norm2(x, axis=0)),
    "windows": ((s("A", 9),), lambda x: sg.windows(x, 3)),
    "overlap_add": ((s("A", 7, 3),), lambda g: sg.overlap_add(g, (g.shape[0], 9))),
    "window_max": ((s("A", 9),), lambda x: window_max(x, 3)),
    "window_argmax": ((s("A", 9), s("A", 7)), lambda x, y: window_argmax(x, y, 3)),
    "window_pick": ((s("A", 9), s("A", 7)), lambda x, k: OPS["window_pick"](x, astype(k, int), (1,), (3,), (1,), (1,))),
    "window_put": (
        (s("A", 7), s("A", 7)),
        lambda g, k: OPS["window_put"](g, astype(k, int), (g.shape[0], 9), (1,), (3,), (1,), (1,)),
    ),
    "solve": ((s(3, 3), s(3, 2)), lambda a, b: sg.linalg.solve(a, b)),
    "det": ((s(3, 3),), lambda a: sg.linalg.det(a)),
    "cofactor": ((s(3, 3),), lambda a: OPS["cofactor"](a)),
    "minors": ((s(3, 3), s(3, 3)), lambda g, a: OPS["minors"](g, a)),
    "slogdet": ((s(3, 3),), lambda a: tuple(sg.linalg.slogdet(a))),
    "cholesky": ((s(3, 3),), lambda a: OPS["cholesky"](a @ a.T + 1)),
    "pinv": ((s(3, 2),), lambda a: sg.linalg.pinv(a)),
    "matrix_exp": ((s(2, 2),), lambda a: sg.linalg.matrix_exp(a)),
    "svd": ((s(3, 3),), lambda a: tuple(sg.linalg.svd(a))),
    "qr": ((s(3, 3),), lambda a: tuple(sg.linalg.qr(a))),
    "lu": ((s(3, 3),), lambda a: tuple(sg.linalg.lu(a))),
    "writers": ((s(4), s(2)), lambda x, v: sg.index_update(x, np.array([0, 0]), v)),
    "extreme_at": ((s(4), s(2)), lambda x, v: OPS["extreme_at"]((x, v, np.array([0, 0])), (("array", 0),), 1)),
}
UNTRACED = {
    "window_max": "goes to the first largest element of each window",
    "eigh": "see `symgrad.linalg.eigh`",
    "call": "runs its sub-graph again and pulls back through it",
    **{name: f"see `symgrad.linalg.{name}`" for name in ("svd", "qr", "lu", "slogdet")},
    "writers": "nothing flows",
    "extreme_at": "goes to all that equal the result, in equal shares",
}
CHECKED_ELSEWHERE = {"call": "checked through `sg.checkpoint`"}
NO_FORMULA = {"arange": "0, 1, ..., n - 1", "const": "a literal", "size": "a symbolic size as a number",
              "item": "one output of an op with several", "call": "a sub-graph as one node"}  # fmt: skip
SURFACE = (sg.linalg, sg.special, sg.losses, sg.nn.functional)  # public functions beside those of the table
# Points where the derivative does not exist, or is infinite; what the rule gives there is computed below.
SINGULAR = {
    "abs": [(0.0,)],
    "tanh": [(20.0,)],  # saturated
    "sigmoid": [(40.0,)],
    "relu": [(0.0,)],
    "maximum": [(1.0, 1.0)],
    "minimum": [(1.0, 1.0)],
    "clip": [(0.0, 0.0, 1.0), (1.0, 0.0, 1.0)],
    "hypot": [(0.0, 0.0)],
    "arctan2": [(0.0, 0.0)],
    "sqrt": [(0.0,)],
    "log": [(0.0,)],
    "power": [(0.0, 0.0)],
    "arcsin": [(1.0,)],
    "arccosh": [(1.0,)],
    "arctanh": [(1.0,)],
    "cbrt": [(0.0,)],
    "copysign": [(0.0, 1.0)],
    "entr": [(0.0,)],
    "erfinv": [(1.0,)],
    "ive": [(0, 0.0)],
    "gammaln": [(0.0,)],
    "log2": [(0.0,)],
    "log10": [(0.0,)],
    "ndtri": [(0.0,)],
    "polygamma": [(0, 0.0)],
    "spherical_jn": [(0, 0.0), (1, 0.0)],
    "arccos": [(1.0,)],
    "logaddexp": [(-np.inf, -np.inf)],
    "max": [([1.0, 1.0],)],
    "min": [([1.0, 1.0],)],
    "norm2": [([0.0, 0.0],)],
}


def families() -> dict[str, ModuleType]:
    """The modules that declare ops, by name, and `call`'s."""
    names = [f"symgrad.ops.{m.name}" for m in pkgutil.iter_modules(symgrad.ops.__path__)]
    return {name: importlib.import_module(name) for name in (*sorted(names), "symgrad.calling")}


def family(op: Op) -> str:
    """The module that declares an op."""
    rule = op.pullback if isinstance(op.pullback, tuple) else (op.pullback,)
    for function in (*rule, op.shape, op.forward, FUNCTIONS.get(op.name)):
        home = getattr(function, "__module__", None)
        if home in families():
            return home
    return next(name for name, module in families().items() if op.name in module.__all__)


def names_of(op: Op) -> list[str]:
    """The names of an op's inputs, as its rule calls them."""
    if isinstance(op.pullback, tuple):
        for rule in op.pullback:
            if rule is not None:
                return list(inspect.signature(rule).parameters)[2 : 2 + (op.arity or 1)]
    if op.name in EXAMPLES:
        return list(inspect.signature(EXAMPLES[op.name][1]).parameters)
    return ["x"] if op.arity == 1 else list("abc")[: op.arity or 0]


# Formulas


def math(latex: str) -> str:
    """LaTeX that survives in a table cell."""
    return re.sub(r"(?<!\\)\|", r"\\vert ", f"${latex}$").replace(" $", "$")


def formula(op: Op) -> str:
    if op.name in NO_FORMULA:
        return NO_FORMULA[op.name]
    return math(op.notation.format(*(names_of(op) or ["x"]), "", ""))


def text(expression: object) -> str:
    """A SymPy expression in one line of words and signs."""
    if isinstance(expression, sympy.Piecewise):
        folded = sympy.piecewise_fold(expression)
        *parts, (last, condition) = folded.args
        cases = [f"{text(value)} if {text(when)}" for value, when in parts]
        cases.append(f"{text(last)} otherwise" if condition == sympy.true else f"{text(last)} if {text(condition)}")
        return ", ".join(cases)
    return str(expression).replace(" & ", " and ").replace(" | ", " or ")


# Rules


def flows(op: Op) -> list[str]:
    """What each input gets, as text in g (the cotangent), y (the result) and the inputs."""
    if op.pullback == () or (op.pullback is None and op.arity == 0):
        return ["nothing flows"]
    if op.name == "item":
        return ["g at output k, nothing at the others"]
    if op.name in UNTRACED:
        return [UNTRACED[op.name]]
    names = names_of(op)
    if op.indices == "elementwise":
        g, y, *inputs = [sympy.Symbol(n, real=True) for n in ("g", "y", *names)]
        shown = [None if d is None else text(d) for d in scalars._rules(op, g, y, inputs)]
    else:
        shown = traced(op, names)
    given = [(n, d) for n, d in zip(names, shown, strict=False) if d is not None]
    return [f"`{d}`" if len(names) == 1 else f"{n}: `{d}`" for n, d in given]


def traced(op: Op, names: list[str]) -> list[str | None]:
    """The rule of an op that is not elementwise, run on Tensors without values."""
    specs, f = example(op)
    found: list[str | None] = []

    def run(*xs: Tensor) -> Tensor:
        y = f(*xs)
        g = abstract(y.shape, y.dtype, name="g")
        known = {y.serial: "y", g.serial: "g", **{x.serial: n for x, n in zip(xs, names, strict=True)}}
        if isinstance(op.pullback, tuple):
            known |= {x.serial: n for x, n in zip(y.inputs, names, strict=False)}
            parts = [rule(g, y, *y.inputs, *y.params) if rule else None for rule in op.pullback]
        else:
            parts = op.pullback(g, y, y.inputs, y.params)
        found.extend(None if part is None else written(part, known) for part in parts)
        return y

    sg.trace(run, *specs)
    return found


def written(root: Tensor, known: dict[int, str]) -> str:
    """A graph as text; what is used more than once becomes a definition in front."""
    nodes = [n for n in reachable([root]) if n.op is not None and n.serial not in known]
    uses = [x.serial for n in nodes for x in n.inputs]
    known = dict(known)
    definitions = []

    def show(node: Tensor) -> str:
        if node.serial in known:
            return known[node.serial]
        if node.op is None:
            return "constants"
        if node.op.name in ("const", "size"):
            return str(node.params[0])
        inside = [*map(show, node.inputs), *map(key, node.params)]
        return f"{node.op.name}({', '.join(inside)})"

    for node in nodes:
        if uses.count(node.serial) > 1 and node.op.name not in ("const", "size"):
            definition = show(node)
            known[node.serial] = f"t{len(definitions) + 1}"
            definitions.append(f"{known[node.serial]} = {definition}")
    return "; ".join([*definitions, show(root)])


def key(param: object) -> str:
    """A parameter as people write it; an encoded index as a slice."""
    if isinstance(param, tuple) and param and all(isinstance(p, tuple) and p[:1] == ("slice",) for p in param):
        return "[" + ", ".join(f"{'' if a is None else a}:{'' if b is None else b}" for _, a, b, _ in param) + "]"
    return str(param)


def example(op: Op) -> tuple[tuple[object, ...], object]:
    if op.name not in EXAMPLES:
        raise SystemExit(f"docs: the op {op.name!r} is not elementwise; add it to EXAMPLES in docs/generate.py")
    return EXAMPLES[op.name]


# Verdicts


def verdict(op: Op) -> str:
    """PROVED, and for what; or how the rule is checked."""
    if op.pullback == () or op.arity == 0:
        return "nothing to prove"
    if op.name == "item":
        return "checked through `eigh`"
    if op.name in CHECKED_ELSEWHERE:
        return CHECKED_ELSEWHERE[op.name]
    if op.indices == "elementwise":
        if symbolic.prove_rule(op):
            return f"PROVED{where_proved(op)}"
        return checked(lambda a, b: op(a, b), [np.array([1.3, -2.2]), np.array([0.7, 0.9])])
    specs, f = example(op)
    try:
        named_specs = dict(zip(inspect.signature(f).parameters, specs, strict=True))
        if all(proof for proof in symbolic.derive(f, **named_specs).proofs.values()):
            return "PROVED for all sizes"
    except (sg.SymgradError, ValueError, TypeError):
        pass  # no meaning in index notation
    rng = np.random.default_rng(0)
    sizes = {"A": 3, "B": 2, "C": 4}
    return checked(f, [rng.normal(size=bind(spec.shape, sizes)) for spec in specs])


def checked(f: object, arrays: list[np.ndarray]) -> str:
    report = sg.gradcheck(f, arrays, order=2)
    if not report:
        raise SystemExit(f"docs: {report}")
    return "checked against differences, to second order"


def where_proved(op: Op) -> str:
    """The inputs that the proof of an elementwise rule covers."""
    names = names_of(op)
    back = dict(zip(scalars.NAMES, names, strict=False))
    if op.pieces:
        pieces = [re.sub(r"\b[xyz]\b", lambda m: back[m[0]], p).replace(" & ", " and ") for p in op.pieces]
        return " on each piece: " + "; ".join(f"`{re.sub('[()]', '', p)}`" for p in pieces)
    assumed = [re.sub(r"\b[xyz]\b", lambda m: back[m[0]], a) for a in symbolic.prove_rule(op).assumptions]
    return f" for {', '.join(f'`{a}`' for a in assumed)}" if assumed else ""


def conventions(op: Op) -> str:
    """What the rule gives at its singular points, for g = 1."""
    cells = []
    for point in SINGULAR.get(op.name, []):
        xs = [sg.tensor(x, requires_grad=k not in op.orders) for k, x in enumerate(point)]
        with np.errstate(all="ignore"):
            y = norm2(*xs) if op.name == "norm2" else FUNCTIONS[op.name](*xs)
            y.backward()
        at = ", ".join(f"{n} = {shown(x)}" for n, x in zip(names_of(op), point, strict=True))
        got = ", ".join(shown(x.grad.tolist()) for x in xs if x.grad is not None)
        cells.append(f"at {at}: {got}")
    return "<br>".join(cells)


def shown(x: object) -> str:
    if isinstance(x, list):
        return "[" + ", ".join(map(shown, x)) + "]"
    return f"{x + 0.0:g}"


# Pages


OPS_INTRO = """
# The ops

symgrad has {count} primitive ops; everything else is composed of them. Each op is one declaration, and this page is
read from those declarations.

- **formula** is the op's notation. Its inputs are called as in its rule.
- **what flows** is the rule: what each input gets. `g` is the cotangent of the result, `y` the result. For an
  elementwise op this is the text of the rule, run on SymPy scalars. For any other op it is the rule, traced on arrays
  of symbolic sizes A, B, C for one typical call.
- **verdict** says what is known about the rule. PROVED alone holds wherever the formula is real and has a derivative;
  otherwise the line says for which inputs. See [what PROVED means](proved.md). The tests check every op numerically
  as well, proved or not.
- **checked against** says what the tests compare value and derivatives with: mpmath (many digits), NumPy and SciPy,
  torch (value, gradient and second derivative), and the samples of torch's own tests. Differences check every op.
- **elsewhere** lists the names in NumPy, SciPy and torch.
- **singular points** shows what the rule gives, for g = 1, where no finite derivative exists. More in
  [singular points](singular-points.md).
"""

FUNCTIONS_INTRO = """
## Composed functions

These are ordinary functions of the ops above, and the public forms of ops that take an axis, a shape or an index. They
have no rules of their own.

| function | also called | what it computes | checked against | elsewhere |
|---|---|---|---|---|"""

CATALOGUE_INTRO = """
## The catalogue

Formulas that `sg.derive(name)` knows by name, with the verdict for the gradient by each argument, for all sizes.
Everything in this table is derived and proved each time the page is written.

| name | what it is | proofs | assumed | left out |
|---|---|---|---|---|"""

RULES_INTRO = r"""
# Update rules and schedules

An update rule is one function of the parameters $\theta$, their gradient $g$, its state and its hyperparameters. It
returns the new parameters and the new state. The same function runs on arrays, is differentiated, and is compiled into
the training step. The text below is that of the docstrings in `symgrad.optim.rules` and `symgrad.optim.schedules`.

## Update rules
"""

SCHEDULES_INTRO = """## Schedules

The learning rate as a function of $k$ = 0, 1, ..., which counts steps, or epochs with `unit="epoch"`.
"""


def ops_page() -> str:
    lines = [NOTE, OPS_INTRO.format(count=len(OPS))]
    ordered = sorted(OPS.values(), key=lambda op: list(families()).index(family(op)))
    for home, group in itertools.groupby(ordered, key=family):
        title = families()[home].__doc__.partition("\n")[0]
        title = re.sub(r"^`\w+`: |[:;].*|[.]$", "", title)
        lines += [
            f"## {title[0].upper()}{title[1:]}",
            "",
            "| op | formula | what flows | verdict | checked against | singular points | elsewhere |",
            "|---|---|---|---|---|---|---|",
        ]
        for op in group:
            row = [f"`{op.name}`", formula(op), "<br>".join(flows(op)), verdict(op), checked_against(op)]
            row += [conventions(op), peers(all_names(op))]
            lines.append("| " + " | ".join(row) + " |")
        lines.append("")
    return "\n".join([*lines, *functions_section(), *catalogue_section()]) + "\n"


def functions_section() -> list[str]:
    """Composed functions with the first sentence of their docstrings."""
    composed: dict[object, list[str]] = {}
    aliases: dict[object, list[str]] = {}
    public = {n: getattr(home, n) for home in SURFACE for n in home.__all__}
    for name, f in (public | FUNCTIONS).items():
        if isinstance(f, Op):
            if name != f.name:
                aliases.setdefault(f, []).append(name)
        elif inspect.isfunction(f) and f.__module__.startswith(
            ("symgrad.functions", "symgrad.ops", "symgrad.nn.functional", "symgrad.losses")
        ):
            composed.setdefault(f, []).append(name)
    lines = [FUNCTIONS_INTRO.lstrip("\n")]
    for f, names in sorted(composed.items(), key=lambda item: item[0].__name__):
        others = ", ".join(f"`{n}`" for n in names if n != f.__name__)
        lines.append(f"| `{f.__name__}` | {others} | {summary(f)} | {checked_against(f)} | {peers(all_names(f))} |")
    others = [f"`{n}` is `{f.name}`" for f, names in sorted(aliases.items(), key=lambda i: i[0].name) for n in names]
    return [*lines, "", f"Other names of ops: {', '.join(others)}.", ""]


def catalogue_section() -> list[str]:
    lines = [CATALOGUE_INTRO.lstrip("\n")]
    for name in symbolic.catalogue():
        d = symbolic.derive(name)
        by_verdict: dict[str, list[str]] = {}
        for argument, proof in d.proofs.items():
            by_verdict.setdefault(proof.verdict, []).append(f"`{argument}`")
        proofs = "; ".join(f"{v}: {', '.join(names)}" for v, names in by_verdict.items())
        what = summary(entry(name).function, displayed=False)
        assumed = ", ".join(map(math, d.assumptions))
        left_out = ", ".join(math(c.replace(r" \ne ", " = ")) for c in d.domain)
        lines.append(f"| `{name}` | {what} | {proofs} | {assumed} | {left_out} |")
    return lines


def summary(f: object, displayed: bool = True) -> str:
    """The first sentence of a docstring, with its formulas as LaTeX, and its displayed formula if asked."""
    if isinstance(f, Op):  # whose docstring is that of its class
        return f"${f.notation.format(*'xyz'[: f.arity])}$"  # type: ignore[union-attr, index]
    doc = inspect.cleandoc(f.__doc__ or "")
    first = " ".join(doc.split("\n\n")[0].split())
    block = re.search(r"\.\. math::\n((?:[ \t]+\S.*\n?)+)", doc)
    if block and displayed:
        first += " " + f"${' '.join(block[1].split())}$"
    first = re.sub(r"\.?\s*Parameters as in `\w+`\.?", ".", re.sub(r":math:`([^`]*)`", r"$\1$", first))
    return re.sub(r"\$[^$]*\$", lambda m: m[0].replace("|", r"\vert "), first)


PRESETS_INTRO = """## What other libraries do by default

Every optimizer takes ``like="..."``, which sets these options; what is given by hand overrules it. A library that is
named without options has symgrad's own defaults.

| optimizer | library | options |
|---|---|---|"""

GREEK = {"eps_root": r"\epsilon_r", "alpha": r"\alpha",
         "lr": r"\eta", "weight_decay": r"\lambda", "eps": r"\epsilon", "momentum": r"\beta", "lambd": r"\lambda",
         "decay": r"\beta", "eta_minus": r"\eta^-", "eta_plus": r"\eta^+", "momentum_decay": r"\psi",
         **{f"beta{k}": rf"\beta_{k}" for k in (1, 2, 3)}}  # fmt: skip


def from_graph(f: object) -> list[str]:
    """What a rule computes, printed from the graph of its own text; nothing where it reads norms of whole tensors."""
    found = declaration(f)
    state = [x for x in found.state if x not in found.optional]
    shapes = {x: sg.spec() if x in found.scalars else sg.spec("P") for x in ("theta", "g", *state)}
    if found.follows:
        del shapes["g"]
    signature = inspect.signature(f).parameters
    hyper = {
        x: sg.tensor(0.5, name=x) for x in found.hyperparameters if signature[x].default is inspect.Parameter.empty
    }
    hyper |= {x: None for x in ("step_min", "step_max") if x in found.hyperparameters}

    def run(*arguments: Tensor) -> list[Tensor]:
        return list(f(*arguments, **hyper))[: 1 + len(state)]

    named = [inspect.Parameter(x, inspect.Parameter.POSITIONAL_OR_KEYWORD) for x in shapes]
    run.__signature__ = inspect.Signature(named)
    names = ["theta", *state]
    try:
        equations = sg.trace(run, *shapes.values()).to_sympy()
    except (sg.SymgradError, TypeError):
        return []
    lines = []
    known = {a for e in equations for a in e.free_symbols}
    short = {a: sympy.Symbol(f"u_{a.name[1:]}") for a in known if re.fullmatch(r"t\d+", getattr(a, "name", ""))}
    for equation in equations:
        equation = equation.xreplace(short)
        target = str(equation.lhs).partition("[")[0]
        if re.fullmatch(r"y\d*", target):
            index = int(target[1:] or 1) - 1
            if index >= len(names):
                continue
            left = sympy.latex(sympy.Symbol(names[index])) + ("_i" if "[" in str(equation.lhs) else "")
        else:
            left = sympy.latex(equation.lhs)
        symbols = {x: GREEK.get(x.name) for x in equation.rhs.free_symbols if getattr(x, "name", "") in GREEK}
        lines.append(rf"{left} &\leftarrow {sympy.latex(equation.rhs, symbol_names=symbols)}")
    body = " \\\\\n".join(lines)
    return ["", "As the graph computes it:", "", "$$", r"\begin{aligned}", body, r"\end{aligned}", "$$"]


def presets_section() -> list[str]:
    rows = [
        f"| `{name}` | {library} | {', '.join(f'`{k}={v!r}`' for k, v in options.items()) or 'as here'} |"
        for name, libraries in sorted(PRESETS.items())
        for library, options in libraries.items()
    ]
    return [PRESETS_INTRO, *rows, ""]


ORACLES_INTRO = """## What the rules are compared with

Every cell names whose trajectory is symgrad's: 200 steps in float64, to within 1e-12 on recorded gradients and 1e-10 on
those that a small network gives as it is trained. In every one of them the rate follows a schedule; on recorded ones
some gradients are zero, one parameter has no axes, and the state is saved and restored midway. "paper" is the published
recurrence, calculated number by number. The libraries are PyTorch 2.13, Optax 0.2.8 and Keras 3.15.

"""
PEERS = {"torch": "PyTorch", "optax": "Optax", "keras": "Keras", "paper": "paper"}


def oracles_section() -> list[str]:
    """The table of rules and options with the oracle of each, from the cases that the tests run."""
    table: dict[str, dict[str, list[str]]] = {name: {} for name in rules.__all__}
    for name, case in optim_cases.CASES.items():
        made = getattr(optim, case.kind)([sg.tensor(0.0, requires_grad=True)], **case.common, **case.options)
        option = name.rpartition(", ")[2] if name.rpartition(", ")[2] in optim_cases.OPTIONS else ""
        peer = PEERS[case.oracle]
        if name in optim_cases.SPECIAL:
            own = {k: v for k, v in {**case.options, **case.common}.items() if k not in ("lr", "like")}
            shown = ", ".join(f"`{k}={v!r}`" for k, v in own.items())
            option, peer = ("more", f"{peer}: {shown}") if shown else ("", peer)
        table[made.groups[0].rule.__name__].setdefault(option, []).append(peer)
    for name, (peer, _) in optim_cases.AVERAGES.items():
        table[name.lower()][""] = [PEERS[peer]]
    columns = ["", *optim_cases.OPTIONS, "more"]
    lines = ["| rule | as it stands | weight decay | maximize | two groups | further options |", "|---" * 6 + "|"]
    for name in sorted(table):
        cells = ["; ".join(dict.fromkeys(table[name].get(column, []))) for column in columns]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    wrong = ", ".join(f"`{case.other}`" for case in optim_cases.WRONG.values())
    return [
        ORACLES_INTRO + "\n".join(lines),
        "",
        f"Not compared with Optax's {wrong}, which differ from the papers.",
        "",
    ]


def optimizers_page() -> str:
    lines = [NOTE, RULES_INTRO]
    for name in sorted(rules.__all__):
        f = getattr(rules, name)
        parameters = inspect.signature(f).parameters.values()
        state = declaration(f).state
        hyper = [p.name if p.default is p.empty else f"{p.name} = {p.default}" for p in parameters
                 if p.kind is p.KEYWORD_ONLY]  # fmt: skip
        lines += [f"### {name}", "", *markdown(f), *from_graph(f), "",
                  f"State: {', '.join(f'`{x}`' for x in state) or 'none'}. "
                  f"Hyperparameters: {', '.join(f'`{x}`' for x in hyper)}.", ""]  # fmt: skip
    lines += presets_section()
    lines += oracles_section()
    lines.append(SCHEDULES_INTRO)
    for name in sorted(set(schedules.__all__) - {"Schedule"}):
        f = getattr(schedules, name)
        parameters = inspect.signature(f).parameters.values()
        arguments = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
        lines += [f"### {name}", "", *markdown(f), "", f"Arguments: {', '.join(f'`{a}`' for a in arguments)}.", ""]
    return "\n".join(lines).rstrip() + "\n"


def markdown(f: object) -> list[str]:
    """A docstring up to its examples, as Markdown."""
    doc = inspect.cleandoc(f.__doc__ or "").partition("\nExamples\n---")[0].rstrip()
    doc = re.sub(r"\nReferences\n-+\n", "\nReference: ", doc)
    doc = re.sub(r"\.\. math::[ \t]*(\S.*)", r"$$\n\1\n$$", doc)
    doc = re.sub(r"\.\. math::\n((?:[ \t]+\S.*\n?)+)", lambda m: f"$$\n{inspect.cleandoc(m[1])}\n$$\n", doc)
    return re.sub(r":math:`([^`]*)`", r"$\1$", doc).splitlines()


def gallery() -> ModuleType:
    """The file beside this one that draws the gallery."""
    spec = importlib.util.spec_from_file_location("docs_gallery", HERE / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = {"ops.md": ops_page, "optimizers.md": optimizers_page, "gallery.md": lambda: gallery().page()}


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check compare them with the files."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python docs/generate.py [--check]\n")
        return 2
    stale = []
    for name, page in PAGES.items():
        path, content = HERE / name, page().encode()
        if not path.exists() or path.read_bytes() != content:
            stale.append(name)
            if not arguments:
                path.write_bytes(content)
                if name == "gallery.md":
                    gallery().draw()
    for name in stale:
        sys.stdout.write(f"docs/{name} {'is stale: run make docs' if arguments else 'was written'}\n")
    return int(bool(arguments and stale))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
