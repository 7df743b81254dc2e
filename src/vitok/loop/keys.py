"""Making, listing and revoking the keys of a project's server."""

import re
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from vitok.errors import NotFound, UserMistake
from vitok.govern import audit
from vitok.kernel.clock import format_time
from vitok.kernel.digests import digest_bytes
from vitok.loop.project import Project
from vitok.registry import keys
from vitok.release.keys import ACTING, KEYS_FILE, SCOPES, Key
from vitok.store.blobs import write_atomically
from vitok.store.writing import begin_writing

_NAME = re.compile(r"[A-Za-z0-9][\w.@-]{0,99}")


def add_key(
    project: Project,
    name: str,
    *,
    scopes: Sequence[str],
    expires: timedelta | None = None,
    rate: float | None = None,
    quota: int | None = None,
    person: str | None = None,
    actor: str = "user",
) -> dict[str, Any]:
    """Makes a key; it is told this once, and only its hash is kept.

    Args:
        scopes: What it may ask, of `predict`, `outcomes`, `read`, `pages`, and for a person those of `ACTING`.
        expires: How long it lives; None for ever.
        rate, quota: Requests a second, and a day.
        person: For whom it acts: no more than the person's roles allow, at the moment of the act.

    Raises:
        UserMistake: the name is taken or cannot be used, or a limit makes no sense.
    """
    if not _NAME.fullmatch(name):
        raise UserMistake(
            "NAME", f"{name[:100]!r} cannot be a name", "Use letters, digits, and . @ - _, at most 100."
        )
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        what = f"{unknown[0]!r} is no scope" if unknown else "no scope is given"
        raise UserMistake("--scope", what, f"Known: {', '.join(SCOPES)}.")
    _require_person(project, scopes, person)
    for option, value in (("--rate", rate), ("--quota", quota)):
        if value is not None and not 0 < value < 1e9:
            raise UserMistake(option, f"{value:g} is no limit", "Give a positive number, or leave it out.")
    if expires is not None and expires <= timedelta(0):
        raise UserMistake("--expires", "is over at once", "Give such as 90d.")
    now, key = project.clock(), f"vitok_{secrets.token_urlsafe(32)}"
    until = None if expires is None else now + expires
    stored = keys.StoredKey(name, digest_bytes(key.encode()), list(scopes), now, until, rate, quota, person)
    with project.engine.begin() as connection:
        begin_writing(connection)
        if keys.get(connection, name) is not None:
            raise UserMistake(f"key {name!r}", "is there already", "Revoke it first, or choose another name.")
        keys.add(connection, stored)
        audit.record(connection, now, actor, "add key", f"key {name}", _as_json(stored))
    publish_keys(project)
    return {**_as_json(stored), "key": key}


def list_keys(project: Project) -> dict[str, Any]:
    """The object that `vitok keys list --json` prints."""
    with project.engine.connect() as connection:
        return {"keys": [_as_json(key) for key in keys.all_keys(connection)]}


def revoke_key(project: Project, name: str, *, actor: str = "user") -> dict[str, Any]:
    """Takes a key's force; workers obey within two seconds.

    Raises:
        NotFound: there is no key of this name.
    """
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        key = keys.get(connection, name)
        if key is None:
            known = ", ".join(each.name for each in keys.all_keys(connection)) or "none"
            raise NotFound(f"key {name!r}", "does not exist", f"Known: {known}.")
        keys.remove(connection, name)
        audit.record(connection, now, actor, "revoke key", f"key {name}", _as_json(key))
    publish_keys(project)
    return _as_json(key)


def publish_keys(project: Project) -> None:
    """Writes the file that workers read. With the last key gone it holds one that nobody has: the server stays shut."""
    with project.engine.connect() as connection:
        known = keys.all_keys(connection)
    content = {
        key.digest: Key(
            key.name,
            tuple(key.scopes),
            None if key.expires is None else key.expires.timestamp(),
            key.rate,
            key.quota,
            key.person,
        )
        for key in known
    } or {"-": Key("nobody", ())}
    write_atomically(project.state / KEYS_FILE, msgspec.json.encode(content), private=True)


def _as_json(key: keys.StoredKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "scopes": key.scopes,
        "created": format_time(key.created),
        "expires": None if key.expires is None else format_time(key.expires),
        "rate": key.rate,
        "quota": key.quota,
        "person": key.person,
    }


def _require_person(project: Project, scopes: Sequence[str], person: str | None) -> None:
    acting = [scope for scope in scopes if scope in ACTING]
    if acting and person is None:
        raise UserMistake(f"--scope {acting[0]}", "is an act of a person", "Add --for NAME.")
    team = project.charter.team
    if person is not None and team and person not in team:
        raise UserMistake("--for", f"{person!r} is not in the team", f"The team: {', '.join(team)}.")
