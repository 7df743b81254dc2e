"""The difference of two charters in words."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.charter.changes import charter_changes, criteria_changes
from vitok.charter.gatechanges import gate_changes
from vitok.charter.load import load_charter
from vitok.report.charter_reference import EXAMPLE

BASE = load_charter(EXAMPLE).charter.as_json()


def said(old, new):
    return [change.sentence for change in charter_changes(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "sentences"),
    [
        (
            ["roc_auc >= 0.7"],
            ["roc_auc >= 0.65"],
            ["gate `roc_auc >= 0.7` was loosened to `roc_auc >= 0.65`"],
        ),
        (["rmse <= 4"], ["rmse <= 3"], ["gate `rmse <= 4` was tightened to `rmse <= 3`"]),
        (["rmse <= 4"], ["rmse < 4"], ["gate `rmse <= 4` was changed to `rmse < 4`"]),
        (
            ["roc_auc >= champion - 0.002"],
            ["roc_auc >= champion - 0.01"],
            ["gate `roc_auc >= champion - 0.002` was loosened to `roc_auc >= champion - 0.01`"],
        ),
        (
            ["f1 > 0.9 * champion"],
            ["f1 > champion"],
            ["gate `f1 > 0.9 * champion` was tightened to `f1 > champion`"],
        ),
        (
            ["slice(a).f1 > 0.5", "f1 > 0.6"],
            ["f1 > 0.6", "slice(b).f1 > 0.5"],
            ["gate `slice(a).f1 > 0.5` removed", "gate `slice(b).f1 > 0.5` added"],
        ),
        (
            ["f1 > 0.5"],
            ["f1>0.50"],
            ["gates were reordered, repeated or written in another way; they mean the same"],
        ),
        (["no gate at all"], ["f1 > 0.5"], ["gate `no gate at all` removed", "gate `f1 > 0.5` added"]),
        (
            ["f1 > 0.5", "f1 > 0.7"],
            ["f1 > 0.7", "f1 > 0.4"],
            ["gate `f1 > 0.5` was loosened to `f1 > 0.4`"],
        ),
    ],
)
def test_gates(old, new, sentences):
    assert list(gate_changes(old, new)) == sentences


def test_each_section_has_its_words():
    new = copy.deepcopy(BASE)
    new["decide"]["costs"] = {"tp": 40.0, "fp": -10.0, "fn": -40.0, "tn": 0.0}
    old = copy.deepcopy(new)
    old["decide"]["costs"]["fn"] = -60.0
    old["task"]["label_delay"], new["task"]["label_delay"] = "4h", "8h"
    risk = {"id": "R3", "what": "the feed fails", "kind": "technical", "likelihood": "low", "impact": "high"}
    old["risks"] = []
    new["risks"] = [risk]
    assert {"costs.fn -60 -> -40", "label delay 4h -> 8h", "risk R3 added: the feed fails"} == set(
        said(old, new)
    )
    worse = {**new, "risks": [{**risk, "likelihood": "high", "owner": "ada"}]}
    assert said(new, worse) == ["risk R3: likelihood low -> high", "risk R3: owner ada added"]
    assert said(worse, old)[-1] == "risk R3 removed"


def test_ranges_are_one_figure_and_lists_are_told_item_by_item():
    old = {"economics": {"build": [100.0, 150.5]}, "data": {"exclude": ["a", "b"]}}
    new = {"economics": {"build": 120.0}, "data": {"exclude": ["b", "c"]}}
    assert said(old, new) == [
        "economics.build [100, 150.5] -> 120",
        "data.exclude a removed",
        "data.exclude c added",
    ]
    assert said({"data": {"exclude": ["a", "b"]}}, {"data": {"exclude": ["b", "a"]}}) == [
        "data.exclude: the order changed"
    ]


def test_long_texts_that_differ_at_their_end_differ():
    (sentence,) = said({"data": {"query": "x" * 100 + "a"}}, {"data": {"query": "x" * 100 + "b"}})
    assert sentence.startswith("query changed after 'xxx")


def test_criteria_are_what_decides_and_not_what_is_tried():
    old = {"accept": ["f1 > 0.5"], "train": {"seed": 0, "candidates": ["linear"]}, "goal": {"owner": "a"}}
    new = {"accept": ["f1 > 0.4"], "train": {"seed": 1, "candidates": ["lightgbm"]}, "goal": {"owner": "b"}}
    assert [change.key for change in criteria_changes(old, new)] == ["accept", "train.seed"]
    assert criteria_changes({"accept": ["f1 > 0.5"]}, {"accept": ["f1>0.5"]}) == []
    assert [
        c.key
        for c in criteria_changes({"data": {"split": {"test": "20%"}}}, {"data": {"split": {"test": "7d"}}})
    ]


values = st.one_of(st.none(), st.booleans(), st.floats(-1e6, 1e6), st.text("abc", max_size=4))
trees = st.dictionaries(
    st.sampled_from(["accept", "risks", "goal", "data", "plan"]),
    st.one_of(
        values,
        st.lists(st.text("abc", min_size=1, max_size=3)),
        st.dictionaries(st.text("xy", min_size=1), values),
    ),
)


@given(trees)
def test_no_charter_differs_from_itself(tree):
    tree["accept"] = ["f1 > 0.5"]
    assert charter_changes(tree, copy.deepcopy(tree)) == []


@given(
    st.dictionaries(
        st.sampled_from(["goal", "task", "monitor"]), st.dictionaries(st.text("xy", min_size=1), values)
    ),
    st.dictionaries(
        st.sampled_from(["goal", "task", "monitor"]), st.dictionaries(st.text("xy", min_size=1), values)
    ),
)
def test_every_changed_key_is_mentioned(old, new):
    keys = {change.key for change in charter_changes(old, new)}
    changed = {
        f"{section}.{key}"
        for section in {*old, *new}
        for key in {*old.get(section, {}), *new.get(section, {})}
        if old.get(section, {}).get(key) != new.get(section, {}).get(key)
    }
    assert keys == changed


@given(
    st.lists(st.sampled_from(["f1 > 0.5", "f1 > 0.6", "recall >= 0.1", "f1 > champion", "odd"])),
    st.lists(st.sampled_from(["f1 > 0.5", "f1 > 0.6", "recall >= 0.1", "f1 > champion", "odd"])),
)
def test_every_gate_that_came_or_went_is_named(old, new):
    text = "\n".join(gate_changes(old, new))
    assert all(f"`{gate}`" in text for gate in {*old} ^ {*new})
    assert bool(text) == (old != new)


def test_columns_of_worst_slice_are_a_criterion_where_a_gate_goes_through_them():
    before, after = copy.deepcopy(BASE), copy.deepcopy(BASE)
    after["monitor"]["slices"] = ["origin"]
    assert criteria_changes(before, after) == []
    for charter in (before, after):
        charter["accept"] = [*charter["accept"], "worst_slice.recall >= 0.3"]
    (change,) = criteria_changes(before, after)
    assert change.key == "monitor.slices"
