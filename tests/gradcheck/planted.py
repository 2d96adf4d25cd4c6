"""What the tests of the gradient checker share."""

import numpy as np

import symgrad as sg

SCALES = [1e-6, 1e-3, 1.0, 1e3, 1e6]


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def op(forward, *pullback, **fields):
    return sg.op("planted", forward, pullback=pullback, **fields)


X = np.array([[0.7, -1.2], [1.9, 0.4], [-0.3, 1.1]])
ROW = np.array([0.5, -2.0])
Z, GAMMA, BETA = normal(5, 3), np.array([1.7, -0.4, 2.2]), np.array([0.3, -1.0, 0.8])
