"""Replay: production over history by the same functions, with another clock; to compare policies."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitok.charter.expressions import Expression, parse_expression
from vitok.data.snapshot import label_known
from vitok.errors import DataMistake, NotFound, UserMistake
from vitok.journal.frames import as_text
from vitok.journal.ledger import MemoryLedger
from vitok.journal.outcomes import classify
from vitok.journal.records import Outcome
from vitok.kernel.clock import VirtualClock, format_time, stopwatch
from vitok.loop.assemble import cost_tuple
from vitok.loop.project import Project
from vitok.loop.tick import charter_triggers, tick
from vitok.loop.turn import main_metric
from vitok.loop.watch import scored_rows
from vitok.model.bundle import load_manifest
from vitok.model.runtime import Model, load_model
from vitok.monitor.quality import quality_window
from vitok.registry import releases, turns, versions
from vitok.release.plan import Plan
from vitok.release.route import route_many
from vitok.stats.catalogue import metrics_for
from vitok.store.blobs import Blobs
from vitok.store.db import open_database
from vitok.store.lake import Lake

POLICIES = ("never", "daily", "weekly", "monthly", "on-alert", "charter")


@dataclass(frozen=True)
class Span:
    """What part of history is replayed, in steps of which length."""

    start: datetime
    end: datetime
    step: timedelta


@dataclass
class PolicyResult:
    """How one policy did.

    Args:
        windows: Quality by month (short spans: by week or day).
        events: Turns with their outcome, in order.
        seconds: Time spent in turns, and in everything else.
    """

    name: str
    windows: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    mean: dict[str, float] = field(default_factory=dict)
    value: float | None = None
    rows: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def count(self, event: str) -> int:
        """How many turns ended so."""
        return sum(entry["event"] == event for entry in self.events)

    def as_json(self) -> dict[str, Any]:
        """The entry that `vitok replay --json` prints."""
        return {
            "name": self.name,
            "windows": self.windows,
            "mean": self.mean,
            "turns": len(self.events),
            "promotions": self.count("promoted"),
            "refusals": self.count("refused"),
            "failures": self.count("failed"),
            "rollbacks": 0,
            "alerts": len(self.alerts),
            "alert_list": self.alerts,
            "events": self.events,
            "value": self.value,
            "rows": self.rows,
            "seconds": {stage: round(value, 2) for stage, value in self.seconds.items()},
        }


def policy_triggers(project: Project, name: str) -> list[Expression]:
    """The triggers that a policy has.

    Raises:
        UserMistake: there is no such policy.
    """
    if name == "never":
        return []
    if name == "charter":
        return charter_triggers(project)
    if name == "on-alert":
        return [parse_expression("drift"), parse_expression("quality")]
    if name in ("daily", "weekly", "monthly"):
        return [parse_expression(f"schedule({name})")]
    raise UserMistake("--policy", f"there is no policy {name!r}", f"Known: {', '.join(POLICIES)}.")


def replay(
    project: Project, policies: Sequence[str], *, start: datetime | None, end: datetime | None, step: timedelta | None
) -> list[PolicyResult]:
    """Replays history from the version in production on, once for each policy.

    Predictions, routing, the journal's rules, label delay, watching, triggers, gates and release are the functions
    of production; only clock, journal and stores are others. Nothing of the project changes.

    Args:
        start: None for the end of the data that the version in production was judged on.
        end: None for the end of the data.
        step: How often the loop looks; None for the charter's window.

    Raises:
        UserMistake: no version is in production, the data has no time, or the span is empty.
    """
    triggers = {name: policy_triggers(project, name) for name in policies}
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None:
        raise NotFound("replay", "no version is in production", "Release one with `vitok release VERSION`.")
    if project.charter.task.time is None:
        raise UserMistake("replay", "the charter has no task.time", "Name the column with the moment of the decision.")
    rows, lost = project.rows()
    span = _span(project, rows, release, start, end, step)
    cached = replace(project, cached_rows=(rows, lost))
    return [_Run(cached, name, triggers[name], span).result() for name in policies]


def _span(
    project: Project, rows: pl.DataFrame, release: releases.Release, start: datetime | None, end: datetime | None,
    step: timedelta | None,
) -> Span:
    times = rows[str(project.charter.task.time)].drop_nulls()
    if len(times) == 0:
        raise DataMistake("replay", "no row has a time", "Check task.time.")
    learnt = load_manifest(project.blobs, release.plan.champion.digest).data["end"]
    width = step or project.charter.monitor.window
    begin = start or datetime.fromisoformat(learnt) + timedelta(microseconds=1)
    last: datetime = end or times.max() + timedelta(microseconds=1)  # type: ignore[operator]
    if begin >= last or not ((times >= begin) & (times < last)).any():
        raise UserMistake(
            "replay",
            f"no rows between {format_time(begin)} and {format_time(last)}",
            "Choose --from and --to inside the data, or train on an earlier part with `vitok run --as-of`.",
        )
    if width <= timedelta(0):
        raise UserMistake("--step", f"{width} is no step", "Write a duration such as 1d.")
    return Span(begin, last, width)


class _Run:
    """One policy through the span, in stores of its own."""

    def __init__(self, project: Project, name: str, triggers: list[Expression], span: Span) -> None:
        self._source, self._triggers, self._span = project, triggers, span
        self._result = PolicyResult(name)
        self._journal = MemoryLedger()
        self._models: dict[str, Model] = {}
        self._predicted: set[str] = set()
        self._known: dict[str, Any] = {}

    def result(self) -> PolicyResult:
        """Runs the policy."""
        with tempfile.TemporaryDirectory(prefix="vitok-replay-") as folder:
            clock = VirtualClock(self._span.start)
            project = self._prepare(Path(folder), clock)
            started, turning = stopwatch(), 0.0
            feed = self._feed(project)
            outcomes = feed.filter(pl.col("_known").is_not_null()).sort("_known")
            now = self._span.start
            while now < self._span.end:
                then = min(now + self._span.step, self._span.end)
                self._predict(project, _between(feed, "_time", now, then))
                clock.move_to(then)
                self._report_outcomes(_between(outcomes, "_known", now, then))
                turning += self._look(project)
                now = then
            clock.move_to(self._span.end + (project.charter.task.label_delay or timedelta()) + timedelta(days=1))
            self._report_outcomes(_between(outcomes, "_known", now, clock()))
            self._look(project, triggers=[])
            self._summarise(project)
            project.engine.dispose()
        self._result.seconds = {"turns": turning, "production": stopwatch() - started - turning}
        return self._result

    def _prepare(self, folder: Path, clock: VirtualClock) -> Project:
        """Stores of its own that start with the version in production."""
        source = self._source
        with source.engine.connect() as connection:
            release = releases.current(connection)
            assert release is not None
            version = versions.get(connection, release.version)
        blobs = Blobs(folder / "blobs")
        manifest = load_manifest(source.blobs, version.digest)
        for digest in (version.digest, *manifest.files.values()):
            blobs.put(source.blobs.get(digest))
        engine = open_database(f"sqlite:///{folder / 'state.sqlite'}")
        project = replace(
            source, state=folder, engine=engine, lake=Lake(folder / "lake"), blobs=blobs, clock=clock, tracker=None,
            say=lambda line: None,
        )
        with engine.begin() as connection:
            versions.copy(connection, version)
            turns.begin(
                connection, version.turn, now=self._span.start, as_of=self._span.start, trigger="before the replay",
                charter=project.document.digest, content=project.charter.as_json(),
            )
            turns.advance(connection, version.turn, state="accepted", ended=self._span.start, version=version.number)
            releases.activate(
                connection, release.plan, release_id=release.id, now=self._span.start, actor="replay", before="superseded",
                evidence={},
            )
        return project

    def _feed(self, project: Project) -> pl.DataFrame:
        """The rows of the span in the order of their times, with id, unit, and the moment their label is known."""
        task = project.charter.task
        rows, _ = project.rows()
        known = label_known(project.charter)
        assert known is not None
        feed = rows.with_row_index("_row").with_columns(
            _time=pl.col(str(task.time)),
            _id=(pl.col(task.id) if task.id else pl.format("row-{}", pl.col("_row"))).cast(pl.String),
            _unit=(pl.col(task.entity) if task.entity else pl.lit(None)).cast(pl.String),
            _known=pl.when(pl.col(task.target).is_not_null()).then(known),
        )
        inside = (pl.col("_time") >= self._span.start) & (pl.col("_time") < self._span.end)
        return feed.filter(inside).sort("_time", maintain_order=True).with_columns(pl.col("_unit").fill_null(pl.col("_id")))

    def _predict(self, project: Project, batch: pl.DataFrame) -> None:
        """Answers a step's rows by the plan in force, as the workers would."""
        if batch.height == 0:
            return
        with project.engine.connect() as connection:
            release = releases.current(connection)
        assert release is not None
        plan: Plan = release.plan
        arms = route_many(plan, batch["_unit"].to_list())
        for index in np.unique(arms):
            arm = plan.arms[index]
            part = batch.filter(pl.Series(arms == index))
            model = self._model(project, arm.digest)
            scores = model.score_frame(part)
            frame = journal_rows(part, model, scores).with_columns(
                version=pl.lit(arm.version), digest=pl.lit(arm.digest), role=pl.lit(arm.role), epoch=pl.lit(plan.epoch)
            )
            self._journal.append_predictions(frame)
        self._predicted.update(batch["_id"].to_list())
        self._result.rows += batch.height

    def _model(self, project: Project, digest: str) -> Model:
        if digest not in self._models:
            self._models[digest] = load_model(project.blobs, digest, threads=2)
        return self._models[digest]

    def _report_outcomes(self, batch: pl.DataFrame) -> None:
        """Takes in the labels of a step by the journal's rules."""
        if batch.height == 0:
            return
        target = self._source.charter.task.target
        incoming = [
            Outcome(key, value, at, at)
            for key, value, at in zip(batch["_id"].to_list(), batch[target].to_list(), batch["_known"].to_list(), strict=True)
        ]
        classified = classify(incoming, self._predicted, self._known)
        kept = classified.to_store
        self._known.update((outcome.id, outcome.value) for outcome in kept)
        self._journal.append_outcomes(outcome_rows(kept))

    def _look(self, project: Project, triggers: list[Expression] | None = None) -> float:
        """One tick; returns the seconds that its turn took."""
        result = tick(project, self._journal, self._triggers if triggers is None else triggers)
        for alert in result.watched.opened.values():
            entry = {"kind": alert.kind, "severity": alert.severity, "opened": format_time(alert.opened), "what": list(alert.what)}
            self._result.alerts.append({**entry, "sentence": alert.sentence})
        if result.event is None:
            return 0.0
        with project.engine.connect() as connection:
            turn = turns.last(connection)
        assert turn is not None
        entry = {"time": format_time(project.clock()), "event": result.event, "version": result.version}
        self._result.events.append({**entry, "trigger": turn.trigger, "reason": result.message})
        self._source.say(f"  {self._result.name}: {entry['time'][:10]} {result.event}: {result.message}")
        return sum(turn.seconds.values())

    def _summarise(self, project: Project) -> None:
        """Quality by period, its mean, and the money."""
        labelled = self._journal.labelled(as_of=project.clock())
        manifest = load_manifest(project.blobs, self._plan_digest(project))
        costs, main = cost_tuple(project), main_metric(project)
        names = [metric.name for metric in metrics_for(manifest.task, with_costs=costs is not None)]  # type: ignore[arg-type]
        means: dict[str, list[float]] = {}
        value = 0.0
        period = reporting_period(self._span)
        for (start,), part in labelled.group_by(pl.col("time").dt.truncate(period), maintain_order=True):
            scored = [
                (scored_rows(group, load_manifest(project.blobs, digest), costs))
                for (digest,), group in part.group_by("digest", maintain_order=True)
            ]
            joined = scored[0] if len(scored) == 1 else _joined(scored)
            found = quality_window(joined, names)
            metrics = {name: estimate.as_json() for name, estimate in found.items()}
            self._result.windows.append({"start": format_time(start), "rows": joined.rows, "metrics": metrics})  # type: ignore[arg-type]
            for name, estimate in found.items():
                means.setdefault(name, []).append(estimate.value)
            if "profit_per_1000" in found:
                value += found["profit_per_1000"].value * joined.rows / 1000
        self._result.mean = {name: float(np.mean(values)) for name, values in means.items()}
        self._result.value = round(value, 2) if costs is not None else None
        assert main in names

    def _plan_digest(self, project: Project) -> str:
        with project.engine.connect() as connection:
            release = releases.current(connection)
        assert release is not None
        return release.plan.champion.digest


def _joined(parts: list[Any]) -> Any:
    """Answers of several versions over one period as one."""
    first = parts[0]
    decisions = None if first.decisions is None else np.concatenate([part.decisions for part in parts])
    return replace(
        first,
        truth=np.concatenate([part.truth for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        decisions=decisions,
    )


def reporting_period(span: Span) -> str:
    """Months for long spans, weeks or days for short ones."""
    length = span.end - span.start
    return "1mo" if length >= timedelta(days=60) else "1w" if length >= timedelta(days=14) else "1d"


def _between(frame: pl.DataFrame, column: str, start: datetime, end: datetime) -> pl.DataFrame:
    """Rows of a sorted frame from `start` (included; labels: excluded at the very moment before) to `end`."""
    series = frame[column]
    low, high = series.search_sorted(start, "left"), series.search_sorted(end, "left")
    return frame.slice(int(low), int(high) - int(low))


def journal_rows(rows: pl.DataFrame, model: Model, scores: np.ndarray) -> pl.DataFrame:
    """Scored rows in the journal's columns, as the workers write them.

    Args:
        rows: With the columns `_id`, `_unit`, `_time` besides the model's inputs.
    """
    fields = model.manifest.inputs
    times = [pl.col(f.name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") for f in fields if f.kind == "time"]
    inputs = rows.select(field.name for field in fields).with_columns(times)
    decisions = [as_text(value) for value in model.decide(scores)]
    many = scores.ndim == 2
    return pl.DataFrame(
        {
            "id": rows["_id"],
            "unit": rows["_unit"],
            "time": rows["_time"],
            "score": pl.Series([None] * len(scores), dtype=pl.Float64) if many else pl.Series(scores),
            "proba": pl.Series(scores.tolist() if many else [None] * len(scores), dtype=pl.List(pl.Float64)),
            "decision": decisions,
            "inputs": inputs.select(pl.struct(pl.all()).struct.json_encode()).to_series(),
        }
    )


def outcome_rows(outcomes: list[Outcome]) -> pl.DataFrame:
    """Outcomes in the journal's columns."""
    return pl.DataFrame(
        {
            "id": [outcome.id for outcome in outcomes],
            "value": [json.dumps(outcome.value) for outcome in outcomes],
            "time": pl.Series([outcome.time for outcome in outcomes], dtype=pl.Datetime("us", "UTC")),
        }
    )


