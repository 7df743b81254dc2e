"""Roll-outs: the way of each version into production, with every transition and its evidence."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from vitok.errors import NotFound
from vitok.release.rollout import OPEN, Evidence, Move, Position, Way
from vitok.store.schema import rollouts, transitions


@dataclass(frozen=True, slots=True)
class Rollout:
    """One roll-out.

    Args:
        version: The new version.
        champion: The version that answered before.
        since: When its stage began.
        way: What was decided when it began.
        baseline: What was known of the champion then.
    """

    number: int
    started: datetime
    version: int
    champion: int
    state: str
    stage: int
    since: datetime
    ended: datetime | None
    actor: str
    way: Way
    baseline: dict[str, Any]

    @property
    def position(self) -> Position:
        """Where it is."""
        return Position(self.state, self.stage, self.since, self.started)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a roll-out.

    Args:
        before: The state that it left.
        epoch: Of the plan that it put in force; None if it put none.
        seen: For each worker the last record of the journal that the evidence is made of.
    """

    rollout: int
    number: int
    time: datetime
    before: str
    state: str
    stage: int
    epoch: int | None
    actor: str
    reason: str
    evidence: Evidence | None
    seen: dict[str, int]


def _rollout(row: Row[Any]) -> Rollout:
    values = dict(row._mapping)
    del values["going"]  # as its state says
    return Rollout(**{**values, "way": msgspec.convert(values["way"], Way)})


def _transition(row: Row[Any]) -> Transition:
    values = dict(row._mapping)
    evidence = msgspec.convert(values["evidence"], Evidence | None)
    return Transition(**{**values, "evidence": evidence})


def begin(
    connection: Connection,
    *,
    version: int,
    champion: int,
    now: datetime,
    actor: str,
    way: Way,
    baseline: dict[str, Any],
) -> Rollout:
    """Writes a planned roll-out down; fails while another one goes on."""
    values = {"started": now, "version": version, "champion": champion, "state": "planned", "stage": 0}
    values |= {"since": now, "actor": actor, "way": msgspec.to_builtins(way), "baseline": baseline}
    values["going"] = 1
    result = connection.execute(insert(rollouts).values(**values))
    return get(connection, int(result.inserted_primary_key[0]))  # type: ignore[index]


def move(
    connection: Connection,
    rollout: Rollout,
    made: Move,
    now: datetime,
    *,
    actor: str,
    epoch: int | None,
    evidence: Evidence | None,
    seen: dict[str, int],
) -> Rollout:
    """Writes a transition down and brings the roll-out there."""
    count = select(func.count()).where(transitions.c.rollout == rollout.number)
    number = int(connection.execute(count).scalar_one()) + 1
    values = {"rollout": rollout.number, "number": number, "time": now, "before": rollout.state}
    values |= {
        "state": made.state,
        "stage": made.stage,
        "epoch": epoch,
        "actor": actor,
        "reason": made.reason,
    }
    told = msgspec.to_builtins(evidence)
    connection.execute(insert(transitions).values(**values, evidence=told, seen=seen))
    changes: dict[str, Any] = {"state": made.state, "stage": made.stage, "since": now}
    if made.state not in OPEN:
        changes |= {"ended": now, "going": None}
    connection.execute(update(rollouts).where(rollouts.c.number == rollout.number).values(**changes))
    return get(connection, rollout.number)


def current(connection: Connection) -> Rollout | None:
    """The roll-out that goes on, None if none does."""
    row = connection.execute(
        select(rollouts).where(rollouts.c.state.in_(OPEN)).order_by(rollouts.c.number.desc()).limit(1)
    ).first()
    return None if row is None else _rollout(row)


def last_ended(connection: Connection) -> Rollout | None:
    """The newest roll-out if it has ended, None if it goes on or there was none."""
    row = connection.execute(select(rollouts).order_by(rollouts.c.number.desc()).limit(1)).first()
    return None if row is None or row.ended is None else _rollout(row)


def get(connection: Connection, number: int) -> Rollout:
    """One roll-out.

    Raises:
        NotFound: there is none with this number.
    """
    row = connection.execute(select(rollouts).where(rollouts.c.number == number)).first()
    if row is None:
        raise NotFound(f"roll-out {number}", "is not known", "See `vitok releases`.")
    return _rollout(row)


def all_rollouts(connection: Connection) -> list[Rollout]:
    """All roll-outs, oldest first."""
    return [_rollout(row) for row in connection.execute(select(rollouts).order_by(rollouts.c.number))]


def all_transitions(connection: Connection, number: int) -> list[Transition]:
    """The steps of a roll-out, in their order."""
    query = select(transitions).where(transitions.c.rollout == number).order_by(transitions.c.number)
    return [_transition(row) for row in connection.execute(query)]
