"""Estimates without labels whose calibration is made for each window, beside those by the bundle's own calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from vitok.errors import VitokError
from vitok.loop.assemble import cost_tuple
from vitok.loop.foretold import input_matrix
from vitok.loop.journals import JournalReader
from vitok.loop.project import Project
from vitok.loop.rejudge import rejudge
from vitok.model.bundle import Manifest
from vitok.registry import versions
from vitok.stats.reweighting import MOST_ROWS, KnownRows, window_calibration
from vitok.stats.scores import Undecidable
from vitok.stats.unlabelled import Answers, estimate_unlabelled

Told = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class JudgedRows:
    """A version, and the labelled rows that it was judged on."""

    manifest: Manifest
    known: KnownRows


class Reweigher:
    """Reads the rows that a version was judged on when it first needs them, and keeps them.

    Args:
        judged: Versions whose rows are at hand, by number; others are read from the lake.
    """

    def __init__(self, project: Project, judged: Mapping[int, JudgedRows] | None = None) -> None:
        self._project = project
        self._judged: dict[int, JudgedRows | str] = dict(judged or {})

    def metrics(self, number: int, rows: pl.DataFrame, journal: JournalReader, names: Sequence[str]) -> Told:
        """Estimates of a window of a classifier's answers.

        Args:
            number: Of the version that gave them.
            rows: Of the journal's predictions, with scores and inputs; of more than 20 000 a sample is taken.
            journal: What the inputs are read by.
            names: Metrics.

        Returns:
            By metric the estimate, or `undecidable` with the reason.
        """
        found = self._of(number)
        if isinstance(found, str):
            return _none(names, found)
        manifest = found.manifest
        column = "proba" if manifest.task == "multiclass" else "score"
        rows = rows.filter(pl.col(column).is_not_null())
        rows = rows.sample(min(rows.height, MOST_ROWS), seed=0)
        scores = np.array(rows[column].to_list(), dtype=np.float64)
        kinds = {field.name: field.kind for field in manifest.inputs if field.kind != "time"}
        try:
            inputs, _ = input_matrix(journal.inputs(rows, kinds), manifest.inputs)
            calibration = window_calibration(found.known, scores, inputs)
        except Undecidable as error:
            return _none(names, str(error))
        answers = self._answers(manifest, scores)
        told: Told = {}
        for name in names:
            try:
                told[name] = estimate_unlabelled(name, calibration, answers).as_json()
                told[name]["method"] = "calibrated for these rows"
            except Undecidable as error:
                told[name] = {"undecidable": str(error)}
        return told

    def _answers(self, manifest: Manifest, scores: np.ndarray) -> Answers:
        if manifest.task == "multiclass":
            return Answers("multiclass", scores)
        decisions = (scores >= (manifest.threshold or 0.0)).astype(np.int64)
        return Answers("binary", scores, decisions, cost_tuple(self._project))

    def _of(self, number: int) -> JudgedRows | str:
        if number not in self._judged:
            self._judged[number] = self._read(number)
        return self._judged[number]

    def _read(self, number: int) -> JudgedRows | str:
        """The version's rows, or why there are none."""
        with self._project.engine.connect() as connection:
            version = versions.get(connection, number)
        try:
            judged = rejudge(self._project, version)
        except VitokError as error:
            return f"the rows that version {number} was judged on cannot be read: {error.what}"
        matrix, categorical = input_matrix(judged.frame[judged.parts.test], judged.manifest.inputs)
        return JudgedRows(judged.manifest, KnownRows(judged.scored, matrix, categorical))


def _none(names: Sequence[str], reason: str) -> Told:
    return {name: {"undecidable": reason} for name in names}
