"""The stages of a turn, each from what the ones before have made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import polars as pl

import vitok
from vitok.charter.review import main_metric
from vitok.govern import audit
from vitok.kernel.digests import digest_json
from vitok.loop.assemble import Assembled, assemble
from vitok.loop.fitted import Fitted, Trial, keep_fitted, load_fitted, store_fitted
from vitok.loop.importance import importance_of
from vitok.loop.notify import emit
from vitok.loop.pins import turn_folder
from vitok.loop.prepare import Prepared, load_prepared, prepare, store_prepared
from vitok.loop.project import Project
from vitok.loop.review import own_code_left_out
from vitok.loop.stages import Stages
from vitok.loop.turn_tracking import track_turn
from vitok.loop.verdict import Verdict, judge_bundle
from vitok.model.bundle import load_manifest
from vitok.registry import charters, questions, releases, turns, versions
from vitok.stats.catalogue import METRICS
from vitok.store.blobs import Blobs
from vitok.store.slots import Room
from vitok.train.fit import fit_baselines, fit_candidate


def data_stage(stages: Stages) -> Prepared:
    """Snapshot, parts, features; the snapshot becomes a version of the lake table."""
    project = stages.project

    def take() -> Prepared:
        prepared = prepare(project, stages.turn.as_of)
        _say_data(project, prepared)
        return prepared

    line = "Reading, checking and versioning the data"
    return stages.do("data", line, take, store_prepared, partial(load_prepared, project))


def baselines_stage(stages: Stages, prepared: Prepared) -> list[Fitted]:
    """What every candidate must beat."""
    project = stages.project
    names: list[str] = list(project.charter.train.baselines)

    def fit() -> list[Fitted]:
        found = fit_baselines(names, prepared.training_set(project.charter))
        return [keep_fitted(prepared, trained, [], ships=False) for trained in found]

    put, take = _many(stages)
    return stages.do("baselines", "Fitting baselines", fit, put, take, _key(stages, prepared, *names))


def _key(stages: Stages, prepared: Prepared, *what: Any) -> str:
    """Equal for fits that must give the same model: of the same rows, by the same code, charter and parameters."""
    document, turn = stages.project.document, stages.turn
    retrain = document.charter.retrain  # a replay changes it and not the digest
    code = [vitok.__version__, prepared.feature_source, str(retrain.half_life)]
    return digest_json([prepared.snapshot.digest, document.digest, code, turn.quick, *what])


_LEAST_MB, _COPIES = 300, 6  # of a fit: the libraries, and the table as they copy it
_Put = Callable[[list[Fitted]], dict[str, Any]]
_Take = Callable[[dict[str, Any]], list[Fitted]]


def _many(stages: Stages) -> tuple[_Put, _Take]:
    """How fitted models are put away, and taken back."""
    folder = stages.project.fits or turn_folder(stages.project, stages.turn.id) / "fitted"
    blobs = Blobs(folder)

    def put(found: list[Fitted]) -> dict[str, Any]:
        return {"fitted": [store_fitted(blobs, fitted) for fitted in found]}

    def take(stored: dict[str, Any]) -> list[Fitted]:
        return [load_fitted(blobs, each) for each in stored["fitted"]]

    return put, take


def candidates_stage(stages: Stages, prepared: Prepared) -> list[Fitted]:
    """All candidates, best first; each is a step, so that a crash costs one search and not all."""
    project, found = stages.project, list[Fitted]()
    plan = stages.do(
        "plan",
        "Fitting candidates",
        lambda: _plan(project, quick=stages.turn.quick),
        lambda made: {"candidates": [[name, start] for name, start in made.items()]},
        lambda stored: dict(stored["candidates"]),
    )
    put, take = _many(stages)
    for name, parameters in plan.items():
        fit = partial(_fit, stages, prepared, name, parameters)
        fitted: list[Fitted] = stages.do(
            f"candidate {name}", "", fit, put, take, _key(stages, prepared, name, parameters)
        )
        found += fitted
    higher = METRICS[main_metric(project.charter)].higher_is_better
    return sorted(found, key=lambda fitted: fitted.validation, reverse=higher)


@contextmanager
def _room(stages: Stages, prepared: Prepared) -> Iterator[None]:
    """Cores and memory for the fits, waited for if the turns of other projects have them."""
    project, train = stages.project, stages.project.charter.train
    if project.machine is None:
        yield
        return
    rows = prepared.training_set(project.charter)
    cores = min(train.cores or rows.threads, project.machine.room.cores)
    memory = train.memory or _LEAST_MB + int(_COPIES * prepared.encoded.estimated_size("mb"))
    what = f"turn {stages.turn.number} of {project.charter.project}"
    with project.machine.share(Room(train.cores or cores, memory), what, project.say):
        yield


def _fit(stages: Stages, prepared: Prepared, name: str, parameters: dict[str, Any] | None) -> list[Fitted]:
    project, quick, tried = stages.project, stages.turn.quick, list[Trial]()
    train, metric = project.charter.train, main_metric(project.charter)

    def on_trial(candidate: str, number: int, parameters: dict[str, Any], value: float) -> None:
        tried.append(Trial(number, parameters, value, project.clock()))
        stages.require_wanted()

    trained = fit_candidate(
        name,
        prepared.training_set(project.charter),
        metric=metric,
        sampler=train.tune.sampler,
        trials=0 if quick else train.tune.trials,
        timeout_seconds=train.tune.timeout.total_seconds(),
        parameters=parameters,
        on_trial=on_trial,
    )
    searched = f" after {trained.trials} trials" if trained.trials > 1 else ", without a search"
    project.say(f"  {name}: {metric} {trained.validation:.4f} on validation rows{searched}")
    return [keep_fitted(prepared, trained, tried, ships=True)]


def package_stage(stages: Stages, prepared: Prepared, candidates: list[Fitted]) -> Assembled:
    """The best candidate that can be shipped, as a stored bundle."""
    project = stages.project
    return stages.do(
        "package",
        "Packaging the best as one graph",
        lambda: assemble(project, prepared, candidates),
        lambda made: {"digest": made.digest, "chosen": made.chosen, "skipped": made.skipped},
        lambda stored: Assembled(manifest=load_manifest(project.blobs, stored["digest"]), **stored),
    )


def verdict_stage(
    stages: Stages, prepared: Prepared, assembled: Assembled, baselines: list[Fitted]
) -> Verdict:
    """The charter's gates, decided for the very bytes that would be released."""
    return stages.do(
        "verdict",
        "Judging the bundle by the charter's gates",
        lambda: judge_bundle(stages.project, prepared, assembled, baselines),
        Verdict.as_json,
        Verdict.from_json,
    )


def tracking_stage(stages: Stages, candidates: list[Fitted], verdict: Verdict) -> None:
    """Runs and trials, for people."""

    def track() -> None:
        track_turn(stages.project, stages.turn.id, candidates, verdict)

    stages.do("tracking", "Writing runs and trials down", track, lambda _: {}, lambda _: None)


def register_stage(
    stages: Stages, prepared: Prepared, assembled: Assembled, verdict: Verdict
) -> versions.Version:
    """The version, with its verdict."""
    project = stages.project

    def load(stored: dict[str, Any]) -> versions.Version:
        with project.engine.connect() as connection:
            return versions.get(connection, stored["version"])

    return stages.do(
        "register",
        "Registering the version",
        lambda: _register(stages, prepared, assembled, verdict),
        lambda made: {"version": made.number, "digest": made.digest},
        load,
    )


def _say_data(project: Project, prepared: Prepared) -> None:
    snapshot, parts = prepared.snapshot, prepared.parts
    left_out = "".join(f", {count} {reason}" for reason, count in snapshot.left_out.items())
    project.say(
        f"  {snapshot.frame.height} labelled rows (data version {snapshot.version}{left_out}); "
        f"{len(parts.train)} to train, {len(parts.validation)} to validate, "
        f"{len(parts.test)} to judge, split by {parts.by}"
    )


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


def _importance(project: Project, prepared: Prepared, assembled: Assembled) -> dict[str, Any]:
    test = prepared.parts.test
    truth = pl.Series(prepared.truth[test])
    found = importance_of(project, assembled.digest, prepared.snapshot.frame[test], truth)
    return {name: each.as_json() for name, each in found.items()}


def _summary(
    project: Project, prepared: Prepared, assembled: Assembled, verdict: Verdict, charter: int | None
) -> dict[str, Any]:
    """What a version keeps of its turn."""
    return {
        "algorithm": assembled.manifest.algorithm,
        "task": assembled.manifest.task,
        "charter": project.document.digest,
        "charter_version": charter,
        "data": assembled.manifest.data,
        "test_rows": len(prepared.parts.test),
        "left_out": prepared.snapshot.left_out,
        "lost_cells": prepared.snapshot.lost_cells,
        "not_features": prepared.columns.left_out,
        "parity": assembled.manifest.parity,
        "champion": None if verdict.champion is None else verdict.champion["version"],
        "importance": _importance(project, prepared, assembled),
        "slices": verdict.slices_json(),
    }


def _register(stages: Stages, prepared: Prepared, assembled: Assembled, verdict: Verdict) -> versions.Version:
    """Version, end of the turn and audit line in one transaction; done again it gives what is there."""
    project, turn = stages.project, stages.turn
    with project.engine.connect() as connection:
        there = versions.of_turn(connection, turn.id)
        charter = charters.number_of(connection, turn.charter)
    if there is not None:
        return there
    now, snapshot = project.clock(), prepared.snapshot
    state = verdict.state
    failed = [gate.name for gate in verdict.gates if not gate.passed]
    with project.engine.begin() as connection:
        version = versions.register(
            connection,
            digest=assembled.digest,
            created=now,
            turn=turn.id,
            verdict=state,
            gates=[gate.as_json() for gate in verdict.gates],
            metrics={name: found.as_json() for name, found in verdict.metrics.items()},
            summary=_summary(project, prepared, assembled, verdict, charter),
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
            turn.id,
            state=state,
            ended=now,
            stage="end",
            version=version.number,
            data=data,
            seconds={**turn.seconds, **stages.seconds},
            message=message,
        )
        details = {"digest": assembled.digest, "verdict": state, "charter": project.document.digest}
        audit.record(connection, now, turn.actor, "register", f"version {version.number}", details)
    return version
