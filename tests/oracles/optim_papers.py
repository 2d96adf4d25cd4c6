"""Update rules as their sources print them, one number at a time: oracles where no library here has the rule.

Each is a generator of parameters: it takes (gradient, rate, loss) from a tape, and yields where the parameter is then.
"""

import math


def sign(x):
    return (x > 0) - (x < 0)


def momentum_lecture(w, tape, beta=0.9):
    """dW = beta dW - eta g; W = W + dW. With g taken at W + beta dW, that is Nesterov's."""
    step = 0.0
    for g, lr, _ in tape:
        step = beta * step - lr * g
        w = w + step
        yield w


def lookahead(w, tape, beta=0.9):
    """The same, seen from W + beta dW."""
    step = 0.0
    for g, lr, _ in tape:
        step = beta * step - lr * g
        w = w + step
        yield w + beta * step


def adam(w, tape, beta1=0.9, beta2=0.999, eps=1e-8):
    """Kingma and Ba, algorithm 1."""
    m = v = 0.0
    for t, (g, lr, _) in enumerate(tape, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w = w - lr * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + eps)
        yield w


def adan(w, tape, decay=0.0):
    """The authors' algorithm 1; their betas are 1 less ours."""
    b1, b2, b3 = 0.02, 0.08, 0.01
    m = d = n = 0.0
    before = None
    for t, (g, lr, _) in enumerate(tape, 1):
        change = 0.0 if before is None else g - before
        m = (1 - b1) * m + b1 * g
        d = (1 - b2) * d + b2 * change
        n = (1 - b3) * n + b3 * (g + (1 - b2) * change) ** 2
        m_hat, d_hat, n_hat = m / (1 - (1 - b1) ** t), d / (1 - (1 - b2) ** t), n / (1 - (1 - b3) ** t)
        w = (1 - lr * decay) * w - lr * (m_hat + (1 - b2) * d_hat) / (math.sqrt(n_hat) + 1e-8)
        before = g
        yield w


def rprop_lecture(w, tape):
    """The slides' loop: go back over a minimum, and take the step again shorter."""
    size, s = None, 0
    for g, lr, _ in tape:
        size = lr if size is None else size
        if s * g > 0:
            size = min(1.2 * size, 50.0)
        elif s * g < 0:
            w = w + s * size
            size = max(0.5 * size, 1e-6)
        if s * g >= 0:
            s = sign(g)
        w = w - s * size
        yield w


def rprop_minus(w, tape):
    """Riedmiller 1994."""
    size, before = None, 0.0
    for g, lr, _ in tape:
        size = lr if size is None else size
        if g * before > 0:
            size = min(size * 1.2, 50.0)
        elif g * before < 0:
            size = max(size * 0.5, 1e-6)
        w = w - sign(g) * size
        before = g
        yield w


def rprop_plus(w, tape, improved=False):
    """Riedmiller and Braun 1993; improved, as Igel and Hüsken have it, a step is undone only where the loss rose."""
    size, before, step, error = None, 0.0, 0.0, math.inf
    for g, lr, loss in tape:
        size = lr if size is None else size
        if g * before > 0:
            size = min(size * 1.2, 50.0)
            step = -sign(g) * size
            before = g
        elif g * before < 0:
            size = max(size * 0.5, 1e-6)
            step = -step if not improved or loss > error else 0.0
            before = 0.0
        else:
            step = -sign(g) * size
            before = g
        w = w + step
        error = loss
        yield w


def irprop_plus(w, tape):
    return rprop_plus(w, tape, improved=True)
