"""What was handed over to people and still waits for an outcome."""

from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from vitok.journal.ledger import Ledger
from vitok.kernel.clock import format_time
from vitok.loop.journals import handed_over
from vitok.loop.keep import collect
from vitok.loop.project import Project


def list_reviews(project: Project, *, since: datetime | None = None, limit: int = 50) -> dict[str, Any]:
    """The object that `vitok reviews --json` prints: rows without a decision and without an outcome, oldest first.

    Args:
        since: Only rows of events from then on.
        limit: How many, at most.
    """
    collect(project)
    asked = handed_over(project.lake)
    if since is not None:
        asked = asked.filter(pl.col("time") >= since)
    rows = asked.sort("time", "received", "worker", "seq").collect()
    known = Ledger(project.lake).outcomes(ids=rows)
    waiting = rows.join(known, on="id", how="anti", maintain_order="left")
    return {
        "waiting": waiting.height,
        "reviews": [
            {
                "id": row["id"],
                "time": format_time(row["time"]),
                "version": row["version"],
                "score": row["score"] if row["proba"] is None else row["proba"],
                "reason": row["reason"],
                "inputs": msgspec.json.decode(row["inputs"]),
            }
            for row in waiting.head(limit).iter_rows(named=True)
        ],
    }
