"""How sure answers are, on request: `?interval=true`."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from vitok.journal.records import Prediction
from vitok.model.bundle import Manifest
from vitok.release.holdout import HELD_OUT
from vitok.serve.deployment import Deployment
from vitok.serve.http import HttpProblem
from vitok.stats.conformal import Intervals

_YES = {"true": True, "1": True, "false": False, "0": False}


def wants_intervals(query: bytes) -> bool:
    """Whether the part of an address behind `?` asks for intervals.

    Raises:
        HttpProblem: 400 for anything else that it asks.
    """
    if not query:
        return False
    wanted = False
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name != "interval" or value.lower() not in _YES:
            raise HttpProblem(400, f"query: {name[:50]}={value[:50]} is not known. Ask interval=true")
        wanted = _YES[value.lower()]
    return wanted


def intervals_of(deployment: Deployment, recorded: Sequence[Prediction]) -> list[dict[str, Any] | None]:
    """How sure each answer is, by the version that scored it.

    Args:
        recorded: Predictions with their whole scores.

    Returns:
        For each: `level` with `low` and `high` (binary: of the share of positive rows among rows of such a score;
        regression: of the value) or with `classes` (several classes: those that it may be); None where no model gave
        a score, or the model's rows to judge were too few to tell.
    """
    found: list[dict[str, Any] | None] = [None] * len(recorded)
    for version in {prediction.version for prediction in recorded}:
        served = deployment.find(version)
        table = None if served is None else served.model.intervals
        if served is None or table is None:
            continue
        places = [
            place
            for place, each in enumerate(recorded)
            if each.version == version and each.score is not None and each.action != HELD_OUT
        ]
        scores = np.array([recorded[place].score for place in places], dtype=np.float64)
        manifest, decimals = served.model.manifest, deployment.plan.policy.decimals
        for place, entry in zip(places, _entries(table, scores, manifest, decimals), strict=True):
            found[place] = entry
    return found


def _entries(
    table: Intervals, scores: np.ndarray, manifest: Manifest, decimals: int | None
) -> list[dict[str, Any]]:
    if table.least is not None:
        classes = manifest.classes
        return [
            {"level": table.level, "classes": [classes[place] for place in np.flatnonzero(row).tolist()]}
            for row in table.sets(scores)
        ]
    low, high = table.bounds(scores, is_value=not manifest.classes)
    if decimals is not None:  # outwards, so that the coverage stays
        scale = 10.0**decimals
        low, high = np.floor(low * scale) / scale, np.ceil(high * scale) / scale
    return [
        {"level": table.level, "low": below, "high": above}
        for below, above in zip(low.tolist(), high.tolist(), strict=True)
    ]
