"""What several modules of real components use."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

for folder in ("unit/store", "unit/loop", ""):  # tests that run here on another database; tests/examples.py
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))

MARCH = datetime(2013, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def flights_project(tmp_path_factory):
    """Real flights with one version in production, whose releases nobody has to agree to."""
    from vitok.loop.example import write_example
    from vitok.loop.release import release_at_once
    from vitok.loop.turn import run_turn
    from vitok.wire import open_project

    folder = tmp_path_factory.mktemp("replay") / "flights"
    write_example(folder)
    charter = folder / "vitok.yaml"
    nobody_asked = "approve: {low: auto, medium: auto, high: auto}\n"
    charter.write_text(re.sub(r"^approve:.*\n", nobody_asked, charter.read_text(), flags=re.MULTILINE))
    opened = open_project(folder)
    result = run_turn(opened, as_of=MARCH, quick=True)
    assert result.accepted, [gate.reason for gate in result.verdict.gates]
    release_at_once(opened, result.version.number, actor="test")
    return opened
