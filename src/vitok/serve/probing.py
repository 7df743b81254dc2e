"""Noticing callers who ask as somebody would who copies the model.

Who copies a model sends rows that no real case would have, or moves rows towards the threshold to find where the
decision turns. For each caller who is named, both shares are weighed against what is tolerated by evidence that may be
looked at after every request; a caller who stays below the tolerated share raises a false alarm of a pattern on at
most one in 20 000 days. What is counted lies beside quotas: for all workers together, and over restarts.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from vitok.errors import Fault
from vitok.kernel.clock import Clock
from vitok.model.bundle import REFERENCE, Manifest, numeric_ranges
from vitok.model.schema import RequestSchema, Rows
from vitok.serve.deployment import Deployment
from vitok.serve.http import log
from vitok.serve.metrics import Metrics
from vitok.serve.predict import Answer
from vitok.stats.exceedance import log_evidence
from vitok.store.blobs import Blobs
from vitok.store.suspicions import Pattern, Suspicion, append_suspicion
from vitok.store.usage import ASKED, NEAR, STRANGE, Record, Usage

ALPHA = 1e-4  # of a caller, a day and a model: half of it for each of the two patterns
TOLERATED = 0.1
LEAST_ROWS = 200  # fewer do not copy a model
NEAR_BY = 0.01
_ENOUGH = math.log(2 / ALPHA)
_SIGNS: dict[Pattern, int] = {"unlike_training": 1, "near_threshold": 2, "query_budget": 4}
_TIMES_REFERENCE, _TIMES_OTHERS = 3.0, 2.0
_LEAST_OTHERS, _LEAST_ROWS_OF_OTHERS = 2, 20
_LOOKED_ROWS = 128
_REMEMBERED = 256
_OTHERS_SECONDS = 10.0
_ROUNDING = 1e-6  # of float32, in which the extremes are kept
_DAY = 86400
_SCORE = "score"


class Yardstick:
    """What the rows of a model are held against.

    Args:
        model: What its counts are kept under.
        ranges: Least and greatest value in training of each numeric input, by name.
        threshold: Of the decision; None where scores are not cut.
        near: Share of scores near the threshold that is tolerated; None if the bundle does not tell how many there are.
    """

    def __init__(
        self,
        model: int,
        ranges: Mapping[str, tuple[float, float]],
        threshold: float | None,
        near: float | None,
    ) -> None:
        self.model = model
        self.ranges = ranges
        self.threshold = threshold
        self.near = near
        self._schema: RequestSchema | None = None
        self._read: Callable[[Any], Any] = _nothing
        self._limits = list(ranges.values())

    def look_at(self, rows: Rows, answer: Answer) -> tuple[int, int, int]:
        """How many rows were looked at, how many of them are unlike the training rows, and how many near the threshold.

        Of many rows some are looked at, and nobody can know which.
        """
        if rows.schema is not self._schema:
            self._schema, self._read = rows.schema, self._reader(rows.schema)
        records, found, read, limits = answer.records, rows.found, self._read, self._limits
        threshold = math.inf if self.threshold is None else self.threshold
        places: Sequence[int] = range(len(found))
        if len(found) > _LOOKED_ROWS:
            places = random.sample(places, _LOOKED_ROWS)
        strange = near = 0
        for place in places:
            record = records[place]
            if record.warnings:
                strange += 1
            else:
                for value, (low, high) in zip(read(found[place]), limits):  # noqa: B905 - costs half a microsecond
                    if value is not None and not low <= value <= high:
                        strange += 1
                        break
            score = record.score
            if isinstance(score, float) and -NEAR_BY <= score - threshold <= NEAR_BY:
                near += 1
        return len(places), strange, near

    def _reader(self, schema: RequestSchema) -> Callable[[Any], Any]:
        names = tuple(self.ranges)
        if not names or not all(
            name in schema.attributes for name in names
        ):  # asked of a version with other inputs
            return _nothing
        read = schema.reader(names)
        return (lambda row: (read(row),)) if len(names) == 1 else read


def _nothing(row: Any) -> tuple[()]:
    return ()


def yardstick_of(manifest: Manifest, digest: str, blobs: Blobs) -> Yardstick:
    """The yardstick of a bundle, from its reference."""
    names, low, high = numeric_ranges(manifest, blobs)
    threshold = manifest.threshold if manifest.positive is not None else None
    share = None if threshold is None else _share_near(manifest, threshold, blobs)
    near = None if share is None else max(TOLERATED, _TIMES_REFERENCE * share)
    return Yardstick(
        int(digest[:16], 16) or 1,
        {
            name: (least - _ROUNDING * abs(least), most + _ROUNDING * abs(most))
            for name, least, most in zip(names, low.tolist(), high.tolist(), strict=True)
        },
        threshold,
        near if near is not None and near < 0.5 else None,
    )


def _share_near(manifest: Manifest, threshold: float, blobs: Blobs) -> float | None:
    """Which share of the held-out rows scored near the threshold, even inside of a bin; None without a reference."""
    digest = manifest.files.get(REFERENCE)
    content = {} if digest is None else msgspec.json.decode(blobs.get(digest))
    edges = content.get("bins", {}).get(_SCORE, {}).get("edges")
    counts = content.get("profile", {}).get("columns", {}).get(_SCORE, {}).get("counts")
    if not edges or not counts or not sum(counts):
        return None
    inside: float = 0.0
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        overlap = min(high, threshold + NEAR_BY) - max(low, threshold - NEAR_BY)
        if overlap >= 0:
            inside += count * (min(overlap / (high - low), 1.0) if high > low else 1.0)
    return inside / float(sum(counts))


class Probing:
    """Looks at what was answered to named callers.

    Args:
        folder: The project's `.vitok` folder.
        usage: Where callers are counted.
        budget: Rows a day from which on a caller is told of; None for no budget.
    """

    def __init__(
        self, folder: Path, blobs: Blobs, usage: Usage, clock: Clock, metrics: Metrics, budget: int | None
    ) -> None:
        self._folder = folder
        self._blobs = blobs
        self._usage = usage
        self._clock = clock
        self._metrics = metrics
        self._budget = budget
        self._yardsticks: dict[str, Yardstick | None] = {}
        self._making: set[asyncio.Task[None]] = set()
        self._others: dict[tuple[bytes, int], tuple[float, float]] = {}

    def look(self, caller: str, deployment: Deployment, rows: Rows, answer: Answer) -> None:
        """Takes a request into account; whatever fails here, its answer goes out."""
        try:
            record = self._usage.watched(caller, int(self._clock().timestamp()) // _DAY)
            if record is not None:
                self._look(caller, record, deployment, rows, answer)
        except (OSError, Fault) as error:
            log.warning("callers cannot be watched: %s", error)
        except Exception:
            log.exception("callers cannot be watched")

    def _look(self, caller: str, record: Record, deployment: Deployment, rows: Rows, answer: Answer) -> None:
        record.add(ASKED, len(rows))
        if self._budget is not None and (asked := record.total(ASKED)) > self._budget:
            self._suspect(caller, record, "query_budget", asked, asked, self._budget)
        served = deployment.champion
        yardstick = self._yardstick(served.model.manifest, served.arm.digest)
        if yardstick is None:
            return
        total, strange, near = record.count_rows(yardstick.model, *yardstick.look_at(rows, answer))
        if total < LEAST_ROWS:
            return
        if strange > TOLERATED * total:
            self._weigh(caller, record, "unlike_training", total, strange, TOLERATED)
        if yardstick.near is not None and near > yardstick.near * total:
            self._weigh(caller, record, "near_threshold", total, near, yardstick.near)

    def _weigh(
        self, caller: str, record: Record, pattern: Pattern, rows: int, hits: int, tolerated: float
    ) -> None:
        if record.has_own_mark(_SIGNS[pattern]) or log_evidence(hits, rows, tolerated) < _ENOUGH:
            return
        # Where the others are like this one, it is the world that changed; drift alerts tell of that.
        tolerated = max(tolerated, _TIMES_OTHERS * self._share_of_others(record, pattern))
        if tolerated < 1 and log_evidence(hits, rows, round(tolerated, 3)) >= _ENOUGH:
            self._suspect(caller, record, pattern, rows, hits, tolerated)

    def _share_of_others(self, record: Record, pattern: Pattern) -> float:
        """The middle one of the other callers' shares; nought if there are too few to compare with."""
        field = STRANGE if pattern == "unlike_training" else NEAR
        key, now = (record.label, field), time.monotonic()
        known = self._others.get(key)
        if known is None or now >= known[0]:
            shares = record.shares_of_others(field, _LEAST_ROWS_OF_OTHERS)
            known = now + _OTHERS_SECONDS, median(shares) if len(shares) >= _LEAST_OTHERS else 0.0
            if len(self._others) >= _REMEMBERED:
                self._others.clear()
            self._others[key] = known
        return known[1]

    def _suspect(
        self, caller: str, record: Record, pattern: Pattern, rows: int, hits: int, tolerated: float
    ) -> None:
        if not record.mark(_SIGNS[pattern]):
            return
        found = Suspicion(self._clock(), caller, pattern, rows, hits, round(tolerated, 4))
        self._metrics.count_suspicion(pattern)
        fields = msgspec.to_builtins(found)
        del fields["time"]
        log.warning(
            "probing suspected: %r, %s: %d of %d rows, tolerated %g",
            caller,
            pattern,
            hits,
            rows,
            found.tolerated,
            extra={"fields": fields},
        )
        append_suspicion(self._folder, found)

    def _yardstick(self, manifest: Manifest, digest: str) -> Yardstick | None:
        """The yardstick of a bundle; None while it is being made, beside the answering of requests."""
        if digest not in self._yardsticks:
            if len(self._yardsticks) >= 16:
                self._yardsticks.clear()
            self._yardsticks[digest] = None
            task = asyncio.create_task(self._make(manifest, digest))
            self._making.add(task)
            task.add_done_callback(self._making.discard)
        return self._yardsticks[digest]

    async def _make(self, manifest: Manifest, digest: str) -> None:
        try:
            self._yardsticks[digest] = await asyncio.to_thread(yardstick_of, manifest, digest, self._blobs)
        except Exception:  # a damaged reference: the model answers all the same
            log.exception("callers of bundle %s cannot be watched", digest[:12])
