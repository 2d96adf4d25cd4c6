"""A small symgrad from nothing: one formula runs, differentiates, derives, is drawn and compiles. Scalars only.

Run it: python examples/build_it_yourself.py. It prints what each part makes and checks it.
"""

import math
from itertools import count

import sympy

# 1. An op is declared once: its value, its symbol, what flows back to each input, and how it is written in Python.
#    g is the gradient of the result, y the result, the rest are the inputs. The rules use nothing but ops, so the
#    same text works on numbers (a value), on nodes (a new graph, hence any order) and on symbols (a formula).
OPS = {
    "add": (lambda a, b: a + b, lambda g, y, a, b: (g, g), "({} + {})"),
    "mul": (lambda a, b: a * b, lambda g, y, a, b: (g * b, g * a), "({} * {})"),
    "exp": (lambda a: sympy.exp(a) if isinstance(a, sympy.Expr) else math.exp(a), lambda g, y, a: (g * y,), "exp({})"),
    "tanh": (lambda a: sympy.tanh(a) if isinstance(a, sympy.Expr) else math.tanh(a),
             lambda g, y, a: (g * (1 + -1 * y * y),), "tanh({})"),
}  # fmt: skip
serials = count()


# 2. A node knows from what it was computed. Its serial number grows, so sorting by it puts inputs before results.
class Node:
    def __init__(self, value, op=None, inputs=(), name=""):
        self.value, self.op, self.inputs, self.name, self.serial = value, op, inputs, name, next(serials)

    def __add__(self, other):
        return apply("add", self, other)

    def __mul__(self, other):
        return apply("mul", self, other)

    __radd__, __rmul__ = __add__, __mul__


def node(x):
    return x if isinstance(x, Node) else Node(x, name=str(x))


def apply(op, *inputs):
    nodes = tuple(map(node, inputs))
    return Node(OPS[op][0](*(n.value for n in nodes)), op, nodes)


def exp(x):
    return apply("exp", x)


def tanh(x):
    return apply("tanh", x)


def graph(root):
    """All nodes below a node, inputs first; no recursion, so a long chain is no trouble."""
    found, waiting = {}, [root]
    while waiting:
        n = waiting.pop()
        if n.serial not in found:
            found[n.serial] = n
            waiting.extend(n.inputs)
    return [found[s] for s in sorted(found)]


# 3. Differentiate: from the result backwards, every node passes on what its rule says; what meets is added.
def grad(y, *xs):
    flowing = {y.serial: node(1)}
    for n in reversed(graph(y)):
        if n.op and n.serial in flowing:
            for x, part in zip(n.inputs, OPS[n.op][1](flowing[n.serial], n, *n.inputs), strict=True):
                flowing[x.serial] = flowing[x.serial] + part if x.serial in flowing else part
    return [flowing.get(x.serial, node(0)) for x in xs]


# 4. Draw: one box for every node, one arrow for every use, in Graphviz's language.
def draw(y):
    boxes = [f'n{n.serial} [label="{n.name or n.op}"]' for n in graph(y)]
    arrows = [f"n{x.serial} -> n{n.serial}" for n in graph(y) for x in n.inputs]
    return "digraph { rankdir=LR; node [shape=box]; " + "; ".join(boxes + arrows) + " }"


# 5. Compile: one line of Python for every node.
def compile_(ys, xs):
    names = {x.serial: x.name for x in xs}
    lines = [f"def f({', '.join(x.name for x in xs)}):"]
    for n in sorted({n.serial: n for y in ys for n in graph(y)}.values(), key=lambda n: n.serial):
        if n.serial not in names:
            text = OPS[n.op][2].format(*(names[x.serial] for x in n.inputs)) if n.op else repr(n.value)
            names[n.serial] = f"t{n.serial}"
            lines.append(f"    t{n.serial} = {text}")
    source = "\n".join([*lines, f"    return {', '.join(names[y.serial] for y in ys)}"])
    space = {"exp": math.exp, "tanh": math.tanh}
    exec(source, space)  # our own text: made of op names and numbers, never of what somebody typed
    return space["f"], source


def formula(x, w, b):
    """Written once: one neuron and its squared distance from 1."""
    error = tanh(w * x + b) + -1
    return error * error


def main():
    # It runs and differentiates, twice.
    x, w, b = Node(0.5, name="x"), Node(-0.8, name="w"), Node(0.3, name="b")
    loss = formula(x, w, b)
    (dw,) = grad(loss, w)
    (dww,) = grad(dw, w)
    print(f"loss {loss.value:.6f}   dloss/dw {dw.value:.6f}   d2loss/dw2 {dww.value:.6f}")
    # It derives: the same formula and the same rules on symbols; SymPy's own derivative proves them.
    symbols = [Node(sympy.Symbol(name, real=True), name=name) for name in "xwb"]
    derived = grad(formula(*symbols), symbols[1])[0].value
    assert sympy.simplify(derived - sympy.diff(formula(*symbols).value, symbols[1].value)) == 0
    print(f"derived: dloss/dw = {sympy.factor(derived)}   PROVED")
    numbers = {s.value: n.value for s, n in zip(symbols, (x, w, b), strict=True)}
    assert abs(float(derived.subs(numbers)) - dw.value) < 1e-12
    # It is drawn, and it compiles: the loss with its gradients as one program, which trains the neuron.
    print(draw(loss)[:76] + " ...")
    step, source = compile_([loss, *grad(loss, w, b)], [x, w, b])
    print(source.splitlines()[0], "...", len(source.splitlines()), "lines")
    at_w, at_b = w.value, b.value
    for _ in range(200):
        value, gw, gb = step(x.value, at_w, at_b)
        at_w, at_b = at_w - gw, at_b - gb
    assert value < 0.01 < loss.value
    print(f"trained: loss {value:.6f} after 200 steps")


if __name__ == "__main__":
    main()
