"""Fitting: baselines first, then each candidate with its search; the best on the validation rows first."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from vitok.kernel.clock import stopwatch
from vitok.stats.catalogue import METRICS, PRIMARY, TaskKind
from vitok.train.candidates import (
    LINEAR_ROWS,
    build_baseline,
    build_candidate,
    default_parameters,
    round_thresholds,
    suggest_parameters,
)

_PATIENCE = 30
_LARGE_CELLS = 1_000_000  # below, the threads of LightGBM wait for each other longer than they work
_ONE_THREAD = 500_000  # cells: below, threads wait for each other longer than they work


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Encoded rows to fit and to validate on.

    Args:
        train, validation: Features; numbers as float32 (NaN missing), categories as text ("" missing).
        truth, validation_truth: Codes or values.
        numbers, categories: Names of the features by kind.
        weights: How much each training row counts, shape (n,); None for all alike.
        cores: How many may be used; None for all.
    """

    task: TaskKind
    train: pl.DataFrame
    truth: np.ndarray
    validation: pl.DataFrame
    validation_truth: np.ndarray
    numbers: list[str]
    categories: list[str]
    seed: int
    weights: np.ndarray | None = None
    cores: int | None = None

    @property
    def threads(self) -> int:
        """Threads that pay for a table of this size, and that the fit may use."""
        small = self.train.height * self.train.width < _LARGE_CELLS
        return 1 if small else self.cores or os.cpu_count() or 1

    @property
    def complete(self) -> list[str]:
        """Numbers that no training row misses."""
        return [name for name in self.numbers if not self.train[name].is_nan().any()]


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted pipeline.

    Args:
        name: Candidate or baseline.
        pipeline: The fitted scikit-learn pipeline.
        parameters: What it was fitted with.
        metric, validation: The main metric and its value on the validation rows.
        trials: How many parameter sets were tried.
    """

    name: str
    pipeline: Any
    parameters: dict[str, Any]
    metric: str
    validation: float
    trials: int
    seconds: float


OnTrial = Callable[[str, int, dict[str, Any], float], None]


def predict_scores(pipeline: Any, frame: pl.DataFrame, task: TaskKind) -> np.ndarray:
    """Scores of a fitted pipeline: (n,) of the positive class, (n, k) of all classes, or (n,) of values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # LightGBM inside a pipeline sees arrays without names
        if task == "regression":
            return np.asarray(pipeline.predict(frame), dtype=np.float64)
        probabilities = np.asarray(pipeline.predict_proba(frame), dtype=np.float64)
    return probabilities[:, 1] if task == "binary" else probabilities


def validation_score(metric: str, truth: np.ndarray, scores: np.ndarray, classes: int) -> float:
    """The value of a score metric that candidates are ranked by."""
    from sklearn import metrics

    if metric == "roc_auc":
        if scores.ndim == 1:
            return float(metrics.roc_auc_score(truth, scores))
        # Of several classes: each against the rest, with equal weight, as gates measure it.
        present = np.unique(truth).astype(int)
        return float(np.mean([metrics.roc_auc_score(truth == code, scores[:, code]) for code in present]))
    if metric == "log_loss":
        return float(metrics.log_loss(truth, scores, labels=list(range(max(classes, 2)))))
    if metric == "brier":
        return float(metrics.brier_score_loss(truth, scores))
    if metric == "pr_auc":
        return float(metrics.average_precision_score(truth, scores))
    if metric == "mae":
        return float(metrics.mean_absolute_error(truth, scores))
    if metric == "r2":
        return float(metrics.r2_score(truth, scores))
    return float(np.sqrt(metrics.mean_squared_error(truth, scores)))


def fit_baselines(names: list[str], rows: TrainingSet) -> list[Trained]:
    """Fits each named baseline."""
    return [_fit_baseline(name, rows) for name in names]


def _fit_baseline(name: str, rows: TrainingSet) -> Trained:
    started = stopwatch()
    pipeline = build_baseline(name, rows.task, rows.numbers, rows.categories, rows.seed)
    pipeline.fit(rows.train, rows.truth)
    metric = PRIMARY[rows.task]
    return Trained(name, pipeline, {}, metric, _validate(pipeline, rows, metric), 0, stopwatch() - started)


def _validate(pipeline: Any, rows: TrainingSet, metric: str) -> float:
    scores = predict_scores(pipeline, rows.validation, rows.task)
    return validation_score(metric, rows.validation_truth, scores, len(np.unique(rows.truth)))


def fit_candidate(
    name: str,
    rows: TrainingSet,
    *,
    metric: str,
    sampler: str,
    trials: int,
    timeout_seconds: float,
    parameters: dict[str, Any] | None,
    on_trial: OnTrial,
) -> Trained:
    """Fits one candidate, with the best parameters that the budget finds.

    Args:
        metric: Score metric to optimise on the validation rows.
        sampler: `tpe` or `random`.
        trials: Parameter sets to try besides the starting one; 0 for none.
        timeout_seconds: No new trial starts after that.
        parameters: Where to start; None for the defaults.
        on_trial: Told of every trial: candidate, number, parameters, value.
    """
    started = stopwatch()
    start = {k: v for k, v in (parameters or default_parameters(name)).items() if k != "n_estimators"}
    best = _fit_once(name, rows, start, metric)
    on_trial(name, 0, start, best[1])
    count = 1
    if trials:
        best, count = _search(name, rows, start, best, metric, sampler, trials, timeout_seconds, on_trial)
    pipeline, value, used = best
    return Trained(name, pipeline, used, metric, value, count, stopwatch() - started)


_Fitted = tuple[Any, float, dict[str, Any]]


def _search(
    name: str,
    rows: TrainingSet,
    start: dict[str, Any],
    first: _Fitted,
    metric: str,
    sampler: str,
    trials: int,
    timeout_seconds: float,
    on_trial: OnTrial,
) -> tuple[_Fitted, int]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    better = METRICS[metric].higher_is_better
    best = first

    def objective(trial: optuna.Trial) -> float:
        nonlocal best
        fitted = _fit_once(name, rows, suggest_parameters(name, trial), metric)
        on_trial(name, trial.number + 1, fitted[2], fitted[1])
        if (fitted[1] > best[1]) == better and fitted[1] != best[1]:
            best = fitted
        return fitted[1]

    samplers = optuna.samplers
    chosen = (
        samplers.RandomSampler(seed=rows.seed) if sampler == "random" else samplers.TPESampler(seed=rows.seed)
    )
    study = optuna.create_study(direction="maximize" if better else "minimize", sampler=chosen)
    study.optimize(objective, n_trials=trials, timeout=timeout_seconds)
    return best, len(study.trials) + 1


def _fit_once(name: str, rows: TrainingSet, parameters: dict[str, Any], metric: str) -> _Fitted:
    pipeline = build_candidate(
        name, rows.task, rows.numbers, rows.categories, rows.complete, parameters, rows.seed, rows.threads
    )
    used = dict(parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence and feature-name notes of the libraries
        if name == "lightgbm":
            used["n_estimators"] = _fit_with_early_stopping(pipeline, rows)
        else:
            train, truth, weights = _thinned(rows)
            pipeline.fit(train, truth, model__sample_weight=weights)
    return pipeline, _validate(pipeline, rows, metric), used


def _thinned(rows: TrainingSet) -> tuple[pl.DataFrame, np.ndarray, np.ndarray | None]:
    if rows.train.height <= LINEAR_ROWS:
        return rows.train, rows.truth, rows.weights
    chosen = np.sort(np.random.default_rng(rows.seed).choice(rows.train.height, LINEAR_ROWS, replace=False))
    return rows.train[chosen], rows.truth[chosen], None if rows.weights is None else rows.weights[chosen]


def _fit_with_early_stopping(pipeline: Any, rows: TrainingSet) -> int:
    import lightgbm

    prepare, model = pipeline[:-1], pipeline.named_steps["model"]
    train = prepare.fit_transform(rows.train, rows.truth)
    validation = prepare.transform(rows.validation)
    if train.size < _ONE_THREAD:
        model.set_params(n_jobs=1)
    stop = lightgbm.early_stopping(_PATIENCE, first_metric_only=True, verbose=False)
    model.fit(
        train,
        rows.truth,
        sample_weight=rows.weights,
        eval_set=[(validation, rows.validation_truth)],
        callbacks=[stop],
    )
    trees = int(model.best_iteration_ or model.n_estimators)
    round_thresholds(model)
    return trees
