"""What production is compared with: profiles of the rows behind a version, and how much their windows differ."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from vitok.loop.foretold import foretelling
from vitok.loop.prepare import Prepared
from vitok.loop.project import Project
from vitok.model.bundle import FORETELLING, REFERENCE, USUAL
from vitok.monitor.drift import SCORE
from vitok.monitor.windows import window_start
from vitok.stats.bins import Bins, fit_bins
from vitok.stats.profiles import Profile, Reference, profile
from vitok.stats.scores import Scored
from vitok.stats.variation import Variation, variation
from vitok.train.fit import Trained, predict_scores

_NUMBER = "vitok:window"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def reference_files(project: Project, prepared: Prepared, chosen: Trained) -> dict[str, bytes]:
    """The files of a bundle that watching reads: inputs over all rows of the snapshot, scores over held-out rows."""
    names = {
        kind: [f.name for f in prepared.inputs if f.kind == kind]
        for kind in ("number", "category", "boolean")
    }
    frame = prepared.snapshot.frame
    held_out = np.sort(np.concatenate([prepared.parts.validation, prepared.parts.test]))
    scores = score_frame_of(
        predict_scores(chosen.pipeline, prepared.encoded[held_out], prepared.classes.task)
    )
    inputs = _referred(frame, fit_bins(frame, names["number"], names["category"] + names["boolean"]))
    outputs = _referred(scores, fit_bins(scores, [SCORE], []))
    files = {REFERENCE: _bytes(inputs.beside(outputs).to_json())}
    time, width = project.charter.task.time, project.charter.monitor.window
    if time is not None:
        times = frame[time]
        usual = {
            **_variation(frame, times, inputs, width).columns,
            **_variation(scores, times[held_out], outputs, width).columns,
        }
        files[USUAL] = _bytes(Variation(width.total_seconds(), usual).to_json())
    foretold = _foretelling(prepared, chosen)
    if foretold is not None:
        files[FORETELLING] = foretold
    return files


def _foretelling(prepared: Prepared, chosen: Trained) -> bytes | None:
    test, task = prepared.parts.test, prepared.classes.task
    scores = predict_scores(chosen.pipeline, prepared.encoded[test], task)
    scored = Scored(task, prepared.truth[test], scores)
    return foretelling(task, scored, prepared.snapshot.frame[test], prepared.inputs)


def score_frame_of(scores: np.ndarray) -> pl.DataFrame:
    """Scores as a one-column frame; of several classes, the share of the likeliest one."""
    flat = scores if scores.ndim == 1 else scores.max(axis=1)
    return pl.DataFrame({SCORE: flat.astype(np.float64)})


def by_window(frame: pl.DataFrame, times: pl.Series, bins: Bins, width: timedelta) -> dict[datetime, Profile]:
    """Profiles of a frame's windows, by their start; rows without a time are left out.

    Args:
        times: Of the rows, shape (n,).
    """
    origin = window_start(_EPOCH, width)
    number = (times.dt.epoch("us") - int(origin.timestamp() * 1e6)) // int(width / timedelta(microseconds=1))
    parts = frame.with_columns(number.alias(_NUMBER)).filter(pl.col(_NUMBER).is_not_null())
    found = parts.partition_by(_NUMBER, as_dict=True, include_key=False, maintain_order=True)
    return {origin + int(key) * width: profile(part, bins) for (key,), part in found.items()}


def _referred(frame: pl.DataFrame, bins: Bins) -> Reference:
    return Reference(dict(bins), profile(frame, bins))


def _variation(frame: pl.DataFrame, times: pl.Series, reference: Reference, width: timedelta) -> Variation:
    windows = list(by_window(frame, times, reference.bins, width).values())
    return variation(reference.profile, windows, reference.bins, width.total_seconds())


def _bytes(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
