"""What `vitok ab plan` says of a journal that holds little."""

from datetime import timedelta

import polars as pl
import pytest

from rollouts import START, two_versions
from vitok.errors import UserMistake
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop.abtest import Asked, plan_ab
from vitok.loop.traffic import Units


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "of version 1 no units have outcomes"), (1, "1 unit has an outcome"), (7, "7 units have outcomes")],
)
def test_too_few_outcomes_are_counted_in_words_that_fit(tmp_path, monkeypatch, count, told):
    project = two_versions(tmp_path, VirtualClock(START))
    journal, times = MemoryLedger(), [START + timedelta(minutes=n) for n in range(count)]
    ids = [f"F{n}" for n in range(count)]
    if count:
        about = {
            "version": 1,
            "role": "champion",
            "action": "model",
            "decision": "true",
            "score": 0.7,
            "epoch": 1,
        }
        rows = pl.DataFrame({"id": ids, "unit": ids, "time": times, "received": times, "worker": "w"})
        journal.append_predictions(
            rows.with_columns(**{name: pl.lit(value) for name, value in about.items()})
        )
        journal.append_outcomes(rows.select("id", "time", value=pl.lit("true")))
    monkeypatch.setattr("vitok.loop.abtest.Ledger", lambda lake: journal)
    project.clock.move_to(START + timedelta(days=2))
    with pytest.raises(UserMistake, match=f"{told}, and it takes 50"):
        plan_ab(project, Asked(traffic="400"))


@pytest.mark.parametrize(
    ("seen", "told"), [(1, "journal: 1 unit in 2.0 days"), (2, "journal: 2 units in 2.0 days")]
)
def test_traffic_is_told_with_where_it_is_from(seen, told):
    assert Units(seen, seen, 0, 2.0).source == told
