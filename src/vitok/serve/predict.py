"""The use case of the data plane: checked rows in, journal records of their predictions out."""

from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any

from msgspec import structs

from vitok.errors import Fault, NotFound, RequestMistake, VitokError
from vitok.journal.records import FAILED, Prediction, as_text
from vitok.kernel.clock import parse_time, stopwatch
from vitok.kernel.ids import new_ids
from vitok.model.schema import Rows
from vitok.release.decide import Decision
from vitok.release.holdout import HELD_OUT
from vitok.release.policy import Policy
from vitok.release.route import route_many
from vitok.serve.deployment import Deployment, Served
from vitok.serve.http import MAX_ROWS, HttpProblem, log, too_many_rows
from vitok.serve.stand_ins import Batch, by_default, failed_rows, failure_of, in_place_of
from vitok.serve.trouble import Asked, no_records, on_loop
from vitok.stats.outliers import Outliers, Strangeness

_FEW = 16  # rows that are judged one by one faster than as columns
TIMED_OUT, HUNG = "timed out", "hung the worker"  # as the journal has them


class Answer:
    """Predictions that answer a request, in the order of its rows.

    Args:
        predictions: As the caller sees them.
        records: As the journal takes them.
        error: Why the caller gets no predictions after all; the records then are of the rows that failed.
    """

    __slots__ = ("error", "predictions", "recorded", "records")

    def __init__(
        self, predictions: list[Prediction], records: list[Prediction], error: Exception | None = None
    ) -> None:
        self.predictions = predictions
        self.records = records
        self.error = error
        self.recorded = (
            True  # false if the journal could not take them and the charter says to answer all the same
        )


def predict(
    deployment: Deployment,
    rows: Rows,
    received: list[datetime],
    worker: str,
    version: int | None = None,
) -> Answer:
    """Routes, scores and decides rows; where a version fails and nobody else can answer, the answer is its error.

    Args:
        rows: As the champion's schema (or the asked version's) returned them; of one request, or of several.
        received: When each row's request arrived.
        version: The version to ask, instead of the one that the plan routes each unit to.
        fall_back: Whether the fallback answers where a version fails.

    Raises:
        Fault: a model fails, and the fallback is not to be asked.
    """
    return told(deployment, ask(deployment, rows, received, worker, version))


def ask(
    deployment: Deployment,
    rows: Rows,
    received: list[datetime],
    worker: str,
    version: int | None = None,
    *,
    fall_back: bool = True,
) -> list[Prediction]:
    """What the journal keeps of rows, in their order: what a version answered, or that it failed.

    Args:
        fall_back: Whether the fallback answers where a version fails; where it is late it always does.

    Raises:
        RequestMistake: a row is routed to a version that takes other inputs, and lacks one.
        Fault: a model fails, and the fallback is not to be asked.
    """
    asker = served_version(deployment, version)
    batch = _identify(asker, rows, received)
    if version is not None or not deployment.is_routed:
        return _guarded(deployment, asker, asker, batch, worker, fall_back=fall_back)
    return _predict_routed(deployment, asker, batch, worker, fall_back=fall_back)


def told(deployment: Deployment, answered: list[Prediction]) -> Answer:
    """What a caller hears of the rows of his request: predictions, or the error if one of them has failed."""
    failed = [each for each in answered if each.action == FAILED]
    if not failed:
        return Answer(shown(answered, deployment.plan.policy), answered)
    if failed[0].reason == TIMED_OUT:
        return Answer([], failed, too_late(deployment))
    return Answer([], failed, failure_of(failed[0]))


def too_late(deployment: Deployment) -> HttpProblem:
    """The answer to a request that takes longer than the charter allows."""
    seconds = deployment.plan.policy.timeout_seconds
    return HttpProblem(
        504, f"the request took longer than {seconds:g} s. Send fewer rows, or try again later"
    )


def mirror(deployment: Deployment, rows: Rows, answered: list[Prediction], worker: str) -> list[Prediction]:
    """What the shadows would have answered; a shadow that fails is recorded as failed.

    Args:
        rows: As the champion's schema (or the asked version's) returned them.
        answered: What was recorded for each row.
    """
    batch = Batch(
        rows,
        [each.id for each in answered],
        [each.unit for each in answered],
        [each.time for each in answered],
        [each.received for each in answered],
    )
    askers = (served for served in deployment.served.values() if served.schema is rows.schema)
    asker = next(askers, deployment.champion)
    found: list[Prediction] = []
    for served in deployment.shadows:
        found += _mirrored(deployment, served, asker, batch, worker)
    return found


def _mirrored(
    deployment: Deployment, served: Served, asker: Served, batch: Batch, worker: str
) -> list[Prediction]:
    epoch = deployment.plan.epoch
    if served.breaker.is_open:
        return failed_rows(served.arm, batch, epoch, worker, "at rest after failing again and again")
    hung = Asked(served.arm.digest, partial(failed_rows, served.arm, batch, epoch, worker, HUNG))
    try:
        found = _watched(deployment, hung, served, asker, batch, worker)
    except (Fault, RequestMistake) as error:
        served.breaker.failed()
        log.warning("shadow version %s failed: %s", served.arm.version, error)
        return failed_rows(served.arm, batch, epoch, worker, str(error))
    served.breaker.succeeded()
    return found


def timed_out(
    deployment: Deployment, rows: Rows, received: list[datetime], worker: str, version: int | None
) -> list[Prediction]:
    """What the journal keeps of rows whose request took too long: each as a failure of the version it was routed to.

    Args:
        version: The version that was asked, instead of the one that the plan routes each unit to.
    """
    asker = served_version(deployment, version)
    batch = _identify(asker, rows, received)
    arms = {asker.arm.version: list(range(len(rows)))}
    if version is None and deployment.is_routed:
        arms = _places(deployment, batch)
    epoch = deployment.plan.epoch
    return [
        each
        for arm, places in arms.items()
        for each in failed_rows(deployment.served[arm].arm, batch.part(places), epoch, worker, TIMED_OUT)
    ]


def shown(predictions: list[Prediction], policy: Policy) -> list[Prediction]:
    """Predictions as callers see them: scores rounded, if the charter wants that, and none of units held out."""
    if policy.decimals is None and policy.holdout is None:
        return predictions
    return [structs.replace(each, score=_score_shown(each, policy.decimals)) for each in predictions]


def _score_shown(prediction: Prediction, decimals: int | None) -> float | list[float] | None:
    if prediction.action == HELD_OUT:
        return None
    return prediction.score if decimals is None else _rounded(prediction.score, decimals)


def _rounded(score: float | list[float] | None, decimals: int) -> float | list[float] | None:
    if isinstance(score, list):
        return [round(each, decimals) for each in score]
    return None if score is None else round(score, decimals)


def require_few(rows: Rows) -> Rows:
    """The rows, unless a request brings too many.

    Raises:
        HttpProblem: 413.
    """
    if len(rows) > MAX_ROWS:
        raise too_many_rows(len(rows))
    return rows


def served_version(deployment: Deployment, version: int | None) -> Served:
    """The champion, or the version that was asked for.

    Raises:
        NotFound: the version is not in the plan.
    """
    if version is None:
        return deployment.champion
    if version not in deployment.served:
        known = ", ".join(str(number) for number in sorted(deployment.served))
        raise NotFound(f"version {version}", "is not being served", f"In production: {known}.")
    return deployment.served[version]


def _identify(asker: Served, rows: Rows, received: list[datetime]) -> Batch:
    manifest = asker.model.manifest
    ids = _ids(rows, manifest.id, received)
    units = ids
    if manifest.entity is not None:
        named = _texts(rows, manifest.entity)
        units = [key if unit is None else unit for unit, key in zip(named, ids, strict=True)]
    times = received
    if manifest.time is not None:
        given = rows.values(manifest.time)
        times = [
            moment if time is None else parse_time(time) for time, moment in zip(given, received, strict=True)
        ]
    return Batch(rows, ids, units, times, received)


def _ids(rows: Rows, name: str | None, received: list[datetime]) -> list[str]:
    """The ids that rows bring, and new ones for the others."""
    # Rows of one request came at one moment, and those of several requests follow each other.
    made = [key for moment, group in groupby(received) for key in new_ids(moment, len(list(group)))]
    if name is None:
        return made
    return [new if key is None else key for key, new in zip(_texts(rows, name), made, strict=True)]


def _texts(rows: Rows, name: str) -> list[str | None]:
    return [None if value is None else as_text(value) for value in rows.values(name)]


def _predict_routed(
    deployment: Deployment, asker: Served, batch: Batch, worker: str, *, fall_back: bool
) -> list[Prediction]:
    answered: dict[int, Prediction] = {}
    for version, chosen in _places(deployment, batch).items():
        served = deployment.served[version]
        found = _guarded(deployment, served, asker, batch.part(chosen), worker, fall_back=fall_back)
        answered.update(zip(chosen, found, strict=True))
    return [answered[place] for place in range(len(batch.rows))]


def _places(deployment: Deployment, batch: Batch) -> dict[int, list[int]]:
    """The rows that each version is to answer, by the plan."""
    places: dict[int, list[int]] = {}
    arms = route_many(deployment.plan, batch.units, partial(deployment.fits, batch.rows))
    for place, arm in enumerate(arms.tolist()):
        places.setdefault(deployment.plan.arms[arm].version, []).append(place)
    return places


def _guarded(
    deployment: Deployment, served: Served, asker: Served, batch: Batch, worker: str, *, fall_back: bool
) -> list[Prediction]:
    """Asks a version unless it is at rest; where it fails the fallback answers, rows that it cannot take the asker."""
    name = f"version {served.arm.version}"
    if served.breaker.is_open:
        rests = Fault(name, "is at rest after failing again and again", "See the server's log.")
        return _fall_back(deployment, served, asker, batch, worker, rests)
    try:
        found = _asked(deployment, served, asker, batch, worker)
    except Fault as error:
        if not fall_back and error.what != TIMED_OUT:
            raise
        served.breaker.failed()
        log.error("%s", error)
        return _fall_back(deployment, served, asker, batch, worker, error)
    except RequestMistake:
        if served is asker:
            raise
        return _sorted_out(deployment, served, asker, batch, worker, fall_back=fall_back)
    served.breaker.succeeded()
    return found


def _sorted_out(
    deployment: Deployment, served: Served, asker: Served, batch: Batch, worker: str, *, fall_back: bool
) -> list[Prediction]:
    """Asks a version for the rows that it takes, the champion for those that only the champion takes.

    The caller is not at fault: a row is as it always was, and was drawn for a version that needs more. So it counts as
    a failure of that version.
    """
    misfits = {
        place: str(problem) for place, row in enumerate(batch.rows) if (problem := _misfit(served, row))
    }
    fitting = [place for place in range(len(batch.rows)) if place not in misfits]
    found: dict[int, Prediction] = {}
    for version, places in ((served, fitting), (asker, list(misfits))):
        if places:
            part = _guarded(deployment, version, asker, batch.part(places), worker, fall_back=fall_back)
            found.update(zip(places, part, strict=True))
    for place, reason in misfits.items():
        if found[place].action != FAILED:
            found[place] = in_place_of(served.arm, found[place], f"version {served.arm.version}: {reason}")
    return [found[place] for place in range(len(batch.rows))]


def _misfit(served: Served, row: dict[str, Any]) -> RequestMistake | None:
    """Why a version cannot take a row; None if it can."""
    try:
        served.schema.check([_known(served, row)])
    except RequestMistake as mistake:
        return RequestMistake(mistake.place.removeprefix("rows[0]."), mistake.what, mistake.remedy)
    return None


def _fall_back(
    deployment: Deployment, failed: Served, asker: Served, batch: Batch, worker: str, error: Fault
) -> list[Prediction]:
    """The version before, else the charter's default; else the rows have failed."""
    epoch, spare, default = deployment.plan.epoch, deployment.spare_of(failed), deployment.plan.policy.default
    if spare is not None and spare.arm.digest != failed.arm.digest and not spare.breaker.is_open:
        try:
            found = _asked(deployment, spare, asker, batch, worker)
        except (Fault, RequestMistake) as also:
            spare.breaker.failed()
            log.error("the fallback failed too: %s", also)
        else:
            return [in_place_of(failed.arm, each, str(error)) for each in found]
    if default is None:
        reason = TIMED_OUT if error.what == TIMED_OUT else str(error)
        return failed_rows(failed.arm, batch, epoch, worker, reason)
    return by_default(failed.arm, batch, epoch, worker, default, str(error))


def _asked(
    deployment: Deployment, served: Served, asker: Served, batch: Batch, worker: str
) -> list[Prediction]:
    """Scores rows; should that never end, the watchdog records them as failed.

    Raises:
        Fault: the version fails, or takes longer than a request may.
    """
    hung = Asked(
        served.arm.digest,
        # In a thread apart the request is answered, and recorded, when its time is over.
        partial(failed_rows, served.arm, batch, deployment.plan.epoch, worker, HUNG)
        if on_loop()
        else no_records,
    )
    started, limit = stopwatch(), deployment.plan.policy.timeout_seconds
    found = _watched(deployment, hung, served, asker, batch, worker)
    if stopwatch() - started > limit:
        raise Fault(f"version {served.arm.version}", TIMED_OUT, f"It may take {limit:g} s (serve.timeout).")
    return found


def _watched(
    deployment: Deployment, hung: Asked, served: Served, asker: Served, batch: Batch, worker: str
) -> list[Prediction]:
    trouble = deployment.trouble
    trouble.asking(hung)
    try:
        return _predict(served, asker, batch, deployment.plan.epoch, worker)
    except VitokError:
        raise
    except BaseException as error:  # a model's code may raise what it likes; others go on
        log.exception("version %s", served.arm.version)
        what = f"raised {type(error).__name__}: {error}"
        raise Fault(f"version {served.arm.version}", what, "Roll back and look at the bundle.") from error
    finally:
        trouble.answered()


def _predict(served: Served, asker: Served, batch: Batch, epoch: int, worker: str) -> list[Prediction]:
    model, rows, arm = served.model, batch.rows, served.arm
    started = stopwatch()
    if served is not asker and served.shape != asker.shape:
        rows = served.schema.check([_known(served, row) for row in rows])
    scores = model.score(rows) if served.cache is None else served.cache.score(rows)
    values = scores.tolist()
    columns: Any = zip(
        batch.ids,
        batch.units,
        batch.times,
        batch.received,
        rows.found,
        values,
        _decisions(served, rows, values, model.decide(scores), batch.units),
        rows.warnings(),
        strict=True,
    )
    version, digest, role = arm.version, arm.digest, arm.role
    micros, together = round((stopwatch() - started) * 1e6), len(rows)
    return [
        Prediction(
            key,
            unit,
            time,
            received,
            version,
            digest,
            role,
            epoch,
            worker,
            inputs,
            score,
            value,
            warnings,
            action,
            reason,
            None,
            micros,
            together,
        )
        for key, unit, time, received, inputs, score, (value, action, reason), warnings in columns
    ]


def _known(served: Served, row: dict[str, Any]) -> dict[str, Any]:
    """What of a row a version has heard of."""
    return {name: value for name, value in row.items() if name in served.schema.attributes}


def _strangeness(outliers: Outliers, rows: Rows) -> Strangeness:
    levels = [rows.values(each.name) for each in outliers.levels]
    if len(rows) <= _FEW:
        return outliers.judge_few([rows.values(name) for name in outliers.number_names], levels)
    numbers = list(rows.matrix(outliers.number_names, float).T)
    return outliers.judge(
        numbers, [table.of(column) for table, column in zip(outliers.levels, levels, strict=True)]
    )


def _decisions(
    served: Served, rows: Rows, scores: list[Any], decided: list[Any], units: list[str]
) -> list[Decision]:
    decider = served.decider
    outliers, strange = decider.outliers, None
    if outliers is not None:
        strange = _strangeness(outliers, rows)
    return decider.decide(rows.found, scores, decided, strange, units)
