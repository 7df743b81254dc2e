"""Predicting a part of a table: routing, scores, decisions and journal rows, all by columns."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from vitok.data.scans import Wanted
from vitok.errors import DataMistake, Fault
from vitok.journal.made_ids import made_ids
from vitok.loop.batch_rows import (
    ID,
    ROW,
    TIME,
    UNIT,
    Piece,
    Predicted,
    Run,
    answer_frame,
    decision_type,
    interval_columns,
    interval_names,
    journal_frame,
    score_names,
)
from vitok.model.bundle import load_outliers
from vitok.model.runtime import load_model
from vitok.release.decide_frame import rows_that_fit
from vitok.release.holdout import HELD_OUT
from vitok.release.plan import Arm, Plan
from vitok.release.route import route_many
from vitok.store.blobs import Blobs

_KINDS: dict[str, Any] = {"number": "number", "category": "text", "boolean": "boolean", "time": "time"}
_TRIES = (
    64  # a version that fails on more pieces of a part than this has not met a few odd rows: it is broken
)
PREDICTING = (
    2  # parts at once, each with one thread of the model: two threads on one part wait for each other
)


class Batch:
    """The plan in force with its models loaded, for tables; safe to use from several threads.

    Args:
        intervals: Whether each row tells how sure its score is.

    Raises:
        VitokError: a bundle that answers cannot be loaded.
    """

    def __init__(self, plan: Plan, blobs: Blobs, *, intervals: bool = False) -> None:
        self.plan = plan
        self._with_intervals = intervals
        spare = () if plan.fallback is None else (plan.fallback,)
        arms = {arm.digest: arm for arm in (*plan.live, *plan.shadows, *spare)}
        self._models = {
            digest: load_model(blobs, digest, version=arm.version) for digest, arm in arms.items()
        }
        asked = plan.policy.outlier is not None
        self._outliers = {
            digest: load_outliers(model.manifest, blobs) if asked else None
            for digest, model in self._models.items()
        }
        self.manifest = self._models[plan.champion.digest].manifest
        self._decision_type = decision_type(plan.policy, self.manifest)

    def wanted(self) -> dict[str, Wanted]:
        """The columns that a table must have, and those that are used if it has them."""
        found: dict[str, Wanted] = {}
        for arm in self.plan.live:
            for field in self._models[arm.digest].manifest.inputs:
                before = found.get(field.name)
                nullable = field.nullable and (before is None or before.is_nullable)
                found[field.name] = Wanted(_KINDS[field.kind], True, nullable)
        for model in self._models.values():
            for field in model.manifest.inputs:
                found.setdefault(field.name, Wanted(_KINDS[field.kind]))
        for name, kind in (
            (self.manifest.time, "time"),
            (self.manifest.id, None),
            (self.manifest.entity, None),
        ):
            if name is not None:
                found.setdefault(name, Wanted(kind))  # type: ignore[arg-type]
        return found

    def predict(self, rows: pl.DataFrame, first: int, run: Run, *, is_journalled: bool) -> Predicted:
        """Predicts rows.

        Args:
            first: Number of the first row in the whole table.
            is_journalled: Whether the journal's rows are wanted, which take longer than the rest.

        Raises:
            Fault: a version fails, and no fallback can answer.
        """
        has_made_ids = self.manifest.id not in rows.columns
        rows = self._identified(rows, first, run)
        pieces = list(self._pieces(rows))
        frames = [self._answered(piece) for piece in pieces]
        whole = pl.concat(frames, how="diagonal_relaxed").sort(ROW) if len(frames) > 1 else frames[0]
        output = whole.select(self.columns()).with_columns(pl.col("reason").replace("", None))
        if self.plan.policy.holdout is not None:  # of units held out the journal alone has the scores
            told = pl.col("action") != HELD_OUT
            output = output.with_columns(
                pl.when(told).then(pl.col(name)).alias(name) for name in self._about_scores()
            )
        if not is_journalled:
            return Predicted(output, None, has_made_ids)
        shadows = list(self._shadows(rows))
        pieces, frames = pieces + shadows, frames + [self._answered(piece) for piece in shadows]
        epoch = self.plan.epoch
        parts = [
            journal_frame(piece, frame, self._models[piece.arm.digest].manifest, run, epoch)
            for piece, frame in zip(pieces, frames, strict=True)
        ]
        journal = pl.concat(parts, how="diagonal")  # versions may have inputs of their own
        return Predicted(output, journal, has_made_ids)

    def columns(self) -> list[str]:
        """The columns of the output."""
        return ["id", *self._about_scores(), "decision", "version", "action", "reason"]

    def _about_scores(self) -> list[str]:
        sure = interval_names(self.manifest) if self._with_intervals else []
        return [*score_names(self.manifest), *sure]

    def _answered(self, piece: Piece) -> pl.DataFrame:
        digest = piece.arm.digest
        manifest, outliers = self._models[digest].manifest, self._outliers.get(digest)
        frame = answer_frame(piece, manifest, self.plan.policy, outliers, self._decision_type)
        if not self._with_intervals:
            return frame
        return frame.with_columns(
            interval_columns(piece.scores, self._models[digest].intervals, manifest, frame.height)
        )

    def _identified(self, rows: pl.DataFrame, first: int, run: Run) -> pl.DataFrame:
        """The rows with their number, id, unit and time."""
        manifest = self.manifest
        number = pl.int_range(first, first + rows.height, dtype=pl.Int64)
        made = made_ids(run.id, number)
        key = made if manifest.id not in rows.columns else pl.coalesce(_text(manifest.id), made)
        unit = key if manifest.entity not in rows.columns else pl.coalesce(_text(manifest.entity), key)
        now = pl.lit(run.started, dtype=pl.Datetime("us", "UTC"))
        time = now if manifest.time not in rows.columns else pl.coalesce(pl.col(str(manifest.time)), now)
        return rows.with_columns(number.alias(ROW), key.alias(ID), unit.alias(UNIT), time.alias(TIME))

    def _pieces(self, rows: pl.DataFrame) -> Iterator[Piece]:
        if len(self.plan.live) == 1:
            yield from self._guarded(self.plan.champion, rows)
            return
        arms = route_many(self.plan, rows[UNIT].to_list(), partial(rows_that_fit, rows))
        for place in np.unique(arms):
            yield from self._guarded(self.plan.arms[place], rows.filter(pl.Series(arms == place)))

    def _guarded(self, arm: Arm, rows: pl.DataFrame) -> list[Piece]:
        """Asks a version; where it fails, the halves apart, so that one odd row costs the others nothing."""
        model, tries = self._models[arm.digest], 0

        def ask(part: pl.DataFrame) -> list[Piece]:
            nonlocal tries
            try:
                return [Piece(part, arm, model.score_frame(part), "")]
            except Fault as error:
                tries += 1
                if part.height == 1 or tries > _TRIES:
                    return [self._fall_back(arm, part, error)]
            half = part.height // 2
            return [*ask(part[:half]), *ask(part[half:])]

        return ask(rows)

    def _fall_back(self, failed: Arm, rows: pl.DataFrame, error: Fault) -> Piece:
        """The version before, else the charter's default, else the error."""
        is_champion = failed.digest == self.plan.champion.digest
        spare = self.plan.fallback if is_champion or not self.plan.policy.previous else self.plan.champion
        if spare is not None and spare.digest != failed.digest:
            with suppress(Fault, DataMistake):  # else the default answers, or the first error is told
                scores = self._models[spare.digest].score_frame(rows)
                return Piece(rows, spare, scores, str(error), failed.version)
        if self.plan.policy.default is None:
            raise error
        return Piece(rows, failed, None, str(error))

    def _shadows(self, rows: pl.DataFrame) -> Iterator[Piece]:
        for arm in self.plan.shadows:
            with suppress(Fault, DataMistake):  # a shadow must never disturb an answer
                yield Piece(rows, arm, self._models[arm.digest].score_frame(rows), "")


def _text(name: str | None) -> pl.Expr:
    return pl.col(str(name)).cast(pl.String)
