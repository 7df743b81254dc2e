"""Reading the journal: predictions, the outcomes that stand, and both joined.

Rules, the same for every ledger: of several outcomes of one id the last replacement stands, else the first
report. An outcome joins the latest answered prediction of its id, and the latest prediction of each shadow.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime

import polars as pl

from vitok.journal.frames import OUTCOMES, PREDICTIONS, conform, decode_inputs
from vitok.journal.records import FAILED
from vitok.journal.tables import TABLE, revision, scan_predictions
from vitok.store.lake import Lake

_AT_ONCE = 50_000


class _Reading(ABC):
    """The questions that every ledger answers; where the rows lie is a subclass's matter.

    Args:
        ends: After that nobody asks any more; None while production goes on.
    """

    ends: datetime | None = None

    @abstractmethod
    def _rows(self, table: str) -> pl.LazyFrame: ...

    def predictions(self, start: datetime | None = None, end: datetime | None = None) -> pl.DataFrame:
        """Predictions of events from `start` (included) to `end` (excluded), in the order of their times.

        Returns:
            Columns as `vitok.journal.frames.PREDICTIONS` names them; `score` is null for multiclass, `proba`
            for all else.
        """
        return self._inside(start, end).sort("time", "received", "worker", "seq").collect()

    def answers(self, start: datetime, end: datetime, *, with_inputs: bool = False) -> pl.DataFrame:
        """What was answered in a period, in no order.

        Returns:
            The columns of `predictions` without warnings, and without inputs unless they are asked for.
        """
        return self._inside(start, end).drop(*_unasked(with_inputs)).collect()

    def _inside(self, start: datetime | None, end: datetime | None) -> pl.LazyFrame:
        rows = self._answered()
        if start is not None:
            rows = rows.filter(pl.col("time") >= start)
        if end is not None:
            rows = rows.filter(pl.col("time") < end)
        return rows

    def outcomes(self, as_of: datetime | None = None, ids: pl.DataFrame | None = None) -> pl.DataFrame:
        """The outcome that stands for each id, among those known by `as_of`.

        Args:
            ids: Only of these, a frame with the column `id`.

        Returns:
            Columns `id`, `value` (JSON text), `time` (when it became known) and `followed`.
        """
        rows = self._rows("outcomes")
        if as_of is not None:
            rows = rows.filter(pl.col("time") <= as_of)
        return self._standing(rows, ids)

    def _standing(self, rows: pl.LazyFrame, ids: pl.DataFrame | None) -> pl.DataFrame:
        """Of several outcomes of one id the last replacement, else the first report."""
        if ids is not None:
            rows = rows.join(ids.lazy().select("id").unique(), on="id", how="semi")
        rows = rows.sort("received", "worker", "seq")
        replaced = rows.filter("replace").unique("id", keep="last", maintain_order=True)
        first = rows.filter(~pl.col("replace")).unique("id", keep="first", maintain_order=True)
        standing = pl.concat([replaced, first]).unique("id", keep="first", maintain_order=True)
        return standing.select("id", "value", "time", "followed").sort("time", "id").collect()

    def labelled(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        as_of: datetime | None = None,
        *,
        with_inputs: bool = False,
    ) -> pl.DataFrame:
        """Predictions of a period whose outcome was known by `as_of`.

        Returns:
            The columns of `predictions` without warnings, and without inputs unless they are asked for; and `value`
            (JSON text), `label_time` and `followed`.
        """
        rows = self._answered().drop(*_unasked(with_inputs))
        if as_of is not None:
            rows = rows.filter(pl.col("received") <= as_of)
        if start is not None and end is not None:
            # Only rows whose id occurs in the period can be its latest ones: far fewer to sort.
            inside = (pl.col("time") >= start) & (pl.col("time") < end)
            rows = rows.join(rows.filter(inside).select("id"), on="id", how="semi")
        latest = rows.sort("time", "received", "worker", "seq")
        shadow = pl.when(pl.col("role") == "shadow").then("digest").otherwise(pl.lit(""))
        latest = latest.unique(["id", shadow], keep="last", maintain_order=True)
        if start is not None:
            latest = latest.filter(pl.col("time") >= start)
        if end is not None:
            latest = latest.filter(pl.col("time") < end)
        found = latest.collect()
        outcomes = self.outcomes(as_of, found).rename({"time": "label_time"})
        return found.join(outcomes, on="id", how="inner", maintain_order="left")

    def since(
        self, start: datetime, end: datetime | None = None, *, with_inputs: bool = False
    ) -> pl.DataFrame:
        """All rows that were asked from a moment on, also of shadows, and those that failed.

        Args:
            end: The last moment that counts; None for no end.

        Returns:
            The columns of `predictions` without warnings, and without inputs unless they are asked for.
        """
        rows = self._rows("predictions").filter(pl.col("received") >= start)
        if end is not None:
            rows = rows.filter(pl.col("received") <= end)
        rows = rows.drop(*_unasked(with_inputs))
        return rows.sort("received", "worker", "seq").collect()

    def reported(self, ids: pl.DataFrame, by: datetime) -> pl.DataFrame:
        """The outcome that stood for each of some ids when a moment had come.

        Args:
            ids: With the column `id`.
            by: Reports that arrived later are left out.

        Returns:
            Columns `id` and `value` (JSON text).
        """
        return self._standing(self._rows("outcomes").filter(pl.col("received") <= by), ids).select(
            "id", "value"
        )

    def uncounted(self, counted: Mapping[str, int]) -> Iterator[pl.DataFrame]:
        """Predictions behind the last known one of each worker, in frames of at most 50 000 rows.

        Args:
            counted: The last known sequence number by worker.
        """
        last = pl.col("worker").replace_strict(dict(counted), default=-1, return_dtype=pl.Int64)
        rows = self._rows("predictions").filter(pl.col("seq") > last)
        ends = rows.group_by("worker").agg(first=pl.col("seq").min(), last=pl.col("seq").max())
        for worker, first, final in ends.sort("worker").collect().iter_rows():
            for start in range(first, final + 1, _AT_ONCE):
                inside = pl.col("seq").is_between(start, start + _AT_ONCE - 1)
                yield rows.filter((pl.col("worker") == worker) & inside).sort("seq").collect()

    def _answered(self) -> pl.LazyFrame:
        return self._rows("predictions").filter(pl.col("action") != FAILED)

    def span(self) -> tuple[datetime, datetime] | None:
        """Times of the first and the last prediction, None if there are none."""
        ends = (
            self._rows("predictions").select(first=pl.col("time").min(), last=pl.col("time").max()).collect()
        )
        first, last = ends.row(0)
        return None if first is None else (first, last)

    def labels_since(self, since: datetime, until: datetime) -> int:
        """How many outcomes became known after `since` and by `until`."""
        arrived = self._rows("outcomes").filter((pl.col("time") > since) & (pl.col("time") <= until))
        return int(arrived.select(pl.col("id").n_unique()).collect().item())

    def inputs(self, frame: pl.DataFrame, kinds: Mapping[str, str]) -> pl.DataFrame:
        """The inputs of predictions as columns: `kinds` gives each wanted input its kind."""
        return decode_inputs(frame, kinds)


def _unasked(with_inputs: bool) -> list[str]:
    """Columns that few readers need: nothing else is as large."""
    return ["warnings"] if with_inputs else ["inputs", "warnings"]


class Ledger(_Reading):
    """The journal of production, in the lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def revision(self) -> str:
        """Another text whenever there are other predictions."""
        return revision(self._lake)

    def _rows(self, table: str) -> pl.LazyFrame:
        if table == TABLE:
            return scan_predictions(self._lake)
        return self._lake.scan(table) if self._lake.exists(table) else pl.DataFrame(schema=OUTCOMES).lazy()


class StillLedger(Ledger):
    """The journal of production for whoever asks for the same rows again and again: what it said once stays."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(lake)
        self._said: dict[tuple[datetime, datetime | None, bool], pl.DataFrame] = {}

    def since(
        self, start: datetime, end: datetime | None = None, *, with_inputs: bool = False
    ) -> pl.DataFrame:
        """All rows that were asked from a moment on, as at the first question."""
        key = (start, end, with_inputs)
        if key not in self._said:
            self._said[key] = super().since(start, end, with_inputs=with_inputs)
        return self._said[key]


class MemoryLedger(_Reading):
    """A journal in memory, for replay and for tests."""

    def __init__(self, ends: datetime | None = None) -> None:
        self.ends = ends
        self._tables: dict[str, list[pl.DataFrame]] = {
            "predictions": [pl.DataFrame(schema=PREDICTIONS)],
            "outcomes": [pl.DataFrame(schema=OUTCOMES)],
        }

    def append_predictions(self, frame: pl.DataFrame) -> None:
        """Adds predictions; `id` and `time` are needed, other columns have neutral values."""
        self._append("predictions", conform(frame, PREDICTIONS))

    def append_outcomes(self, frame: pl.DataFrame) -> None:
        """Adds outcomes; `id`, `value` (JSON text) and `time` are needed."""
        self._append("outcomes", conform(frame, OUTCOMES))

    def tables(self) -> dict[str, pl.DataFrame]:
        """All rows, by the name of their table."""
        return {name: pl.concat(parts) for name, parts in self._tables.items()}

    def revision(self) -> str:
        """Another text whenever there are other predictions."""
        return str(sum(part.height for part in self._tables["predictions"]))

    def _append(self, table: str, frame: pl.DataFrame) -> None:
        count = sum(part.height for part in self._tables[table])
        numbered = frame.with_columns(seq=pl.int_range(count, count + frame.height, dtype=pl.Int64))
        self._tables[table].append(numbered)

    def _rows(self, table: str) -> pl.LazyFrame:
        parts = self._tables[table]
        if len(parts) > 1:
            parts[:] = [pl.concat(parts)]
        return parts[0].lazy()
