import sys
from pathlib import Path

import pytest

from vitok.store.blobs import Blobs

sys.path.insert(0, str(Path(__file__).parents[2]))  # for tests/examples.py


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")
