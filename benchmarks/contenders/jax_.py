"""JAX: the whole step under jit, with its buffers donated."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problems import (
    BETA1,
    BETA2,
    EPS,
    MOMENTUM,
    Chain,
    Hessian,
    Network,
    Norm,
    Update,
    arrays,
    given,
    normed,
)


def _loss(problem: Network, h: Any, y: Any) -> Any:
    if problem.loss == "mse":
        return jnp.mean((h - y) ** 2)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(h), y[:, None], 1))


def _updated(problem: Network, theta: Any, g: Any, state: Any) -> Any:
    tree = jax.tree_util.tree_map
    if problem.optimizer == "momentum":
        v = tree(lambda v, g: MOMENTUM * v + g, state, g)
        return tree(lambda p, v: p - problem.lr * v, theta, v), v
    m, v, t = state
    t = t + 1
    m = tree(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, g)
    v = tree(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)
    c, d = 1 - BETA1**t, 1 - BETA2**t
    theta = tree(lambda p, m, v: p - problem.lr * (m / c) / (jnp.sqrt(v / d) + EPS), theta, m, v)
    return theta, (m, v, t)


def _trained(problem: Network, forward: Any, theta: Any, data: Any) -> Any:
    zeros = jax.tree_util.tree_map(jnp.zeros_like, theta)
    state = zeros if problem.optimizer == "momentum" else (zeros, jax.tree_util.tree_map(jnp.zeros_like, theta),
                                                           jnp.zeros(()))  # fmt: skip

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(theta: Any, state: Any, x: Any, y: Any) -> Any:
        value, g = jax.value_and_grad(lambda p: _loss(problem, forward(p, x), y))(theta)
        theta, state = _updated(problem, theta, g, state)
        return theta, state, value

    x, y = jnp.asarray(data["x"]), jnp.asarray(data["y"])
    held = [theta, state]

    def step() -> Any:
        held[0], held[1], value = update(*held, x, y)
        return value.block_until_ready()

    return step


def network(problem: Network) -> Any:
    data = arrays(problem)
    last = len(data["weights"]) - 1
    theta = []
    for k, w in enumerate(data["weights"]):
        here = {"w": jnp.asarray(w)}
        if not problem.norm or k == last:
            here["b"] = jnp.zeros(w.shape[1], jnp.float32)
        if problem.norm and k < last:
            here |= {"gamma": jnp.ones(w.shape[1], jnp.float32), "beta": jnp.zeros(w.shape[1], jnp.float32)}
        theta.append(here)

    def forward(theta: Any, x: Any) -> Any:
        for k, p in enumerate(theta):
            x = x @ p["w"] + p.get("b", 0)
            if "gamma" in p:
                x = (x - x.mean(0)) / jnp.sqrt(x.var(0) + 1e-5) * p["gamma"] + p["beta"]
            if k < last:
                x = jnp.tanh(x) if problem.activation == "tanh" else jax.nn.relu(x)
        return x

    return _trained(problem, forward, theta, data)


def cnn(problem: Network) -> Any:
    data = arrays(problem)
    theta = {"k": [(jnp.asarray(k), jnp.zeros(k.shape[0], jnp.float32)) for k in data["kernels"]],
             "w": jnp.asarray(data["weights"][0]), "b": jnp.zeros(10, jnp.float32)}  # fmt: skip

    def convolved(x: Any, k: Any, b: Any) -> Any:
        return jax.nn.relu(jax.lax.conv_general_dilated(x, k, (1, 1), "VALID") + b[:, None, None])

    def forward(theta: Any, x: Any) -> Any:
        x = convolved(x, *theta["k"][0])
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        x = convolved(x, *theta["k"][1])
        return x.reshape(x.shape[0], -1) @ theta["w"] + theta["b"]

    return _trained(problem, forward, theta, data)


def norm(problem: Norm) -> Any:
    data = [jnp.asarray(x) for x in normed(problem)]

    def f(z: Any, gamma: Any, beta: Any) -> Any:
        return (z - z.mean(0)) / jnp.sqrt(z.var(0) + 1e-5) * gamma + beta

    @jax.jit
    def both(z: Any, gamma: Any, beta: Any, g: Any) -> Any:
        y, pull = jax.vjp(f, z, gamma, beta)
        return y, *pull(g)

    def step() -> Any:
        return jax.block_until_ready(both(*data))[2][0]

    return step


def chain(problem: Chain) -> Any:
    jax.config.update("jax_enable_x64", True)
    a, b, x = jnp.full(10, 0.9), jnp.full(10, 0.1), jnp.linspace(0, 1, 10)

    def f(x: Any) -> Any:
        return jax.lax.scan(lambda y, _: (jnp.sin(y) * a + b, None), x, None, problem.links)[0].sum()

    run = jax.jit(jax.value_and_grad(f))
    return lambda: jax.block_until_ready(run(x))[0]


def hessian(problem: Hessian) -> Any:
    jax.config.update("jax_enable_x64", True)

    def f(x: Any) -> Any:
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    run = jax.jit(jax.hessian(f))
    x = np.linspace(-1, 1, problem.variables)
    return lambda: run(x).block_until_ready()[0, 0]


def update(problem: Update) -> Any:
    import optax

    values, gradients = ([jnp.asarray(x) for x in xs] for xs in given(problem))
    make = {
        "sgd": lambda: optax.sgd(problem.lr),
        "momentum": lambda: optax.sgd(problem.lr, MOMENTUM),
        "adam": lambda: optax.adam(problem.lr, BETA1, BETA2, EPS),
        "adamw": lambda: optax.adamw(problem.lr, BETA1, BETA2, EPS, weight_decay=problem.decay),
    }
    optimizer = make[problem.optimizer]()

    @partial(jax.jit, donate_argnums=(0, 1))
    def run(theta: Any, state: Any, g: Any) -> Any:
        updates, state = optimizer.update(g, state, theta)
        return optax.apply_updates(theta, updates), state

    held = list(run(values, optimizer.init(values), gradients))
    done = sum(float(jnp.abs(p).sum()) for p in held[0])

    def step() -> float:
        held[:] = jax.block_until_ready(run(*held, gradients))
        return done

    return step
