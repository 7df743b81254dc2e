"""Windows of time: where they start, when they are over, when their labels have come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from vitok.kernel.clock import format_time
from vitok.monitor.drift import DriftFinding
from vitok.monitor.quality import QualityFinding
from vitok.monitor.volume import VolumeFinding
from vitok.stats.estimates import Estimate

State = Literal["open", "maturing", "final"]

# A Monday, so that weeks start on Monday; 00:00 UTC, so that days and hours start as in the calendar.
_ORIGIN = datetime(1970, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """One window and what was found in it.

    Args:
        start: First instant.
        end: First instant after it.
        rows: Predictions.
        labelled: Predictions with their outcome.
        state: `open` until its end, `maturing` until its labels have come, then `final`.
        drift: Findings by column, the score first.
        quality: Metrics on the labelled rows.
        fallen: Comparison of the metrics with acceptance.
        estimated: Metrics as the scores foretell them, before labels come; blind to a change of what inputs mean.
        foretold: Comparison of these with acceptance.
        slices: The charter's metrics of each slice, such as `origin=JFK`.
        volume: How many predictions and outcomes came, against what is usual.
        reweighted: Metrics as estimated by a calibration made for this window's rows, as JSON values, or
            `undecidable` with the reason.
    """

    start: datetime
    end: datetime
    rows: int
    labelled: int
    state: State
    drift: tuple[DriftFinding, ...] = ()
    quality: Mapping[str, Estimate] = field(default_factory=dict)
    fallen: tuple[QualityFinding, ...] = ()
    estimated: Mapping[str, Estimate] = field(default_factory=dict)
    foretold: tuple[QualityFinding, ...] = ()
    slices: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    volume: tuple[VolumeFinding, ...] = ()
    reweighted: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The window as JSON values."""
        return {
            "start": format_time(self.start),
            "end": format_time(self.end),
            "rows": self.rows,
            "labelled": self.labelled,
            "state": self.state,
            "drift": [finding.as_json() for finding in self.drift],
            "quality": {name: estimate.as_json() for name, estimate in self.quality.items()},
            "fallen": [finding.as_json() for finding in self.fallen],
            "estimated": {name: estimate.as_json() for name, estimate in self.estimated.items()},
            "reweighted": {name: dict(told) for name, told in self.reweighted.items()},
            "slices": {
                part: {name: estimate.as_json() for name, estimate in metrics.items()}
                for part, metrics in self.slices.items()
            },
            "volume": [finding.as_json() for finding in self.volume],
        }


def window_start(time: datetime, width: timedelta) -> datetime:
    """Start of the window that holds an instant; windows are aligned to UTC, weeks to Monday.

    >>> format_time(window_start(datetime(2013, 3, 1, 17, 5, tzinfo=UTC), timedelta(days=1)))
    '2013-03-01T00:00:00Z'
    """
    return _ORIGIN + (time - _ORIGIN) // width * width


def closed_windows(
    first: datetime, last: datetime, width: timedelta, now: datetime
) -> list[tuple[datetime, datetime]]:
    """Start and end of each window that holds an instant of `first` to `last` and is fully past.

    Args:
        first: Earliest instant of interest.
        last: Latest one.
        width: Length of a window.
        now: The present.
    """
    start, result = window_start(first, width), []
    while start <= last and start + width <= now:
        result.append((start, start + width))
        start += width
    return result


def is_complete(end: datetime, label_delay: timedelta | None, now: datetime) -> bool:
    """Whether the labels of a window that ends at `end` have had the time to come."""
    return now >= end + (label_delay or timedelta(0))


def window_state(end: datetime, label_delay: timedelta | None, now: datetime) -> State:
    """The state of a window that ends at `end`."""
    if now < end:
        return "open"
    return "final" if is_complete(end, label_delay, now) else "maturing"
