"""What the shift of each column alone would do to the main metric, by the rows that the version was judged on."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from vitok.charter.review import main_metric
from vitok.journal.profiles import WHOLE, ProfileStore
from vitok.kernel.clock import parse_time
from vitok.loop.journals import JournalReader
from vitok.loop.looks import NOT_WATCHED
from vitok.loop.profiling import counted_by, open_profiler, reference_of_bundle
from vitok.loop.project import Project
from vitok.loop.rejudge import Judged, rejudge
from vitok.monitor.drift import SCORE
from vitok.registry import versions
from vitok.stats.bins import Bins
from vitok.stats.feature_effects import column_effect
from vitok.stats.packed import unpack
from vitok.stats.profiles import Profile, Reference
from vitok.stats.scores import Undecidable

_MOST_ROWS = 6000


def add_effects(project: Project, journal: JournalReader, drift: dict[str, Any]) -> None:
    """Adds to what `drift` found the expected effect of each column on the main metric, and ranks by it.

    Each line of the ranking gets `effect` (value and 90 % interval, or `undecidable` with the reason), and its weight
    is multiplied by the effect's size; columns without one come last.

    Args:
        drift: From `vitok.loop.drift.drift`; the effects are against the reference, whatever that is against.

    Raises:
        NotFound: the version's rows are not kept any more.
        DataMistake: they are not the rows of its verdict.
    """
    window = drift["window"]
    with project.engine.connect() as connection:
        version = versions.get(connection, window["version"])
    judged = rejudge(project, version)
    with open_profiler(project) as profiler:
        profiler.catch_up(journal)
        reference = reference_of_bundle(project.blobs, judged.manifest)
        now = _profile(judged, counted_by(reference, judged.manifest), profiler.store, window)
        effects = {} if now is None else _effects(main_metric(project.charter), judged, reference, now)
    for line in drift["ranking"]:
        found = effects.get(line["feature"])
        line["effect"] = found
        size = abs(found["value"]) if found is not None and "value" in found else 0.0
        drifted = line["psi"]["value"] if line["psi"] else 0.0
        line["weight"] = size * (drifted if line["weight"] is None else line["weight"])
    drift["ranking"].sort(key=lambda line: (line["feature"] != SCORE, -line["weight"]))
    drift["effect_on"] = main_metric(project.charter)


def _profile(judged: Judged, bins: Bins, store: ProfileStore, window: Mapping[str, Any]) -> Profile | None:
    packed = store.read(
        parse_time(window["start"], "window"),
        parse_time(window["end"], "window"),
        judged.version.digest,
        part=window["slice"] or WHOLE,
        without=NOT_WATCHED,
    )
    return None if packed is None else unpack(packed, bins)


def _effects(metric: str, judged: Judged, reference: Reference, now: Profile) -> dict[str, dict[str, Any]]:
    """Of each input that is a column of the version's rows."""
    rows = judged.parts.test[-_MOST_ROWS:]
    frame, scored = judged.frame[rows], judged.scored.take(np.arange(judged.scored.rows)[-_MOST_ROWS:])
    found: dict[str, dict[str, Any]] = {}
    for name, bins in reference.bins.items():
        if name not in frame.columns or name not in now.columns:
            continue
        try:
            effect = column_effect(
                metric, scored, frame[name], reference.profile.columns[name], now.columns[name], bins
            )
            found[name] = effect.as_json()
        except Undecidable as error:
            found[name] = {"undecidable": str(error)}
    return found
