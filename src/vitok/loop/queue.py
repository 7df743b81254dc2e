"""What waits for people to look at: reckoned over the whole journal, so not by a page."""

from typing import Any

import polars as pl

from vitok.journal.index import Lookup
from vitok.kernel.clock import format_time
from vitok.loop.journals import handed_over
from vitok.loop.outcomes import JOURNAL
from vitok.loop.project import Project

_MOST = 500


def waiting_rows(project: Project, limit: int = _MOST) -> dict[str, Any]:
    """Rows that were handed over to people and have no outcome, oldest first, without their inputs.

    Returns:
        `waiting` (how many there are), and `rows` [{id, time, version, score, reason}], at most `limit`.
    """
    columns = ("id", "time", "version", "score", "proba", "reason", "received", "worker", "seq")
    rows = handed_over(project.lake).select(*columns).sort("time", "received", "worker", "seq").collect()
    lookup = Lookup(project.state / JOURNAL)
    try:
        _, known = lookup.find(rows["id"].to_list())
    finally:
        lookup.close()
    waiting = rows.filter(~pl.col("id").is_in(list(known))).unique("id", keep="last", maintain_order=True)
    found = waiting.head(limit).iter_rows(named=True)
    return {"waiting": waiting.height, "rows": [_row_json(row) for row in found]}


def _row_json(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "time": format_time(row["time"]),
        "version": row["version"],
        "score": row["score"] if row["proba"] is None else row["proba"],
        "reason": row["reason"],
    }
