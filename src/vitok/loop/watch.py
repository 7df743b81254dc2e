"""Watching: closed windows are profiled and judged, mature ones measured, and findings become alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from vitok.charter.model import Charter
from vitok.kernel.ids import new_id
from vitok.loop.arrivals import Arrivals
from vitok.loop.gathered import Gathered
from vitok.loop.harm import harm_of
from vitok.loop.journals import JournalReader
from vitok.loop.looks import Look, Looks
from vitok.loop.notify import emit
from vitok.loop.profiling import Profiler, open_profiler
from vitok.loop.project import Project
from vitok.loop.reweighing import Reweigher
from vitok.loop.security import take_up_suspicions
from vitok.monitor.alerts import Alert, AlertStep, Kind, new_alerts
from vitok.monitor.evidence import Family, Verdict
from vitok.monitor.windows import State, Window, closed_windows, window_state
from vitok.registry import windows as remembered
from vitok.store.locks import hold

_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Watched:
    """What one look found.

    Args:
        windows: Windows that were judged now, with the version that they are judged for.
        opened, resolved: Alerts that began or ended, by id.
        open: All alerts that are open now, by id.
        labels: How labels come and which windows wait for theirs, if that was asked for.
    """

    windows: list[tuple[Window, int]]
    opened: dict[str, Alert]
    resolved: dict[str, Alert]
    open: dict[str, Alert]
    labels: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The object that `vitok watch --json` prints."""
        return {
            "windows": [{**_brief(window), "version": version} for window, version in self.windows],
            "findings": [
                {"window": window.as_json()["start"], **finding.as_json()}
                for window, _ in self.windows
                for finding in window.drift
                if finding.moved
            ],
            "alerts": [
                {"id": key, "new": key in self.opened, **alert.as_json()} for key, alert in self.open.items()
            ],
            "resolved": list(self.resolved),
            **self.labels,
        }


def _brief(window: Window) -> dict[str, Any]:
    whole = window.as_json()
    del whole["drift"], whole["fallen"]
    return whole


def watch(
    project: Project,
    journal: JournalReader,
    profiler: Profiler | None = None,
    reweigher: Reweigher | None = None,
) -> Watched:
    """Judges each window that closed or matured since the last look.

    A window's drift is judged once, when it is over; its quality once, when its labels have had the time to come
    (`task.label_delay`). Late rows or labels do not change a verdict that was given.

    Args:
        profiler: Of this journal; None opens the project's own.
        reweigher: Makes a second estimate of windows without labels, by a calibration made for their rows. It takes
            half a second for each, is shown, and decides nothing: replay does without. None leaves it out.

    Raises:
        Busy: another process has been looking for half a minute.
    """
    with hold(project.state / "watch.lock", "vitok watch", wait_seconds=_WAIT_SECONDS):
        if profiler is not None:
            return _watch(project, journal, profiler, reweigher)
        with open_profiler(project) as own:
            return _watch(project, journal, own, reweigher)


def _watch(
    project: Project, journal: JournalReader, profiler: Profiler, reweigher: Reweigher | None
) -> Watched:
    now, charter = project.clock(), project.charter
    profiler.catch_up(journal)
    span = profiler.store.span()
    result = Watched([], {}, {}, {})
    with project.engine.connect() as connection:
        result.open.update(remembered.load_alerts(connection))
        known = remembered.window_states(connection)
        gathered = Gathered.load(connection, charter)
    take_up_suspicions(project, now, result.open, result.opened, result.resolved)
    if span is None:
        return result
    looks = Looks(project, journal, profiler.store, reweigher)
    width = charter.monitor.window
    first = max((start for start, (state, _) in known.items() if state == "final"), default=None)
    begin = span[0] if first is None else max(span[0], first + width)
    arrivals = Arrivals(project.engine, journal, width, begin)
    last = now if journal.ends is None else min(now, journal.ends - timedelta(microseconds=1))
    for start, end in closed_windows(begin, last, width, now):
        before, rows = known.get(start, ("", 0))
        state = window_state(end, charter.task.label_delay, now)
        if before == state and rows:
            continue
        look = _look(project, looks, start, end, state, before if rows else "")
        if look is None and (before == state or not known):
            continue  # still without rows, or nobody has got an answer yet
        window = Window(start, end, 0, 0, state) if look is None else look.window
        if not before:
            window = replace(window, volume=arrivals.judge(start, window.rows))
        # A transaction for each window: the database stays free for others while the next one is judged.
        with project.engine.begin() as connection:
            _take(project, connection, _Taken(window, look, before, rows > 0), gathered, profiler, result)
        known[start] = state, window.rows
    return result


@dataclass(frozen=True)
class _Taken:
    """A window as it is judged now.

    Args:
        look: What a look into its rows found; None if it has none.
        before: Its state when it was judged before; empty if it was not.
        had_rows: Whether it had rows then.
    """

    window: Window
    look: Look | None
    before: str
    had_rows: bool


def _take(
    project: Project,
    connection: Any,
    taken: _Taken,
    gathered: Gathered,
    profiler: Profiler,
    result: Watched,
) -> None:
    """Adds what a window says to what is known, and lets it raise, carry on, or resolve alerts."""
    now, charter, window, look = project.clock(), project.charter, taken.window, taken.look
    verdicts: dict[Family, Verdict] = {}
    if look is None:
        gathered.forget_changes()
    else:
        verdicts.update(gathered.take(look, judges_drift=not taken.had_rows))
    if not taken.before:
        verdicts.update(gathered.take_volume(window.volume))
    version = _save(connection, taken, gathered)
    result.windows.append((window, version))
    told = set(result.opened)
    cooldown = charter.retrain.cooldown or timedelta(days=1)
    recent = remembered.load_alerts(connection, resolved_after=window.start - cooldown)
    step = new_alerts(
        [alert for alert in recent.values() if alert.kind != "security"],  # callers know no windows
        window,
        verdicts,
        charter.retrain.cooldown,
        at=_judged_at(window, charter),
        standing=gathered.standing(),
        harm={} if look is None else harm_of(look, profiler.store, verdicts),
    )
    _take_up(connection, now, step, recent, result)
    for key, alert in result.opened.items():
        if key not in told:
            emit(connection, charter, now, "alert", f"alert {key}", alert.as_json())


def _look(
    project: Project, looks: Looks, start: datetime, end: datetime, state: State, before: str
) -> Look | None:
    """A window for the first time, or again now that it is final; None if it has no rows."""
    if before == "":
        look = looks.drift(start, end, state)
    else:
        with project.engine.connect() as connection:
            look = looks.again(remembered.one_window(connection, start))
    return look if look is None or state != "final" else looks.quality(look, state)


def _save(connection: Any, taken: _Taken, gathered: Gathered) -> int:
    """Writes a window; returns the version that it is judged for, of one without rows the one before."""
    window, look = taken.window, taken.look
    whole = window.as_json()
    drift, details = remembered.found_before(connection, window.start)
    if window.volume:
        details = {**details, "volume": whole["volume"], "outcomes": window.volume[-1].count}
    if whole["reweighted"]:  # made once, when the window closed
        details = {**details, "reweighted": whole["reweighted"]}
    if window.fallen:
        details = {**details, "fell": [finding.metric for finding in window.fallen if finding.alarm]}
    if look is None:
        version: int = remembered.last_windows(connection, 1)[0]["version"]
    else:
        version = look.version.number
    remembered.save_window(
        connection,
        start=window.start,
        end=window.end,
        state=window.state,
        rows=window.rows,
        labelled=window.labelled,
        version=version,
        drift=drift if taken.had_rows else whole["drift"],
        quality=whole["quality"],
        details={**details, **gathered.changed(), "estimated": whole["estimated"], "slices": whole["slices"]},
    )
    return version


def _judged_at(window: Window, charter: Charter) -> datetime:
    """When a window could be judged as it is now."""
    return window.end + (
        charter.task.label_delay or timedelta(0) if window.state == "final" else timedelta(0)
    )


def _take_up(
    connection: Any, now: datetime, step: AlertStep, recent: Mapping[str, Alert], result: Watched
) -> None:
    """Lets a window raise, carry on, or resolve alerts."""
    others = {key: alert for key, alert in result.open.items() if alert.kind == "security"}
    mine = {key: alert for key, alert in recent.items() if alert.is_open and alert.kind != "security"}
    ids: dict[Kind, str] = {alert.kind: key for key, alert in mine.items()}
    result.open.clear()
    result.open.update(others)
    for alert in (*step.open, *step.resolved):
        key = ids.get(alert.kind)
        if key is None:
            key = new_id(now)
            remembered.save_alert(connection, key, alert)
        else:
            remembered.update_alert(connection, key, alert)
        if alert.is_open:
            result.open[key] = alert
        else:
            result.resolved[key] = alert
        if alert in step.opened:
            result.opened[key] = alert
