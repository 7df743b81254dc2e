"""Names of metrics in the charter."""

from collections.abc import Iterable

from vitok.errors import CharterMistake, did_you_mean
from vitok.stats.catalogue import METRICS, SERVICE_METRICS, TaskKind


def require_metric(name: str, task: TaskKind | None, place: str, counts: Iterable[str] = ()) -> None:
    """Checks that a metric is known.

    Args:
        task: The kind of task; None takes metrics of every kind.
        counts: What may be meant besides, for the message.

    Raises:
        CharterMistake: there is no such metric for the task.
    """
    known = [metric.name for metric in METRICS.values() if task is None or task in metric.tasks]
    known += SERVICE_METRICS
    if name in known:
        return
    known += counts
    what = f"unknown metric{' or count' if counts else ''} {name!r}" + (f" for a {task} task" if task else "")
    raise CharterMistake(place, what, f"{did_you_mean(name, known)}Known: {', '.join(known)}.")
