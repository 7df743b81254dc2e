"""What the serving workers would have written into the journal, had they been asked the rows of history."""

from functools import partial
from typing import Any

import numpy as np
import polars as pl

from vitok.journal.records import FAILED, as_text
from vitok.loop.feed import ID, UNIT, journal_rows
from vitok.loop.version_faults import (
    Bools,
    NewVersion,
    failing_rows,
    rows_of_others,
    service_micros,
    turned_round,
)
from vitok.model.runtime import Model, load_model
from vitok.release.decide_frame import rows_that_fit
from vitok.release.plan import Arm, Plan
from vitok.release.route import route_many
from vitok.stats.scores import Floats
from vitok.store.blobs import Blobs

_PLACE = "vitok:place"
_NOTHING: dict[str, Any] = {
    "score": pl.Float64,
    "proba": pl.List(pl.Float64),
    "decision": pl.String,
    "micros": pl.Int64,
}


class Workers:
    """Answers rows by a plan: routed, scored, mirrored, and where a version fails, answered by another one.

    Args:
        feed: All rows of the span.
    """

    def __init__(self, blobs: Blobs, feed: pl.DataFrame) -> None:
        self._blobs, self._feed = blobs, feed
        self._models: dict[str, Model] = {}
        self.faults: dict[str, NewVersion] = {}  # by the digest of the version that has it

    def answer(self, plan: Plan, batch: pl.DataFrame) -> pl.DataFrame:
        """The journal's rows of a batch, in the order of the batch, and behind them what shadows say of it."""
        batch = batch.with_row_index(_PLACE)
        arms = route_many(plan, batch[UNIT].to_list(), partial(rows_that_fit, batch))
        frames = []
        for index in np.unique(arms):
            frames += self._asked(plan, plan.arms[index], batch.filter(pl.Series(arms == index)))
        # Rows of one moment must not lie sorted by arm: whoever takes the first of each would prefer one arm.
        live = pl.concat(frames, how="vertical_relaxed").sort(_PLACE)
        mirrored = [frame for arm in plan.shadows for frame in self._mirrored(arm, batch)]
        found = pl.concat([live, *mirrored], how="vertical_relaxed").drop(_PLACE)
        return found.with_columns(epoch=pl.lit(plan.epoch))

    def _asked(self, plan: Plan, arm: Arm, rows: pl.DataFrame) -> list[pl.DataFrame]:
        bad = self._fails(arm, rows)
        answered, failed = rows.filter(pl.Series(~bad)), rows.filter(pl.Series(bad))
        frames = [self._scored(arm, answered)] if answered.height else []
        if failed.height:
            frames.append(self._fallen_back(plan, arm, failed))
        return frames

    def _mirrored(self, arm: Arm, rows: pl.DataFrame) -> list[pl.DataFrame]:
        bad = self._fails(arm, rows)
        parts = (rows.filter(pl.Series(~bad)), self._scored), (rows.filter(pl.Series(bad)), self._failed)
        return [write(arm, part) for part, write in parts if part.height]

    def _fails(self, arm: Arm, rows: pl.DataFrame) -> Bools:
        return failing_rows(rows[ID].to_list(), self.faults.get(arm.digest))

    def _fallen_back(self, plan: Plan, arm: Arm, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows for which a version failed: the version before answers, else the charter's default, else nobody."""
        reason = pl.lit(f"version {arm.version} failed (injected)")
        is_other = arm.role != "champion" and plan.policy.previous
        spare, default = plan.champion if is_other else plan.fallback, plan.policy.default
        if spare is not None and spare.digest != arm.digest:
            told = {"role": pl.lit("fallback"), "action": pl.lit("fallback"), "routed": pl.lit(arm.version)}
            return self._scored(spare, rows).with_columns(**told, reason=reason)
        failed = self._failed(arm, rows)
        if default is None:
            return failed
        said = pl.lit(None if default.value is None else as_text(default.value), dtype=pl.String)
        action = pl.lit("hand_over" if default.hand_over else "default")
        return failed.with_columns(role=pl.lit("fallback"), action=action, decision=said, reason=reason)

    def _failed(self, arm: Arm, rows: pl.DataFrame) -> pl.DataFrame:
        nothing = {name: pl.lit(None, dtype=kind) for name, kind in _NOTHING.items()}
        told = {"action": pl.lit(FAILED), "reason": pl.lit(f"version {arm.version} failed (injected)")}
        return self._scored(arm, rows).with_columns(**nothing, **told)

    def _scored(self, arm: Arm, rows: pl.DataFrame) -> pl.DataFrame:
        fault, model = self.faults.get(arm.digest), self._model(arm.digest)
        frame = journal_rows(rows, model, self._scores(model, rows, fault))
        return frame.with_columns(
            pl.lit(arm.version).alias("version"),
            pl.lit(arm.digest).alias("digest"),
            pl.lit(arm.role).alias("role"),
            pl.Series("micros", service_micros(rows[ID].to_list(), arm.version, fault)),
            pl.lit("model").alias("action"),
            pl.lit("").alias("reason"),
            pl.lit(None, dtype=pl.Int64).alias("routed"),
            rows[_PLACE],
        )

    def _scores(self, model: Model, rows: pl.DataFrame, fault: NewVersion | None) -> Floats:
        scores = model.score_frame(rows)
        if fault is None:
            return scores
        scores = scores.copy()
        if fault.when is not None:
            inside = rows_that_fit(rows, fault.when)
            scores[inside] = turned_round(scores[inside], model.manifest)
        if fault.kind == "worse":
            chosen, others = rows_of_others(rows[ID].to_list(), fault, self._feed.height)
            if chosen.any():
                scores[chosen] = model.score_frame(self._feed[others])
        return scores

    def _model(self, digest: str) -> Model:
        if digest not in self._models:
            self._models[digest] = load_model(self._blobs, digest, threads=2)
        return self._models[digest]
