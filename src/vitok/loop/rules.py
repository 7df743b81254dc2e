"""Judging the charter's rules about production on the journal's labelled rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from vitok.charter.expressions import Comparison, WorstSlice
from vitok.loop.assemble import cost_tuple
from vitok.loop.journals import JournalReader, answered_by, scored_rows, usable_labels
from vitok.loop.project import Project
from vitok.model.bundle import Manifest
from vitok.monitor.quality import QualityFinding
from vitok.monitor.rules import judge_rule


def judge_rules(
    project: Project,
    journal: JournalReader,
    rules: Sequence[Comparison],
    span: tuple[datetime, datetime],
    manifest: Manifest,
    digest: str,
    accepted: Mapping[str, float],
    known: pl.DataFrame | None = None,
) -> dict[Comparison, QualityFinding]:
    """The rules that can be decided, each with its finding.

    A rule speaks of the version that answers now: on the labelled rows of the window, or with `for window(30d)`
    of the 30 days before the window's end.

    Args:
        span: Start and end of the window that was judged last.
        digest: Of the version.
        accepted: Its metrics when it was accepted.
        known: The version's labelled rows of the window with their inputs, if the caller has them.
    """
    found = {}
    frames: dict[tuple[datetime, bool], pl.DataFrame] = {}
    if known is not None:
        frames = dict.fromkeys(((span[0], True), (span[0], False)), usable_labels(known, manifest))
    watched = project.charter.monitor.slices
    for rule in rules:
        columns = list(watched) if rule.part == WorstSlice(None) else rule.columns
        key = (span[0] if rule.period is None else span[1] - rule.period, bool(columns))
        if key not in frames:
            labelled = journal.labelled(key[0], span[1], as_of=project.clock(), with_inputs=key[1])
            labelled = labelled.filter(answered_by(digest))
            frames[key] = usable_labels(labelled, manifest)
        rows = frames[key]
        if rows.height == 0:
            continue
        groups = groups_of(journal, rows, manifest, columns) if columns else {}
        scored = scored_rows(rows, manifest, cost_tuple(project))
        finding = judge_rule(rule, scored, groups, watched, accepted)
        if finding is not None:
            found[rule] = finding
    return found


def groups_of(
    journal: JournalReader, rows: pl.DataFrame, manifest: Manifest, columns: Sequence[str]
) -> dict[str, Any]:
    """Text values of the columns among the recorded inputs, in the order of the rows."""
    kinds = {field.name: field.kind for field in manifest.inputs if field.name in columns}
    frame = journal.inputs(rows, kinds)
    return {
        name: frame[name].cast(pl.String).fill_null("missing").to_numpy().astype(np.str_) for name in kinds
    }
