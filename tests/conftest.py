"""Settings of all tests."""

import signal
import sys
from pathlib import Path

from hypothesis import settings

for folder in (
    "oracles",
    "lecture",
    "symbolic",
    "differentiation",
    "gradcheck",
):  # the case table, the planting of mutants and what else several test files read
    sys.path.insert(0, str(Path(__file__).parent / folder))

# As in a terminal, also where the tests run in the background, where Ctrl-C is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A deadline measures the machine, not the code.
settings.register_profile("symgrad", settings(), deadline=None)
settings.load_profile("symgrad")
