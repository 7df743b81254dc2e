"""What the journal says of traffic: how many units come a day, and how many of them fail."""

from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from vitok.journal.tables import scan_predictions
from vitok.loop.rollout_rows import HAS_FAILED
from vitok.store.lake import Lake

_LIVE = ("champion", "challenger", "variant", "fallback")
_DAY = timedelta(days=1)


class Units(NamedTuple):
    """Units of a period.

    Args:
        seen: How many there were.
        rows: Their requests' rows.
        failed: Those whose first request failed, or was answered by another version than the one it was routed to.
        days: From the first of them to the end of the period.
    """

    seen: int
    rows: int
    failed: int
    days: float

    @property
    def per_day(self) -> float:
        """New units a day."""
        return self.seen / self.days

    @property
    def source(self) -> str:
        """Where that is from, for people."""
        return f"journal: {self.seen} unit{'' if self.seen == 1 else 's'} in {self.days:.1f} days"


def units_of(lake: Lake, now: datetime, days: int) -> Units | None:
    """The units of the last days, by the journal; None if there are none."""
    rows = scan_predictions(lake).filter(
        (pl.col("received") >= now - days * _DAY) & (pl.col("received") <= now) & pl.col("role").is_in(_LIVE)
    )
    firsts = rows.group_by("unit").agg(
        HAS_FAILED.sort_by("received", "worker", "seq").first().alias("failed"),
        pl.col("received").min(),
        pl.len().alias("rows"),
    )
    told = firsts.select(pl.len(), pl.col("rows").sum(), pl.col("failed").sum(), pl.col("received").min())
    seen, rows_seen, bad, first = told.collect().row(0)
    return Units(seen, rows_seen, bad, max((now - first) / _DAY, 1.0)) if seen else None
