"""The tables of the state database, and the one type for instants."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

HEAD = "0013"


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


class Words(TypeDecorator[str]):
    """A short text. SQLite takes no notice of its length, so Postgres must not either."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Text())
        return super().load_dialect_impl(dialect)


def _number_of(table: str) -> "Column[int]":
    """Numbers 1, 2, ... without gaps; a sequence of Postgres leaves one after a failure, and many after a crash."""
    following = text(f"(SELECT coalesce(max(number), 0) + 1 FROM {table})")
    return Column("number", Integer, primary_key=True, autoincrement=False, default=following)


metadata = MetaData()

turns = Table(
    "turns",
    metadata,
    Column("id", Words(32), primary_key=True),
    Column("started", Instant, nullable=False),
    Column("ended", Instant),
    Column("as_of", Instant, nullable=False),
    Column("trigger", Words(200), nullable=False),
    Column("stage", Words(40), nullable=False),
    Column("state", Words(20), nullable=False),
    Column("version", Integer),
    Column("charter", Words(64), nullable=False),
    Column("data", JSON, nullable=False),
    Column("seconds", JSON, nullable=False),
    Column("message", Text, nullable=False),
    Column("number", Integer, nullable=False, server_default="0"),
    Column("actor", Words(200), nullable=False, server_default=""),
    Column("quick", Boolean, nullable=False, server_default="0"),
    Column("pins", JSON, nullable=False, server_default="{}"),
    Column("cancel", Words(200)),
    Column("settled", Boolean, nullable=False, server_default="1"),
)

steps = Table(
    "steps",
    metadata,
    Column("turn", Words(32), primary_key=True),
    Column("name", Words(60), primary_key=True),
    Column("started", Instant, nullable=False),
    Column("ended", Instant),
    Column("attempts", Integer, nullable=False),
    Column("outputs", JSON, nullable=False),
    Column("message", Text, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Words(32), primary_key=True),
    Column("time", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("started", Boolean, nullable=False),
    Column("triggers", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("turn", Words(32)),
)

requests = Table(
    "requests",
    metadata,
    _number_of("requests"),
    Column("version", Integer, nullable=False),
    Column("digest", Words(64), nullable=False),
    Column("champion", Integer),
    Column("risk", Words(20), nullable=False),
    Column("asked", Instant, nullable=False),
    Column("author", Words(200), nullable=False),
    Column("actor", Words(200), nullable=False),
    Column("strategy", Words(20)),
    Column("flag", Words(100)),
    Column("state", Words(20), nullable=False),
    Column("ended", Instant),
    Column("reason", Text, nullable=False),
    Column("shown", JSON, nullable=False),
    Column("evidence", Words(64), nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Words(32), primary_key=True),
    Column("request", Integer, nullable=False),
    Column("role", Words(40), nullable=False),
    Column("person", Words(200)),
    Column("expires", Instant),
    Column("answer", Words(20)),
    Column("answered", Instant),
    Column("actor", Words(200)),
    Column("reason", Text, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("digest", Words(64), primary_key=True),
    Column("approval", Words(32), nullable=False),
    Column("person", Words(200), nullable=False),
    Column("used", Instant, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    _number_of("versions"),
    Column("digest", Words(64), nullable=False, unique=True),
    Column("created", Instant, nullable=False),
    Column("turn", Words(32), nullable=False),
    Column("verdict", Words(20), nullable=False),
    Column("gates", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("summary", JSON, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("id", Words(32), nullable=False, unique=True),
    Column("created", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("strategy", Words(20), nullable=False),
    Column("state", Words(20), nullable=False),
    Column("actor", Words(200), nullable=False),
    Column("plan", JSON, nullable=False),
    Column("evidence", JSON, nullable=False),
)

windows = Table(
    "windows",
    metadata,
    Column("start", Instant, primary_key=True),
    Column("end", Instant, nullable=False),
    Column("state", Words(20), nullable=False),
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
    Column("id", Words(32), primary_key=True),
    Column("kind", Words(20), nullable=False),
    Column("severity", Words(20), nullable=False),
    Column("opened", Instant, nullable=False),
    Column("resolved", Instant),
    Column("window", Instant, nullable=False),
    Column("message", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("acknowledged", Instant),
    Column("acknowledged_by", Words(200)),
    Column("snoozed", Instant),
    Column("note", Text, nullable=False, server_default=""),
)

charters = Table(
    "charters",
    metadata,
    _number_of("charters"),
    Column("digest", Words(64), nullable=False),
    Column("seen", Instant, nullable=False),
    Column("actor", Words(200), nullable=False),
    Column("content", JSON, nullable=False),
)

efforts = Table(
    "efforts",
    metadata,
    Column("id", Words(32), primary_key=True),
    Column("time", Instant, nullable=False),
    Column("actor", Words(200), nullable=False),
    Column("hours", Float, nullable=False),
    Column("experiment", Words(200)),
    Column("note", Text, nullable=False),
)

questions = Table(
    "questions",
    metadata,
    Column("id", Words(32), primary_key=True),
    Column("asked", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", Words(64), nullable=False),
    Column("role", Words(40), nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Words(20)),
    Column("answered", Instant),
    Column("actor", Words(200)),
    Column("reason", Text),
)

keys = Table(
    "keys",
    metadata,
    Column("name", Words(100), primary_key=True),
    Column("digest", Words(64), nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("created", Instant, nullable=False),
    Column("expires", Instant),
    Column("rate", Float),
    Column("quota", Integer),
    Column("person", Words(200)),
)

users = Table(
    "users",
    metadata,
    Column("name", Words(200), primary_key=True),
    Column("hash", Text, nullable=False),
    Column("created", Instant, nullable=False),
    Column("sessions_from", Instant, nullable=False),  # sessions that began earlier are over
)

failed_logins = Table(
    "failed_logins",
    metadata,
    Column("subject", Words(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last", Instant, nullable=False),
)

wanted_turns = Table(
    "wanted_turns",
    metadata,
    _number_of("wanted_turns"),
    Column("key", Words(200), nullable=False, unique=True),
    Column("asked", Instant, nullable=False),
    Column("actor", Words(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("turn", Words(32)),
)

events = Table(
    "events",
    metadata,
    Column("id", Words(300), primary_key=True),
    Column("time", Instant, nullable=False),
    Column("kind", Words(20), nullable=False),
    Column("subject", Words(300), nullable=False),
    Column("data", JSON, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Words(100)),
    Column("attempts", Integer, nullable=False),
    Column("due", Instant, nullable=False),
    Column("state", Words(20), nullable=False),
    Column("error", Text, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    _number_of("rollouts"),
    Column("started", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("champion", Integer, nullable=False),
    Column("state", Words(20), nullable=False),
    Column("stage", Integer, nullable=False),
    Column("since", Instant, nullable=False),
    Column("ended", Instant),
    Column("actor", Words(200), nullable=False),
    Column("way", JSON, nullable=False),
    Column("baseline", JSON, nullable=False),
    # 1 until it ends, then nothing: no two go on at once, since their effects could not be told apart.
    Column("going", Integer),
    Index("one_rollout_going", "going", unique=True),
)

transitions = Table(
    "transitions",
    metadata,
    Column("rollout", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("time", Instant, nullable=False),
    Column("before", Words(20), nullable=False),
    Column("state", Words(20), nullable=False),
    Column("stage", Integer, nullable=False),
    Column("epoch", Integer),
    Column("actor", Words(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("seen", JSON, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("time", Instant, nullable=False),
    Column("actor", Words(200), nullable=False),
    Column("action", Words(60), nullable=False),
    Column("subject", Words(200), nullable=False),
    Column("details", JSON, nullable=False),
    Column("previous", Words(64), nullable=False),
    Column("digest", Words(64), nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("time", Instant, nullable=False),
    Column("digest", Words(64), nullable=False),
    Column("key", Words(64), nullable=False),
    Column("signature", Words(200), nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    _number_of("incidents"),
    Column("cause", Words(300), nullable=False),
    Column("kind", Words(20), nullable=False),
    Column("severity", Words(20), nullable=False),
    Column("title", Text, nullable=False),
    Column("actor", Words(200), nullable=False),
    Column("began", Instant, nullable=False),
    Column("detected", Instant, nullable=False),
    Column("recovered", Instant),
    Column("closed", Instant),
    Column("closed_by", Words(200)),
    Column("conclusion", Text, nullable=False),
    # The cause, until it is closed or another one of it begins: no two that go on have the same.
    Column("pending", Words(300), unique=True),
)

incident_notes = Table(
    "incident_notes",
    metadata,
    Column("incident", Integer, primary_key=True, autoincrement=False),
    Column("about", Words(300), primary_key=True),  # the same however often it is written
    Column("time", Instant, nullable=False),
    Column("kind", Words(20), nullable=False),
    Column("actor", Words(200), nullable=False),
    Column("text", Text, nullable=False),
)

incident_links = Table(
    "incident_links",
    metadata,
    Column("incident", Integer, primary_key=True, autoincrement=False),
    Column("kind", Words(20), primary_key=True),
    Column("target", Words(100), primary_key=True),
)

incident_actions = Table(
    "incident_actions",
    metadata,
    Column("incident", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("owner", Words(200), nullable=False),
    Column("due", Instant, nullable=False),
    Column("added", Instant, nullable=False),
    Column("done", Instant),
    Column("done_by", Words(200)),
)

figures = Table(
    "figures",
    metadata,
    Column("name", Words(40), primary_key=True),
    Column("basis", Words(64), nullable=False),
    Column("reckoned", Instant, nullable=False),
    Column("content", JSON, nullable=False),
)

labels = Table(
    "labels",
    metadata,
    Column("id", Words(300), primary_key=True),
    Column("person", Words(200), primary_key=True),
    Column("value", JSON, nullable=False),
    Column("given", Instant, nullable=False),
    Column("time", Instant, nullable=False),  # of the event, by which the row is found in the lake
    Column("version", Integer, nullable=False),
)
