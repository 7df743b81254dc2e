"""Vitok's data plane for granian, which takes an application by its name."""

import os
from pathlib import Path

from vitok.kernel.clock import system_clock
from vitok.serve.app import create_app

app = create_app(Path(os.environ["MODEL"]).parent / ".vitok", system_clock)
