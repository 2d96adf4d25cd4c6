"""Settings of all tests."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent / "oracles"))  # the case table, which several test files read

# A deadline measures the machine, not the code.
settings.register_profile("symgrad", settings(), deadline=None)
settings.load_profile("symgrad")
