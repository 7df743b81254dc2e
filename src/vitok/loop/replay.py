"""Replay: production over history by the same functions, with another clock; to compare policies."""

import multiprocessing
import os
import queue
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from vitok.charter.expressions import Trigger
from vitok.charter.review import main_metric
from vitok.economics.recommend import Tried, recommend
from vitok.errors import DataMistake, UserMistake
from vitok.journal.ledger import MemoryLedger
from vitok.journal.outcomes import classify
from vitok.journal.records import Outcome
from vitok.kernel.clock import VirtualClock, format_time, stopwatch
from vitok.loop.faults import Fault, apply_faults
from vitok.loop.feed import ID, KNOWN, TIME, between, history, outcome_rows
from vitok.loop.history import keep_comparison
from vitok.loop.people import agree
from vitok.loop.policies import PolicyResult, summarise
from vitok.loop.production import release_in_force
from vitok.loop.profiling import Profiler, profiles_in_memory
from vitok.loop.project import Project
from vitok.loop.replay_answers import Workers
from vitok.loop.replay_releases import Appearing, finished, moved
from vitok.loop.replay_stores import begin_kept, finish_kept, stores_of
from vitok.loop.retraining import Policy, parse_policy
from vitok.loop.tick import tick
from vitok.loop.traffic_faults import TrafficFault
from vitok.loop.version_faults import NewVersion, parse_injection, require_inside
from vitok.model.bundle import load_manifest
from vitok.registry import releases, turns
from vitok.stats.catalogue import METRICS

_DAY = timedelta(days=1)
_LISTEN_SECONDS = 0.2
STATE = ".vitok"


class Reopen(Protocol):
    """Opens a project by its folder; the composition root's function."""

    def __call__(self, folder: Path, *, say: Callable[[str], None]) -> Project:
        """Opens it."""
        ...


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
    reopen: Reopen | None = None,
    keep: Path | None = None,
) -> list[PolicyResult]:
    """Replays history from the version in production on, once for each policy.

    Predictions, routing, the journal's rules, label delay, watching, triggers, gates and release are the functions
    of production; only clock, journal and stores are others. Nothing of the project changes.

    Args:
        start: None for the end of the data that the version in production was judged on.
        end: None for the end of the data.
        step: How often the loop looks; None for the charter's window.
        inject: Faults of the data such as `missing(temp)@2013-06-01`, of new versions such as
            `failing(5%)@2013-06-01`, and of all traffic such as `incident(20%,12h)@2013-06-01`.
        reopen: Opens the project in another process, so that policies run beside each other, one for each core; what
            comes out is the same. None runs them here, one after another.
        keep: A new folder that becomes a project with the history that the one policy has lived through.

    Raises:
        UserMistake: no version is in production, the data has no time, the span is empty, or a fault makes no sense.
    """
    chosen = [parse_policy(project, text) for text in policies]
    if keep is not None and len(chosen) > 1:
        raise UserMistake("--keep", f"keeps one history, not {len(chosen)}", "Give one --policy.")
    release = release_in_force(project, "replay")
    if project.charter.task.time is None:
        raise UserMistake(
            "replay", "the charter has no task.time", "Name the column with the moment of the decision."
        )
    rows, lost = project.rows()
    span = _span(project, rows, release, start, end, step)
    if reopen is not None:
        project.say(f"Replay {format_time(span.start)} to {format_time(span.end)}")
    injected = [parse_injection(text, project.charter, rows.columns) for text in inject]
    faults = [each for each in injected if isinstance(each, Fault)]
    new = [each for each in injected if isinstance(each, NewVersion)]
    traffic = [each for each in injected if isinstance(each, TrafficFault)]
    for each in new:
        require_inside(each, span.start, span.end)
    if new and project.charter.release.strategy == "immediate":
        project.say(
            "release.strategy is immediate: each injected version answers all requests at once, and nothing takes it "
            "back. Write `strategy: canary` under `release` to see a roll-out."
        )
    if reopen is not None and len(chosen) > 1:
        return _beside(project, reopen, policies, span, inject)
    cached = replace(project, cached_rows=(apply_faults(rows, project.charter, faults), lost))
    return [_Run(cached, policy, span, new, traffic, keep).result() for policy in chosen]


def compare_policies(project: Project, policies: Sequence[str], **how: Any) -> dict[str, Any]:
    """The object that `vitok replay --json` prints: policies beside each other, and which of them to choose.

    Args:
        how: As for `replay`.
    """
    results = replay(project, policies, **how)
    metric, money = main_metric(project.charter), all(result.value is not None for result in results)
    tried = [Tried(result.name, _gained(result, metric, money), result.turns) for result in results]
    advice = recommend(tried, unit=metric, money=money, seed=project.charter.train.seed)
    payload = {
        "metric": metric,
        "policies": [result.as_json() for result in results],
        "advice": None if advice is None else advice.as_json(),
    }
    keep_comparison(project, payload)
    return payload


def _gained(result: PolicyResult, metric: str, money: bool) -> dict[str, float]:
    """Weeks in which more is better."""
    sign = 1.0 if money or METRICS[metric].higher_is_better else -1.0
    return {week: sign * value for week, value in result.weeks.items()}


def _beside(
    project: Project, reopen: Reopen, policies: Sequence[str], span: Span, inject: Sequence[str]
) -> list[PolicyResult]:
    """Each policy in a process of its own."""
    context = multiprocessing.get_context("spawn")
    workers = min(len(policies), os.cpu_count() or 1)
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(workers, mp_context=context) as pool,
    ):
        said = manager.Queue()
        futures = [
            pool.submit(_alone, reopen, project.folder, policy, span, tuple(inject), said)
            for policy in policies
        ]
        while not all(future.done() for future in futures) or not said.empty():
            with suppress(queue.Empty):
                project.say(said.get(timeout=_LISTEN_SECONDS))
        return [future.result() for future in futures]


def _alone(
    reopen: Reopen, folder: Path, policy: str, span: Span, inject: tuple[str, ...], said: "queue.Queue[str]"
) -> PolicyResult:
    """One policy, in a process that knows nothing yet."""
    project = reopen(folder, say=said.put)
    (found,) = replay(project, [policy], start=span.start, end=span.end, step=span.step, inject=inject)
    project.engine.dispose()
    return found


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

    def __init__(
        self,
        project: Project,
        policy: Policy,
        span: Span,
        new: Sequence[NewVersion],
        traffic: Sequence[TrafficFault],
        keep: Path | None = None,
    ) -> None:
        self._source, self._policy, self._span = policy.applied(project), policy, span
        self._result = PolicyResult(policy.name)
        self._journal = MemoryLedger(span.end)
        self._profiles = profiles_in_memory(project.charter)
        self._profiler: Profiler | None = None
        self._appearing, self._traffic = Appearing(new), traffic
        self._predicted: set[str] = set()
        self._known: dict[str, Any] = {}
        self._keep = keep

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Where the stores are: for a while, or in the folder of the project that is kept."""
        if self._keep is None:
            with tempfile.TemporaryDirectory(prefix="vitok-replay-") as folder:
                yield Path(folder)
        else:
            begin_kept(self._source, self._keep)
            yield self._keep / STATE

    def result(self) -> PolicyResult:
        """Runs the policy."""
        with self._folder() as folder:
            clock = VirtualClock(self._span.start)
            project = stores_of(self._source, folder, clock, self._span.start)
            self._profiler = Profiler(project.blobs, project.charter, self._profiles)
            started, turning = stopwatch(), 0.0
            feed = history(project.rows()[0], project.charter, self._span.start, self._span.end)
            workers = Workers(project.blobs, feed, self._traffic)
            outcomes = feed.filter(pl.col(KNOWN).is_not_null()).sort(KNOWN)
            now = self._span.start
            while now < self._span.end:
                then = min(now + self._span.step, self._span.end)
                self._predict(project, workers, between(feed, TIME, now, then))
                clock.move_to(then)
                self._report_outcomes(between(outcomes, KNOWN, now, then))
                agree(project, self._policy.approvals)
                turning += self._look(project)
                self._note(self._appearing.release_due(project, self._journal, workers))
                now = then
            clock.move_to(
                self._span.end + (project.charter.task.label_delay or timedelta()) + timedelta(days=1)
            )
            self._report_outcomes(between(outcomes, KNOWN, now, clock()))
            self._look(project, triggers=[])
            self._note([*self._appearing.left(project), *finished(project)])
            summarise(project, self._journal, self._span.end - self._span.start, self._result)
            if self._keep is not None:
                finish_kept(self._source, project, self._journal)
            project.engine.dispose()
            self._profiles.close()
        self._result.seconds = {"turns": turning, "production": stopwatch() - started - turning}
        return self._result

    def _predict(self, project: Project, workers: Workers, batch: pl.DataFrame) -> None:
        """Answers a step's rows by the plan in force, as the workers would."""
        if batch.height == 0:
            return
        with project.engine.connect() as connection:
            release = releases.current(connection)
        assert release is not None
        self._journal.append_predictions(workers.answer(release.plan, batch))
        self._predicted.update(batch[ID].to_list())
        self._result.rows += batch.height

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
        asked = self._policy.triggers if triggers is None else triggers
        result = tick(project, self._journal, asked, self._profiler)
        for alert in result.watched.opened.values():
            entry = {
                "kind": alert.kind,
                "severity": alert.severity,
                "opened": format_time(alert.opened),
                "what": list(alert.what),
            }
            self._result.alerts.append({**entry, "sentence": alert.sentence})
        if result.rollout is not None:
            self._note([moved(project, result.rollout)])
        if result.event is None:
            return 0.0
        event = {"time": format_time(project.clock()), "event": result.event, "version": result.version}
        self._note([{**event, "trigger": result.trigger, "reason": result.message}])
        if not result.trigger:  # people agreed to a release: no turn ran
            return 0.0
        with project.engine.connect() as connection:
            turn = turns.last(connection)
        assert turn is not None
        self._result.turns += 1
        return sum(turn.seconds.values())

    def _note(self, events: Sequence[dict[str, Any]]) -> None:
        for event in events:
            self._result.events.append(event)
            name, time = self._result.name, event["time"][: 16 if self._span.step < _DAY else 10]
            self._source.say(f"  {name}: {time} {event['event']}: {event['reason']}")
