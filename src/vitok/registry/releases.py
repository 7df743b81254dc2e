"""Releases: the sequence of plans; the one with the highest epoch is in force."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, union_all, update

from vitok.errors import NotFound
from vitok.release.plan import Plan
from vitok.store.schema import releases, requests, rollouts

IN_FORCE = "in force"
ROLLBACK = "rollback"  # the strategy of a plan that leads back


@dataclass(frozen=True, slots=True)
class Release:
    """One plan that came into force.

    Args:
        epoch: Number of the plan.
        id: Short name.
        version: The version that was released, or rolled back to.
        strategy: `immediate` or `rollback`.
        state: `in force`, `superseded` after a later release, `rolled back` if it was taken back.
        actor: Who asked for it.
        evidence: Why it was allowed.
    """

    epoch: int
    id: str
    created: datetime
    version: int
    strategy: str
    state: str
    actor: str
    plan: Plan
    evidence: dict[str, Any]


def _release(row: Row[Any]) -> Release:
    values = dict(row._mapping)
    return Release(**{**values, "plan": msgspec.convert(values["plan"], Plan)})


def current(connection: Connection) -> Release | None:
    """The release in force, None before the first."""
    row = connection.execute(select(releases).order_by(releases.c.epoch.desc()).limit(1)).first()
    return None if row is None else _release(row)


def all_releases(connection: Connection) -> list[Release]:
    """All releases, oldest first."""
    return [_release(row) for row in connection.execute(select(releases).order_by(releases.c.epoch))]


def get(connection: Connection, epoch: int) -> Release:
    """The release of an epoch.

    Raises:
        NotFound: there was none.
    """
    row = connection.execute(select(releases).where(releases.c.epoch == epoch)).first()
    if row is None:
        raise NotFound(f"epoch {epoch}", "there was no such release", "`vitok releases` lists them.")
    return _release(row)


def of_epochs(connection: Connection, epochs: Collection[int | None]) -> list[Release]:
    """Some releases, oldest first."""
    query = select(releases).where(releases.c.epoch.in_(epochs)).order_by(releases.c.epoch)
    return [_release(row) for row in connection.execute(query)]


def was_tried(connection: Connection, version: int) -> bool:
    """Whether a version was ever released or rolled out, or people were asked whether it may be."""
    tables = (releases, rollouts, requests)
    found = union_all(*(select(table.c.version).where(table.c.version == version) for table in tables))
    return connection.execute(found.limit(1)).first() is not None


def answers_since(history: list[Release]) -> datetime:
    """Since when the version in production has answered by default, whatever plans came meanwhile.

    Args:
        history: All releases, oldest first; at least one.
    """
    return _run(history)[0].created


def came_back(history: list[Release]) -> bool:
    """Whether the version in production came there by a way back, not by a release of its own.

    The end of a roll-out leads nobody back whose champion answered by default all the time.

    Args:
        history: All releases, oldest first; at least one.
    """
    return _run(history)[0].strategy == ROLLBACK


def taken_back_just_now(history: list[Release]) -> bool:
    """Whether the version in production came there by a way back, and nothing was tried since.

    Args:
        history: All releases, oldest first; at least one.
    """
    return came_back(history) and not any("rollout" in each.evidence for each in _run(history)[1:])


def _run(history: list[Release]) -> list[Release]:
    """The last releases, all of one version by default, oldest first."""
    run = takewhile(lambda release: release.version == history[-1].version, reversed(history))
    return list(run)[::-1]


def others_before(history: list[Release], version: int) -> list[Release]:
    """The last release of each other version that was not taken back at its end, newest first.

    Args:
        history: All releases, oldest first.
    """
    last = {each.version: each for each in history}
    kept = [each for each in last.values() if each.version != version and each.state == "superseded"]
    return sorted(kept, key=lambda each: -each.epoch)


def rollback_target(history: list[Release], version: int | None = None) -> Release | None:
    """The release that a rollback goes back to: the last of another version that was not taken back itself.

    Args:
        history: All releases, oldest first; at least one.
        version: That is to be taken back; None for the one in production.
    """
    return next(iter(others_before(history, history[-1].version if version is None else version)), None)


def activate(
    connection: Connection,
    plan: Plan,
    *,
    release_id: str,
    now: datetime,
    actor: str,
    before: str,
    evidence: dict[str, Any],
) -> Release:
    """Puts a plan in force. Two at once collide on the epoch, and the second fails.

    Args:
        before: The state that the release in force so far takes.
    """
    connection.execute(update(releases).where(releases.c.state == IN_FORCE).values(state=before))
    values = {"epoch": plan.epoch, "id": release_id, "created": now, "version": plan.champion.version}
    values |= {"strategy": plan.strategy, "state": IN_FORCE, "actor": actor, "evidence": evidence}
    connection.execute(insert(releases).values(**values, plan=msgspec.to_builtins(plan)))
    release = current(connection)
    assert release is not None
    return release
