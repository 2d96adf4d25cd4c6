"""The gallery: every kind of picture with the lines that made it. `docs/generate.py` writes gallery.md from this file.

A function here is one picture: its docstring is the caption, its lines are what the page shows, what it returns is
drawn. The pictures stand in docs/gallery; run this file to draw them again (`make docs` does).
"""

import ast
import inspect
import sys
import textwrap
from pathlib import Path

import numpy as np

import symgrad as sg
import viz
from symgrad import losses, nn, optim
from symgrad.optim import rules, schedules
from symgrad.train import History

HERE = Path(__file__).parent
FOLDER = HERE / "gallery"


def neuron():
    """One neuron: value and gradient on every card, the local derivative as symbol and number on every edge."""
    x, y = sg.tensor(1.5, name="x"), sg.tensor(1.0, name="y")
    w = sg.tensor(-0.8, name="w", requires_grad=True)
    b = sg.tensor(0.4, name="b", requires_grad=True)
    p = sg.named(w * x, "p")
    z = sg.named(p + b, "z")
    a = sg.named(sg.sigmoid(z), "a")
    r = sg.named(a - y, "r")
    return viz.draw_backprop(sg.named(r**2, "L"))


def network():
    """A network with BatchNorm, open: modules are frames, parameters hang below, the target stands above."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    x = sg.tensor(rng.normal(size=(4, 2)), name="x")
    y = sg.tensor(rng.normal(size=(4, 1)), name="y")
    return viz.draw_backprop(losses.mse(model(x), y), fold=0)


def folded():
    """The same network, each module one card; the thick edge enters the one that couples the samples."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    x = sg.tensor(rng.normal(size=(4, 2)), name="x")
    y = sg.tensor(rng.normal(size=(4, 1)), name="y")
    return viz.draw_backprop(losses.mse(model(x), y), fold=1)


def shapes():
    """A model alone, for a batch of any size B."""
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    return viz.draw(model)


def top_down():
    """From the top down, dark, gradients only."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = sg.tensor(rng.normal(size=(4, 2)), name="x")
    return viz.draw((model(x) ** 2).mean(), mode="backward", direction="down", theme="dark", fold=0)


def batchnorm():
    """BatchNorm couples the samples of a minibatch."""
    return viz.draw_batchnorm(batch=3)


def batchnorm_any():
    """The same for any size of the minibatch."""
    return viz.draw_batchnorm(batch=None)


def batchnorm_backward():
    """Its backward pass; the local derivatives are derived, the zero between the statistics among them."""
    return viz.draw_batchnorm(batch=4, backward=True)


def softmax():
    """Softmax couples classes: the same function looked at its Jacobian, as for every other layer."""
    return viz.draw_coupling("softmax", axis=-1, batch=4, backward=True)


def layernorm():
    """LayerNorm couples the features of a sample."""
    return viz.draw_coupling("layernorm", axis=-1, batch=3)


def info_nce():
    """InfoNCE couples the rows of a batch."""
    return viz.draw_coupling("info_nce", batch=3)


def linear_relu():
    """A dense layer with ReLU couples nothing."""
    return viz.draw_coupling(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), batch=3)


def derivation():
    """A derivation: what each name is, and the gradient by it in closed form."""
    return viz.draw(sg.derive("batchnorm"), mode="both")


def update_rule():
    """An update rule is an ordinary function, and is drawn like one."""
    return viz.draw(rules.adam)


def repeats():
    """Sixty equal blocks are one card."""

    class Block(nn.Module):
        def __init__(self):
            self.fc, self.norm = nn.Linear(8, 8), nn.LayerNorm(8)

        def forward(self, x):
            return x + sg.tanh(self.norm(self.fc(x)))

    model = nn.Sequential(nn.Linear(4, 8), *[Block() for _ in range(60)], nn.Linear(8, 1))
    return viz.draw(model, fold=(1, "repeats"))


def focus():
    """One step around a tensor; the rest is counted, never left out silently."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    x = sg.tensor(rng.normal(size=(4, 2)), name="x")
    return viz.draw_backprop((model(x) ** 2).mean(), fold=0, focus="sigma2", hops=1)


def history():
    """Training and validation loss."""
    epochs = np.arange(1, 31)
    return viz.plot_history(
        History({"epoch": list(epochs), "loss": list(1 / epochs), "val_loss": list(1.1 / epochs**0.9)})
    )


def rates():
    """Learning rates, told apart by dashes too."""
    return viz.plot_schedules(
        {
            "cosine": schedules.cosine(0.1, 100),
            "step": schedules.step(0.1, 30),
            "constant": schedules.constant(0.05),
            "inverse time": schedules.inverse_time(0.1, 0.05),
        }
    )


def surface():
    """A loss surface with the paths of three optimizers."""

    def path(optimizer, steps=50, **options):
        w = sg.tensor([-2.2, 2.6], requires_grad=True)
        opt, found = optimizer([w], **options), [w.tolist()]
        for _ in range(steps):
            opt.zero_grad()
            (w[0] ** 2 + 1.5 * (w[0] + w[1]) ** 2).backward()
            opt.step()
            found.append(w.tolist())
        return found

    paths = {
        "SGD": path(optim.SGD, lr=0.03),
        "Momentum": path(optim.SGD, lr=0.03, momentum=0.9),
        "Adam": path(optim.Adam, lr=0.3),
    }
    return viz.plot_surface(lambda a, b: a * a + 1.5 * (a + b) ** 2, (-3, 3), (-3.6, 4), paths=paths, minimum=(0, 0))


def step_page():
    """A page of its own that goes through both passes one node at a time: open it, and press the right arrow."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    x = sg.tensor(rng.normal(size=(4, 2)), name="x")
    y = sg.tensor(rng.normal(size=(4, 1)), name="y")
    return viz.step_through(losses.mse(model(x), y))


PICTURES = [
    *(neuron, network, folded, shapes, top_down),
    *(batchnorm, batchnorm_any, batchnorm_backward, softmax, layernorm, info_nce, linear_relu),
    *(derivation, update_rule, repeats, focus, history, rates, surface, step_page),
]


# Pictures of the guides, whose pages have the lines


def sign_momentum(theta, g, m, *, lr, beta=0.9):
    m = beta * m + (1 - beta) * g
    return theta - lr * sg.sign(m), m


def own_rule():
    """An update rule of one's own."""
    return viz.draw(sign_momentum)


def own_path():
    """Its way down a valley, beside Adam's."""

    def valley(x):
        return (x[0] ** 2 + 30 * x[1] ** 2) / 2

    def trajectory(rule, state, **hyper):
        x = np.array([2.0, 1.0])
        path = [x]
        for _ in range(60):
            x, *state = rule(x, sg.grad(valley)(x), *state, **hyper)
            path.append(x)
        return np.array(path)

    paths = {
        "ours": trajectory(sign_momentum, [np.zeros(2)], lr=0.05),
        "Adam": trajectory(rules.adam, [np.zeros(2)] * 2 + [0.0], lr=0.05, beta1=0.9, beta2=0.999, eps=1e-8),
    }
    return viz.plot_surface(lambda a, b: valley((a, b)), (-0.5, 2.3), (-1.2, 1.2), paths=paths, minimum=(0, 0))


GUIDES = [own_rule, own_path]

INTRO = """
# Gallery

Every kind of picture, with the lines that made it. Each is drawn from the graph that runs: values, gradients and local
derivatives are the ones that train. All of them can be saved as SVG, PDF, PNG, HTML and DOT (`picture.save("a.svg")`),
and `symgrad draw` makes them from the command line. The lines assume

```python
import numpy as np
import symgrad as sg
import viz
from symgrad import losses, nn, optim
from symgrad.optim import rules, schedules
from symgrad.train import History
```
"""


def lines_of(function) -> str:
    """The lines of a function, without its definition and caption; what it returns is called picture."""
    source = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(source).body
    body = textwrap.dedent("\n".join(source.splitlines()[definition.body[0].end_lineno :])).strip("\n")
    return body.replace("\nreturn ", "\npicture = ").removeprefix("return ")


def file_of(function) -> str:
    """The name of its file."""
    return f"gallery/{function.__name__}.{'html' if function is step_page else 'svg'}"


def page() -> str:
    """The text of gallery.md."""
    lines = [
        "<!-- Written by docs/generate.py (make docs) from docs/gallery.py. Change that, not this page. -->",
        INTRO,
    ]
    for function in PICTURES:
        title = function.__name__.replace("_", " ").capitalize()
        caption = inspect.cleandoc(function.__doc__)
        shown = lines_of(function)
        shown = f"picture = {shown}" if "\n" not in shown else shown
        link = (
            f"[Open the page]({file_of(function)})" if function is step_page else f"![{caption}]({file_of(function)})"
        )
        lines += [f"## {title}", "", caption, "", link, "", "```python", shown, "```", ""]
    return "\n".join(lines)


def draw() -> None:
    """Draw all pictures again."""
    FOLDER.mkdir(exist_ok=True)
    for function in PICTURES + GUIDES:
        function().save(HERE / file_of(function))
        sys.stdout.write(f"docs/{file_of(function)}\n")


if __name__ == "__main__":
    draw()
