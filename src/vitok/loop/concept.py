"""Whether a model's errors changed, row by row in the order in which labels came: concept drift, seen by detectors."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from vitok.errors import UserMistake, did_you_mean
from vitok.journal.ledger import Ledger
from vitok.journal.records import as_text
from vitok.kernel.clock import format_time
from vitok.loop.drift_compared import quality_compared
from vitok.loop.drift_spans import Span
from vitok.loop.journals import JournalReader, answered_by, usable_labels
from vitok.loop.production import version_in_production
from vitok.loop.project import Project
from vitok.model.bundle import Manifest, load_manifest
from vitok.registry import windows as remembered
from vitok.registry.versions import Version
from vitok.release.holdout import HELD_OUT
from vitok.stats.change_detectors import Detector, first_change
from vitok.stats.edetectors import bernoulli_e_values, shiryaev_roberts
from vitok.stats.scores import Floats, Undecidable

OWN = "e_detector"
DETECTORS = (OWN, *get_args(Detector))
Against = Literal["accepted", "previous", "season"]
AGAINST: tuple[Against, ...] = get_args(Against)
# What the own detector looks for: an error share this much above what it is compared with.
_TIMES = (1.25, 1.5, 2.0)


def project_concept(
    project: Project,
    start: datetime | None,
    end: datetime | None,
    detectors: Sequence[str] = DETECTORS,
    journal: JournalReader | None = None,
    *,
    against: Against = "accepted",
) -> dict[str, Any]:
    """The object that `vitok concept --json` prints, for the version in production.

    Args:
        start, end: Period of the predictions; None for all.
        detectors: Of `DETECTORS`.
        journal: None for the project's own.
        against: What the own detector holds the errors against: the accepted figure, what the version before did in
            its last windows, or what was measured in the same season. The others look for a change alone.

    Returns:
        version, rows, errors (their mean), against (what, error: the most that it allows, None if it is not known), and
        for each detector `changed` (when the label came that made it cry), `row`, `warnings`, or `undecidable` with
        the reason.

    Raises:
        NotFound: no version is in production.
        UserMistake: there is no such detector, or river is missing.
    """
    for name in detectors:
        if name not in DETECTORS:
            hint = did_you_mean(name, DETECTORS) or f"There are {', '.join(DETECTORS)}."
            raise UserMistake("--detector", f"there is no {name!r}", hint)
    version = version_in_production(project, "concept")
    manifest = load_manifest(project.blobs, version.digest)
    known = (journal or Ledger(project.lake)).labelled(start, end, as_of=project.clock())
    known = known.filter(pl.col("action") != HELD_OUT)  # no decision of a model
    rows = usable_labels(known.filter(answered_by(version.digest)), manifest).sort("label_time", "time", "id")
    errors = _errors(rows, manifest)
    limit = project.charter.monitor.drift.false_alarms
    allowed = None if rows.height == 0 else _allowed(project, version, against, rows)
    found = {}
    for name in detectors:
        try:
            found[name] = _asked(name, errors, rows, allowed, _rows_between(rows, limit))
        except Undecidable as error:
            found[name] = {"changed": None, "undecidable": str(error)}
    return {
        "version": version.number,
        "rows": rows.height,
        "errors": float(errors.mean()) if rows.height else None,
        "against": {"what": against, "error": allowed},
        "detectors": found,
    }


def _asked(
    name: str, errors: Floats, rows: pl.DataFrame, allowed: float | None, limit: float
) -> dict[str, Any]:
    if name == OWN:
        place = _own(errors, allowed, limit)
        warnings: tuple[int, ...] = ()
    else:
        change = first_change(errors, name)  # type: ignore[arg-type]
        place, warnings = change.alarm, change.warnings
    when = None if place is None else format_time(rows["label_time"][place])
    return {"changed": when, "row": place, "warnings": len(warnings)}


def _allowed(project: Project, version: Version, against: Against, rows: pl.DataFrame) -> float | None:
    """The share of errors that the accuracy which is compared with allows at most; None if that is not known.

    Taken at the bad end of its interval: an error of the figure itself would not average out over the rows.
    """
    if against == "accepted":
        accuracy = version.metrics.get("accuracy")
    else:
        with project.engine.connect() as connection:
            judged = remembered.measured_windows(connection)
        mine = [
            each for each in judged if each["version"] == version.number and "accuracy" in each["quality"]
        ]
        first, last = rows["time"].min(), rows["time"].max()
        inside = [each for each in mine if each["end"] > first and each["start"] <= last]
        if not inside:
            return None
        span = Span(inside[0]["start"], inside[-1]["end"])
        compared = quality_compared("accuracy", span, version.number, judged)
        found = compared["previous_version" if against == "previous" else "same_season"]
        accuracy = None if found is None else found["then"]
    return None if accuracy is None else 1 - float(accuracy["low"])


def _own(errors: Floats, allowed: float | None, limit: float) -> int | None:
    """Errors of 0 and 1 against the most that is allowed, within the budget of false alarms."""
    if len(errors) == 0:
        raise Undecidable("no rows")
    if allowed is None or not np.isin(errors, (0.0, 1.0)).all():
        raise Undecidable("it takes errors of 0 and 1, and an accuracy to compare them with")
    base = min(max(allowed, 1e-4), 0.99)
    rates = [min(base * times, (1 + base) / 2) for times in _TIMES]
    ratios = np.mean([bernoulli_e_values(errors, base, rate) for rate in rates], axis=0)
    above = shiryaev_roberts(ratios) >= limit
    return int(np.argmax(above)) if above.any() else None


def _errors(rows: pl.DataFrame, manifest: Manifest) -> Floats:
    if manifest.task == "regression":
        return np.asarray(np.abs(rows["truth"].to_numpy() - rows["score"].to_numpy()), dtype=np.float64)
    names = [as_text(value) for value in manifest.classes]
    decided = rows["decision"].replace_strict(
        names, list(range(len(names))), default=None, return_dtype=pl.Int64
    )
    wrong = (decided != rows["truth"].cast(pl.Int64)).fill_null(True)
    return np.asarray(wrong.cast(pl.Float64).to_numpy())


def _rows_between(rows: pl.DataFrame, budget: tuple[int, Any]) -> float:
    """Rows between two false alarms that the budget allows, at the pace of these rows."""
    if rows.height < 2:
        return 1.0
    span = (rows["time"].max() - rows["time"].min()).total_seconds()  # type: ignore[operator, union-attr]
    count, period = budget
    return max(100.0, float(rows.height / max(span, 1.0) * period.total_seconds() / count))
