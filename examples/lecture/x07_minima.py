"""X7. Are local minima equivalent in large networks, and not in small ones?

Many networks of each width are trained on the same small task from different starts. Where minima are equivalent, all
end at about the same loss.
"""

import numpy as np
from experiment import Check, Experiment, dots

import symgrad as sg
from symgrad.optim import rules

WIDTHS, STARTS, STEPS = (2, 4, 8, 16, 32, 64), 12, 1500
X = np.linspace(-1, 1, 32)[:, None]
T = np.sin(5 * X) * X


def network(theta, width):
    """tanh(x a + b) c + d for all starts at once: theta has shape (starts, 3 width + 1)."""
    a, b, c = (theta[:, None, k * width : (k + 1) * width] for k in range(3))
    return sg.sum(sg.tanh(X * a + b) * c, axis=-1) + theta[:, None, -1]


def final_losses(seed, width):
    """The losses at which Adam ends from several starts."""
    rng = np.random.default_rng(seed)
    theta = (
        rng.normal(size=(STARTS, 3 * width + 1)) * np.r_[[3.0] * width, [1.5] * width, [1 / width**0.5] * width, [0.0]]
    )

    @sg.compile
    def step(theta, m, v, t, lr):
        errors = sg.mean((network(theta, width) - T[:, 0]) ** 2, axis=1)
        (g,) = sg.vjp(lambda th: sg.sum(sg.mean((network(th, width) - T[:, 0]) ** 2, axis=1)), theta)[1](np.ones(()))
        return errors, rules.adam(theta, g, m, v, t, lr=lr, beta1=0.9, beta2=0.999, eps=1e-8)

    m = v = np.zeros_like(theta)
    t = np.zeros(())
    for k in range(STEPS):
        errors, (theta, m, v, t, *_) = step(theta, m, v, t, np.asarray(0.03 * min(1.0, 2 * (1 - k / STEPS))))
    return np.sort(errors)


def measure(seed, control):
    ends = {width: final_losses(seed, WIDTHS[0] if control else width) for width in WIDTHS}
    spread = {width: float(np.std(e)) for width, e in ends.items()}
    return {
        "spread at width 64 / at width 2": spread[WIDTHS[-1]] / spread[WIDTHS[0]],
        "spread": list(spread.values()),
        "ends": [e for e in ends.values()],
    }


def draw(axes, on, off):
    dots(axes, WIDTHS, [r["spread"] for r in on], "standard deviation of the final losses", 0)
    medians = [np.median(r["ends"], axis=1) for r in on]
    dots(axes, WIDTHS, medians, "median of the final losses", 1)
    axes.set(xscale="log", yscale="log", xlabel="hidden units", ylabel="mean squared error")
    axes.set_xticks(WIDTHS, WIDTHS)
    axes.minorticks_off()
    axes.legend(frameon=False)


EXPERIMENT = Experiment(
    name="x07_minima",
    title="Local minima in narrow and wide networks",
    claim="From different starts wide networks end at nearly the same loss, narrow ones do not.",
    control="the narrow network under every width",
    checks=[Check("spread at width 64 / at width 2", "<", 0.1)],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
