"""Watching: closed windows are profiled and judged, mature ones measured, and findings become alerts."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from vitok.charter.expressions import Comparison
from vitok.charter.review import main_metric
from vitok.kernel.ids import new_id
from vitok.loop.assemble import SCORE, cost_tuple, score_frame_of
from vitok.loop.journals import JournalReader, scored_rows
from vitok.loop.notify import emit
from vitok.loop.project import Project
from vitok.loop.rules import judge_rules
from vitok.loop.security import take_up_suspicions
from vitok.model.bundle import REFERENCE, Manifest, load_manifest
from vitok.monitor.alerts import Alert, new_alerts
from vitok.monitor.drift import drift_findings
from vitok.monitor.quality import QualityFinding, quality_findings, quality_window
from vitok.monitor.windows import Window, closed_windows, window_state
from vitok.registry import versions
from vitok.registry import windows as remembered
from vitok.stats.catalogue import metrics_for
from vitok.stats.profiles import Reference, profile
from vitok.store.locks import hold

_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Watched:
    """What one look found.

    Args:
        windows: Windows that were judged now, with the version that answered most of their rows.
        opened, resolved: Alerts that began or ended, by id.
        open: All alerts that are open now, by id.
    """

    windows: list[tuple[Window, int]]
    opened: dict[str, Alert]
    resolved: dict[str, Alert]
    open: dict[str, Alert]

    def as_json(self) -> dict[str, Any]:
        """The object that `vitok watch --json` prints."""
        return {
            "windows": [{**_brief(window), "version": version} for window, version in self.windows],
            "findings": [
                {"window": window.as_json()["start"], **finding.as_json()}
                for window, _ in self.windows
                for finding in window.drift
                if finding.alarm
            ],
            "alerts": [
                {"id": key, "new": key in self.opened, **alert.as_json()} for key, alert in self.open.items()
            ],
            "resolved": list(self.resolved),
        }


def _brief(window: Window) -> dict[str, Any]:
    whole = window.as_json()
    del whole["drift"], whole["fallen"]
    return whole


def watch(project: Project, journal: JournalReader) -> Watched:
    """Judges each window that closed or matured since the last look.

    A window's drift is judged once, when it is over; its quality once, when its labels have had the time to come
    (`task.label_delay`). Late rows or labels do not change a verdict that was given.

    Raises:
        Busy: another process has been looking for half a minute.
    """
    with hold(project.state / "watch.lock", "vitok watch", wait_seconds=_WAIT_SECONDS):
        return _watch(project, journal)


def _watch(project: Project, journal: JournalReader) -> Watched:
    now, charter = project.clock(), project.charter
    span = journal.span()
    result = Watched([], {}, {}, {})
    with project.engine.connect() as connection:
        result.open.update(remembered.load_alerts(connection))
        known = remembered.window_states(connection)
    take_up_suspicions(project, now, result.open, result.opened, result.resolved)
    if span is None:
        return result
    looks = _Looks(project, journal)
    first = max((start for start, (state, _) in known.items() if state == "final"), default=None)
    begin = span[0] if first is None else max(span[0], first + charter.monitor.window)
    for start, end in closed_windows(begin, span[1], charter.monitor.window, now):
        before = known.get(start, ("", 0))[0]
        state = window_state(end, charter.task.label_delay, now)
        judged = None if before == state else looks.window(start, end, state, judge_drift=before == "")
        if judged is None:
            continue
        result.windows.append(judged)
        # A transaction for each window: the database stays free for others while the next one is judged.
        with project.engine.begin() as connection:
            _save(connection, *judged, known_before=before != "")
            told = set(result.opened)
            _take_up(connection, now, judged[0], before, charter.retrain.cooldown, result)
            for key, alert in result.opened.items():
                if key not in told:
                    emit(connection, charter, now, "alert", f"alert {key}", alert.as_json())
    return result


def _save(connection: Any, window: Window, version: int, *, known_before: bool) -> None:
    whole = window.as_json()
    drift = remembered.drift_of(connection, window.start) if known_before else whole["drift"]
    remembered.save_window(
        connection,
        start=window.start,
        end=window.end,
        state=window.state,
        rows=window.rows,
        labelled=window.labelled,
        version=version,
        drift=drift,
        quality=whole["quality"],
    )


def _take_up(
    connection: Any, now: datetime, window: Window, before: str, cooldown: timedelta | None, result: Watched
) -> None:
    """Lets a window raise, carry on, or resolve alerts."""
    recent = remembered.load_alerts(connection, resolved_after=window.start - (cooldown or timedelta(days=1)))
    # Alerts on callers know no windows: they stay as they are.
    recent = {key: alert for key, alert in recent.items() if alert.kind != "security"}
    others = {key: alert for key, alert in result.open.items() if alert.kind == "security"}
    kinds = [kind for kind, due in (("drift", before == ""), ("quality", window.state == "final")) if due]
    step = new_alerts(list(recent.values()), window, cooldown, kinds=kinds)  # type: ignore[arg-type]
    ids = {(alert.kind, alert.since): key for key, alert in recent.items() if alert.is_open}
    result.open.clear()
    result.open.update(others)
    for alert in (*step.open, *step.resolved):
        key = ids.get((alert.kind, alert.since))
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


class _Looks:
    """Looks into windows; keeps the references and accepted figures of versions that it has met."""

    def __init__(self, project: Project, journal: JournalReader) -> None:
        self._project = project
        self._journal = journal
        self._versions: dict[str, tuple[Manifest, Reference, dict[str, float]]] = {}

    def window(
        self, start: datetime, end: datetime, state: str, *, judge_drift: bool
    ) -> tuple[Window, int] | None:
        """One window, judged for the version that answered most of its rows; None if it has no rows."""
        rows = self._journal.predictions(start, end).filter(pl.col("role") != "shadow")
        if rows.height == 0:
            return None
        version, digest = (
            rows.group_by("version", "digest")
            .len()
            .sort("len", "version")
            .select("version", "digest")
            .row(-1)
        )
        manifest, reference, accepted = self._version(version, digest)
        mine = rows.filter(pl.col("digest") == digest)
        findings = self._drift(mine, manifest, reference) if judge_drift else []
        labelled, quality, fallen = 0, {}, list[QualityFinding]()
        if state == "final":
            alerts, span = self._project.document.rules.alerts, (start, end)
            known = self._journal.labelled(start, end, as_of=self._project.clock(), with_inputs=bool(alerts))
            known = known.filter((pl.col("digest") == digest) & (pl.col("role") != "shadow"))
            labelled = known.height
            if labelled:
                scored = scored_rows(known, manifest, cost_tuple(self._project))
                names = [
                    metric.name for metric in metrics_for(scored.task, with_costs=scored.costs is not None)
                ]
                quality = quality_window(scored, names)
                alerting = [name for name in alerting_metrics(self._project) if name in quality]
                fallen = quality_findings({name: quality[name] for name in alerting}, accepted)
            fallen += judge_rules(
                self._project, self._journal, alerts, span, manifest, digest, accepted, known
            ).values()
        window = Window(start, end, rows.height, labelled, state, tuple(findings), quality, tuple(fallen))  # type: ignore[arg-type]
        return window, int(version)

    def _drift(self, rows: pl.DataFrame, manifest: Manifest, reference: Reference) -> list[Any]:
        kinds = {field.name: field.kind for field in manifest.inputs if field.kind != "time"}
        frame = self._journal.inputs(rows, kinds)
        scores = (
            np.array(rows["proba"].to_list()) if manifest.task == "multiclass" else rows["score"].to_numpy()
        )
        frame = frame.with_columns(score_frame_of(scores)[SCORE])
        return drift_findings(reference, profile(frame, reference.bins), self._project.charter.monitor.drift)

    def _version(self, version: int, digest: str) -> tuple[Manifest, Reference, dict[str, float]]:
        if digest not in self._versions:
            blobs = self._project.blobs
            manifest = load_manifest(blobs, digest)
            reference = Reference.from_json(json.loads(blobs.get(manifest.files[REFERENCE])))
            with self._project.engine.connect() as connection:
                metrics = versions.get(connection, version).metrics
            self._versions[digest] = (
                manifest,
                reference,
                {name: found["value"] for name, found in metrics.items()},
            )
        return self._versions[digest]


def alerting_metrics(project: Project) -> list[str]:
    """Metrics whose fall is an alarm: the main one, and those that the charter's triggers name.

    Others, such as precision or profit, follow the share of positive rows from day to day; they are measured in
    every window, but a fall of theirs is no evidence against the model.
    """
    triggers = project.document.rules.triggers
    named = [trigger.metric for trigger in triggers if isinstance(trigger, Comparison)]
    return list(dict.fromkeys([main_metric(project.charter), *named]))
