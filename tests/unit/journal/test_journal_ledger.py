import json

import polars as pl
import pytest
from journal_records import at, outcome, prediction

from vitok.errors import DataMistake
from vitok.journal.commits import Entry
from vitok.journal.frames import outcome_frame, prediction_frame
from vitok.journal.ledger import Ledger, MemoryLedger
from vitok.journal.mover import move
from vitok.journal.records import Outcome
from vitok.journal.spool import Spool
from vitok.store.lake import Lake


class LedgerConformance:
    """What every ledger must do; a subclass gives `ledger_of(records)`."""

    @pytest.fixture
    def ledger_of(self, tmp_path):
        raise NotImplementedError

    def test_empty_journal_has_empty_tables(self, ledger_of):
        ledger = ledger_of([])
        assert ledger.predictions().is_empty()
        assert ledger.outcomes().is_empty()
        kept = [name for name in ledger.predictions().columns if name not in ("inputs", "warnings")]
        assert ledger.labelled().columns == [*kept, "value", "label_time", "followed"]

    def test_predictions_of_a_period_come_in_the_order_of_their_times(self, ledger_of):
        ledger = ledger_of([prediction("c", 3), prediction("a", 1), prediction("b", 2)])
        assert ledger.predictions()["id"].to_list() == ["a", "b", "c"]
        assert ledger.predictions(at(1), at(3))["id"].to_list() == ["a", "b"]

    def test_scores_are_scalars_or_lists(self, ledger_of):
        frame = ledger_of([prediction("a", 1, score=0.5), prediction("b", 2, score=[0.1, 0.9])]).predictions()
        assert frame["score"].to_list() == [0.5, None]
        assert frame["proba"].to_list() == [None, [0.1, 0.9]]
        assert frame["decision"].to_list() == ["false", "false"]

    def test_first_outcome_stands_until_replaced(self, ledger_of):
        records = [
            outcome("a", 1, 1),
            outcome("a", 2, 2),
            outcome("b", 1, 1),
            outcome("b", 3, 2, replace=True),
        ]
        found = ledger_of([*records, outcome("b", 4, 3)]).outcomes()
        assert dict(zip(found["id"], found["value"], strict=True)) == {"a": "1", "b": "3"}

    def test_outcomes_known_later_are_not_seen(self, ledger_of):
        ledger = ledger_of([prediction("a", 0), outcome("a", 1, 5), outcome("a", 2, 9, replace=True)])
        assert ledger.labelled(as_of=at(4)).is_empty()
        assert ledger.labelled(as_of=at(5))["value"].to_list() == ["1"]
        assert ledger.labelled(as_of=at(9))["value"].to_list() == ["2"]

    def test_outcome_that_came_before_its_prediction_joins(self, ledger_of):
        assert ledger_of([outcome("a", True, 0), prediction("a", 5)]).labelled()["value"].to_list() == [
            "true"
        ]

    def test_outcome_joins_the_latest_prediction_and_each_shadow(self, ledger_of):
        records = [
            prediction("a", 1),
            prediction("a", 2, version=2),
            prediction("a", 2, version=3, role="shadow"),
        ]
        found = ledger_of([*records, outcome("a", True, 3)]).labelled()
        assert sorted(found["version"]) == [2, 3]
        assert ledger_of([]).labelled(at(0), at(2)).is_empty()

    def test_inputs_come_back_with_their_types(self, ledger_of):
        rows = [
            prediction("a", 1, temp=4.5, carrier="UA", holiday=True, departure="2013-03-01T06:00:00Z"),
            prediction(
                "b", 2, temp=None, carrier=None, holiday=None, departure="2013-03-01T06:00:00.250000Z"
            ),
            prediction("c", 3),
        ]
        ledger = ledger_of(rows)
        kinds = {"temp": "number", "carrier": "category", "holiday": "boolean", "departure": "time"}
        found = ledger.inputs(ledger.predictions(), kinds)
        assert found.dtypes == [pl.Float64, pl.String, pl.Boolean, pl.Datetime("us", "UTC")]
        assert found.row(2) == (None, None, None, None)
        assert found["temp"].to_list() == [4.5, None, None]
        assert found["departure"][1].microsecond == 250_000


class TestLedger(LedgerConformance):
    @pytest.fixture
    def ledger_of(self, tmp_path):
        def make(records):
            lake = Lake(tmp_path / "lake")
            spool = Spool(tmp_path / "journal", "w")
            spool.append(records)
            move(tmp_path / "journal", lake, at(0))
            spool.close()
            return Ledger(lake)

        return make


class TestMemoryLedger(LedgerConformance):
    @pytest.fixture
    def ledger_of(self):
        def make(records):
            ledger = MemoryLedger()
            for record in records:
                body = json.dumps(to_builtins(record)).encode()
                if isinstance(record, Outcome):
                    ledger.append_outcomes(outcome_frame([("w", Entry(1, "outcome", record.id, body))]))
                else:
                    ledger.append_predictions(
                        prediction_frame([("w", Entry(1, "prediction", record.id, body))])
                    )
            return ledger

        return make

    def test_neutral_values_stand_in_for_what_a_frame_lacks(self):
        ledger = MemoryLedger()
        ledger.append_predictions(pl.DataFrame({"id": ["a"], "time": [at(0)], "score": [0.5]}))
        ledger.append_outcomes(pl.DataFrame({"id": ["a"], "value": ["true"], "time": [at(1)]}))
        (row,) = ledger.labelled().to_dicts()
        assert (row["unit"], row["role"], row["value"], row["received"]) == ("a", "champion", "true", at(0))
        assert ledger.inputs(ledger.predictions(), {"temp": "number"})["temp"].to_list() == [None]

    def test_frame_without_needed_or_with_foreign_columns_is_refused(self):
        with pytest.raises(DataMistake, match="'time' is missing"):
            MemoryLedger().append_outcomes(pl.DataFrame({"id": ["a"], "value": ["1"]}))
        with pytest.raises(DataMistake, match="no column 'temp'"):
            MemoryLedger().append_predictions(pl.DataFrame({"id": ["a"], "time": [at(0)], "temp": [1]}))


def to_builtins(record):
    import msgspec

    return msgspec.to_builtins(record)
