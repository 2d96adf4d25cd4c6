"""Write symgrad/data/digits.npz from scikit-learn's copy of the UCI digits: python tools/make_digits.py."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "symgrad" / "data" / "digits.npz"


def main() -> None:
    digits = load_digits()
    X, y = digits.data.astype(np.uint8), digits.target.astype(np.uint8)
    if not (np.array_equal(X, digits.data) and np.array_equal(y, digits.target)):
        raise SystemExit("the digits are no longer whole numbers from 0 to 255: choose another element type")
    np.savez_compressed(TARGET, X=X, y=y)
    print(f"wrote {len(y)} digits to {TARGET.name}, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
