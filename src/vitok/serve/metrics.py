"""A worker's own counters in Prometheus's text format; the label `worker` keeps several workers apart."""

from bisect import bisect_left
from collections import Counter

from vitok.journal.records import Prediction

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Counts requests, predictions and outcomes, and how long requests take."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._requests: Counter[tuple[str, int]] = Counter()
        self._predictions: Counter[tuple[int, str]] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._buckets = [0] * (len(_BOUNDS) + 1)
        self._seconds = 0.0

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Counts an answered request."""
        self._requests[route, status] += 1
        self._buckets[bisect_left(_BOUNDS, seconds)] += 1
        self._seconds += seconds

    def count_predictions(self, predictions: list[Prediction]) -> None:
        """Counts predictions that were recorded, shadows too."""
        for prediction in predictions:
            self._predictions[prediction.version, prediction.role] += 1

    def predicted(self, version: int) -> int:
        """How many rows a version has predicted so far, in whatever role."""
        return sum(count for (number, _), count in self._predictions.items() if number == version)

    def count_outcomes(self, result: str, count: int) -> None:
        """Counts outcomes by what became of them."""
        self._outcomes[result] += count

    def render(self, epoch: int | None) -> bytes:
        """All of it as text."""
        lines = ["# TYPE vitok_requests_total counter"]
        for (route, status), count in sorted(self._requests.items()):
            lines.append(self._line("vitok_requests_total", count, route=route, status=status))
        lines.append("# TYPE vitok_predictions_total counter")
        for (version, role), count in sorted(self._predictions.items()):
            lines.append(self._line("vitok_predictions_total", count, version=version, role=role))
        lines.append("# TYPE vitok_outcomes_total counter")
        for result, count in sorted(self._outcomes.items()):
            lines.append(self._line("vitok_outcomes_total", count, result=result))
        lines.append("# TYPE vitok_request_seconds histogram")
        total = 0
        for bound, count in zip((*_BOUNDS, "+Inf"), self._buckets, strict=True):
            total += count
            lines.append(self._line("vitok_request_seconds_bucket", total, le=bound))
        lines.append(self._line("vitok_request_seconds_sum", round(self._seconds, 6)))
        lines.append(self._line("vitok_request_seconds_count", total))
        lines += ["# TYPE vitok_plan_epoch gauge", self._line("vitok_plan_epoch", epoch or 0)]
        return ("\n".join(lines) + "\n").encode()

    def _line(self, name: str, value: float, **labels: object) -> str:
        named = ",".join(f'{key}="{label}"' for key, label in {**labels, "worker": self._worker}.items())
        return f"{name}{{{named}}} {value}"
