"""Under which conditions contenders run: one thread, and kernels of each library's own choice."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

__all__ = ["environment", "machine"]

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")}
ONE_THREAD["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
PINNING = ("OPENBLAS_", "NVPL_", "MKL_", "ATEN_", "DNNL_", "ONEDNN_", "XLA_", "NPY_", "NUMBA_CPU_")
"""Beginnings of the names of variables that pin a library to the kernels of some processor.

A machine may set one of them (say ``OPENBLAS_CORETYPE=Haswell``, for the same rounding everywhere). That would time
one library's own choice against another's pin.
"""
LIBRARIES = ("numpy", "numba", "torch", "jax", "autograd", "mygrad", "scikit-learn")
KERNELS = """
import json, numpy, threadpoolctl
print(json.dumps([one["architecture"] for one in threadpoolctl.threadpool_info() if one["internal_api"] == "openblas"]))
"""


def environment() -> dict[str, str]:
    """The variables that contenders are started with."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PINNING)} | ONE_THREAD


def machine() -> dict[str, str]:
    """What the figures depend on."""
    found = {"python": platform.python_version(), "processor": platform.processor() or platform.machine()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if find_spec("threadpoolctl"):
        told = subprocess.run([sys.executable, "-c", KERNELS], env=environment(), capture_output=True, check=True)
        found["OpenBLAS with kernels for"] = " and ".join(sorted(set(json.loads(told.stdout)))) or "unknown"
    return found
