"""The row API: rows as JSON objects in, predictions as JSON objects out; and the outcomes that follow."""

import asyncio
from datetime import datetime
from typing import Any

import msgspec

from vitok.errors import RequestMistake, UserMistake
from vitok.journal.index import Lookup
from vitok.journal.outcomes import Classified, classify
from vitok.journal.records import Outcome, as_text
from vitok.kernel.clock import parse_time
from vitok.model.bundle import Manifest
from vitok.model.schema import decode_json, outcome_value
from vitok.serve.deployment import Deployment
from vitok.serve.http import MAX_ROWS, HttpProblem, Response, json_response
from vitok.serve.intervals import intervals_of
from vitok.serve.predict import Answer
from vitok.serve.recorder import Recorder


class _Predicted(msgspec.Struct, omit_defaults=True):
    """One row's answer; its version is named only where rows were routed to several."""

    id: str
    version: int | None = None
    score: float | list[float] | None = None
    scores: dict[str, float] | None = None
    decision: Any = msgspec.UNSET
    action: str = "model"
    reason: str = ""
    warnings: list[str] = []
    interval: dict[str, Any] | None = None


class _Predicteds(msgspec.Struct, omit_defaults=True):
    model: str
    version: int | None = None
    predictions: list[_Predicted] = []
    recorded: bool = True


def render_answer(deployment: Deployment, answer: Answer, *, intervals: bool = False) -> Response:
    """The answer to `{"rows": [...]}`.

    Args:
        intervals: Whether each prediction tells how sure it is.
    """
    versions = {prediction.version for prediction in answer.predictions}
    one = len(versions) == 1
    found = [
        _Predicted(
            each.id,
            None if one else each.version,
            each.score,
            None,
            each.decision,
            each.action,
            each.reason,
            each.warnings,
        )
        for each in answer.predictions
    ]
    manifest = deployment.champion.model.manifest
    if manifest.classes and manifest.positive is None:
        _name_scores(found, [as_text(value) for value in manifest.classes])
    if intervals:
        recorded = answer.records[: len(found)]  # rounded scores could fall into the next bin
        for shown, interval in zip(found, intervals_of(deployment, recorded), strict=True):
            shown.interval = interval
    return json_response(
        _Predicteds(deployment.plan.project, versions.pop() if one else None, found, answer.recorded)
    )


def _name_scores(found: list[_Predicted], classes: list[str]) -> None:
    for shown in found:
        if isinstance(shown.score, list):
            shown.scores, shown.score = dict(zip(classes, shown.score, strict=True)), None


class OutcomeDesk:
    """Takes outcomes: checks them, sorts them by what is known, records what is new."""

    def __init__(self, lookup: Lookup, recorder: Recorder) -> None:
        self._lookup = lookup
        self._recorder = recorder
        self._turn = asyncio.Lock()  # what one request decides, the next one must see

    async def take(self, manifest: Manifest, body: bytes, received: datetime) -> tuple[Classified, list[str]]:
        """Takes `{"outcomes": [...]}`; what is new is committed when this returns.

        Returns:
            The outcomes by what became of them, and messages for entries that could not be read.

        Raises:
            RequestMistake: the body is not of that form.
            HttpProblem: too many outcomes (413), or they could not be recorded (503).
        """
        entries = _entries(body)
        outcomes, problems = [], []
        for number, entry in enumerate(entries):
            try:
                outcomes.append(_outcome(manifest, f"outcomes[{number}]", entry, received))
            except RequestMistake as mistake:
                problems.append(str(mistake))
        async with self._turn:
            ids = [outcome.id for outcome in outcomes]
            predicted, known = await asyncio.to_thread(self._lookup.find, ids)
            found = classify(outcomes, predicted, known)
            if found.to_store:
                await self._recorder.commit(found.to_store)
        return found, problems


def render_outcomes(found: Classified, problems: list[str]) -> Response:
    """The answer to a request with outcomes."""
    remedy = 'the first value stands. Send it with "replace": true to override it'
    conflicts = [
        f"{o.id}: {as_text(o.value)!r} contradicts what was reported before; {remedy}."
        for o in found.conflicts
    ]
    return json_response(
        {
            "matched": len(found.matched),
            "unmatched": [outcome.id for outcome in found.unmatched],
            "duplicates": len(found.duplicates),
            "conflicts": [outcome.id for outcome in found.conflicts],
            "problems": [*problems, *conflicts],
        }
    )


def _entries(body: bytes) -> list[Any]:
    content = decode_json(body)
    entries = content.get("outcomes") if isinstance(content, dict) else None
    if not isinstance(entries, list) or set(content) != {"outcomes"}:
        raise RequestMistake(
            "body", "has no list `outcomes`, or more", 'Send {"outcomes": [{"id": ..., "value": ...}]}.'
        )
    if len(entries) > MAX_ROWS:
        raise HttpProblem(413, f"outcomes: {len(entries)} of them, at most {MAX_ROWS}. Send several requests")
    return entries


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    id: str | int
    value: Any
    time: str | None = None
    replace: bool = False
    followed: bool | None = None


def _outcome(manifest: Manifest, place: str, entry: Any, received: datetime) -> Outcome:
    try:
        read = msgspec.convert(entry, _Entry)
    except msgspec.ValidationError as error:
        remedy = "Send id, value, and if need be time, replace and followed."
        raise RequestMistake(place, f"is refused: {error}", remedy) from error
    value = outcome_value(manifest, f"{place}.value", read.value)
    try:
        time = received if read.time is None else parse_time(read.time, f"{place}.time")
    except UserMistake as error:
        raise RequestMistake(error.place, error.what, error.remedy) from error
    return Outcome(as_text(read.id), value, time, received, read.replace, read.followed)
