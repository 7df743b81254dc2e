"""How well people agree who labelled the same rows."""

from collections import defaultdict
from typing import Any

from vitok.journal.outcomes import is_same
from vitok.journal.records import as_text
from vitok.loop.project import Project
from vitok.registry import labels
from vitok.registry.labels import Label
from vitok.stats.agreement import agreement

_DIFFERENCES = 20
_LABELS = 5000  # that count, the newest: a page must not wait for those of all years


def labels_agreement(project: Project) -> dict[str, Any]:
    """How well people agree who labelled the same rows, of the last labels that were given.

    Returns:
        `labels` and `rows` (how many), `pairs` (rows with two labels), `share` and `kappa` with their intervals (None
        where they cannot be told; of numbers both are None, and `difference` is the mean one), `people` (for each how
        many labels, on how many rows with another's, and how many of those agree), and `differing` rows, newest first.
    """
    with project.engine.connect() as connection:
        given = labels.last_labels(connection, _LABELS)
    by_row: dict[str, list[Label]] = defaultdict(list)
    for label in given:
        by_row[label.id].append(label)
    pairs = [sorted(found[:2], key=lambda label: label.person) for found in by_row.values() if len(found) > 1]
    values = [(as_text(one.value), as_text(other.value)) for one, other in pairs]
    is_number = project.charter.task.type == "regression"
    found = agreement(values) if values and not is_number else None
    differing = [pair for pair in pairs if not is_same(pair[0].value, pair[1].value)]
    return {
        "labels": len(given),
        "rows": len(by_row),
        "pairs": len(pairs),
        "share": None if found is None else _interval(found.share),
        "kappa": None if found is None or found.kappa is None else _interval(found.kappa),
        "difference": _mean_difference(pairs) if is_number and pairs else None,
        "people": _people(given, pairs),
        "differing": [] if is_number else [_pair_json(pair) for pair in differing[::-1][:_DIFFERENCES]],
    }


def _people(given: list[Label], pairs: list[list[Label]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for label in given:
        person = found.setdefault(label.person, {"labels": 0, "compared": 0, "agreeing": 0})
        person["labels"] += 1
    for one, other in pairs:
        for label in (one, other):
            found[label.person]["compared"] += 1
            found[label.person]["agreeing"] += is_same(one.value, other.value)
    return [{"person": name, **counts} for name, counts in sorted(found.items())]


def _pair_json(pair: list[Label]) -> dict[str, Any]:
    return {
        "id": pair[0].id,
        "labels": [{"person": label.person, "value": as_text(label.value)} for label in pair],
    }


def _interval(found: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("value", "low", "high"), found, strict=True))


def _mean_difference(pairs: list[list[Label]]) -> float:
    return sum(abs(float(one.value) - float(other.value)) for one, other in pairs) / len(pairs)
