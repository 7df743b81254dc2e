"""One turn of the coil: snapshot, baselines, candidates, package, verdict, registration."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import polars as pl
from sqlalchemy.exc import SQLAlchemyError

from vitok.charter.review import main_metric
from vitok.errors import UserMistake, VitokError
from vitok.govern import audit
from vitok.kernel.clock import stopwatch
from vitok.kernel.ids import new_id
from vitok.loop.assemble import Assembled, assemble
from vitok.loop.importance import importance_of
from vitok.loop.notify import emit
from vitok.loop.prepare import Prepared, prepare
from vitok.loop.project import Project
from vitok.loop.review import own_code_left_out, require_supported
from vitok.loop.revisions import revisions
from vitok.loop.verdict import Verdict, judge_bundle
from vitok.model.bundle import load_manifest
from vitok.registry import charters, questions, releases, turns, versions
from vitok.stats.catalogue import METRICS
from vitok.store.locks import hold
from vitok.train.fit import Trained, fit_baselines, fit_candidate

T = TypeVar("T")


@dataclass(frozen=True)
class TurnResult:
    """What a finished turn says.

    Args:
        turn: Its id.
        accepted: The verdict.
        version: The number under which the bundle is registered.
        seconds: Time of each stage.
        warnings: What makes the verdict weak, and what was left out.
        charter: Number of the charter that it was judged by.
        revised: How its criteria changed since a result was seen.
    """

    turn: str
    accepted: bool
    version: versions.Version
    verdict: Verdict
    candidates: list[Trained]
    prepared: Prepared
    seconds: dict[str, float]
    warnings: list[str]
    charter: int
    revised: list[str]

    def as_json(self) -> dict[str, Any]:
        """The object that `vitok run --json` prints."""
        champion = self.verdict.champion
        return {
            "turn": self.turn,
            "verdict": self.verdict.state,
            "version": self.version.number,
            "digest": self.version.digest,
            "gates": [gate.as_json() for gate in self.verdict.gates],
            "metrics": self.version.metrics,
            "baselines": {name: values_of(found) for name, found in self.verdict.baselines.items()},
            "candidates": [
                {
                    "name": trained.name,
                    "validation": {trained.metric: trained.validation},
                    "parameters": trained.parameters,
                    "trials": trained.trials,
                    "seconds": round(trained.seconds, 2),
                    "chosen": trained.name == self.version.summary["algorithm"],
                }
                for trained in self.candidates
            ],
            "champion": None if champion is None else {**champion, "metrics": values_of(champion["metrics"])},
            "data": self.version.summary["data"],
            "seconds": {stage: round(value, 2) for stage, value in self.seconds.items()},
            "warnings": self.warnings,
            "charter": self.charter,
            "revised": self.revised,
        }


def values_of(found: dict[str, Any]) -> dict[str, float]:
    """The bare values of estimates."""
    return {name: estimate.value for name, estimate in found.items()}


@dataclass
class _Stages:
    project: Project
    turn: str
    seconds: dict[str, float] = field(default_factory=dict)
    now: str = "start"
    charter: int = 0

    def do(self, name: str, line: str, work: Callable[[], T]) -> T:
        """Runs one stage: says so, writes where the turn is, and takes its time."""
        self.now = name
        self.project.say(line)
        with self.project.engine.begin() as connection:
            turns.advance(connection, self.turn, stage=name)
        started = stopwatch()
        result = work()
        self.seconds[name] = stopwatch() - started
        return result


def run_turn(
    project: Project,
    *,
    as_of: datetime | None = None,
    quick: bool = False,
    trigger: str = "by hand",
    actor: str = "user",
) -> TurnResult:
    """Runs one whole turn.

    Args:
        as_of: What was known by then may be used; None for now.
        quick: No search: the champion's algorithm with its parameters, else every candidate with its defaults.
        trigger: Why the turn starts.
        actor: Who or what started it.

    Raises:
        Busy: another turn is running in this project.
        UserMistake: data or charter do not allow it; nothing was registered.
        Refused: no candidate can be packaged.
    """
    moment = as_of or project.clock()
    require_supported(project.document, project.say)
    with hold(project.state / "turn.lock", "vitok run"), _recorded(project, moment, trigger, actor) as stages:
        prepared = stages.do(
            "data", "Reading, checking and versioning the data", lambda: prepare(project, moment)
        )
        _say_data(project, prepared)
        rows = prepared.training_set(project.charter.train.seed)
        names: list[str] = list(project.charter.train.baselines)
        baselines = stages.do("baselines", "Fitting baselines", lambda: fit_baselines(names, rows))
        trials: list[_Trial] = []
        candidates = stages.do(
            "candidates",
            "Fitting candidates",
            lambda: _fit_candidates(project, prepared, quick=quick, trials=trials),
        )
        assembled = stages.do(
            "package", "Packaging the best as one graph", lambda: assemble(project, prepared, candidates)
        )
        verdict = stages.do(
            "verdict",
            "Judging the bundle by the charter's gates",
            lambda: judge_bundle(project, prepared, assembled, baselines),
        )
        stages.do(
            "tracking",
            "Writing runs and trials down",
            lambda: _track(project, stages, candidates, trials, verdict),
        )
        version = stages.do(
            "register",
            "Registering the version",
            lambda: _register(project, stages, prepared, assembled, verdict, actor),
        )
    warnings = [
        *prepared.parts.warnings,
        *verdict.notes,
        *(f"{n}: {why}" for n, why in assembled.skipped.items()),
    ]
    with project.engine.connect() as connection:
        revised = revisions(connection, version)
    return TurnResult(
        stages.turn,
        verdict.is_accepted,
        version,
        verdict,
        candidates,
        prepared,
        stages.seconds,
        warnings,
        stages.charter,
        revised,
    )


@contextmanager
def _recorded(project: Project, as_of: datetime, trigger: str, actor: str) -> Iterator[_Stages]:
    """Keeps the turn's line true whatever happens inside."""
    started = project.clock()
    turn = new_id(started)
    stages = _Stages(project, turn)
    with project.engine.begin() as connection:
        turns.mark_interrupted(connection, started)
        stages.charter = charters.keep(
            connection, started, actor, project.document.digest, project.charter.as_json()
        )
        turns.begin(
            connection,
            turn,
            now=started,
            as_of=as_of,
            trigger=trigger,
            charter=project.document.digest,
        )
    try:
        yield stages
    except BaseException as error:
        state = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        message = (
            f"in stage {stages.now}: {error}"
            if isinstance(error, VitokError)
            else f"in stage {stages.now}: {error!r}"
        )
        # On a full disk this fails too; the first error is the one to tell, and the next turn mends the line.
        with suppress(SQLAlchemyError), project.engine.begin() as connection:
            turns.advance(
                connection, turn, state=state, ended=project.clock(), message=message, seconds=stages.seconds
            )
        if isinstance(error, KeyboardInterrupt):
            raise UserMistake(
                "vitok run",
                f"interrupted in stage {stages.now!r}; nothing was registered",
                "Run it again when you like.",
            ) from error
        raise


def _say_data(project: Project, prepared: Prepared) -> None:
    snapshot, parts = prepared.snapshot, prepared.parts
    left_out = "".join(f", {count} {reason}" for reason, count in snapshot.left_out.items())
    project.say(
        f"  {snapshot.frame.height} labelled rows (data version {snapshot.version}{left_out}); "
        f"{len(parts.train)} to train, {len(parts.validation)} to validate, "
        f"{len(parts.test)} to judge, split by {parts.by}"
    )


@dataclass(frozen=True)
class _Trial:
    candidate: str
    number: int
    parameters: dict[str, Any]
    value: float
    ended: datetime


def _fit_candidates(
    project: Project, prepared: Prepared, *, quick: bool, trials: list[_Trial]
) -> list[Trained]:
    train, metric = project.charter.train, main_metric(project.charter)
    rows = prepared.training_set(train.seed)

    def on_trial(candidate: str, number: int, parameters: dict[str, Any], value: float) -> None:
        trials.append(_Trial(candidate, number, parameters, value, project.clock()))

    fitted = []
    for name, parameters in _plan(project, quick=quick).items():
        trained = fit_candidate(
            name,
            rows,
            metric=metric,
            sampler=train.tune.sampler,
            trials=0 if quick else train.tune.trials,
            timeout_seconds=train.tune.timeout.total_seconds(),
            parameters=parameters,
            on_trial=on_trial,
        )
        searched = f" after {trained.trials} trials" if trained.trials > 1 else ", without a search"
        project.say(f"  {name}: {metric} {trained.validation:.4f} on validation rows{searched}")
        fitted.append(trained)
    return sorted(fitted, key=lambda trained: trained.validation, reverse=METRICS[metric].higher_is_better)


def _plan(project: Project, *, quick: bool) -> dict[str, dict[str, Any] | None]:
    """Which candidates to fit, and the parameters to start from."""
    names = own_code_left_out(project.charter.train.candidates)
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None:
        return dict.fromkeys(names)
    manifest = load_manifest(project.blobs, release.plan.champion.digest)
    if quick and manifest.algorithm in names:
        return {manifest.algorithm: manifest.parameters}
    return {name: manifest.parameters if name == manifest.algorithm else None for name in names}


def _track(
    project: Project, stages: _Stages, candidates: list[Trained], trials: list[_Trial], verdict: Verdict
) -> None:
    if project.tracker is None:
        return
    tracker, now = project.tracker(), project.clock()
    tags = {"vitok.turn": stages.turn, "vitok.charter": project.document.digest}
    parent = tracker.run(
        f"turn {stages.turn}",
        started=now,
        ended=now,
        parent=None,
        parameters={"verdict": verdict.state},
        metrics=values_of(verdict.metrics),
        tags=tags,
    )
    for trained in candidates:
        run = tracker.run(
            trained.name,
            started=now,
            ended=now,
            parent=parent,
            parameters=trained.parameters,
            metrics={f"validation_{trained.metric}": trained.validation},
            tags=tags,
        )
        for trial in (trial for trial in trials if trial.candidate == trained.name):
            tracker.run(
                f"{trained.name} trial {trial.number}",
                started=trial.ended,
                ended=trial.ended,
                parent=run,
                parameters=trial.parameters,
                metrics={f"validation_{trained.metric}": trial.value},
                tags=tags,
            )


def _importance(project: Project, prepared: Prepared, assembled: Assembled) -> dict[str, Any]:
    test = prepared.parts.test
    truth = pl.Series(prepared.truth[test])
    found = importance_of(project, assembled.digest, prepared.snapshot.frame[test], truth)
    return {name: each.as_json() for name, each in found.items()}


def _register(
    project: Project, stages: _Stages, prepared: Prepared, assembled: Assembled, verdict: Verdict, actor: str
) -> versions.Version:
    """Version, end of the turn and audit line in one transaction."""
    now, snapshot = project.clock(), prepared.snapshot
    state = verdict.state
    failed = [gate.name for gate in verdict.gates if not gate.passed]
    summary = {
        "algorithm": assembled.manifest.algorithm,
        "task": assembled.manifest.task,
        "charter": project.document.digest,
        "charter_version": stages.charter,
        "data": assembled.manifest.data,
        "test_rows": len(prepared.parts.test),
        "left_out": snapshot.left_out,
        "lost_cells": snapshot.lost_cells,
        "not_features": prepared.columns.left_out,
        "parity": assembled.manifest.parity,
        "champion": None if verdict.champion is None else verdict.champion["version"],
        "importance": _importance(project, prepared, assembled),
    }
    with project.engine.begin() as connection:
        version = versions.register(
            connection,
            digest=assembled.digest,
            created=now,
            turn=stages.turn,
            verdict=state,
            gates=[gate.as_json() for gate in verdict.gates],
            metrics={name: found.as_json() for name, found in verdict.metrics.items()},
            summary=summary,
        )
        if state == "waiting":
            asked = verdict.asked(project)
            questions.ask(connection, now, version.number, version.digest, asked)
            for number, question in asked.items():
                told = {"role": question.role, "question": question.question, "version": version.number}
                emit(
                    connection, project.charter, now, "question", f"question {version.number}.{number}", told
                )
        outcome = {"version": version.number, "verdict": state, "digest": version.digest, "failed": failed}
        emit(connection, project.charter, now, "verdict", f"version {version.number}", outcome)
        message = f"version {version.number} {state}" + (f": {'; '.join(failed)}" if failed else "")
        data = {"version": snapshot.version, "digest": snapshot.digest, "rows": snapshot.frame.height}
        turns.advance(
            connection,
            stages.turn,
            state=state,
            ended=now,
            stage="end",
            version=version.number,
            data=data,
            seconds=stages.seconds,
            message=message,
        )
        details = {"digest": assembled.digest, "verdict": state, "charter": project.document.digest}
        audit.record(connection, now, actor, "register", f"version {version.number}", details)
    return version
