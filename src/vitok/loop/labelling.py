"""The queue of rows that people look at one by one: what waits, the labels they give, and how well they agree."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from vitok.errors import NotFound, RequestMistake, UserMistake
from vitok.govern import audit
from vitok.govern.secrets import keyed_digest, signing_key
from vitok.journal.index import Lookup
from vitok.journal.outcomes import is_same
from vitok.journal.records import Outcome, as_text
from vitok.journal.spool import Spool
from vitok.kernel.clock import format_time, parse_time
from vitok.kernel.ids import new_id
from vitok.loop.journals import handed_over
from vitok.loop.opinions import labels_agreement
from vitok.loop.outcomes import JOURNAL
from vitok.loop.project import Project
from vitok.loop.standing import standing
from vitok.model.bundle import Manifest, load_manifest
from vitok.model.schema import outcome_value
from vitok.registry import labels, releases
from vitok.registry.labels import Label

_AT_ONCE = 20  # rows with their inputs: enough to find one that the reader has not labelled
_SECOND = 200


def review_queue(
    project: Project, *, again: bool = False, after: str | None = None, with_personal: bool = True
) -> dict[str, Any]:
    """The rows that come next, with how well people agree.

    What waits is reckoned by the keeper, as it takes longer the more was predicted; who has labelled a row since is
    looked up now.

    Args:
        again: Rows that one person has labelled, for a second opinion, in place of those that nobody has.
        after: Only what comes behind this row.
        with_personal: Whether to show columns that the charter calls personal.

    Returns:
        `standing` (how old what is known is), `known` (whether it was reckoned), `waiting` (how many rows there are;
        None if not reckoned yet), `reviews` as `vitok reviews --json` lists them, each with `by` (who has labelled it),
        `more` (whether there are others behind these), `target`, `classes` (as text; empty for a number), `released`
        (whether a version is in production), and `agreement`.
    """
    kept = standing(project, "reviews")
    candidates = _given_once(project) if again else _unlabelled(project, kept)
    manifest = _manifest(project)
    fresh = 0 if kept["figure"] is None else len(kept["figure"]["rows"]) - len(candidates)
    total = None if kept["figure"] is None else kept["figure"]["waiting"] - (0 if again else fresh)
    places = {row["id"]: place for place, row in enumerate(candidates)}
    first = places[after] + 1 if after in places else 0
    return {
        "standing": {name: kept[name] for name in ("reckoned", "current", "refused")},
        "known": kept["figure"] is not None,
        "waiting": len(candidates) if again else total,
        "reviews": [
            each if with_personal else _without_personal(project, each)
            for each in _with_inputs(project, candidates[first : first + _AT_ONCE])
        ],
        "more": len(candidates) > first + _AT_ONCE,
        "target": project.charter.task.target,
        "classes": [] if manifest is None else [as_text(value) for value in manifest.classes],
        "released": manifest is not None,
        "agreement": labels_agreement(project),
    }


def _without_personal(project: Project, row: dict[str, Any]) -> dict[str, Any]:
    hidden = set(project.charter.data.personal)
    return {**row, "inputs": {name: value for name, value in row["inputs"].items() if name not in hidden}}


def give_label(project: Project, row: str, value: str, *, actor: str) -> dict[str, Any]:
    """Gives a row of the queue a label: the first one is its outcome, as one that comes over HTTP; others are opinions.

    Args:
        row: Id of the prediction.
        value: The class or the number, as text.

    Returns:
        `id`, `value`, and `state`: `taken` as the outcome, `agrees` with the one that stands, or `differs` from it.

    Raises:
        NotFound: there is no such row in the queue, or nothing is in production.
        UserMistake: it is no value of the target, or the person has labelled the row before.
    """
    manifest, now = _manifest(project), project.clock()
    if manifest is None:
        raise NotFound("label", "nothing has been released, so nothing was predicted", "Release a version.")
    label = Label(row, actor, _value(manifest, value), now, *_where(project, row))
    with project.engine.begin() as connection:
        before = labels.give(connection, label)
        if before is not None:
            what = f"you have labelled it already: {as_text(before.value)}"
            raise UserMistake(f"row {row}", what, "Your label stays; go on with the next row.")
        # Before it is on record: a label whose outcome is lost could not be given again.
        state = _report(project, label, labels.of_ids(connection, [row]))
        audit.record(connection, now, actor, "label", "reviews", {"state": state, **_hidden(row)})
    return {"id": row, "value": label.value, "state": state}


def _report(project: Project, label: Label, given: list[Label]) -> str:
    """Makes the label the row's outcome, unless it has one; and says which of both it is."""
    lookup = Lookup(project.state / JOURNAL)
    try:
        _, known = lookup.find([label.id])
    finally:
        lookup.close()
    others = [each.value for each in given if each.person != label.person]
    stands = known.get(label.id, others[0] if others else None)
    if stands is not None:
        return "agrees" if is_same(stands, label.value) else "differs"
    spool = Spool(project.state / JOURNAL, f"labels-{new_id(label.given)}", durable=True)
    try:
        spool.append([Outcome(label.id, label.value, label.given, label.given)])
    finally:
        spool.close()
    return "taken"


def _unlabelled(project: Project, kept: dict[str, Any]) -> list[dict[str, Any]]:
    """What waited when it was reckoned, without what has an outcome since."""
    rows = [] if kept["figure"] is None else kept["figure"]["rows"]
    lookup = Lookup(project.state / JOURNAL)
    try:
        _, known = lookup.find([row["id"] for row in rows])
    finally:
        lookup.close()
    return [row for row in rows if row["id"] not in known]


def _given_once(project: Project) -> list[dict[str, Any]]:
    with project.engine.connect() as connection:
        found = labels.given_once(connection, _SECOND)
    return [
        {"id": each.id, "time": format_time(each.time), "version": each.version, "score": None, "reason": ""}
        for each in found
    ]


def _with_inputs(project: Project, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with their inputs: only the part of the lake is read in which they lie."""
    if not rows:
        return []
    times = [parse_time(row["time"]) for row in rows]
    inside = pl.col("time").is_between(min(times), max(times))
    among = handed_over(project.lake).filter(inside & pl.col("id").is_in([row["id"] for row in rows]))
    # Of an id that was predicted again the last prediction counts, as in the queue.
    read = among.sort("time", "received", "worker", "seq").select("id", "inputs").collect()
    inputs = {identity: msgspec.json.decode(content) for identity, content in read.iter_rows()}
    with project.engine.connect() as connection:
        given = labels.of_ids(connection, inputs)
    return [
        {**row, "inputs": inputs[row["id"]], "by": [label.person for label in given if label.id == row["id"]]}
        for row in rows
        if row["id"] in inputs
    ]


def _where(project: Project, row: str) -> tuple[datetime, int]:
    """Time and version of a row that waits, or that somebody has labelled."""
    with project.engine.connect() as connection:
        given = labels.of_ids(connection, [row])
    if given:
        return given[0].time, given[0].version
    kept = standing(project, "reviews")["figure"] or {"rows": []}
    for each in kept["rows"]:
        if each["id"] == row:
            return parse_time(each["time"]), each["version"]
    raise NotFound(f"row {row[:100]!r}", "is not in the queue", "Take one that waits; `/reviews` shows them.")


def _value(manifest: Manifest, text: str) -> Any:
    """What a form says, in the type of the target."""
    for known in manifest.classes:
        if text == as_text(known):
            return known
    found: Any = text
    if not manifest.classes:
        with suppress(ValueError):
            found = float(text)
    try:
        return outcome_value(manifest, "value", found)
    except RequestMistake as error:
        raise UserMistake(error.place, error.what, error.remedy) from error


def _hidden(row: str) -> dict[str, str]:
    """The row as the audit log may keep it: who has the installation's secret finds it, nobody else can guess it."""
    with suppress(UserMistake):
        return {"row": keyed_digest(row, signing_key())}
    return {}


def _manifest(project: Project) -> Manifest | None:
    with project.engine.connect() as connection:
        release = releases.current(connection)
    return None if release is None else load_manifest(project.blobs, release.plan.champion.digest)
