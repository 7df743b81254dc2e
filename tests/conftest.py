"""What holds for every test."""

import atexit
import os
import shutil
import tempfile

from hypothesis import settings

# Two test workers share two cores: libraries that would start a thread for each core only get in each other's way.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(variable, "1")

# Turns of tests wait for no turn of another test, or of whoever works on this machine.
if "VITOK_SLOTS" not in os.environ:
    os.environ["VITOK_SLOTS"] = tempfile.mkdtemp(prefix="vitok-slots-")
    atexit.register(shutil.rmtree, os.environ["VITOK_SLOTS"], ignore_errors=True)

# No test is about time, and on a busy machine a deadline fails one that is right.
settings.register_profile("vitok", deadline=None)
settings.load_profile("vitok")


def pytest_make_parametrize_id(config, val, argname):
    """Short names for cases with long values: the name of a test is handed to every process that it starts."""
    return f"{argname} of {len(val)}" if isinstance(val, str | bytes) and len(val) > 200 else None
