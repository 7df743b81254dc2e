"""The rows of a batch: what a version's scores become in the output, and in the journal."""

import json
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from vitok.journal.frames import PREDICTIONS, conform
from vitok.journal.records import as_text
from vitok.journal.tables import INPUT
from vitok.loop.feed import inputs_of
from vitok.model.bundle import Manifest
from vitok.model.runtime import Scores, class_codes
from vitok.model.schema import has_all_levels
from vitok.release.decide_frame import decide_frame
from vitok.release.plan import Arm
from vitok.release.policy import Answer, Policy
from vitok.stats.bins import numbers
from vitok.stats.conformal import Intervals
from vitok.stats.outlier_fit import level_surprises
from vitok.stats.outliers import Outliers

# Names that no table of a user has: a colon is no part of theirs.
ROW, ID, UNIT, TIME = "vitok:row", "vitok:id", "vitok:unit", "vitok:time"
_COLUMNS = pl.Schema({name: kind for name, kind in PREDICTIONS.items() if name != "inputs"})


class Run(NamedTuple):
    """What all predictions of one batch share.

    Args:
        id: Its id; ids of rows without one begin with it.
        started: When it began.
    """

    id: str
    started: datetime

    @property
    def worker(self) -> str:
        """The name under which the journal has its rows."""
        return f"batch-{self.id}"


class Predicted(NamedTuple):
    """A predicted part.

    Args:
        output: In the order of the rows.
        journal: The rows of the journal; None if they were not wanted.
        has_made_ids: Whether no row had an id of its own.
    """

    output: pl.DataFrame
    journal: pl.DataFrame | None
    has_made_ids: bool


class Piece(NamedTuple):
    """Rows that one version answered, or failed to.

    Args:
        rows: With the columns `ROW`, `ID`, `UNIT`, `TIME`.
        scores: None if no version could tell.
        error: Why it was not the version that should have answered; empty if it was.
        routed: The version that should have answered, where another one did.
    """

    rows: pl.DataFrame
    arm: Arm
    scores: Scores | None
    error: str
    routed: int | None = None


def answer_frame(
    piece: Piece, manifest: Manifest, policy: Policy, outliers: Outliers | None, kind: pl.DataType
) -> pl.DataFrame:
    """Answers in the order of the rows.

    Args:
        manifest, outliers: Of the version that answers.
        kind: Type of the column `decision`.

    Returns:
        Columns `ROW`, `id`, the scores, `decision`, `text` (of the decision), `version`, `action`, `reason`.
    """
    scores, count = piece.scores, piece.rows.height
    names = score_names(manifest)
    if scores is None:
        assert policy.default is not None
        own = pl.Series([None], dtype=kind).new_from_index(0, count)
        columns = {name: pl.Series([None], dtype=pl.Float64).new_from_index(0, count) for name in names}
        decided = _decided(own, np.zeros(count, dtype=np.int32), [policy.default], kind)
        columns |= decided | _said(count, "hand_over" if policy.default.hand_over else "default", piece.error)
    else:
        matrix = scores.reshape(count, -1)
        columns = {name: pl.Series(matrix[:, place]) for place, name in enumerate(names)}
        columns |= _decisions(piece, scores, manifest, policy, outliers, kind)
    version = pl.Series([piece.arm.version], dtype=pl.Int64).new_from_index(0, count)
    identity = {ROW: piece.rows[ROW], "id": piece.rows[ID], "version": version}
    return pl.DataFrame(identity | columns)


def journal_frame(
    piece: Piece, answers: pl.DataFrame, manifest: Manifest, run: Run, epoch: int
) -> pl.DataFrame:
    """Answers as the journal keeps them.

    Args:
        answers: What `answer_frame` made of the piece.
        manifest: Of the version that answers.

    Returns:
        Columns of the journal, with one for each input in place of `inputs`.
    """
    rows, arm = piece.rows, piece.arm
    inputs = inputs_of(rows, manifest).select(pl.all().name.prefix(INPUT))
    names = score_names(manifest)
    many = len(names) > 1
    frame = pl.DataFrame(
        {
            "seq": rows[ROW] + 1,
            "id": rows[ID],
            "unit": rows[UNIT],
            "time": rows[TIME],
            "version": answers["version"],
            "decision": answers["text"],
            "warnings": _warnings(rows, manifest),
            "action": answers["action"],
            "reason": answers["reason"],
        }
    ).with_columns(
        worker=pl.lit(run.worker),
        received=pl.lit(run.started),
        digest=pl.lit(arm.digest),
        role=pl.lit("fallback" if piece.scores is None else arm.role),
        epoch=pl.lit(epoch),
        routed=pl.lit(piece.routed, dtype=pl.Int64),
        score=pl.lit(None) if many else answers[names[0]],
        proba=pl.lit(None),
    )
    if many and piece.scores is not None:
        frame = frame.with_columns(answers.select(proba=pl.concat_list(names)).to_series())
    return pl.concat([conform(frame, _COLUMNS), inputs], how="horizontal")


def score_names(manifest: Manifest) -> list[str]:
    """The columns of scores: one, or with several classes one for each."""
    if manifest.task != "multiclass":
        return ["score"]
    return [f"score_{as_text(value)}" for value in manifest.classes]


def interval_names(manifest: Manifest) -> list[str]:
    """The columns that tell how sure a score is."""
    return ["classes"] if manifest.task == "multiclass" else ["low", "high"]


def interval_columns(
    scores: Scores | None, table: Intervals | None, manifest: Manifest, count: int
) -> list[pl.Series]:
    """How sure each score is; nulls where there is no score, or nothing to tell it by.

    Args:
        table: Of the version that answered.

    Returns:
        Bounds; or with several classes the list, as JSON, of those that it may be.
    """
    names = interval_names(manifest)
    if scores is None or table is None:
        kind = pl.String() if len(names) == 1 else pl.Float64()
        return [pl.Series(name, [None], dtype=kind).new_from_index(0, count) for name in names]
    if table.least is None:
        bounds = table.bounds(scores, is_value=not manifest.classes)
        return [pl.Series(name, bound) for name, bound in zip(names, bounds, strict=True)]
    likely = table.sets(scores)
    sets, place = np.unique(likely, axis=0, return_inverse=True)
    texts = [json.dumps([manifest.classes[code] for code in np.flatnonzero(row)]) for row in sets]
    return [pl.Series(names[0], texts).gather(place.reshape(-1))]


def decision_type(policy: Policy, manifest: Manifest) -> pl.DataType:
    """The type of decisions: that of the target, or text if the charter's own answers are of another."""
    limits = (limit.answer for limit in (policy.unsure, policy.outlier) if limit is not None)
    rules = (rule.answer for rule in (*policy.scope, *policy.before, *policy.after))
    answers = [*limits, *rules, *([] if policy.default is None else [policy.default])]
    answers += [] if policy.holdout is None else [policy.holdout.answer]
    if not manifest.classes:
        return pl.Float64()
    types: set[type] = {type(value) for value in manifest.classes}
    types |= {type(answer.value) for answer in answers if answer.value is not None}
    known: dict[type, pl.DataType] = {bool: pl.Boolean(), int: pl.Int64(), str: pl.String()}
    return known.get(types.pop(), pl.String()) if len(types) == 1 else pl.String()


def _decisions(
    piece: Piece,
    scores: Scores,
    manifest: Manifest,
    policy: Policy,
    outliers: Outliers | None,
    kind: pl.DataType,
) -> dict[str, pl.Series]:
    own = _own_decisions(manifest, scores)
    if policy.is_plain:
        nobody = np.full(len(scores), -1, dtype=np.int32)
        said = _said(len(scores), "fallback" if piece.error else "model", piece.error)
        return _decided(own, nobody, [], kind) | said
    strange = None
    if outliers is not None:
        columns = [numbers(piece.rows[name]) for name in outliers.number_names]
        levels = [level_surprises(piece.rows[each.name], each) for each in outliers.levels]
        strange = outliers.judge(columns, levels)
    threshold = manifest.threshold if manifest.positive is not None else None
    units = piece.rows[UNIT].to_list() if policy.holdout is not None else []
    found = decide_frame(policy, piece.rows, scores, own, threshold, strange, units)
    said = {"action": found.action, "reason": found.reason}
    if piece.error:
        said = _said(len(scores), "fallback", piece.error)
        said["action"] = found.action.replace("model", "fallback")
    return _decided(own, found.answer, found.given, kind) | said


def _own_decisions(manifest: Manifest, scores: Scores) -> pl.Series:
    """The model's decisions: the class from the threshold, the likeliest class, or the value itself."""
    if not manifest.classes:
        return pl.Series(scores)
    return _values(list(manifest.classes)).gather(class_codes(manifest, scores))


def _decided(
    own: pl.Series, answer: npt.NDArray[np.int32], given: list[Answer], kind: pl.DataType
) -> dict[str, pl.Series]:
    """Decisions and their texts: the model's own, or the answers that were given instead."""
    texts = own.cast(pl.String)
    typed = texts if kind == pl.String else own
    if given:
        is_own, places = pl.Series(answer < 0), np.maximum(answer, 0)
        values = [None if each.hand_over else each.value for each in given]
        words = pl.Series([None if value is None else as_text(value) for value in values], dtype=pl.String)
        chosen = words if kind == pl.String else pl.Series(values, dtype=kind, strict=False)
        texts = texts.zip_with(is_own, words.gather(places))
        typed = typed.zip_with(is_own, chosen.gather(places))
    return {"decision": typed, "text": texts}


def _values(values: list[Any]) -> pl.Series:
    """Classes as a column; those of several types as their texts."""
    same = len({type(value) for value in values}) == 1
    return pl.Series(values) if same else pl.Series([as_text(value) for value in values])


def _said(count: int, action: str, reason: str) -> dict[str, pl.Series]:
    said = {"action": action, "reason": reason}
    return {name: pl.Series([text], dtype=pl.String).new_from_index(0, count) for name, text in said.items()}


def _warnings(rows: pl.DataFrame, manifest: Manifest) -> pl.Series:
    """What a caller would be told of each row, as JSON: categories that training never saw."""
    none = pl.Series(["[]"]).new_from_index(0, rows.height)
    news = {
        field.name: pl.col(field.name).is_not_null() & ~pl.col(field.name).is_in(list(field.levels))
        for field in manifest.inputs
        if has_all_levels(field)
    }
    if not news:
        return none
    flags = rows.select(**news)
    odd = flags.select(pl.any_horizontal(pl.all())).to_series()
    if not odd.any():
        return none
    names = list(news)
    told = [
        json.dumps(
            [
                f"{name}: {value!r} was not in the training data"
                for name, value, is_new in zip(names, values, flagged, strict=True)
                if is_new
            ],
            ensure_ascii=False,
        )
        for values, flagged in zip(
            rows.filter(odd).select(names).iter_rows(), flags.filter(odd).iter_rows(), strict=True
        )
    ]
    return none.scatter(odd.arg_true(), told)
