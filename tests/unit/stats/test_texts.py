"""Texts as numbers."""

import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from vitok.stats.bins import fit_bins
from vitok.stats.profiles import profile, reference_of
from vitok.stats.shifts import shift_of
from vitok.stats.texts import is_text, summaries, summarised

# The descriptions that scikit-learn ships with its data sets: real prose, line by line.
LINES = [
    line.strip()
    for load in (load_diabetes, load_wine, load_breast_cancer)
    for line in load()["DESCR"].splitlines()
    if len(line.strip()) > 20
]


def test_prose_is_text_and_levels_ids_and_numbers_are_not() -> None:
    assert is_text(pl.Series(LINES))
    assert not is_text(pl.Series(["EWR", "JFK", "LGA"] * 40))
    assert not is_text(pl.Series([f"id-{number}" for number in range(100)]))
    assert not is_text(pl.Series(["the same long sentence every time"] * 50))
    assert not is_text(pl.Series([None, None], dtype=pl.String))
    assert not is_text(pl.Series([1.0, 2.0]))


def test_summaries_count_what_is_there() -> None:
    found = summaries(pl.DataFrame({"note": ["Zwei Wörter", "", None, "a1 b2"]}), ["note"])
    assert found["note:length"].to_list() == [11, 0, None, 5]
    assert found["note:words"].to_list() == [2, 0, None, 2]
    assert found["note:letters"].to_list() == pytest.approx([10 / 11, 0, None, 2 / 5])
    assert found["note:digits"].to_list() == pytest.approx([0, 0, None, 2 / 5])
    assert summarised(["note:length", "note:words", "score", "vitok:micros"]) == ["note"]


def test_another_encoding_moves_the_summaries_though_every_text_is_new() -> None:
    texts = pl.DataFrame({"note": LINES * 4})
    frame = summaries(texts, ["note"])
    bins = fit_bins(frame, frame.columns, [])
    reference = reference_of(frame, bins)
    broken = summaries(texts.with_columns(pl.col("note").str.replace_all("[aeiou]", "??")), ["note"])
    name = "note:letters"
    moved = shift_of(reference.profile.columns[name], profile(broken, bins).columns[name])
    same = shift_of(
        reference.profile.columns[name], profile(frame.sample(fraction=0.5, seed=1), bins).columns[name]
    )
    assert moved is not None
    assert same is not None
    assert moved.psi > 1
    assert same.psi < 0.05
