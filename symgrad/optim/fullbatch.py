"""Minimisers that see all data at once: SciPy's, Newton's method, and Levenberg-Marquardt, with exact derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.optim.objective import FullBatch, Objective
from symgrad.tensor import Tensor

__all__ = ["LevenbergMarquardt", "Newton", "ScipyMinimize"]

PRODUCTS = ("Newton-CG", "trust-ncg", "trust-krylov", "trust-constr")  # they take the Hessian times a vector
HESSIANS = ("dogleg", "trust-exact")
PLAIN = ("Nelder-Mead", "Powell", "COBYLA", "COBYQA")  # they take no gradient


class ScipyMinimize(FullBatch):
    """`scipy.optimize.minimize` on the parameters, with exact gradients, Hessians and Hessian products.

    Parameters
    ----------
    params : iterable of Tensor
    method : str
        Any of SciPy's: "BFGS", "L-BFGS-B", "CG", "Newton-CG", "TNC", "trust-ncg", "trust-exact", ...
    tol : float, optional
    **options
        As `scipy.optimize.minimize` takes them, such as maxiter.

    Attributes
    ----------
    result : scipy.optimize.OptimizeResult
        Of the last `step`.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import optim
    >>> w = sg.tensor([-1.2, 1.0], requires_grad=True)
    >>> optimizer = optim.ScipyMinimize([w], method="trust-ncg")
    >>> loss = optimizer.step(lambda: 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2)
    >>> w.numpy().round(4).tolist()
    [1.0, 1.0]
    """

    def __init__(
        self, params: Iterable[Tensor], method: str = "L-BFGS-B", tol: float | None = None, **options: Any
    ) -> None:
        super().__init__(params)
        self.method, self.tol, self.options, self.result = method, tol, options, None

    def step(self, closure: Callable[[], Any]) -> float:
        """Minimise from where the parameters are; returns the loss at the end.

        Parameters
        ----------
        closure : callable
            Computes the loss from the parameters and returns it; traced once.
        """
        from scipy.optimize import minimize

        objective = Objective(closure, self.params)
        derivatives: dict[str, Any] = {"jac": True} if self.method not in PLAIN else {}
        if self.method in PRODUCTS:
            derivatives["hessp"] = objective.hvp
        if self.method in HESSIANS:
            derivatives["hess"] = objective.hessian

        def loss(theta: Any) -> Any:
            value, g = objective.value_and_grad(np.asarray(theta, objective.start().dtype))
            return (float(value), g) if derivatives else float(value)

        found: Any = minimize(
            loss, objective.start(), method=self.method, tol=self.tol, options=self.options, **derivatives
        )
        self.result = found
        objective.publish(found.x)
        return float(found.fun)


class Newton(FullBatch):
    r"""Newton's method: :math:`\theta \leftarrow \theta - \eta\, (H + \mu I)^{-1} g`, with the exact Hessian H.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    damping : float
        The :math:`\mu`.
    solver : {"direct", "cg"}
        "cg" never forms H: it solves by products of H with vectors, and needs a positive definite :math:`H + \mu I`.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import optim
    >>> w = sg.tensor([3.0, -5.0], requires_grad=True)
    >>> newton = optim.Newton([w], solver="cg")
    >>> loss = newton.step(lambda: (w * w).sum() + w[0] * w[1])
    >>> bool(abs(w.numpy()).max() < 1e-8)
    True
    """

    def __init__(self, params: Iterable[Tensor], lr: float = 1.0, damping: float = 0.0, solver: str = "direct") -> None:
        super().__init__(params)
        if solver not in ("direct", "cg"):
            raise SymgradError(f"Newton: solver={solver!r} is none of 'direct', 'cg'")
        self.lr, self.damping, self.solver = lr, damping, solver
        self._objective: tuple[Any, Objective] | None = None

    def step(self, closure: Callable[[], Any]) -> float:
        """One step; returns the loss before it. The same closure is traced once only."""
        if self._objective is None or self._objective[0] is not closure:
            self._objective = closure, Objective(closure, self.params)
        objective = self._objective[1]
        theta = objective.start()
        loss, g = objective.value_and_grad(theta)
        objective.publish(theta - self.lr * self._solved(objective, theta, g))
        return float(loss)

    def _solved(self, objective: Objective, theta: Any, g: Any) -> Any:
        if self.solver == "direct":
            return np.linalg.solve(objective.hessian(theta) + self.damping * np.eye(len(g)), g)
        from scipy.sparse.linalg import LinearOperator, cg

        product = LinearOperator((len(g), len(g)), matvec=lambda v: objective.hvp(theta, v) + self.damping * v)
        found, unsolved = cg(product, g, rtol=1e-12, maxiter=10 * len(g))
        if unsolved:
            raise SymgradError(
                "Newton: the conjugate gradients did not converge; raise damping, or use solver='direct'"
            )
        return found


class LevenbergMarquardt(FullBatch):
    """Least squares by `scipy.optimize.least_squares`, with the exact Jacobian of the residuals.

    Parameters
    ----------
    params : iterable of Tensor
    method : {"lm", "trf", "dogbox"}
    **options
        As SciPy takes them, such as loss or max_nfev.

    Attributes
    ----------
    result : scipy.optimize.OptimizeResult

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import optim
    >>> w = sg.tensor([-1.2, 1.0], requires_grad=True)
    >>> fit = optim.LevenbergMarquardt([w])
    >>> half_of_squares = fit.step(lambda: sg.stack([10 * (w[1] - w[0] ** 2), 1 - w[0]]))
    >>> w.numpy().round(6).tolist()
    [1.0, 1.0]
    """

    def __init__(self, params: Iterable[Tensor], method: str = "lm", **options: Any) -> None:
        super().__init__(params)
        self.method, self.options, self.result = method, options, None

    def step(self, closure: Callable[[], Any]) -> float:
        """Fit from where the parameters are; returns half of the sum of squares at the end.

        Parameters
        ----------
        closure : callable
            Computes the vector of residuals and returns it.
        """
        from scipy.optimize import least_squares

        from symgrad.plan import compile

        objective = Objective(closure, self.params)
        residuals = compile(lambda theta: objective.value(theta).reshape(-1))
        rows = lambda theta: objective.jacobian(theta).reshape(-1, len(theta))  # noqa: E731
        found: Any = least_squares(residuals, objective.start(), jac=rows, method=self.method, **self.options)
        self.result = found
        objective.publish(found.x)
        return float(found.cost)
