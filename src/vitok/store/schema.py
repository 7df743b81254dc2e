"""The tables of the state database, and the one type for instants."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, DateTime, Dialect, Float, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

HEAD = "0009"


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant; SQLite drops zones, so they are put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)  # type: ignore[no-any-return]


metadata = MetaData()

turns = Table(
    "turns",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("started", Instant, nullable=False),
    Column("ended", Instant),
    Column("as_of", Instant, nullable=False),
    Column("trigger", String(200), nullable=False),
    Column("stage", String(40), nullable=False),
    Column("state", String(20), nullable=False),
    Column("version", Integer),
    Column("charter", String(64), nullable=False),
    Column("data", JSON, nullable=False),
    Column("seconds", JSON, nullable=False),
    Column("message", Text, nullable=False),
    Column("number", Integer, nullable=False, server_default="0"),
    Column("actor", String(200), nullable=False, server_default=""),
    Column("quick", Boolean, nullable=False, server_default="0"),
    Column("pins", JSON, nullable=False, server_default="{}"),
    Column("cancel", String(200)),
)

steps = Table(
    "steps",
    metadata,
    Column("turn", String(32), primary_key=True),
    Column("name", String(60), primary_key=True),
    Column("started", Instant, nullable=False),
    Column("ended", Instant),
    Column("attempts", Integer, nullable=False),
    Column("outputs", JSON, nullable=False),
    Column("message", Text, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("time", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("started", Boolean, nullable=False),
    Column("triggers", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("turn", String(32)),
)

requests = Table(
    "requests",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("version", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("champion", Integer),
    Column("risk", String(20), nullable=False),
    Column("asked", Instant, nullable=False),
    Column("author", String(200), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("strategy", String(20)),
    Column("flag", String(100)),
    Column("state", String(20), nullable=False),
    Column("ended", Instant),
    Column("reason", Text, nullable=False),
    Column("shown", JSON, nullable=False),
    Column("evidence", String(64), nullable=False),
    sqlite_autoincrement=True,
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("request", Integer, nullable=False),
    Column("role", String(40), nullable=False),
    Column("person", String(200)),
    Column("expires", Instant),
    Column("answer", String(20)),
    Column("answered", Instant),
    Column("actor", String(200)),
    Column("reason", Text, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("approval", String(32), nullable=False),
    Column("person", String(200), nullable=False),
    Column("used", Instant, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created", Instant, nullable=False),
    Column("turn", String(32), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("gates", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("summary", JSON, nullable=False),
    sqlite_autoincrement=True,
)

releases = Table(
    "releases",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("id", String(32), nullable=False, unique=True),
    Column("created", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("strategy", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("plan", JSON, nullable=False),
    Column("evidence", JSON, nullable=False),
)

windows = Table(
    "windows",
    metadata,
    Column("start", Instant, primary_key=True),
    Column("end", Instant, nullable=False),
    Column("state", String(20), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("labelled", Integer, nullable=False),
    Column("version", Integer),
    Column("drift", JSON, nullable=False),
    Column("quality", JSON, nullable=False),
    Column("details", JSON, nullable=False, server_default="{}"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("opened", Instant, nullable=False),
    Column("resolved", Instant),
    Column("window", Instant, nullable=False),
    Column("message", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("acknowledged", Instant),
    Column("acknowledged_by", String(200)),
    Column("snoozed", Instant),
    Column("note", Text, nullable=False, server_default=""),
)

charters = Table(
    "charters",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False),
    Column("seen", Instant, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("content", JSON, nullable=False),
    sqlite_autoincrement=True,
)

efforts = Table(
    "efforts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("time", Instant, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("hours", Float, nullable=False),
    Column("experiment", String(200)),
    Column("note", Text, nullable=False),
)

questions = Table(
    "questions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("asked", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("role", String(40), nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", String(20)),
    Column("answered", Instant),
    Column("actor", String(200)),
    Column("reason", Text),
)

keys = Table(
    "keys",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("created", Instant, nullable=False),
    Column("expires", Instant),
    Column("rate", Float),
    Column("quota", Integer),
    Column("person", String(200)),
)

users = Table(
    "users",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("hash", Text, nullable=False),
    Column("created", Instant, nullable=False),
    Column("sessions_from", Instant, nullable=False),  # sessions that began earlier are over
)

failed_logins = Table(
    "failed_logins",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last", Instant, nullable=False),
)

wanted_turns = Table(
    "wanted_turns",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("asked", Instant, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("turn", String(32)),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("id", String(300), primary_key=True),
    Column("time", Instant, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("data", JSON, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", String(100)),
    Column("attempts", Integer, nullable=False),
    Column("due", Instant, nullable=False),
    Column("state", String(20), nullable=False),
    Column("error", Text, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("started", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("champion", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("stage", Integer, nullable=False),
    Column("since", Instant, nullable=False),
    Column("ended", Instant),
    Column("actor", String(200), nullable=False),
    Column("way", JSON, nullable=False),
    Column("baseline", JSON, nullable=False),
    sqlite_autoincrement=True,
)

transitions = Table(
    "transitions",
    metadata,
    Column("rollout", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("time", Instant, nullable=False),
    Column("before", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("stage", Integer, nullable=False),
    Column("epoch", Integer),
    Column("actor", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("seen", JSON, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("time", Instant, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("details", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("time", Instant, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("key", String(64), nullable=False),
    Column("signature", String(200), nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("cause", String(300), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("title", Text, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("began", Instant, nullable=False),
    Column("detected", Instant, nullable=False),
    Column("recovered", Instant),
    Column("closed", Instant),
    Column("closed_by", String(200)),
    Column("conclusion", Text, nullable=False),
    # The cause, until it is closed or another one of it begins: no two that go on have the same.
    Column("pending", String(300), unique=True),
    sqlite_autoincrement=True,
)

incident_notes = Table(
    "incident_notes",
    metadata,
    Column("incident", Integer, primary_key=True, autoincrement=False),
    Column("about", String(300), primary_key=True),  # the same however often it is written
    Column("time", Instant, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("text", Text, nullable=False),
)

incident_links = Table(
    "incident_links",
    metadata,
    Column("incident", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(20), primary_key=True),
    Column("target", String(100), primary_key=True),
)

incident_actions = Table(
    "incident_actions",
    metadata,
    Column("incident", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("owner", String(200), nullable=False),
    Column("due", Instant, nullable=False),
    Column("added", Instant, nullable=False),
    Column("done", Instant),
    Column("done_by", String(200)),
)
