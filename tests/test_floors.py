"""A module imports only from floors below its own (docs: the layout); function-level imports count."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A unit is a module, or a package with all that is in it; within a unit imports are free.
FLOORS = {
    0: [
        "symgrad.errors",
        "symgrad.shapes",
        "symgrad.trees",
        "symgrad.constants",
        "symgrad.files",
        "symgrad.rechecking",
    ],
    1: ["symgrad.saving", "symgrad.op", "symgrad.context", "symgrad.operators"],
    2: ["symgrad.tensor", "symgrad.recording"],
    3: ["symgrad.ops"],
    4: ["symgrad.functions", "symgrad.reverse", "symgrad.differentiate"],
    5: ["symgrad.graph", "symgrad.tracing", "symgrad.passes", "symgrad.calling", "symgrad.checking"],
    6: ["symgrad.symbolic"],
    7: ["symgrad.derived", "symgrad.plan"],
    8: [
        "symgrad.losses",
        "symgrad.linalg",
        "symgrad.special",
        "symgrad.data",
        "symgrad.nn",
        "symgrad.optim",
        "symgrad.regularizers",
    ],
    9: ["symgrad.train"],
    10: ["symgrad"],
    11: ["viz"],
    12: ["symgrad.cli"],
    13: ["symgrad.__main__"],
}
IN_ORDER = {0, 1, 2, 4, 5}  # floors on which a unit may import those listed before it
ALLOWED: set[tuple[str, str]] = set()  # further pairs (importer, imported) on one floor
SYMPY = {"symgrad.symbolic", "viz", "symgrad.cli"}  # the units that may import SymPy

PLACE = {unit: (floor, k) for floor, units in FLOORS.items() for k, unit in enumerate(units)}


# --- the checker: it works on {module name: (is it a package, source)}


def unit_of(module: str) -> str | None:
    """The unit a module belongs to; symgrad itself is only its own __init__."""
    while module not in PLACE:
        module = module.rpartition(".")[0]
        if module in ("", "symgrad"):
            return None
    return module


def may_import(importer: str, imported: str) -> bool:
    if importer == imported or (importer, imported) in ALLOWED:
        return True
    (above, k), (below, j) = PLACE[importer], PLACE[imported]
    return below < above or (below == above and above in IN_ORDER and j < k)


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs: bodies of `if TYPE_CHECKING:` are left out, their else branches are not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in node.orelse:
                yield other
                yield from statements(other)
        else:
            yield node
            yield from statements(node)


def imports(name: str, sources) -> Iterator[tuple[int, str]]:
    """The line and target of every import of a module; `from a import b` targets a.b where that is a module."""
    package, source = sources[name]
    here = name if package else name.rpartition(".")[0]
    for node in statements(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                start = here.rsplit(".", level - 1)[0] if level else ""
                base = ".".join(filter(None, (start, module)))
                for alias in names:
                    full = f"{base}.{alias.name}"
                    yield node.lineno, full if full in sources else base
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(text)), *_],
            ):
                dots = len(text) - len(text.lstrip("."))
                start = here.rsplit(".", dots - 1)[0] if dots else ""
                yield node.lineno, ".".join(filter(None, (start, text[dots:])))


def violations(sources) -> list[str]:
    found = []
    for name in sources:
        unit = unit_of(name)
        if unit is None:
            found.append(f"{name}: on no floor; add it to FLOORS")
            continue
        for line, target in dict.fromkeys(imports(name, sources)):
            top = target.partition(".")[0]
            if top == "sympy" and unit not in SYMPY:
                found.append(f"{name}:{line}: imports sympy, which only {sorted(SYMPY)} may")
            if top not in ("symgrad", "viz"):
                continue
            imported = unit_of(target)
            if imported is None:
                found.append(f"{name}:{line}: imports {target}, which is on no floor")
            elif not may_import(unit, imported):
                found.append(
                    f"{name}:{line}: imports {target} (floor {PLACE[imported][0]}) from floor {PLACE[unit][0]}"
                )
    return found


def public_names(name: str, sources) -> set[str]:
    """The names that a package's __init__ binds to something else than a module."""
    tree = ast.parse(sources[name][1])
    found = set()
    for node in [*tree.body, *(inner for block in tree.body if isinstance(block, ast.If) for inner in block.body)]:
        match node:
            case ast.FunctionDef(name=bound) | ast.ClassDef(name=bound):
                found.add(bound)
            case ast.Assign(targets=targets):
                found.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.ImportFrom(module=module, names=names, level=level):
                start = name.rsplit(".", level - 1)[0] if level else ""
                base = ".".join(filter(None, (start, module)))
                found.update(a.asname or a.name for a in names if f"{base}.{a.name}" not in sources)
    # Names that are loaded on first use stand in __init__ as text.
    text = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for word in text:
        package, source = sources.get(f"{name}.{word}", (True, ""))
        defined = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        if not package and word in defined:
            found.add(word)
    return found


def shadowed(sources) -> list[str]:
    """Modules with the name of something public in their package: which of the two is meant depends on import order."""
    packages = [name for name, (package, _) in sources.items() if package]
    clashes = (f"{package}.{name}" for package in packages for name in public_names(package, sources))
    return sorted(name for name in clashes if name in sources)


# --- the code itself


@pytest.fixture(scope="module")
def code():
    sources = {}
    for path in (path for top in ("symgrad", "viz") for path in (ROOT / top).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        package = parts[-1] == "__init__"
        sources[".".join(parts[: -1 if package else None])] = package, path.read_text(encoding="utf-8")
    return sources


def test_modules_import_only_from_below(code):
    assert not violations(code)


# Modules that define the function of their own name: whichever of the two is meant, it is the same thing.
NAMESAKES = {"symgrad.op", "symgrad.tensor"}


def test_no_module_has_the_name_of_a_public_function(code):
    assert set(shadowed(code)) == NAMESAKES


def test_the_table_has_no_dead_rows(code):
    assert set(PLACE) <= set(code)


# --- the checker finds what is planted


def planted(**changes):
    """A small tree that is right, with changes; double underscores stand for dots."""
    files = {
        "symgrad": "from symgrad.tensor import Tensor\nfrom symgrad import nn",
        "symgrad__errors": "",
        "symgrad__shapes": "from symgrad.errors import ShapeError",
        "symgrad__tensor": "from . import shapes\nimport numpy",
        "symgrad__ops": "from . import basic",
        "symgrad__ops__basic": "from symgrad.ops.other import f\nfrom ..tensor import Tensor",
        "symgrad__ops__other": "",
        "symgrad__nn": "from symgrad.tensor import Tensor",
        "symgrad__data": "",
        "symgrad__symbolic": "import sympy.core",
        "viz": "import symgrad as sg\nimport sympy",
        "symgrad__cli": "import viz",
    }
    packages = {"symgrad", "symgrad__ops", "symgrad__nn", "symgrad__data", "symgrad__symbolic", "viz", "symgrad__cli"}
    return {name.replace("__", "."): (name in packages, source) for name, source in (files | changes).items()}


def test_a_right_tree_passes():
    assert violations(planted()) == []
    assert shadowed(planted()) == []


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        (
            "symgrad__tensor",
            "def f():\n    from symgrad.nn import Linear",
            ":2: imports symgrad.nn (floor 8) from",
        ),
        ("symgrad__tensor", "def f():\n    import symgrad.ops.basic", ":2: imports symgrad.ops.basic (floor 3)"),
        ("symgrad__tensor", "from . import ops", ":1: imports symgrad.ops (floor 3) from floor 2"),
        ("symgrad__tensor", "import symgrad", ":1: imports symgrad (floor 10) from floor 2"),
        ("symgrad__tensor", "from symgrad import Tensor", ":1: imports symgrad (floor 10) from floor 2"),
        ("symgrad__tensor", "import_module('symgrad.symbolic')", ":1: imports symgrad.symbolic (floor 6)"),
        (
            "symgrad__tensor",
            "importlib.import_module('.symbolic', __package__)",
            ":1: imports symgrad.symbolic (floor 6)",
        ),
        ("symgrad__tensor", "if x:\n    pass\nelse:\n    import viz", ":4: imports viz (floor 11) from floor 2"),
        ("symgrad__tensor", "if TYPE_CHECKING:\n    pass\nelse:\n    import viz", ":4: imports viz (floor 11)"),
        ("symgrad__tensor", "if not TYPE_CHECKING:\n    import viz", ":2: imports viz (floor 11)"),
        ("symgrad__tensor", "def f():\n    from sympy import Symbol", ":2: imports sympy, which only"),
        ("symgrad__ops__basic", "from ..nn import Linear", ":1: imports symgrad.nn (floor 8) from floor 3"),
        ("symgrad__ops", "from ..nn import Linear", ":1: imports symgrad.nn (floor 8) from floor 3"),
        ("symgrad__ops", "from .. import nn", ":1: imports symgrad.nn (floor 8) from floor 3"),
        ("symgrad__errors", "from symgrad import shapes", ":1: imports symgrad.shapes (floor 0) from floor 0"),
        ("symgrad__data", "from symgrad.nn import Linear", ":1: imports symgrad.nn (floor 8) from floor 8"),
        ("symgrad__data", "import symgrad.attic", ":1: imports symgrad.attic, which is on no floor"),
        ("symgrad", "import viz", ":1: imports viz (floor 11) from floor 10"),
        ("symgrad__nn", "import viz.dot", ":1: imports viz.dot (floor 11) from floor 8"),
        ("viz", "from symgrad import cli", ":1: imports symgrad.cli (floor 12) from floor 11"),
        ("symgrad__attic", "", ": on no floor; add it to FLOORS"),
    ],
)
def test_a_wrong_import_is_caught(module, source, message):
    (found,) = violations(planted(**{module: source}))
    assert found.startswith(module.replace("__", ".") + message)


@pytest.mark.parametrize(
    "source",
    [
        "if TYPE_CHECKING:\n    from symgrad.nn import Linear",
        "if typing.TYPE_CHECKING:\n    def f():\n        import viz",
        "def f():\n    '''import viz'''",
    ],
)
def test_what_never_runs_is_free(source):
    assert violations(planted(symgrad__tensor=source)) == []


@pytest.mark.parametrize(
    "init",
    [
        "from symgrad.tensor import tensor",
        "from .tensor import make as tensor",
        "def tensor(): ...",
        "tensor = None",
        "_LATER = {'tensor': 'symgrad.tensor'}",
        "if TYPE_CHECKING:\n    from symgrad.making import tensor",
    ],
)
def test_a_shadowing_module_is_caught(init):
    sources = planted(symgrad=init, symgrad__tensor="def tensor(): ...")
    assert shadowed(sources) == ["symgrad.tensor"]
