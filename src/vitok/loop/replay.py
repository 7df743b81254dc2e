"""Replay: production over history by the same functions, with another clock; to compare policies."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitok.charter.expressions import Trigger
from vitok.errors import DataMistake, NotFound, UserMistake
from vitok.journal.ledger import MemoryLedger
from vitok.journal.outcomes import classify
from vitok.journal.records import Outcome
from vitok.kernel.clock import VirtualClock, format_time, stopwatch
from vitok.loop.faults import apply_faults, parse_fault
from vitok.loop.feed import ID, KNOWN, TIME, UNIT, between, history, journal_rows, outcome_rows
from vitok.loop.policies import PolicyResult, policy_triggers, summarise
from vitok.loop.project import Project
from vitok.loop.tick import tick
from vitok.model.bundle import load_manifest
from vitok.model.runtime import Model, load_model
from vitok.registry import releases, turns, versions
from vitok.release.decide_frame import rows_that_fit
from vitok.release.plan import Plan
from vitok.release.route import route_many
from vitok.store.blobs import Blobs
from vitok.store.db import open_database
from vitok.store.lake import Lake


@dataclass(frozen=True)
class Span:
    """What part of history is replayed, in steps of which length."""

    start: datetime
    end: datetime
    step: timedelta


def replay(
    project: Project,
    policies: Sequence[str],
    *,
    start: datetime | None,
    end: datetime | None,
    step: timedelta | None,
    inject: Sequence[str] = (),
) -> list[PolicyResult]:
    """Replays history from the version in production on, once for each policy.

    Predictions, routing, the journal's rules, label delay, watching, triggers, gates and release are the functions
    of production; only clock, journal and stores are others. Nothing of the project changes.

    Args:
        start: None for the end of the data that the version in production was judged on.
        end: None for the end of the data.
        step: How often the loop looks; None for the charter's window.
        inject: Faults such as `missing(temp)@2013-06-01`.

    Raises:
        UserMistake: no version is in production, the data has no time, or the span is empty.
    """
    triggers = {name: policy_triggers(project, name) for name in policies}
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None:
        raise NotFound("replay", "no version is in production", "Release one with `vitok release VERSION`.")
    if project.charter.task.time is None:
        raise UserMistake(
            "replay", "the charter has no task.time", "Name the column with the moment of the decision."
        )
    rows, lost = project.rows()
    span = _span(project, rows, release, start, end, step)
    faults = [parse_fault(text, project.charter, rows.columns) for text in inject]
    cached = replace(project, cached_rows=(apply_faults(rows, project.charter, faults), lost))
    return [_Run(cached, name, triggers[name], span).result() for name in policies]


def _span(
    project: Project,
    rows: pl.DataFrame,
    release: releases.Release,
    start: datetime | None,
    end: datetime | None,
    step: timedelta | None,
) -> Span:
    times = rows[str(project.charter.task.time)].drop_nulls()
    if len(times) == 0:
        raise DataMistake("replay", "no row has a time", "Check task.time.")
    learnt = load_manifest(project.blobs, release.plan.champion.digest).data["end"]
    width = step or project.charter.monitor.window
    begin = start or datetime.fromisoformat(learnt) + timedelta(microseconds=1)
    latest = times.max()
    assert isinstance(latest, datetime)
    last = end or latest + timedelta(microseconds=1)
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

    def __init__(self, project: Project, name: str, triggers: list[Trigger], span: Span) -> None:
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
            feed = history(project.rows()[0], project.charter, self._span.start, self._span.end)
            outcomes = feed.filter(pl.col(KNOWN).is_not_null()).sort(KNOWN)
            now = self._span.start
            while now < self._span.end:
                then = min(now + self._span.step, self._span.end)
                self._predict(project, between(feed, TIME, now, then))
                clock.move_to(then)
                self._report_outcomes(between(outcomes, KNOWN, now, then))
                turning += self._look(project)
                now = then
            clock.move_to(
                self._span.end + (project.charter.task.label_delay or timedelta()) + timedelta(days=1)
            )
            self._report_outcomes(between(outcomes, KNOWN, now, clock()))
            self._look(project, triggers=[])
            summarise(project, self._journal, self._span.end - self._span.start, self._result)
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
            source,
            state=folder,
            engine=engine,
            lake=Lake(folder / "lake"),
            blobs=blobs,
            clock=clock,
            tracker=None,
            say=lambda line: None,
        )
        with engine.begin() as connection:
            versions.copy(connection, version)
            turns.begin(
                connection,
                version.turn,
                now=self._span.start,
                as_of=self._span.start,
                trigger="before the replay",
                charter=project.document.digest,
            )
            turns.advance(
                connection, version.turn, state="accepted", ended=self._span.start, version=version.number
            )
            releases.activate(
                connection,
                release.plan,
                release_id=release.id,
                now=self._span.start,
                actor="replay",
                before="superseded",
                evidence={},
            )
        return project

    def _predict(self, project: Project, batch: pl.DataFrame) -> None:
        """Answers a step's rows by the plan in force, as the workers would."""
        if batch.height == 0:
            return
        with project.engine.connect() as connection:
            release = releases.current(connection)
        assert release is not None
        plan: Plan = release.plan
        arms = route_many(plan, batch[UNIT].to_list(), partial(rows_that_fit, batch))
        for index in np.unique(arms):
            arm = plan.arms[index]
            part = batch.filter(pl.Series(arms == index))
            model = self._model(project, arm.digest)
            scores = model.score_frame(part)
            frame = journal_rows(part, model, scores).with_columns(
                version=pl.lit(arm.version),
                digest=pl.lit(arm.digest),
                role=pl.lit(arm.role),
                epoch=pl.lit(plan.epoch),
            )
            self._journal.append_predictions(frame)
        self._predicted.update(batch[ID].to_list())
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
            for key, value, at in zip(
                batch[ID].to_list(), batch[target].to_list(), batch[KNOWN].to_list(), strict=True
            )
        ]
        classified = classify(incoming, self._predicted, self._known)
        kept = classified.to_store
        self._known.update((outcome.id, outcome.value) for outcome in kept)
        self._journal.append_outcomes(outcome_rows(kept))

    def _look(self, project: Project, triggers: list[Trigger] | None = None) -> float:
        """One tick; returns the seconds that its turn took."""
        result = tick(project, self._journal, self._triggers if triggers is None else triggers)
        for alert in result.watched.opened.values():
            entry = {
                "kind": alert.kind,
                "severity": alert.severity,
                "opened": format_time(alert.opened),
                "what": list(alert.what),
            }
            self._result.alerts.append({**entry, "sentence": alert.sentence})
        if result.event is None:
            return 0.0
        with project.engine.connect() as connection:
            turn = turns.last(connection)
        assert turn is not None
        time = format_time(project.clock())
        event = {"time": time, "event": result.event, "version": result.version}
        self._result.events.append({**event, "trigger": turn.trigger, "reason": result.message})
        self._source.say(f"  {self._result.name}: {time[:10]} {result.event}: {result.message}")
        return sum(turn.seconds.values())
