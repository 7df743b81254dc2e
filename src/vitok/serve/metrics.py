"""What the workers of a server have done, counted together: any of them answers for all.

Each worker counts for itself and leaves its counts in a file, about once a second and at its end. Whoever is asked adds
the files up, those of dead workers too, so that no counter ever falls while the server runs.
"""

import asyncio
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from vitok.journal.records import Prediction
from vitok.journal.waiting import waiting_bytes
from vitok.kernel.clock import system_clock
from vitok.serve.http import log
from vitok.serve.watchdog import memory_mb
from vitok.stats.latency import BOUNDS
from vitok.store.blobs import write_atomically
from vitok.store.counts import FOLDER, Counts, add_up, left_counts
from vitok.store.heartbeat import Heartbeat, read_heartbeat

_PUBLISH_SECONDS = 1.0
_JOURNAL = "journal"
_KIND = attrgetter("version", "role", "action")
OPENMETRICS = b"application/openmetrics-text"


class Metrics:
    """Counts requests, predictions and outcomes, and how long requests take.

    Args:
        folder: The project's `.vitok` folder.
        worker: Id of the worker.
    """

    def __init__(self, folder: Path, worker: str) -> None:
        self._home = folder
        self._folder = folder / FOLDER
        self._started = system_clock().timestamp()
        self._path = self._folder / f"{worker}.json"
        self._requests: Counter[tuple[str, int]] = Counter()
        self._predictions: Counter[tuple[int, str, str]] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._suspicions: Counter[str] = Counter()
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        self._unrecorded = 0
        self._missed = 0
        self._published = -1

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Counts an answered request."""
        self._requests[route, status] += 1
        self._buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds

    def count_predictions(self, predictions: list[Prediction], *, recorded: bool = True) -> None:
        """Counts predictions."""
        for kind, group in groupby(predictions, _KIND):
            self._predictions[kind] += len(list(group))
        if not recorded:
            self._unrecorded += len(predictions)

    def count_shadows(self, predictions: list[Prediction], missed: int) -> None:
        """Counts what shadows predicted, and rows that they were too busy to see."""
        self.count_predictions(predictions)
        self._missed += missed

    def count_outcomes(self, result: str, count: int) -> None:
        """Counts outcomes by what became of them."""
        self._outcomes[result] += count

    def count_suspicion(self, pattern: str) -> None:
        """Counts a caller who asks as somebody would who copies the model."""
        self._suspicions[pattern] += 1

    def predicted(self, version: int) -> int:
        """How many rows a version has predicted so far, in whatever role."""
        found = self._total()
        return sum(n for key, n in found.predictions.items() if key.partition("\t")[0] == str(version))

    async def publish(self) -> None:
        """Leaves the counts in the worker's file again and again, until cancelled; then for the last time."""
        try:
            while True:
                await asyncio.sleep(_PUBLISH_SECONDS)
                await asyncio.to_thread(self._write)
        finally:
            self._write()

    def render(self, epoch: int | None, accept: bytes = b"") -> tuple[bytes, bytes]:
        """All counts in Prometheus's text format, or in OpenMetrics if that is asked for.

        Returns:
            The text, and its content type.
        """
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

        registry = CollectorRegistry(auto_describe=False)
        counts, waiting, seen = self.standing()
        registry.register(_Collector(counts, epoch or 0, waiting, seen))
        if OPENMETRICS in accept:
            return generate_openmetrics(registry), OPENMETRICS + b"; version=1.0.0; charset=utf-8"
        return generate_latest(registry), b"text/plain; version=0.0.4; charset=utf-8"

    def standing(self) -> tuple[Counts, int, Heartbeat | None]:
        """The counts of all workers, the bytes that wait in the journal, and the keeper's last sign of life."""
        return self._total(), waiting_bytes(self._home / _JOURNAL), read_heartbeat(self._home)

    def _own(self) -> Counts:
        return Counts(
            requests={f"{route}\t{status}": count for (route, status), count in self._requests.items()},
            predictions={f"{v}\t{role}\t{action}": n for (v, role, action), n in self._predictions.items()},
            outcomes=dict(self._outcomes),
            suspicions=dict(self._suspicions),
            buckets=list(self._buckets),
            seconds=self._seconds,
            unrecorded=self._unrecorded,
            missed=self._missed,
            memory_bytes=memory_mb() * 2**20,
            cpu_seconds=sum(os.times()[:2]),
            started=self._started,
        )

    def _write(self) -> None:
        total = sum(self._buckets) + sum(self._outcomes.values()) + sum(self._suspicions.values())
        if total == self._published:
            return
        try:
            write_atomically(self._path, msgspec.json.encode(self._own()))
            self._published = total
        except OSError as error:
            log.warning("the counts could not be written: %s", error)

    def _total(self) -> Counts:
        return add_up([self._own(), *left_counts(self._folder, self._path)])


class _Collector:
    """Hands counts to the client library, which knows both formats."""

    def __init__(self, counts: Counts, epoch: int, waiting: int, keeper: Heartbeat | None) -> None:
        self._counts = counts
        self._epoch = epoch
        self._waiting = waiting
        self._keeper = keeper

    def collect(self) -> Iterable[Any]:
        """The families of metrics."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        def counter(name: str, text: str, found: Mapping[str, int], labels: list[str]) -> Any:
            family = CounterMetricFamily(name, text, labels=labels)
            for key, count in sorted(found.items()):
                family.add_metric(key.split("\t"), count)
            return family

        counts = self._counts
        yield counter("vitok_requests", "Requests that were answered.", counts.requests, ["route", "status"])
        labels = ["version", "role", "action"]
        yield counter("vitok_predictions", "Rows that were predicted.", counts.predictions, labels)
        yield counter("vitok_outcomes", "Outcomes by what became of them.", counts.outcomes, ["result"])
        text = "Callers who asked as somebody would who copies the model, by what was noticed, once a day."
        yield counter("vitok_probing_suspected", text, counts.suspicions, ["pattern"])
        unrecorded = CounterMetricFamily("vitok_unrecorded", "Rows answered although the journal failed.")
        unrecorded.add_metric([], counts.unrecorded)
        yield unrecorded
        missed = CounterMetricFamily("vitok_shadow_missed", "Rows that shadows were too busy to see.")
        missed.add_metric([], counts.missed)
        yield missed
        yield _histogram(
            HistogramMetricFamily("vitok_request_seconds", "Time until the answer was ready."), counts
        )
        yield GaugeMetricFamily("vitok_plan_epoch", "Epoch of the release plan in force.", value=self._epoch)
        text = "Memory of the largest worker."
        yield GaugeMetricFamily("vitok_worker_memory_bytes", text, value=counts.memory_bytes)
        cpu = CounterMetricFamily("vitok_worker_cpu_seconds", "Processor time of all workers.")
        cpu.add_metric([], counts.cpu_seconds)
        yield cpu
        text = "When the first worker of this server started."
        yield GaugeMetricFamily("vitok_server_start_seconds", text, value=counts.started)
        text = "What waits in the journal to be moved into the lake."
        yield GaugeMetricFamily("vitok_journal_waiting_bytes", text, value=self._waiting)
        if self._keeper is not None:
            yield from _of_keeper(self._keeper)


def _of_keeper(keeper: Heartbeat) -> Iterable[Any]:
    from prometheus_client.core import GaugeMetricFamily

    yield GaugeMetricFamily("vitok_keeper_seen_seconds", "When the keeper last looked.", value=keeper.seen)
    labels = ["kind", "severity", "state"]
    alerts = GaugeMetricFamily("vitok_alerts_open", "Alerts that are open.", labels=labels)
    for key, count in sorted(keeper.alerts.items()):
        alerts.add_metric(key.split("\t"), count)
    yield alerts
    text = "Events that could not be told to an address and were given up."
    yield GaugeMetricFamily("vitok_events_given_up", text, value=keeper.dead_events)


def _histogram(family: Any, counts: Counts) -> Any:
    total, buckets = 0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts.buckets, strict=True):
        total += count
        buckets.append((bound, total))
    family.add_metric([], buckets=buckets, sum_value=counts.seconds)
    return family
