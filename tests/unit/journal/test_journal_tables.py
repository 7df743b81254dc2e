"""Rows of batches lie in typed tables of their own, and are read as if the workers had written them."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest

from vitok.journal.frames import PREDICTIONS, conform, decode_inputs
from vitok.journal.ledger import Ledger
from vitok.journal.tables import (
    INPUT,
    batch_table,
    batch_tables,
    has_predictions,
    revision,
    scan_predictions,
    with_json,
)
from vitok.store.bulk import BulkTable
from vitok.store.lake import Lake

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOURNAL = pl.Schema({name: kind for name, kind in PREDICTIONS.items() if name != "inputs"})


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def of_batch(inputs, worker="batch-1", first=1):
    ids = [f"{worker}-{number}" for number in range(first, first + inputs.height)]
    rows = pl.DataFrame({"id": ids}).with_columns(
        time=pl.lit(NOW), worker=pl.lit(worker), seq=pl.int_range(first, first + inputs.height)
    )
    return pl.concat([conform(rows, JOURNAL), inputs.select(pl.all().name.prefix(INPUT))], how="horizontal")


def of_worker(**inputs):
    row = {"id": "w-1", "time": NOW, "worker": "w", "seq": 1, "inputs": json.dumps(inputs)}
    return conform(pl.DataFrame([row]), PREDICTIONS)


INPUTS = pl.DataFrame(
    {"temp": [4.5, None], "distance": [800, 100], "carrier": ["UA", 'the "A"'], "x": [True, None]}
)


def test_inputs_come_back_as_the_json_that_a_worker_would_have_written():
    found = with_json(of_batch(INPUTS).lazy()).collect()
    assert found.schema == PREDICTIONS
    assert [json.loads(text) for text in found["inputs"]] == INPUTS.to_dicts()
    kinds = {"temp": "number", "distance": "number", "carrier": "category", "x": "boolean"}
    assert (
        decode_inputs(found, kinds).to_dicts()
        == INPUTS.with_columns(pl.col("distance").cast(float)).to_dicts()
    )


def test_each_list_of_inputs_has_a_table_of_its_own(lake):
    assert not has_predictions(lake)
    others = INPUTS.select("temp")
    for number, inputs in enumerate([INPUTS, others, INPUTS], 1):
        frame = of_batch(inputs, worker=f"batch-{number}")
        BulkTable(lake, batch_table(lake, frame), f"batch-{number}").append(frame, 1)
    assert batch_tables(lake) == ["batches-1", "batches-2"]
    assert has_predictions(lake)
    assert [lake.read(name).height for name in batch_tables(lake)] == [4, 2]


def test_a_type_of_another_width_is_another_list_of_inputs(lake):
    frame = of_batch(INPUTS.select("temp"))
    lake.append(batch_table(lake, frame), frame)
    assert batch_table(lake, frame) == "batches-1"
    assert batch_table(lake, of_batch(INPUTS.select(pl.col("temp").cast(pl.Int64)))) == "batches-2"


def test_readers_find_rows_of_workers_and_of_batches_together(lake):
    frame = of_batch(INPUTS)
    lake.append("predictions", of_worker(temp=1.0, carrier="DL"), "w", 1)
    BulkTable(lake, batch_table(lake, frame), "batch-1").append(frame, 1)
    ledger = Ledger(lake)
    assert ledger.predictions()["id"].to_list() == ["batch-1-1", "batch-1-2", "w-1"]
    rows = ledger.since(NOW, with_inputs=True)
    carriers = ledger.inputs(rows, {"carrier": "category"})["carrier"]
    assert dict(zip(rows["id"], carriers, strict=True)) == {
        "batch-1-1": "UA",
        "batch-1-2": 'the "A"',
        "w-1": "DL",
    }
    assert "inputs" not in ledger.since(NOW).columns
    assert scan_predictions(lake).select(pl.len()).collect().item() == 3


def test_the_revision_tells_of_every_table(lake):
    seen = [revision(lake)]
    for table, frame in (("predictions", of_worker()), ("batches-1", of_batch(INPUTS))):
        lake.append(table, frame)
        seen.append(revision(lake))
    lake.append("batches-1", of_batch(INPUTS, first=3))
    assert len({*seen, revision(lake)}) == 4
    assert Ledger(lake).revision() == revision(lake)
