"""All inputs together, by rows of production and of training."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from probes import with_reference
from vitok.errors import NotFound
from vitok.journal.ledger import MemoryLedger
from vitok.loop.together import moved_together
from vitok.registry import versions
from vitok.store.blobs import Blobs
from vitok.store.db import open_database
from vitok.store.lake import Lake

START = datetime(2026, 3, 1, tzinfo=UTC)
WINDOW = {"start": "2026-04-01T00:00:00Z", "end": "2026-04-08T00:00:00Z", "version": 1}


def flights(count, seed, link=0.95):
    """Far flights are the warm ones; temperature and distance by themselves are always the same."""
    rng = np.random.default_rng(seed)
    temp = rng.normal(size=count)
    far = link * temp + np.sqrt(1 - link**2) * rng.normal(size=count)
    return pl.DataFrame(
        {
            "temp": 10 + 8 * temp,
            "distance": (1200 + 300 * far).round(),
            "carrier": rng.choice(["UA", "AA", "DL"], count),
            "holiday": rng.random(count) < 0.1,
        }
    )


@pytest.fixture
def project(tmp_path):
    blobs, lake = Blobs(tmp_path / "blobs"), Lake(tmp_path / "lake")
    engine = open_database(f"sqlite:///{tmp_path / 's.sqlite'}")
    then = flights(3000, 1)
    times = [START + timedelta(minutes=12 * number) for number in range(3000)]
    lake.append("snapshots", then.with_columns(departure=pl.Series(times)))
    digest = with_reference(blobs, then.to_dicts(), data={"table_version": 0})
    with engine.begin() as connection:
        facts = {
            "created": START,
            "turn": "t",
            "verdict": "accepted",
            "gates": [],
            "metrics": {},
            "summary": {},
        }
        versions.register(connection, digest=digest, **facts)
    yield SimpleNamespace(engine=engine, blobs=blobs, lake=lake, digest=digest)
    engine.dispose()


def journal(project, frame):
    rows = frame.select(pl.struct(pl.all()).struct.json_encode().alias("inputs"))
    found = MemoryLedger()
    found.append_predictions(
        rows.with_columns(
            id=pl.int_range(pl.len()).cast(pl.String),
            time=pl.lit(START + timedelta(days=33)),
            digest=pl.lit(project.digest),
            score=pl.lit(0.5),
        )
    )
    return found


def test_inputs_that_no_longer_go_together_are_told_apart_and_others_are_not(project):
    same = moved_together(project, WINDOW, journal(project, flights(1500, 2)))
    assert same["auc"]["low"] < 0.55
    assert same["rows"] == [3000, 1500]
    assert len(same["usual"]) == 3
    assert max(same["usual"]) < 0.6
    other = moved_together(project, WINDOW, journal(project, flights(1500, 3, link=0.0)))
    assert other["auc"]["low"] > 0.65
    assert set(other["leans_on"][:2]) == {"temp", "distance"}


def test_few_rows_and_training_data_that_is_gone_are_told(project):
    assert "too few" in moved_together(project, WINDOW, journal(project, flights(20, 2)))["undecidable"]
    project.lake = Lake(project.lake.place + "-elsewhere")
    with pytest.raises(NotFound):
        moved_together(project, WINDOW, journal(project, flights(200, 2)))
