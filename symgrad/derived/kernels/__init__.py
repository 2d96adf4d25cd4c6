"""Generated kernels: plain NumPy, each usable without symgrad; written by ``make derive``."""
