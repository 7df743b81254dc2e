"""Two test workers share two cores: libraries that would start a thread for each core only get in each other's way."""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(variable, "1")
