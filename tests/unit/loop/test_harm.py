"""What alerts say of place, quality and money."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from vitok.charter.model import DriftRule
from vitok.journal.profiles import Part, ProfileStore
from vitok.loop.harm import harm_of
from vitok.loop.looks import Look
from vitok.monitor.drift import drift_findings
from vitok.monitor.evidence import Verdict
from vitok.monitor.quality import Accepted, QualityFinding
from vitok.monitor.windows import Window
from vitok.stats.bins import fit_bins
from vitok.stats.estimates import Estimate
from vitok.stats.packed import pack
from vitok.stats.profiles import profile, reference_of

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=1)
HOLDS = Verdict(True, True, 500.0, 450.0, 2, ("temp",))


def rows(count, hot=()):
    rng = np.random.default_rng(1)
    origin = rng.choice(["EWR", "JFK", "LGA"], count)
    temp = rng.normal(10, 5, count) + 20 * np.isin(origin, hot)
    return pl.DataFrame({"temp": temp, "origin": origin})


@pytest.fixture
def setting():
    frame = rows(3000)
    bins = fit_bins(frame, ["temp"], ["origin"])
    reference = reference_of(frame, bins)
    accepted = {"roc_auc": Accepted(0.75, 0.74), "profit_per_1000": Accepted(5000.0, 4800.0)}
    version = SimpleNamespace(number=1, digest="d", bins=bins, reference=reference, accepted=accepted)
    return SimpleNamespace(version=version, bins=bins, reference=reference)


def look(setting, frame, **changes):
    store = ProfileStore(None, timedelta(days=1), {})
    parts = {"": frame} | {
        f"origin={value}": part for (value,), part in frame.partition_by("origin", as_dict=True).items()
    }
    found = [
        Part(START, "d", 1, "champion", name, pack(profile(part, setting.bins), setting.bins))
        for name, part in parts.items()
    ]
    assert store.add(found, {"w": 0}, {})
    findings = drift_findings(setting.reference, profile(frame, setting.bins), DriftRule(effect=0.2))
    window = Window(START, END, frame.height, 0, "final", tuple(findings))
    return Look(replace(window, **changes), setting.version, {}), store


def estimate(value, half=0.02, rows=1000):
    return Estimate(value, value - half, value + half, rows, "t")


def test_a_shift_in_one_slice_is_placed_there_and_one_in_all_nowhere(setting):
    found, store = look(setting, rows(3000, hot=["JFK"]))
    text = harm_of(found, store, {"features": HOLDS})["drift"]
    assert text.startswith("It lies mostly in origin=JFK: without it the PSI of temp is 0.0")
    found, store = look(setting, rows(3000, hot=["EWR", "JFK", "LGA"]))
    assert harm_of(found, store, {"features": HOLDS}) == {}


def test_estimates_and_their_money_are_told_with_their_weakness(setting):
    fell = QualityFinding("roc_auc", estimate(0.65), 0.75, 0.71, True, "", (30.0,) * 5)
    money = {"roc_auc": estimate(0.65), "profit_per_1000": estimate(3000.0, 500.0)}
    found, store = look(setting, rows(2000), estimated=money, foretold=(fell,))
    text = harm_of(found, store, {"score": HOLDS})["drift"]
    assert "Estimated roc_auc 0.65 (0.63 to 0.67), accepted with 0.75" in text
    assert "does not see a change of what inputs mean" in text
    assert text.endswith("It cost about 4000 in this window, at least 3000.")
    assert harm_of(found, store, {"estimate": HOLDS}) == {
        "quality": "It cost about 4000 in this window, at least 3000."
    }


def test_the_worst_slice_is_told_only_if_it_is_surely_worse(setting):
    fell = QualityFinding("roc_auc", estimate(0.65), 0.75, 0.71, True, "", (30.0,) * 5)
    slices = {"origin=JFK": {"roc_auc": estimate(0.55)}, "origin=EWR": {"roc_auc": estimate(0.70)}}
    changes = {"quality": {"roc_auc": estimate(0.65)}, "fallen": (fell,), "labelled": 900}
    found, store = look(setting, rows(900), slices=slices, **changes)
    assert harm_of(found, store, {"quality": HOLDS})["quality"].startswith(
        "Worst in origin=JFK: 0.55 (0.53 to 0.57"
    )
    slices["origin=JFK"] = {"roc_auc": estimate(0.63)}
    found, store = look(setting, rows(900), slices=slices, **changes)
    assert harm_of(found, store, {"quality": HOLDS}) == {}


def test_while_nothing_holds_nothing_is_said(setting):
    found, store = look(setting, rows(900, hot=["JFK"]))
    assert harm_of(found, store, {"score": replace(HOLDS, cries=False, holds=False)}) == {}
