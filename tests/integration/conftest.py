import sys
from pathlib import Path

for folder in ("unit/store", "unit/loop", ""):  # tests that run here on another database; tests/examples.py
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
