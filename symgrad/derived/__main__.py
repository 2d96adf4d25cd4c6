"""``python -m symgrad.derived``: derive the kernels again and write their files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["KERNELS", "generate", "main"]

KERNELS = {"batch_norm": ("batchnorm", ("mu", "sigma2"))}
"""File name -> catalogue entry, and the named intermediates that layers want beside the output."""


def generate(entry: str, keep: Sequence[str] = ()) -> str:
    """The source of a kernel, derived and proved now."""
    from symgrad.symbolic import derive, source

    derivation = derive(entry)
    unproved = [name for name, proof in derivation.proofs.items() if proof.verdict != "PROVED"]
    if unproved:
        raise SystemExit(f"{entry}: the gradient of {', '.join(unproved)} is not proved; nothing was written")
    return source.module(derivation, keep)


def main() -> int:
    """Write every kernel into the folder `kernels`."""
    for name, (entry, keep) in KERNELS.items():
        path = Path(__file__).with_name("kernels") / f"{name}.py"
        path.write_text(generate(entry, keep), encoding="utf-8")
        sys.stdout.write(f"wrote {path.name}: derived and proved\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
