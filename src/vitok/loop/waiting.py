"""The value of waiting for more labelled rows, from a learning curve of the version in use."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import polars as pl

from vitok.charter.review import main_metric
from vitok.economics.decisions import PROFIT, error_costs
from vitok.economics.waiting import Money, Range, advise, reckon
from vitok.errors import DataMistake, NotFound, UserMistake
from vitok.loop.prepare import training_set
from vitok.loop.project import Project
from vitok.loop.rejudge import Judged, rejudge, rows_per_year, version_in_use
from vitok.model.bundle import FEATURES
from vitok.model.features import encode, load_feature_function
from vitok.model.runtime import input_frame
from vitok.stats.catalogue import METRICS
from vitok.stats.curves import Gains, falls, gains_of_more_rows
from vitok.stats.estimates import estimate
from vitok.stats.influence import INFLUENCES
from vitok.stats.intervals import Influence
from vitok.stats.scores import Floats, Scored, Undecidable
from vitok.stats.thresholds import best_threshold
from vitok.train.fit import TrainingSet, fit_candidate, predict_scores

SHARES = (0.125, 0.25, 0.375, 0.5, 0.75, 1.0)
MONTHS = (1.0, 3.0, 6.0)
FEWEST_ROWS = 100  # at the smallest share: below, a fit says more of its rows than of their number
_PLACE = "--waiting"


def value_of_waiting(project: Project) -> dict[str, Any]:
    """The object under `waiting` of `vitok roi --waiting --json`. Fits five models.

    Returns:
        metric, noise, rows_now, rows_per_month, curve, law, months, advice; where the curve falls, law and advice are
        null and `refused` says why.

    Raises:
        NotFound: there is no version to look at.
        UserMistake: without a time, with a training window, or with too few rows nothing can be said.
    """
    found = version_in_use(project)
    if found is None:
        raise NotFound(
            _PLACE,
            "no version is accepted yet",
            "Make one with `vitok run`, or give more rows or other gates.",
        )
    version, basis = found
    _require_growth(project)
    judged = rejudge(project, version)
    yearly = rows_per_year(judged.manifest)
    if yearly is None:
        remedy = "Check task.time."
        raise UserMistake(_PLACE, "all rows are of one moment, so no rate of new rows is known", remedy)
    metric = main_metric(project.charter)
    noise = _half_width(metric, judged)
    answers, sizes = _learning_curve(project, judged)
    growth = yearly / 12 / judged.frame.height * sizes[-1]
    payload: dict[str, Any] = {
        "version": version.number,
        "metric": metric,
        "noise": noise,
        "rows_now": int(sizes[-1]),
        "rows_per_month": round(growth, 1),
        "curve": [_point(metric, size, scored) for size, scored in zip(sizes, answers, strict=True)],
    }
    asked = sizes[-1] + growth * np.array(MONTHS)
    return payload | _forecast(project, judged, answers, sizes, asked, earns=basis == "production")


def _forecast(
    project: Project, judged: Judged, answers: list[Scored], sizes: Floats, asked: Floats, *, earns: bool
) -> dict[str, Any]:
    """Where the curve leads, unless it falls."""
    metric, seed = main_metric(project.charter), project.charter.train.seed
    values, covariance = _jointly(metric, answers)
    better = falls(values, covariance)
    if better is not None:
        refused = _fall(metric, int(sizes[better]), int(sizes[-1]))
        return {"law": None, "months": [], "advice": None, "refused": refused}
    gains = gains_of_more_rows(sizes, values, covariance, asked, seed=seed)
    money = _money(project, sizes, answers, asked, rows_per_year(judged.manifest) or 0.0)
    noise = _half_width(metric, judged)
    waits = reckon(MONTHS, asked, float(sizes[-1]), (gains.values, gains.draws), noise, money, seed)
    advice = advise(waits, metric, noise, earns=earns, version=judged.version.number)
    return {
        "law": _law(metric, gains, sizes, asked),
        "months": [asdict(wait) for wait in waits],
        "advice": asdict(advice),
        "refused": None,
    }


def _require_growth(project: Project) -> None:
    charter, place = project.charter, project.document.place
    if charter.task.time is None:
        raise UserMistake(
            place(("task",)),
            "names no time, so the rate of new rows is unknown to --waiting",
            "Name the column with the moment of the decision as task.time.",
        )
    if charter.retrain.window != "all":
        raise UserMistake(
            place(("retrain", "window")),
            "limits the training rows to a period: --waiting would bring newer ones, not more",
            "Write `retrain: {window: all}`.",
        )


def _learning_curve(project: Project, judged: Judged) -> tuple[list[Scored], Floats]:
    """The version's algorithm fitted on rising shares of its training rows, judged on its test rows.

    By time the latest rows are taken, for they are what a shorter history would have been; otherwise the first of
    the shuffled ones, whose every prefix has the shares of the whole.
    """
    rows, test = _training_set(project, judged)
    count = rows.train.height
    if int(count * SHARES[0]) < FEWEST_ROWS:
        raise DataMistake(
            _PLACE,
            f"{count} training rows are too few for a learning curve",
            f"Come back with {round(FEWEST_ROWS / SHARES[0])} or more.",
        )
    answers, sizes = [], []
    for share in SHARES[:-1]:
        size = round(count * share)
        chosen = np.arange(count - size, count) if judged.parts.by == "time" else np.arange(size)
        part = replace(rows, train=rows.train[chosen], truth=rows.truth[chosen])
        project.say(f"Fitting {judged.manifest.algorithm} on {size} of {count} training rows")
        try:
            answers.append(_answer(project, judged, part, test))
        except ValueError as error:  # undecidable, or what scikit-learn says to rows of one class
            raise DataMistake(
                _PLACE, f"{size} training rows cannot be judged: {error}", "Give more rows."
            ) from error
        sizes.append(float(size))
    # All rows with these parameters: that is the version itself.
    return [*answers, judged.scored], np.array([*sizes, float(count)])


def _training_set(project: Project, judged: Judged) -> tuple[TrainingSet, pl.DataFrame]:
    """The version's rows encoded as its turn did it, by the feature function in its bundle; the test rows apart."""
    manifest, parts = judged.manifest, judged.parts
    raw = input_frame(manifest.inputs, judged.frame)
    derived = raw
    if manifest.feature_function is not None:
        source = project.blobs.get(manifest.files[FEATURES]).decode()
        derived = load_feature_function(source, manifest.feature_function, FEATURES)(raw)
    kinds = {field.name: field.kind for field in manifest.features}
    encoded = encode(derived, kinds)
    rows = training_set(judged.scored.task, encoded, judged.truth, parts, kinds, manifest.seed)
    return rows, encoded[parts.test]


def _answer(project: Project, judged: Judged, rows: TrainingSet, test: pl.DataFrame) -> Scored:
    """One fit with the version's parameters, answering the test rows."""
    fitted = fit_candidate(
        judged.manifest.algorithm,
        rows,
        metric=main_metric(project.charter),
        sampler="random",
        trials=0,
        timeout_seconds=0,
        parameters=judged.manifest.parameters,
        on_trial=lambda *trial: None,
    ).pipeline
    scores = predict_scores(fitted, test, rows.task)
    if rows.task != "binary":
        return replace(judged.scored, scores=scores)
    cut = project.charter.decide.threshold
    if cut == "best":
        validation = predict_scores(fitted, rows.validation, rows.task)
        cut = best_threshold(rows.validation_truth, validation, judged.scored.costs)
    return replace(judged.scored, scores=scores, decisions=(scores >= cut).astype(np.int64))


def _jointly(metric: str, answers: list[Scored]) -> tuple[Floats, Floats]:
    """Values, higher is better, and their covariance over the shared test rows."""
    sign = 1.0 if METRICS[metric].higher_is_better else -1.0
    figures: list[Influence] = [INFLUENCES[metric](scored) for scored in answers]
    rows = np.stack([figure.rows for figure in figures])
    covariance = rows @ rows.T / rows.shape[1] ** 2 + np.diag([figure.floor for figure in figures])
    return sign * np.array([figure.value for figure in figures]), covariance


def _money(
    project: Project, sizes: Floats, answers: list[Scored], asked: Floats, yearly: float
) -> Money | None:
    """What `reckon` needs to speak of money; None where costs or these rows give none."""
    if answers[-1].task != "binary":
        return None
    try:
        present = error_costs(answers[-1]).over_constant
        values, covariance = _jointly(PROFIT, answers)
    except Undecidable:
        return None
    gains = gains_of_more_rows(sizes, values, covariance, asked, seed=project.charter.train.seed)
    return gains.values, gains.draws, Range(present.value, present.low, present.high), yearly


def _half_width(metric: str, judged: Judged) -> float:
    """Of the metric's interval on the test rows."""
    try:
        found = estimate(metric, judged.scored)
    except Undecidable as error:
        place = f"version {judged.version.number}"
        raise DataMistake(place, f"its test rows cannot tell {metric}: {error}", "Give more rows.") from error
    return (found.high - found.low) / 2


def _point(metric: str, size: float, scored: Scored) -> dict[str, Any]:
    """One size of the learning curve."""
    found = {"rows": int(size), metric: estimate(metric, scored).as_json()}
    if scored.costs is not None and scored.decisions is not None:
        try:
            found[PROFIT] = estimate(PROFIT, scored).as_json()
        except Undecidable:
            found[PROFIT] = None
    return found


def _law(metric: str, gains: Gains, sizes: Floats, asked: Floats) -> dict[str, Any]:
    """The fitted law in the metric's own direction."""
    law, sign = gains.law, 1.0 if METRICS[metric].higher_is_better else -1.0
    return {
        "limit": sign * law.ceiling,
        "to_gain_at_most": law.drop,
        "exponent": law.exponent,
        "scatter": law.residual,
        "curve": [
            {"rows": round(rows), "value": sign * law.at(rows)}
            for rows in np.geomspace(sizes[0], asked[-1], 40).tolist()
        ],
    }


def _fall(metric: str, fewer: int, all_: int) -> dict[str, str]:
    """Why a curve that falls is not extrapolated."""
    return {
        "place": _PLACE,
        "what": f"{metric} is worse with all {all_:,} training rows than with {fewer:,} of them, beyond chance: "
        "more rows of this kind cannot be reckoned with",
        "remedy": "Try a shorter `retrain.window`, or features that tell the times apart.",
    }
