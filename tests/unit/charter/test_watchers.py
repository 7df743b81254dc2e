"""What watches a risk: the forms, and mistakes."""

import pytest

from vitok.charter.watchers import AlertWatcher, GateWatcher, canonical_gate, parse_watcher
from vitok.errors import CharterMistake

ACCEPT = ["roc_auc>=0.70", "slice(origin).roc_auc >= 0.55"]


@pytest.mark.parametrize(
    ("text", "watcher"),
    [
        ("alert(quality)", AlertWatcher("quality")),
        ("alert(drift)", AlertWatcher("drift")),
        ("alert( drift.temp )", AlertWatcher("drift", "temp")),
        ("alert(missing.mean radius)", AlertWatcher("missing", "mean radius")),
        ("alert(drift.a.b)", AlertWatcher("drift", "a.b")),
        ("gate(roc_auc >= 0.7)", GateWatcher("roc_auc >= 0.7")),
        ("gate( slice(origin).roc_auc >= 0.550 )", GateWatcher("slice(origin).roc_auc >= 0.55")),
    ],
)
def test_forms(text, watcher):
    assert parse_watcher(text, "here", ACCEPT) == watcher
    assert parse_watcher(str(watcher), "here", ACCEPT) == watcher


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("roc_auc >= 0.7", "cannot read", "gate(GATE)"),
        ("alert(latency)", "there is no alert 'latency'", "alert(quality)"),
        ("alert(quality.temp)", "quality has no columns", "alert(quality)"),
        ("alert(missing)", "names no column", "alert(missing.COLUMN)"),
        ("alert(drift.)", "names no column", "alert(drift.COLUMN)"),
        ("gate(roc_auc >=)", "cannot read 'roc_auc >='", "roc_auc >= 0.7"),
        ("gate(roc_auc >= 0.65)", "is no gate of accept", "Did you mean 'roc_auc >= 0.7'?"),
        ("gate(size_mb < 3)", "is no gate of accept", ""),
    ],
)
def test_mistake_names_place_and_remedy(text, what, remedy):
    with pytest.raises(CharterMistake) as caught:
        parse_watcher(text, "vitok.yaml:9:1 risks[0]", ACCEPT)
    assert caught.value.place == "vitok.yaml:9:1 risks[0]"
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_gate_is_not_looked_up_without_the_gates():
    assert parse_watcher("gate(size_mb < 3)") == GateWatcher(canonical_gate("size_mb<3"))


def test_gate_of_another_language_stays_as_it_is():
    assert canonical_gate(" never heard of it ") == "never heard of it"
