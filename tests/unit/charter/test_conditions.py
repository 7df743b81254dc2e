"""Conditions of milestones: what parses, what it means, and what a mistake is told."""

import pytest

from vitok.charter.conditions import COUNTS, EVENTS, Count, Event, Figure, parse_condition
from vitok.errors import CharterMistake


@pytest.mark.parametrize("name", EVENTS)
def test_events_are_words(name):
    assert parse_condition(f" {name} ") == Event(name)


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_whole_numbers(name):
    assert parse_condition(f"{name}>=25000") == Count(name, 25_000)


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("roc_auc >= 0.7", Figure("roc_auc", ">=", 0.7)),
        ("profit_per_1000 > -2.5e3", Figure("profit_per_1000", ">", -2500.0)),
        ("accuracy > 90%", Figure("accuracy", ">", 0.9)),
        ("latency_p99_ms<20", Figure("latency_p99_ms", "<", 20.0)),
    ],
)
def test_figures_compare_a_metric_with_a_number(text, figure):
    assert parse_condition(text) == figure
    assert parse_condition(str(figure)) == figure


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Write one of baseline"),
        ("relased", "Did you mean 'released'?"),
        ("roc_au >= 0.7", "Did you mean 'roc_auc'?"),
        ("prediction >= 10", "Did you mean 'predictions'?"),
        ("labels > 10", "labels >= and a whole number"),
        ("labels >= 1.5", "labels >= and a whole number"),
        ("labels >= 10%", "labels >= and a whole number"),
        ("labels <= 10", "labels >= and a whole number"),
        ("roc_auc == 0.7", "Compare with >=, >, <= or <."),
        ("roc_auc >= champion", "Write one of baseline"),
        ("__import__('os')", "Write one of baseline"),
        ("rmse <= 4", "Known: roc_auc"),
    ],
)
def test_mistake_names_the_place_and_what_to_write(text, told):
    with pytest.raises(CharterMistake) as caught:
        parse_condition(text, "vitok.yaml:7:3 plan", "binary")
    assert caught.value.place == "vitok.yaml:7:3 plan"
    assert told in caught.value.remedy


def test_metric_of_another_task_is_taken_when_the_task_is_not_known():
    assert parse_condition("rmse <= 4") == Figure("rmse", "<=", 4.0)


@pytest.mark.parametrize(
    ("text", "holds"),
    [("roc_auc >= 0.7", True), ("roc_auc > 0.7", False), ("roc_auc <= 0.8", True), ("roc_auc < 0.8", False)],
)
def test_the_unfavourable_end_of_the_interval_decides(text, holds):
    assert parse_condition(text).holds({"value": 0.75, "low": 0.7, "high": 0.8}) is holds
