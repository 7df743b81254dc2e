"""What the serving workers would have written into the journal, had they been asked the rows of history."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from vitok.journal.records import FAILED, as_text
from vitok.loop.feed import ID, journal_rows
from vitok.loop.traffic_faults import TrafficFault, lost_rows, route_rows
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
from vitok.release.holdout import HELD_OUT, REASON, held_out
from vitok.release.plan import Arm, Plan
from vitok.release.policy import Policy
from vitok.stats.scores import Floats
from vitok.store.blobs import Blobs

_PLACE, _LOST = "vitok:place", "vitok:lost"
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
        traffic: What hits requests whichever version answers them.
    """

    def __init__(self, blobs: Blobs, feed: pl.DataFrame, traffic: Sequence[TrafficFault] = ()) -> None:
        self._blobs, self._feed, self._traffic = blobs, feed, traffic
        self._models: dict[str, Model] = {}
        self.faults: dict[str, NewVersion] = {}  # by the digest of the version that has it

    def answer(self, plan: Plan, batch: pl.DataFrame) -> pl.DataFrame:
        """The journal's rows of a batch, in the order of the batch, and behind them what shadows say of it."""
        batch = batch.with_row_index(_PLACE).with_columns(pl.Series(_LOST, lost_rows(batch, self._traffic)))
        arms = route_rows(plan, batch, self._traffic, partial(rows_that_fit, batch))
        frames = []
        for index in np.unique(arms):
            frames += self._asked(plan, plan.arms[index], batch.filter(pl.Series(arms == index)))
        # Rows of one moment must not lie sorted by arm: whoever takes the first of each would prefer one arm.
        live = pl.concat(frames, how="vertical_relaxed").sort(_PLACE)
        mirrored = [frame for arm in plan.shadows for frame in self._mirrored(arm, batch)]
        found = pl.concat([live, *mirrored], how="vertical_relaxed").drop(_PLACE)
        found = _held_out(plan.policy, found)
        return found.with_columns(epoch=pl.lit(plan.epoch))

    def _asked(self, plan: Plan, arm: Arm, rows: pl.DataFrame) -> list[pl.DataFrame]:
        bad, lost = self._fails(arm, rows), rows[_LOST].to_numpy()
        spare = plan.champion if arm.role != "champion" and plan.policy.previous else plan.fallback
        parts = [(~(bad | lost), partial(self._scored, arm))]
        if spare is not None and spare.digest != arm.digest:
            parts += [
                (bad & ~lost, partial(self._by_another, arm, spare)),
                (lost, partial(self._by_default, arm, plan.policy)),
            ]
        else:
            parts.append((bad | lost, partial(self._by_default, arm, plan.policy)))
        return [write(rows.filter(pl.Series(chosen))) for chosen, write in parts if chosen.any()]

    def _mirrored(self, arm: Arm, rows: pl.DataFrame) -> list[pl.DataFrame]:
        bad = self._fails(arm, rows) | rows[_LOST].to_numpy()
        parts = (rows.filter(pl.Series(~bad)), self._scored), (rows.filter(pl.Series(bad)), self._failed)
        return [write(arm, part) for part, write in parts if part.height]

    def _fails(self, arm: Arm, rows: pl.DataFrame) -> Bools:
        return failing_rows(rows[ID].to_list(), self.faults.get(arm.digest))

    def _by_another(self, arm: Arm, spare: Arm, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows for which a version failed, and the version before answers."""
        told = {"role": pl.lit("fallback"), "action": pl.lit("fallback"), "routed": pl.lit(arm.version)}
        return self._scored(spare, rows).with_columns(**told, reason=_failure(arm))

    def _by_default(self, arm: Arm, policy: Policy, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows that no version answers: the charter's default, or nothing."""
        failed, default = self._failed(arm, rows), policy.default
        if default is None:
            return failed
        said = pl.lit(None if default.value is None else as_text(default.value), dtype=pl.String)
        action = pl.lit("hand_over" if default.hand_over else "default")
        return failed.with_columns(
            role=pl.lit("fallback"), action=action, decision=said, reason=_failure(arm)
        )

    def _failed(self, arm: Arm, rows: pl.DataFrame) -> pl.DataFrame:
        nothing = {name: pl.lit(None, dtype=kind) for name, kind in _NOTHING.items()}
        return self._scored(arm, rows).with_columns(**nothing, action=pl.lit(FAILED), reason=_failure(arm))

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


def _held_out(policy: Policy, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of which a version told a score, as the workers answer those of units that are held out."""
    if policy.holdout is None:
        return rows
    held = pl.lit(pl.Series(held_out(policy.holdout, rows["unit"].to_list())))
    is_kept = held & pl.col("action").is_in(["model", "fallback"])
    said = pl.lit(as_text(policy.holdout.answer.value))
    return rows.with_columns(
        decision=pl.when(is_kept).then(said).otherwise("decision"),
        action=pl.when(is_kept).then(pl.lit(HELD_OUT)).otherwise("action"),
        # Where another version stood in, the journal says why.
        reason=pl.when(is_kept & (pl.col("action") == "model")).then(pl.lit(REASON)).otherwise("reason"),
    )


def _failure(arm: Arm) -> pl.Expr:
    return pl.lit(f"version {arm.version} failed (injected)")
