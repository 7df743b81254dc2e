"""Outliers: the promised share of ordinary rows, strange rows found, and alike by rows and by columns."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from vitok.stats.bins import fit_bins, numbers
from vitok.stats.outlier_fit import fit_outliers, level_surprises
from vitok.stats.outliers import Outliers
from vitok.stats.profiles import reference_of
from vitok.stats.scores import Undecidable

NUMBERS, LEVELS = ["size", "hour", "gap"], ["name", "flag"]


def world(count, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.lognormal(3, 1, count)
    return pl.DataFrame(
        {
            "size": size,
            "hour": rng.integers(0, 24, count).astype(float),
            "gap": np.where(rng.random(count) < 0.5, rng.normal(-10, 1, count), rng.normal(10, 1, count)),
            "name": rng.choice(["UA", "AA", "DL", "9E"], count, p=[0.5, 0.3, 0.19, 0.01]),
            "flag": rng.random(count) < 0.9,
        }
    ).with_columns(
        pl.when(pl.Series(rng.random(count) < 0.05)).then(None).otherwise(pl.col("size")).alias("size")
    )


def fitted(train, held_out, names=(*NUMBERS, *LEVELS)):
    reference = reference_of(train, fit_bins(train, NUMBERS, LEVELS))
    return fit_outliers(reference, names, held_out)


def judged(table, frame):
    columns = [numbers(frame[name]) for name in table.number_names]
    return table.judge(columns, [level_surprises(frame[each.name], each) for each in table.levels])


TRAIN = world(20_000)
TABLE = fitted(TRAIN, world(5_000, 1))


@pytest.mark.parametrize("limit", [0.9, 0.99, 0.999])
def test_promised_share_of_ordinary_rows_is_beyond_the_limit(limit):
    shares = [
        np.mean(judged(fitted(TRAIN, world(2_000, seed)), world(20_000, 100 + seed)).ranks >= limit)
        for seed in range(10)
    ]
    # Valid on average over held-out rows, and no more careful than their number forces.
    assert 0.6 * (1 - limit) - 1 / 2001 < np.mean(shares) < 1.25 * (1 - limit)


@pytest.mark.parametrize(
    ("change", "most"),
    [
        ({"size": 1e9}, "size"),
        ({"size": 1e38}, "size"),
        ({"hour": 500.0}, "hour"),
        ({"gap": 0.0, "name": "9E", "hour": 3.5}, None),
        ({"name": "ZZ", "gap": 0.0, "flag": False}, None),
    ],
)
def test_strange_rows_are_found_and_the_input_is_named(change, most):
    row = {"size": 20.0, "hour": 12.0, "gap": 10.0, "name": "UA", "flag": True}
    plain = judged(TABLE, pl.DataFrame([row]))
    strange = judged(TABLE, pl.DataFrame([row | change]))
    assert plain.ranks[0] < 0.9 < 0.99 < strange.ranks[0]
    assert most is None or strange.most == [most]
    assert strange.reason(0).startswith("stranger than ")


def test_value_in_a_gap_is_stranger_than_one_at_either_side():
    row = {"size": 20.0, "hour": 12.0, "name": "UA", "flag": True}
    left, gap, right = judged(TABLE, pl.DataFrame([row | {"gap": gap} for gap in (-10.0, 0.0, 10.0)])).ranks
    assert gap > left
    assert gap > right


def test_value_that_many_rows_share_is_never_strange():
    train = pl.DataFrame(
        {"size": [0.0] * 900 + list(range(1, 101)), "hour": [0.1] * 1000, "gap": [1e9] * 1000}
    )
    table = fitted(
        train.with_columns(name=pl.lit("a"), flag=True), train.with_columns(name=pl.lit("a"), flag=True)
    )
    for name in table.numbers:
        assert name.of(np.array([train[name.name][0]]))[0] == pytest.approx(0, abs=1e-9)


def test_missing_is_as_strange_as_it_was_rare():
    sizes = next(each for each in TABLE.numbers if each.name == "size")
    hours = next(each for each in TABLE.numbers if each.name == "hour")
    nothing = np.array([np.nan])
    assert sizes.of(nothing)[0] == pytest.approx(-np.log(0.05), rel=0.1)
    assert hours.of(nothing)[0] > sizes.of(nothing)[0]


def test_column_without_values_makes_any_value_strange():
    train = world(1000).with_columns(gap=pl.lit(None, dtype=pl.Float64))
    table = fitted(train, train)
    gaps = next(each for each in table.numbers if each.name == "gap")
    assert gaps.of(np.array([1.0, np.nan])).tolist() == [pytest.approx(np.log(1001)), 0.0]


@settings(max_examples=200)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "size": st.none() | st.floats(-1e30, 1e30),
                "hour": st.none() | st.integers(-5, 30).map(float),
                "gap": st.none() | st.floats(-50, 50),
                "name": st.none() | st.sampled_from(["UA", "9E", "ZZ", "", "true"]),
                "flag": st.none() | st.booleans(),
            }
        ),
        min_size=1,
        max_size=5,
    )
)
def test_by_rows_as_by_columns(rows):
    kinds = {**dict.fromkeys(NUMBERS, pl.Float64), "name": pl.String, "flag": pl.Boolean}
    by_columns = judged(TABLE, pl.DataFrame(rows, schema=kinds))
    for place, row in enumerate(rows):
        values = [np.array([np.nan if row[name] is None else row[name]]) for name in TABLE.number_names]
        by_row = TABLE.judge(values, [each.of([row[each.name]]) for each in TABLE.levels])
        assert (by_row.ranks[0], by_row.most[0]) == (by_columns.ranks[place], by_columns.most[place])
    few = TABLE.judge_few(
        [[row[name] for row in rows] for name in TABLE.number_names],
        [[row[each.name] for row in rows] for each in TABLE.levels],
    )
    assert (few.ranks.tolist(), few.most) == (by_columns.ranks.tolist(), by_columns.most)


def test_ranks_rise_with_the_score_and_never_promise_more_than_the_rows_can_tell():
    scores = np.linspace(-1, 60, 500)
    ranks = TABLE.ranks(scores)
    assert (np.diff(ranks) >= 0).all()
    assert ranks.min() >= 0
    assert ranks.max() == TABLE.highest == 1 - 1 / 5001


def test_stored_ranks_are_near_those_of_all_held_out_rows():
    held_out = world(5_000, 1)
    reference = reference_of(TRAIN, fit_bins(TRAIN, NUMBERS, LEVELS))
    table = fit_outliers(reference, [*NUMBERS, *LEVELS], held_out)
    parts = [each.of(numbers(held_out[each.name])) for each in table.numbers]
    parts += [level_surprises(held_out[each.name], each) for each in table.levels]
    every = np.sort(np.stack(parts).sum(axis=0))
    fresh = np.random.default_rng(3).uniform(every[0], every[-1], 1000)
    exact = 1 - (1 + len(every) - np.searchsorted(every, fresh, "left")) / (len(every) + 1)
    found = table.ranks(fresh)
    assert (found <= exact + 1e-12).all()  # never more certain than all rows would be
    # the gaps between stored scores are a twentieth of the rows that are stranger
    assert (1 - found <= 1.06 * (1 - exact) + 2 / 5001).all()


def test_survives_the_way_into_a_bundle():
    assert Outliers.from_json(json.loads(json.dumps(TABLE.to_json()))) == TABLE


@pytest.mark.parametrize(
    "sizes",
    [
        [0.0] * 50 + list(range(1, 151)),
        [0.0] * 200,
        [1e-310] * 100 + [2e-310] * 100,
        [-1e308] * 99 + [1e308] * 101,
    ],
)
def test_columns_of_any_shape_give_figures_that_json_can_hold(sizes):
    frame = world(200).with_columns(pl.Series("size", sizes, dtype=pl.Float64))
    table = fitted(frame, frame)
    json.dumps(table.to_json(), allow_nan=False)
    sizes_table = next(each for each in table.numbers if each.name == "size")
    assert sizes_table.of(np.array([-1e308, 0.0, 1e308])).min() >= 0


def test_too_few_rows_tell_nothing():
    with pytest.raises(Undecidable, match="99 held-out rows"):
        fitted(TRAIN, world(99))
    with pytest.raises(Undecidable, match="0 inputs"):
        fitted(TRAIN, world(200), names=["unknown"])


def test_malignant_tumours_are_strange_to_who_knows_benign_ones_as_to_an_isolation_forest():
    data = load_breast_cancer()
    frame = pl.DataFrame(data.data, schema=list(data.feature_names))
    benign, malignant = frame.filter(pl.Series(data.target == 1)), frame.filter(pl.Series(data.target == 0))
    train, held_out = benign[:200], benign[200:]
    reference = reference_of(train, fit_bins(train, frame.columns, []))
    table = fit_outliers(reference, frame.columns, held_out)
    rows, truth = pl.concat([held_out, malignant]), [0] * held_out.height + [1] * malignant.height
    ours = roc_auc_score(truth, judged(table, rows).ranks)
    forest = IsolationForest(random_state=0).fit(train.to_numpy())
    theirs = roc_auc_score(truth, -forest.score_samples(rows.to_numpy()))
    assert ours > 0.95
    assert ours > theirs - 0.02
