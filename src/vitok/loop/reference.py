"""What production is compared with: profiles of the rows behind a version, and how much their windows differ."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from vitok.loop.fitted import Fitted
from vitok.loop.foretold import foretelling
from vitok.loop.prepare import Prepared
from vitok.loop.project import Project
from vitok.model.bundle import FORETELLING, REFERENCE, USUAL, Field
from vitok.monitor.drift import SCORE
from vitok.monitor.windows import window_start
from vitok.stats import images
from vitok.stats.bins import Bins, fit_bins
from vitok.stats.profiles import Profile, Reference, profile
from vitok.stats.scores import Scored
from vitok.stats.texts import is_text, summaries
from vitok.stats.variation import Variation, variation

Timed = tuple[pl.DataFrame, pl.Series | None]  # rows, and their times
_NUMBER = "vitok:window"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def reference_files(project: Project, prepared: Prepared, chosen: Fitted) -> dict[str, bytes]:
    """The files of a bundle that watching reads: inputs over all rows of the snapshot, scores over held-out rows."""
    frame, time = prepared.snapshot.frame, project.charter.task.time
    held_out = np.sort(np.concatenate([prepared.parts.validation, prepared.parts.test]))
    scores = chosen.held_out(prepared)
    times = None if time is None else frame[time]
    files = profile_files(
        (frame, times),
        (score_frame_of(scores), None if times is None else times[held_out]),
        prepared.inputs,
        project.charter.monitor.window,
    )
    foretold = _foretelling(prepared, chosen)
    return files if foretold is None else {**files, FORETELLING: foretold}


def profile_files(
    inputs: Timed, scores: Timed, fields: Sequence[Field], width: timedelta
) -> dict[str, bytes]:
    """Profiles of inputs and scores, and how much their windows differ if their times are known.

    Args:
        inputs: Rows with the fields' columns, and their times.
        scores: As `score_frame_of` gives them, and their times; perhaps of other rows.
        width: Length of the windows that they will be compared with.
    """
    names = {kind: [f.name for f in fields if f.kind == kind] for kind in ("number", "category", "boolean")}
    pictures = [
        name for name in names["category"] if images.is_image(inputs[0][name]) and images.can_decode()
    ]
    texts = [name for name in names["category"] if name not in pictures and is_text(inputs[0][name])]
    frame = with_summaries(inputs[0], texts, pictures)
    made = [name for name in frame.columns if name not in inputs[0].columns]
    decoded = [f"{name}:{images.DECODED}" for name in pictures]
    numbers = [*names["number"], *(name for name in made if name not in decoded)]
    levels = [name for name in names["category"] if name not in texts and name not in pictures]
    ins = _referred(frame, fit_bins(frame, numbers, levels + decoded + names["boolean"]))
    outs = _referred(scores[0], fit_bins(scores[0], [SCORE], []))
    files = {REFERENCE: _bytes(ins.beside(outs).to_json())}
    if inputs[1] is not None and scores[1] is not None:
        usual = {
            **_variation(frame, inputs[1], ins, width).columns,
            **_variation(scores[0], scores[1], outs, width).columns,
        }
        files[USUAL] = _bytes(Variation(width.total_seconds(), usual).to_json())
    return files


def _foretelling(prepared: Prepared, chosen: Fitted) -> bytes | None:
    test, task = prepared.parts.test, prepared.classes.task
    scored = Scored(task, prepared.truth[test], chosen.on_test)
    return foretelling(task, scored, prepared.snapshot.frame[test], prepared.inputs)


def score_frame_of(scores: np.ndarray) -> pl.DataFrame:
    """Scores as a one-column frame; of several classes, the share of the likeliest one."""
    flat = scores if scores.ndim == 1 else scores.max(axis=1)
    return pl.DataFrame({SCORE: flat.astype(np.float64)})


def with_summaries(frame: pl.DataFrame, texts: list[str], pictures: list[str]) -> pl.DataFrame:
    """A frame with the summaries of its texts and images beside them.

    Raises:
        UserMistake: there are images, and the package that decodes them is missing.
    """
    found = [summaries(frame, texts)] if texts else []
    found += [images.summaries(frame, pictures)] if pictures else []
    return pl.concat([frame, *found], how="horizontal") if found else frame


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
