"""What `vitok drift` finds: which windows, against what, ranked how, recounted where bins differ, and through time."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from probes import flights, with_reference
from vitok.errors import UserMistake
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop.drift import drift
from vitok.loop.drift_history import MOST_COLUMNS, column_length
from vitok.loop.drift_spans import Asked
from vitok.loop.watch import watch
from vitok.registry import versions
from vitok.wire import open_project

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
CHARTER = """\
project: flights
goal: {statement: Warn early}
task: {type: binary, target: late, id: flight, time: departure, label_delay: 4h}
data: {sources: {flights: flights.csv}}
accept: [roc_auc > baseline]
monitor: {window: WINDOW, slices: [carrier]}
"""
ACCEPTED = {"roc_auc": {"value": 0.7, "low": 0.65, "high": 0.75}}


class Setting:
    """A project whose versions are registered by hand, and its journal in memory."""

    def __init__(self, folder, window="1d"):
        (folder / "vitok.yaml").write_text(CHARTER.replace("WINDOW", window))
        self.clock, self.journal, self.digests = VirtualClock(START), MemoryLedger(), {}
        self.project = open_project(folder, clock=self.clock)

    def register(self, number=1, rows=None, summary=None):
        self.digests[number] = with_reference(self.project.blobs, rows, seed=number)
        with self.project.engine.begin() as connection:
            facts = {"created": START, "turn": f"t{number}", "verdict": "accepted", "gates": []}
            digest = self.digests[number]
            versions.register(connection, digest=digest, metrics=ACCEPTED, summary=summary or {}, **facts)

    def predict(self, day, count=300, version=1, change=lambda row: row, step=timedelta(minutes=1)):
        """Rows of a day, the same from day to day but for chance."""
        inputs = [
            pl.DataFrame([change(row)]).select(pl.struct(pl.all()).struct.json_encode()).item()
            for row in flights(count, seed=100 + day)
        ]
        frame = pl.DataFrame(
            {
                "id": [f"{version}-{day}-{number}" for number in range(count)],
                "time": [START + day * DAY + number * step for number in range(count)],
                "version": version,
                "digest": self.digests[version],
                "role": "champion",
                "action": "model",
                "score": [0.2 + 0.5 * number / count for number in range(count)],
                "micros": 400,
                "decision": "false",
                "inputs": inputs,
            }
        )
        self.journal.append_predictions(frame)
        self.clock.move_to(START + (day + 1) * DAY)

    def drift(self, through_time=False, **asked):
        return drift(self.project, self.journal, Asked(**asked), through_time=through_time)

    def refuses(self, *words, **asked):
        with pytest.raises(UserMistake) as found:
            self.drift(**asked)
        for word in words:
            assert word in str(found.value)


@pytest.fixture
def setting(tmp_path):
    found = Setting(tmp_path)
    found.register()
    return found


def warmer(row):
    return {**row, "temp": row["temp"] + 40}


def line_of(found, name):
    return next(line for line in found["ranking"] if line["feature"] == name)


def test_without_predictions_or_closed_windows_it_says_what_to_do(setting):
    setting.refuses("nothing has been predicted yet", "vitok up")
    setting.predict(0)
    setting.clock.now = START + DAY / 2
    setting.refuses("no window is over yet", "2026-03-03T00:00:00Z")


def test_one_window_is_enough(setting):
    setting.predict(0)
    found = setting.drift(through_time=True)
    assert found["window"]["start"] == "2026-03-02T00:00:00Z"
    assert found["window"]["rows"] == 300
    assert found["against"] == {"what": "reference", "rows": 2000, "spans": [], "recounted": []}
    assert line_of(found, "temp")["moved"] is False
    assert len(found["history"]["columns"]) == 1


def test_what_moved_is_ranked_and_has_been_moved_since(setting):
    for day in range(6):
        setting.predict(day, change=warmer if day >= 3 else lambda row: row)
        watch(setting.project, setting.journal)
    found = setting.drift()
    assert [line["feature"] for line in found["ranking"]][:2] == ["score", "temp"]
    line = line_of(found, "temp")
    assert line["psi"]["low"] <= line["psi"]["value"] <= line["psi"]["high"]
    assert line["chi_square_p"] < 1e-10
    assert (line["since"], line["moved_windows"], line["judged_windows"]) == ("2026-03-05T00:00:00Z", 3, 6)
    assert any(sentence.startswith("temp: the distribution moved") for sentence in found["moved"])
    assert line_of(found, "holiday")["since"] is None
    before = setting.drift(window=START + 2 * DAY)
    assert line_of(before, "temp")["since"] is None


def test_importance_leads_the_ranking(tmp_path):
    setting = Setting(tmp_path)
    setting.register(summary={"importance": {"carrier": {"drop": 0.1}, "temp": {"drop": -0.01}}})
    setting.predict(0, change=lambda row: warmer({**row, "carrier": "UA" if row["distance"] > 800 else "DL"}))
    found = setting.drift()
    assert [line["feature"] for line in found["ranking"]][:2] == ["score", "carrier"]
    assert line_of(found, "temp")["weight"] == 0.0
    assert line_of(found, "distance")["weight"] is None
    assert not any("importance" in note for note in found["notes"])


def test_earlier_windows_of_the_same_length_are_compared_with_what_such_windows_usually_do(setting):
    for day in range(36):
        setting.predict(day, count=120, change=warmer if day == 35 else lambda row: row)
    found = setting.drift(against="previous")
    assert found["against"]["spans"] == [{"start": "2026-04-05T00:00:00Z", "end": "2026-04-06T00:00:00Z"}]
    assert line_of(found, "temp")["beyond_usual"] is True
    assert line_of(found, "distance")["beyond_usual"] is False
    week = setting.drift(against="week")
    assert [each["start"][:10] for each in week["against"]["spans"]] == [
        "2026-03-30",
        "2026-03-23",
        "2026-03-16",
        "2026-03-09",
    ]
    assert week["against"]["rows"] == 480
    several = setting.drift(against="previous", last=5)
    assert (several["window"]["windows"], several["window"]["rows"]) == (5, 600)
    assert several["against"]["rows"] == 600
    setting.refuses("--against year", "2025-04-06", "2026-03-02 to 2026-04-06", against="year")


def test_the_same_days_of_last_year_are_found(setting):
    setting.predict(0)
    setting.predict(365, change=warmer)
    found = setting.drift(against="year")
    assert found["against"]["spans"] == [{"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"}]
    assert line_of(found, "temp")["moved"]


def test_rows_of_a_version_with_other_bins_are_recounted_and_that_is_said(setting):
    setting.register(2, rows=[warmer(row) for row in flights(2000, seed=9)])
    setting.predict(0, change=warmer)
    setting.predict(1, version=2, change=warmer)
    found = setting.drift(against="previous")
    assert found["window"]["version"] == 2
    assert found["against"] == {**found["against"], "rows": 300, "recounted": [1]}
    assert any("recounted by those of version 2" in note for note in found["notes"])
    assert line_of(found, "temp")["moved"] is False
    assert line_of(found, "temp")["psi"]["value"] < 0.2


def test_rows_of_the_version_that_answered_most_are_judged(setting):
    setting.register(2, rows=flights(2000, seed=9))
    setting.predict(0)
    setting.predict(0, version=2, count=60)
    found = setting.drift()
    assert (found["window"]["version"], found["window"]["rows"]) == (1, 300)
    assert any("version 2 (60 rows)" in note for note in found["notes"])


def test_a_slice_is_compared_with_itself(setting):
    for day in range(2):
        setting.predict(day)
    found = setting.drift(part="carrier=UA", through_time=True)
    assert found["against"]["what"] == "previous"
    assert 60 < found["window"]["rows"] < 140
    assert found["history"]["then"] == "average"
    held = setting.drift(part="carrier=UA", against="reference")
    assert any("not kept by slice" in note for note in held["notes"])
    setting.refuses("--slice carrier=UAA", "Did you mean 'carrier=UA'?", "carrier=DL", part="carrier=UAA")


def test_windows_that_are_not_there_are_told(setting):
    for day in (0, 3):
        setting.predict(day)
    setting.refuses("lies in the future", "2026-03-02 and 2026-03-06", window=START + 9 * DAY)
    setting.refuses("before the first prediction", window=START - DAY)
    setting.refuses("has no rows", window=START + DAY)
    setting.refuses("--last", last=0)
    setting.refuses("--from", start=START + DAY, end=START)
    setting.refuses("no window between", start=START - 9 * DAY, end=START - 8 * DAY)
    setting.refuses("does not go with", window=START, last=2)
    setting.refuses("Did you mean 'temp'?", "distance", features=("tmp",))
    assert setting.drift(last=50)["window"]["windows"] == 4
    assert setting.drift(start=START, end=START + DAY)["window"]["windows"] == 1


def test_only_the_features_that_were_asked_for_are_shown(setting):
    setting.predict(0)
    found = setting.drift(features=("distance",), through_time=True)
    assert [line["feature"] for line in found["ranking"]] == ["distance"]
    assert list(found["history"]["features"]) == ["distance"]
    assert found["columns"] == 5


def test_columns_that_are_constant_or_missing_have_their_rows(tmp_path):
    setting = Setting(tmp_path)
    setting.register(rows=[{**row, "distance": 500} for row in flights(2000)])
    setting.predict(0, change=lambda row: {**row, "distance": 500, "temp": None})
    found = setting.drift(through_time=True)
    assert line_of(found, "temp")["psi"] is None
    assert line_of(found, "temp")["missing_now"] == 1.0
    assert line_of(found, "distance")["psi"]["value"] == 0.0
    features = found["history"]["features"]
    assert features["temp"]["now"][features["temp"]["labels"].index("missing")] == 1.0
    assert features["distance"]["now"][features["distance"]["labels"].index("500")] == 1.0


def test_history_keeps_all_rows_and_few_columns(setting):
    for day in range(10):
        setting.predict(day, count=60)
        watch(setting.project, setting.journal)
    history = setting.drift(through_time=True)["history"]
    assert len(history["columns"]) == 10
    for feature in history["features"].values():
        assert all(
            sum(shares) == pytest.approx(1, abs=1e-3) for shares in [feature["then"], *feature["shares"]]
        )
        assert len(feature["labels"]) == len(feature["now"])
    assert history["quality"]["accepted"] == 0.7
    assert history["segments"]["why"]


def test_hours_are_summed_up_to_columns_that_can_be_seen(tmp_path):
    setting = Setting(tmp_path, window="1h")
    setting.register()
    setting.predict(0, step=timedelta(hours=1))
    setting.clock.move_to(START + 13 * DAY)
    history = setting.drift(through_time=True, start=START)["history"]
    assert history["column_length"] == "3h"
    assert len(history["columns"]) == 100
    hour = timedelta(hours=1)
    for days in (1, 4, 30, 90, 366):
        length = column_length(hour, days * DAY)
        assert days * DAY / length <= MOST_COLUMNS
        assert length % hour == timedelta(0)
    assert column_length(hour, 9000 * DAY) == 3 * 28 * DAY
