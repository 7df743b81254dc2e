"""What use cases ask of a journal, and its labelled rows as a model's answers."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Protocol

import numpy as np
import polars as pl

from vitok.data.target import Classes
from vitok.journal.tables import scan_predictions
from vitok.model.bundle import Manifest
from vitok.stats.scores import Scored
from vitok.store.lake import Lake


def handed_over(lake: Lake) -> pl.LazyFrame:
    """Predictions in the lake that were left to people."""
    return scan_predictions(lake).filter(pl.col("action") == "hand_over")


class JournalReader(Protocol):
    """What watching asks of a journal; the lake's and the one in memory both answer."""

    # After that nobody asks any more, so that silence is no outage; None while production goes on.
    ends: datetime | None

    def predictions(self, start: datetime | None = None, end: datetime | None = None) -> pl.DataFrame:
        """Predictions of a period."""
        ...

    def answers(self, start: datetime, end: datetime, *, with_inputs: bool = False) -> pl.DataFrame:
        """What was answered in a period, in no order."""
        ...

    def labelled(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        as_of: datetime | None = None,
        *,
        with_inputs: bool = False,
    ) -> pl.DataFrame:
        """Predictions of a period with the outcomes known by `as_of`."""
        ...

    def inputs(self, frame: pl.DataFrame, kinds: dict[str, str]) -> pl.DataFrame:
        """Inputs of predictions as columns."""
        ...

    def since(
        self, start: datetime, end: datetime | None = None, *, with_inputs: bool = False
    ) -> pl.DataFrame:
        """All rows that were asked from a moment on, or up to another one."""
        ...

    def reported(self, ids: pl.DataFrame, by: datetime) -> pl.DataFrame:
        """Outcomes of some ids that had arrived by a moment."""
        ...

    def span(self) -> tuple[datetime, datetime] | None:
        """Times of the first and the last prediction, None if there are none."""
        ...

    def revision(self) -> str:
        """Another text whenever there are other predictions."""
        ...

    def uncounted(self, counted: Mapping[str, int]) -> Iterator[pl.DataFrame]:
        """Predictions behind the last known one of each worker."""
        ...

    def labels_since(self, since: datetime, until: datetime) -> int:
        """How many outcomes became known in a period."""
        ...


def answered_by(digest: str) -> pl.Expr:
    """Rows that a version answered to somebody: not those that it scored as a shadow."""
    return (pl.col("digest") == digest) & (pl.col("role") != "shadow")


def usable_labels(labelled: pl.DataFrame, manifest: Manifest) -> pl.DataFrame:
    """Labelled rows whose label means something to the model, with the column `truth`: a code or a value.

    Args:
        labelled: Rows of `JournalReader.labelled`.
    """
    if manifest.task == "regression":
        truth = labelled["value"].cast(pl.Float64, strict=False)
    else:
        texts = {json.dumps(value): code for code, value in enumerate(_classes(manifest).values)}
        truth = labelled["value"].replace_strict(
            list(texts), list(texts.values()), default=None, return_dtype=pl.Int64
        )
    scored = pl.col("proba" if manifest.task == "multiclass" else "score").is_not_null()
    return labelled.with_columns(truth=truth).filter(pl.col("truth").is_not_null() & scored)


def scored_rows(
    labelled: pl.DataFrame, manifest: Manifest, costs: tuple[float, float, float, float] | None
) -> Scored:
    """Labelled predictions of the journal as one model's answers.

    Args:
        labelled: Rows of `JournalReader.labelled`; labels that are no class of the model are left out.
    """
    kept = usable_labels(labelled, manifest)
    truth = kept["truth"].to_numpy()
    if manifest.task == "multiclass":
        return Scored("multiclass", truth, np.array(kept["proba"].to_list()))
    scores = kept["score"].to_numpy()
    if manifest.task == "regression":
        return Scored("regression", truth, scores)
    assert manifest.threshold is not None
    return Scored("binary", truth, scores, (scores >= manifest.threshold).astype(np.int64), costs)


def _classes(manifest: Manifest) -> Classes:
    return Classes(manifest.task, tuple(manifest.classes))  # type: ignore[arg-type]
