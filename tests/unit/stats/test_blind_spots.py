"""Groups that a tree finds and other rows confirm: on real flights with a planted fault, and on rows without any."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier

from vitok.data.flights import build_tables, package_folder
from vitok.stats.blind_spots import Inputs, find_groups, row_losses
from vitok.stats.estimates import estimate
from vitok.stats.scores import Scored, Undecidable
from vitok.stats.worse_groups import FOLDS, folds_of, judge_groups

NUMBERS, LEVELS = ("distance", "scheduled_minutes", "delay_seen"), ("carrier", "origin")


@pytest.fixture(scope="module")
def flights():
    """Six weeks of real flights with the scores of a model of the two months before, and their days."""
    rows = build_tables(package_folder())[0].drop_nulls("late")
    month, late = rows["departure"].dt.month().to_numpy(), rows["late"].cast(int).to_numpy()
    columns, levels = [rows[name].cast(float).to_numpy() for name in NUMBERS], {}
    for name in LEVELS:
        levels[name] = tuple(rows[name].unique().sort().to_list())
        columns.append(rows[name].replace_strict(dict(zip(levels[name], range(99), strict=False))).to_numpy())
    values = np.column_stack(columns)
    hour = rows["departure"].dt.hour().to_numpy()
    learn, ask = month <= 2, (month == 3) | ((month == 4) & (rows["departure"].dt.day().to_numpy() < 15))
    wide = np.column_stack([values, hour])
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(wide[learn], late[learn])
    scores = model.predict_proba(wide[ask])[:, 1]
    days = rows["departure"].dt.date().to_numpy()[ask]
    return Inputs((*NUMBERS, *LEVELS), values[ask], levels), scores, late[ask], days


def worse(inputs, scored, days, *, metric="roc_auc", concession=0.05, seed=0):
    """The conditions of the groups that the whole way finds."""
    folds = folds_of(days, seed)
    finds = folds < FOLDS // 2
    groups = find_groups(inputs.take(finds), row_losses(metric, scored.take(finds)))
    others = scored.take(~finds)
    judged = judge_groups(
        [group.mask(inputs.take(~finds)) for group in groups],
        folds[~finds],
        lambda mask: estimate(metric, others.take(mask)).value,
        higher_is_better=metric != "log_loss",
        concession=concession,
    )
    return [(group, each) for group, each in zip(groups, judged, strict=True) if each and each.is_worse]


def binary(truth, scores):
    return Scored("binary", truth, scores, (scores >= 0.3).astype(np.int64))


def test_a_planted_fault_on_real_flights_is_found_by_its_condition(flights):
    inputs, scores, late, days = flights
    distance, origin = inputs.values[:, 0], inputs.values[:, 4]
    planted = (origin == inputs.levels["origin"].index("JFK")) & (distance > 1000)
    broken = scores.copy()
    broken[planted] = 1 - broken[planted]
    found = worse(inputs, binary(late, broken), days)
    assert found
    group, judged = min(found, key=lambda each: each[1].p_value)
    inside = group.mask(inputs)
    assert (inside & planted).sum() > 0.9 * inside.sum()
    assert "origin is JFK" in str(group)
    assert judged.difference.high < -0.2
    assert (inside & planted).sum() > 0.5 * planted.sum()


def test_the_same_flights_with_scores_dealt_out_show_nothing(flights):
    """Without any connection between rows and losses there is nothing to find, whatever the data looks like."""
    inputs, scores, late, days = flights
    found = 0
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(late))
        found += bool(worse(inputs, binary(late[order], scores[order]), days, concession=0.0, seed=seed))
    assert found <= 3  # of a binomial with 5 % in 20, more come in 1.6 % of cases


def test_findings_in_vain_stay_within_their_share():
    rng, runs, found = np.random.default_rng(2), 300, 0
    for seed in range(runs):
        values = np.column_stack(
            [rng.normal(size=1500), rng.integers(0, 6, 1500), rng.exponential(size=1500)]
        )
        inputs = Inputs(("a", "b", "c"), values, {"b": tuple("uvwxyz")})
        chance = rng.beta(2, 3, 1500)
        scored = binary((rng.random(1500) < chance).astype(int), chance)
        found += bool(worse(inputs, scored, np.zeros(1500), metric="log_loss", concession=0.0, seed=seed))
    assert found / runs < 0.05 + 2.33 * np.sqrt(0.05 * 0.95 / runs)


def test_a_group_by_missing_values_and_one_by_levels_are_told_in_words():
    rng = np.random.default_rng(3)
    values = np.column_stack([rng.normal(size=4000), rng.integers(0, 5, 4000)])
    values[rng.random(4000) < 0.15, 0] = np.nan
    inputs = Inputs(("wind", "carrier"), values, {"carrier": ("AA", "B6", "DL", "EV", "UA")})
    lost = rng.normal(size=4000) + 3 * np.isnan(values[:, 0])
    assert str(find_groups(inputs, [lost])[0]) == "wind is missing"
    lost = rng.normal(size=4000) + 3 * np.isin(values[:, 1], [1, 3]) * (values[:, 0] > 0.5)
    group = find_groups(inputs, [lost])[0]
    assert "carrier is one of B6, EV" in str(group)
    assert "wind > 0." in str(group)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(200, 900))
def test_groups_are_disjoint_and_no_smaller_than_asked(seed, count):
    rng = np.random.default_rng(seed)
    values = np.column_stack([rng.normal(size=count), rng.integers(0, 3, count), np.full(count, np.nan)])
    values[rng.random(count) < 0.1, 1] = np.nan
    inputs = Inputs(("a", "b", "empty"), values, {"b": ("x", "y", "z")})
    groups = find_groups(inputs, [values[:, 0] + rng.normal(size=count)])
    masks = np.array([group.mask(inputs) for group in groups]).reshape(len(groups), count)
    assert (masks.sum(axis=0) <= 1).all()
    assert all(mask.sum() >= 100 for mask in masks)


def test_losses_follow_the_metric():
    scored = Scored(
        "binary", np.array([1, 0, 1]), np.array([0.9, 0.6, 0.2]), np.array([1, 1, 0]), (4, -1, -3, 0)
    )
    assert row_losses("accuracy", scored)[0].tolist() == [0, 1, 1]
    assert row_losses("profit_per_1000", scored)[0].tolist() == [-4000, 1000, 3000]
    assert row_losses("roc_auc", scored)[0].tolist() == [0, 0.5, 1]
    assert row_losses("log_loss", scored)[0][:2] == pytest.approx(-np.log([0.9, 0.4]))
    values = Scored("regression", np.array([1.0, 2.0]), np.array([1.5, 1.0]))
    assert row_losses("mae", values)[0][0] == 0.5
    assert row_losses("rmse", values)[0][0] == 0.25
    with pytest.raises(Undecidable, match="too few"):
        find_groups(Inputs(("a",), np.zeros((150, 1))), [np.zeros(150)])
