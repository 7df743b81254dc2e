"""Whether the newest labels may be learned from: held against the champion's scores before a turn starts."""

from datetime import timedelta

import polars as pl

from vitok.kernel.clock import format_time
from vitok.loop.journals import JournalReader, answered_by, scored_rows, usable_labels
from vitok.loop.project import Project
from vitok.model.bundle import load_manifest
from vitok.registry import releases, versions
from vitok.registry import windows as remembered
from vitok.release.holdout import HELD_OUT
from vitok.stats.label_trust import LEAST_ROWS, distrust
from vitok.stats.scores import Undecidable

_MOST_ROWS = 500
_LEAST_BACK, _WINDOWS_BACK = timedelta(days=30), 10  # older rows are not new


def labels_distrusted(project: Project, journal: JournalReader) -> tuple[str | None, str]:
    """Why the newest labels are not to be learned from, and what else a decision has to say of labels.

    Only rows whose label is due count: those that come early may all be of one kind.

    Returns:
        The reason that holds a turn back, None if there is none; and remarks, empty if there are none: that too few
        labels are due to be judged, and since when labels are still coming.
    """
    now = project.clock()
    with project.engine.connect() as connection:
        release = releases.current(connection)
        states = remembered.window_states(connection)
        accepted = {} if release is None else versions.get(connection, release.version).metrics
    waiting, remarks = [start for start, (state, _) in states.items() if state == "maturing"], []
    if waiting:
        remarks.append(f"labels of rows since {format_time(min(waiting))} are still coming")
    if release is None:
        return None, "; ".join(remarks)
    digest = release.plan.champion.digest
    manifest = load_manifest(project.blobs, digest)
    due = now - (project.charter.task.label_delay or timedelta())
    known = journal.labelled(
        due - max(_LEAST_BACK, _WINDOWS_BACK * project.charter.monitor.window), due, as_of=now
    )
    known = known.filter(answered_by(digest) & (pl.col("action") != HELD_OUT))
    rows = usable_labels(known, manifest).sort("label_time", "time", "id").tail(_MOST_ROWS)
    try:
        if rows.height < LEAST_ROWS:
            raise Undecidable
        error = accepted["mae"]["high"] if "mae" in accepted else None
        why = distrust(scored_rows(rows, manifest, None), error)
    except Undecidable:
        why = None
        remarks.append("too few labels are due to tell whether they are right")
    return why, "; ".join(remarks)
