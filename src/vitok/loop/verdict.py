"""Judging a stored bundle: the very bytes that would be released, on the test rows, beside baselines and champion."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from vitok.charter.expressions import Ask, Comparison
from vitok.data.snapshot import time_column
from vitok.errors import VitokError
from vitok.evaluate.gates import Evidence, Gate, judge, verdict_of
from vitok.kernel.clock import stopwatch
from vitok.loop.assemble import Assembled, cost_tuple
from vitok.loop.fitted import Fitted
from vitok.loop.prepare import Prepared
from vitok.loop.project import Project
from vitok.loop.watched_metrics import charter_metrics, slice_metrics
from vitok.model.runtime import Model, load_model
from vitok.registry import releases
from vitok.release.plan import ACCEPTED
from vitok.stats.catalogue import metrics_for
from vitok.stats.estimates import Estimate, Undecidable, estimate
from vitok.stats.scores import Scored
from vitok.stats.thresholds import best_threshold

_LATENCY_CALLS = 1000


@dataclass(frozen=True)
class Verdict:
    """The outcome of a turn's judgement.

    Args:
        gates: Each gate with its figures.
        metrics: Every metric of the task on the test rows, and the figures of the bundle.
        baselines, champion: The main metrics of those that it was compared with; `champion` has its version.
        notes: What could not be had, and why.
        slices: The charter's metrics of each group that production is watched by, on the test rows.
    """

    gates: list[Gate]
    metrics: dict[str, Estimate]
    baselines: dict[str, dict[str, Estimate]]
    champion: dict[str, Any] | None
    notes: list[str]
    slices: dict[str, dict[str, Estimate]] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """`accepted`, `refused`, or `waiting` for people."""
        return verdict_of(self.gates)

    @property
    def is_accepted(self) -> bool:
        """Whether every gate passed."""
        return self.state == ACCEPTED

    def as_json(self) -> dict[str, Any]:
        """The verdict as JSON values, whole."""
        champion = self.champion
        return {
            "gates": [gate.as_json() for gate in self.gates],
            "metrics": _estimates_json(self.metrics),
            "baselines": {name: _estimates_json(found) for name, found in self.baselines.items()},
            "champion": None
            if champion is None
            else {**champion, "metrics": _estimates_json(champion["metrics"])},
            "notes": self.notes,
            "slices": self.slices_json(),
        }

    @staticmethod
    def from_json(stored: dict[str, Any]) -> "Verdict":
        """The inverse of `as_json`."""
        champion = stored["champion"]
        return Verdict(
            [Gate(**gate) for gate in stored["gates"]],
            _estimates(stored["metrics"]),
            {name: _estimates(found) for name, found in stored["baselines"].items()},
            None if champion is None else {**champion, "metrics": _estimates(champion["metrics"])},
            stored["notes"],
            # A turn that goes on after an update of Vitok may have been judged without.
            {name: _estimates(found) for name, found in stored.get("slices", {}).items()},
        )

    def slices_json(self) -> dict[str, Any]:
        """The metrics by slice as JSON values."""
        return {name: _estimates_json(found) for name, found in self.slices.items()}

    def asked(self, project: Project) -> dict[int, Ask]:
        """The questions that still wait for a person, by the number of their gate."""
        found = zip(project.document.rules.gates, self.gates, strict=True)
        return {
            n: rule for n, (rule, gate) in enumerate(found, 1) if isinstance(rule, Ask) and not gate.passed
        }


def _estimates_json(found: dict[str, Estimate]) -> dict[str, Any]:
    return {name: estimate.as_json() for name, estimate in found.items()}


def _estimates(stored: dict[str, Any]) -> dict[str, Estimate]:
    return {name: Estimate(**found) for name, found in stored.items()}


def judge_bundle(
    project: Project, prepared: Prepared, assembled: Assembled, baselines: list[Fitted]
) -> Verdict:
    """Decides the charter's gates for a stored bundle."""
    model = load_model(project.blobs, assembled.digest)
    test = prepared.snapshot.frame[prepared.parts.test]
    candidate = scored_by(project, model, test, prepared.truth[prepared.parts.test])
    others = {fitted.name: _baseline(project, prepared, fitted) for fitted in baselines}
    notes: list[str] = []
    version, champion = _champion(project, prepared, test, notes)
    gates, watched = project.document.rules.gates, project.charter.monitor.slices
    named = {column for gate in gates if isinstance(gate, Comparison) for column in gate.columns}
    columns = named.union(watched) & set(test.columns)
    service = measure_bundle(project, assembled, model)
    groups = {name: test[name].cast(str).fill_null("missing").to_numpy().astype(str) for name in columns}
    evidence = Evidence(
        candidate=candidate,
        baselines=others,
        champion=champion,
        champion_version=version,
        slices=groups,
        service=service,
        seed=project.charter.train.seed,
        watched=watched,
        ages=_ages(project, test),
    )
    figures = all_metrics(candidate, project)
    return Verdict(
        gates=judge(gates, evidence),
        metrics={**figures, **service},
        baselines={name: all_metrics(scored, project) for name, scored in others.items()},
        champion=None
        if version is None
        else {
            "version": version,
            "metrics": {} if champion is None else all_metrics(champion, project),
        },
        notes=notes,
        slices=slice_metrics(
            candidate, {name: groups[name] for name in watched if name in groups}, charter_metrics(project)
        ),
    )


def _ages(project: Project, test: pl.DataFrame) -> np.ndarray | None:
    """Seconds from each test row to the newest one."""
    if project.charter.task.time is None:
        return None
    moments = time_column(test[project.charter.task.time]).dt.epoch("us").to_numpy()
    return np.asarray((moments.max() - moments) / 1e6)


def scored_by(project: Project, model: Model, rows: pl.DataFrame, truth: np.ndarray) -> Scored:
    """A model's answers on test rows, with decisions at its own threshold and the costs of the charter.

    Args:
        truth: Codes or values of the target for the rows, shape (n,).
    """
    scores = model.score_frame(rows)
    threshold = model.manifest.threshold
    decisions = None if threshold is None else (scores >= threshold).astype(np.int64)
    return Scored(model.manifest.task, truth, scores, decisions, cost_tuple(project))  # type: ignore[arg-type]


def _baseline(project: Project, prepared: Prepared, fitted: Fitted) -> Scored:
    task, parts = prepared.classes.task, prepared.parts
    decisions = None
    if task == "binary":
        truth = prepared.truth[parts.validation]
        cut = best_threshold(truth, fitted.on_validation, cost_tuple(project))
        decisions = (fitted.on_test >= cut).astype(np.int64)
    return Scored(task, prepared.truth[parts.test], fitted.on_test, decisions, cost_tuple(project))


def _champion(
    project: Project, prepared: Prepared, test: Any, notes: list[str]
) -> tuple[int | None, Scored | None]:
    """The version in production on the test rows; its version alone if it cannot be run on them."""
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None:
        return None, None
    arm = release.plan.champion
    try:
        model = load_model(project.blobs, arm.digest, version=arm.version)
        if model.manifest.classes != list(prepared.classes.values):
            notes.append(f"version {arm.version} knows classes {model.manifest.classes}: not comparable")
            return arm.version, None
        return arm.version, scored_by(project, model, test, prepared.truth[prepared.parts.test])
    except VitokError as error:
        notes.append(f"version {arm.version} could not be run: {error}")
        return arm.version, None


def all_metrics(scored: Scored, project: Project) -> dict[str, Estimate]:
    """Every metric of the task that these rows can tell."""
    found = {}
    for metric in metrics_for(scored.task, with_costs=scored.costs is not None):
        try:
            found[metric.name] = estimate(metric.name, scored, seed=project.charter.train.seed)
        except Undecidable:
            continue
    return found


def measure_bundle(project: Project, assembled: Assembled, model: Model) -> dict[str, Estimate]:
    """Latency of single-row predictions inside the model, and the bundle's size."""
    row = model.example()
    model.warm_up()
    times = np.empty(_LATENCY_CALLS)
    for call in range(_LATENCY_CALLS):
        started = stopwatch()
        model.score(row)
        times[call] = (stopwatch() - started) * 1000
    size = sum(len(project.blobs.get(digest)) for digest in assembled.manifest.files.values()) / 1e6
    return {
        "latency_p50_ms": _quantile(times, 0.50),
        "latency_p99_ms": _quantile(times, 0.99),
        "size_mb": Estimate(size, size, size, 1, "exact"),
    }


def _quantile(times: np.ndarray, q: float) -> Estimate:
    """A quantile with its interval from order statistics (binomial, normal approximation)."""
    n = len(times)
    ordered = np.sort(times)
    half = 1.645 * np.sqrt(n * q * (1 - q))
    low, high = max(0, int(n * q - half)), min(n - 1, int(np.ceil(n * q + half)))
    return Estimate(
        float(np.quantile(times, q)), float(ordered[low]), float(ordered[high]), n, "order statistics"
    )
