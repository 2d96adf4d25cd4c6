"""What the tests of differentiation share."""

import numpy as np

import symgrad as sg

INF = np.inf


def leaf(data, **options):
    return sg.tensor(data, requires_grad=True, **options)


def close(a, b, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)
