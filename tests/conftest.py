"""What holds for every test."""

import os

from hypothesis import settings

# Two test workers share two cores: libraries that would start a thread for each core only get in each other's way.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(variable, "1")

# No test is about time, and on a busy machine a deadline fails one that is right.
settings.register_profile("vitok", deadline=None)
settings.load_profile("vitok")
