"""Incidents: their lines, time lines, links, and actions."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from vitok.errors import NotFound
from vitok.monitor.incidents import Incident, Source
from vitok.store.schema import incident_actions, incident_links, incident_notes, incidents
from vitok.store.writing import begin_writing


@dataclass(frozen=True, slots=True)
class Note:
    """One line of a time line.

    Args:
        about: The same however often it is written, such as `told alert 01m8... ops@example.org`.
        kind: Such as `told`; what a person writes is a `note`.
    """

    about: str
    time: datetime
    kind: str
    actor: str
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "about", self.about[:300])


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is to be done so that an incident does not come again.

    Args:
        number: 1, 2, ... for each incident.
    """

    incident: int
    number: int
    text: str
    owner: str
    due: datetime
    added: datetime
    done: datetime | None
    done_by: str | None


_COLUMNS = [column for column in incidents.c if column.name != "pending"]


def _incident(row: Row[Any]) -> Incident:
    return Incident(**row._mapping)


def begin(connection: Connection, incident: Incident) -> Incident:
    """Writes a new incident down; fails if its cause has one that goes on."""
    earlier = (incidents.c.pending == incident.cause) & incidents.c.recovered.is_not(None)
    connection.execute(update(incidents).where(earlier).values(pending=None))
    values = asdict(incident)
    del values["number"]
    pending = None if incident.closed is not None else incident.cause
    result = connection.execute(insert(incidents).values(**values, pending=pending))
    return get(connection, int(result.inserted_primary_key[0]))  # type: ignore[index]


def change(connection: Connection, before: Incident, after: Incident) -> bool:
    """Writes how an incident goes on; whether nobody else has changed it meanwhile."""
    values = {name: value for name, value in asdict(after).items() if value != getattr(before, name)}
    if after.closed is not None:
        values["pending"] = None
    mine = (incidents.c.number == before.number) & incidents.c.closed.is_(None)
    for name in ("recovered", "began"):
        column, value = incidents.c[name], getattr(before, name)
        mine &= column.is_(None) if value is None else column == value
    return (
        bool(connection.execute(update(incidents).where(mine).values(**values)).rowcount) if values else True
    )


def get(connection: Connection, number: int) -> Incident:
    """One incident.

    Raises:
        NotFound: there is none with this number.
    """
    row = connection.execute(select(*_COLUMNS).where(incidents.c.number == number)).first()
    if row is None:
        newest = connection.execute(select(func.max(incidents.c.number))).scalar()
        remedy = (
            f"The newest is {newest}; see `vitok incidents --all`." if newest else "There has been none yet."
        )
        raise NotFound(f"incident {number}", "does not exist", remedy)
    return _incident(row)


def all_pending(connection: Connection) -> list[Incident]:
    """Those that are not closed, oldest first."""
    query = select(*_COLUMNS).where(incidents.c.closed.is_(None)).order_by(incidents.c.number)
    return [_incident(row) for row in connection.execute(query)]


def all_since(connection: Connection, since: datetime | None = None) -> list[Incident]:
    """All incidents, or those that were detected from a moment on, oldest first."""
    query = select(*_COLUMNS).order_by(incidents.c.number)
    if since is not None:
        query = query.where(incidents.c.detected >= since)
    return [_incident(row) for row in connection.execute(query)]


def note(connection: Connection, number: int, found: Note) -> None:
    """Adds a line; one that is there already stays as it is."""
    begin_writing(connection)
    mine = (incident_notes.c.incident == number) & (incident_notes.c.about == found.about)
    if connection.execute(select(incident_notes.c.about).where(mine)).first() is None:
        connection.execute(insert(incident_notes).values(incident=number, **asdict(found)))


def notes_of(connection: Connection, number: int) -> list[Note]:
    """The time line of an incident, oldest first."""
    columns = [column for column in incident_notes.c if column.name != "incident"]
    query = select(*columns).where(incident_notes.c.incident == number)
    rows = connection.execute(query.order_by(incident_notes.c.time, incident_notes.c.about))
    return [Note(**row._mapping) for row in rows]


def link(connection: Connection, number: int, source: Source) -> None:
    """Ties something to an incident; again it changes nothing."""
    begin_writing(connection)
    kind, target = source
    found = incident_links.c
    mine = (found.incident == number) & (found.kind == kind) & (found.target == target)
    if connection.execute(select(found.incident).where(mine)).first() is None:
        connection.execute(insert(incident_links).values(incident=number, kind=kind, target=target))


def links_of(connection: Connection, number: int) -> list[Source]:
    """What an incident is tied to."""
    query = select(incident_links.c.kind, incident_links.c.target).where(incident_links.c.incident == number)
    return [(row.kind, row.target) for row in connection.execute(query.order_by("kind", "target"))]


def linked(connection: Connection, kind: str, target: str) -> list[int]:
    """The incidents that something is tied to, oldest first."""
    mine = (incident_links.c.kind == kind) & (incident_links.c.target == target)
    return list(
        connection.execute(select(incident_links.c.incident).where(mine).order_by("incident")).scalars()
    )


def all_links(connection: Connection) -> set[Source]:
    """What is tied to any incident."""
    query = select(incident_links.c.kind, incident_links.c.target)
    return {(row.kind, row.target) for row in connection.execute(query)}


def add_action(
    connection: Connection, number: int, *, text: str, owner: str, due: datetime, now: datetime
) -> Action:
    """Writes down what is to be done."""
    begin_writing(connection)
    count = select(func.count()).where(incident_actions.c.incident == number)
    action = Action(
        number, int(connection.execute(count).scalar_one()) + 1, text, owner, due, now, None, None
    )
    connection.execute(insert(incident_actions).values(**asdict(action)))
    return action


def finish_action(connection: Connection, number: int, which: int, now: datetime, by: str) -> Action | None:
    """Marks an action as done, if it is not yet; None if there is no such action."""
    mine = (incident_actions.c.incident == number) & (incident_actions.c.number == which)
    connection.execute(
        update(incident_actions).where(mine, incident_actions.c.done.is_(None)).values(done=now, done_by=by)
    )
    return next((each for each in actions_of(connection, number) if each.number == which), None)


def actions_of(connection: Connection, number: int) -> list[Action]:
    """The actions of an incident, in their order."""
    query = select(incident_actions).where(incident_actions.c.incident == number)
    return [Action(**row._mapping) for row in connection.execute(query.order_by(incident_actions.c.number))]


def open_actions(connection: Connection) -> list[Action]:
    """What is still to be done, of all incidents, the first that is due first."""
    query = select(incident_actions).where(incident_actions.c.done.is_(None))
    order = (incident_actions.c.due, incident_actions.c.incident, incident_actions.c.number)
    return [Action(**row._mapping) for row in connection.execute(query.order_by(*order))]
