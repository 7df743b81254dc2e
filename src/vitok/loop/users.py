"""Who logs in, and who somebody is: passwords, sessions, and what a person may do."""

import re
from datetime import datetime, timedelta
from typing import Any

from vitok.errors import Busy, NotFound, Refused, UserMistake
from vitok.govern import audit
from vitok.govern.passwords import hash_password, is_right
from vitok.govern.roles import ACTS, Act, able, may
from vitok.kernel.clock import format_time
from vitok.kernel.digests import digest_bytes
from vitok.kernel.signing import read_signed, sign
from vitok.loop.project import Project
from vitok.loop.signing import SESSIONS, project_key
from vitok.registry import users
from vitok.store.writing import begin_writing

_NAME = re.compile(r"[A-Za-z0-9][\w.@+-]{0,99}")
SESSION_HOURS = 12
_FREE, _FREE_OF_ADDRESS = 5, 20  # failures before one has to wait
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=15)
_FORGET = timedelta(days=1)
_NAMED = 3  # of those to ask


def require_act(project: Project, who: str, act: Act) -> None:
    """Refuses what a person's roles do not allow; without a team everybody may do everything.

    Raises:
        Refused: none of the person's roles may do it.
    """
    team = project.charter.team
    if not team or may(team.get(who, ()), act):
        return
    others = [person for person, roles in team.items() if may(roles, act)]
    what = f"may not {ACTS[act]}: that needs one of the roles {', '.join(able(act))}"
    raise Refused(
        who, what, f"Ask {' or '.join(others)}." if others else "Name somebody for it in the charter's team."
    )


def add_user(project: Project, name: str, password: str, *, actor: str = "user") -> dict[str, Any]:
    """Lets a person log in to the pages.

    Raises:
        UserMistake: the name is taken, cannot be used or is not in the team; the password is too short.
    """
    team = project.charter.team
    if not _NAME.fullmatch(name):
        raise UserMistake(
            "NAME", f"{name[:100]!r} cannot be a name", "Use letters, digits, and . @ + - _, at most 100."
        )
    if team and name not in team:
        raise UserMistake("NAME", f"{name!r} is not in the team", f"The team: {', '.join(team)}.")
    now, kept = project.clock(), hash_password(password)
    with project.engine.begin() as connection:
        begin_writing(connection)
        if users.get(connection, name) is not None:
            raise UserMistake(
                f"user {name!r}", "is there already", "`vitok users passwd` changes the password."
            )
        users.add(connection, name, kept, now)
        audit.record(connection, now, actor, "add user", f"user {name}", {})
    return {"user": name, "roles": list(team.get(name, ()))}


def change_password(project: Project, name: str, password: str, *, actor: str = "user") -> dict[str, Any]:
    """Gives a person another password, and ends all sessions.

    Raises:
        NotFound: there is no such user.
        UserMistake: it is too short.
    """
    now, kept = project.clock(), hash_password(password)
    with project.engine.begin() as connection:
        begin_writing(connection)
        _known(connection, name)
        users.change_password(connection, name, kept, now)
        audit.record(connection, now, actor, "change password", f"user {name}", {})
    return {"user": name}


def remove_user(project: Project, name: str, *, actor: str = "user") -> dict[str, Any]:
    """Lets a person in no more; open sessions end at once.

    Raises:
        NotFound: there is no such user.
    """
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        _known(connection, name)
        users.remove(connection, name)
        audit.record(connection, now, actor, "remove user", f"user {name}", {})
    return {"user": name}


def list_users(project: Project) -> dict[str, Any]:
    """The object that `vitok users list --json` prints: who logs in, and the team with what each may do."""
    team = project.charter.team
    with project.engine.connect() as connection:
        known = {user.name: user for user in users.all_users(connection)}
    names = sorted({*known, *team})
    return {
        "users": [
            {
                "user": name,
                "logs_in": name in known,
                "created": format_time(known[name].created) if name in known else None,
                "roles": list(team.get(name, ())),
                "may": [act for act in ACTS if not team or may(team.get(name, ()), act)],
            }
            for name in names
        ]
    }


def log_in(project: Project, name: str, password: str, address: str, key: bytes) -> str:
    """A session for whoever knows the password.

    Args:
        address: Where the request comes from; it is kept as a digest.
        key: The secret of this installation.

    Returns:
        What the browser keeps.

    Raises:
        Refused: name or password is wrong; which of them, nobody is told.
        Busy: too many attempts failed: one has to wait.
    """
    now = project.clock()
    subjects = {
        digest_bytes(f"user {name}".encode()): _FREE,
        digest_bytes(f"from {address}".encode()): _FREE_OF_ADDRESS,
    }
    with project.engine.begin() as connection:
        for subject, free in subjects.items():
            wait = _wait(users.failures(connection, subject), free, now)
            if wait > timedelta(0):
                what = "too many attempts have failed"
                raise Busy("log-in", what, f"Try again in {wait.total_seconds():.0f} s.")
        user = users.get(connection, name)
        right = is_right(password, None if user is None else user.hash or None)
        if right:
            users.forgive(connection, next(iter(subjects)))
            audit.record(connection, now, name, "log in", f"user {name}", {})
        else:
            for subject in subjects:
                users.fail(connection, subject, now, now - _FORGET)
    if not right:
        raise Refused(
            "log-in", "name or password is wrong", "Try again; `vitok users passwd` sets another password."
        )
    return _session(project, name, key, now)


def log_in_by_issuer(project: Project, name: str, issuer: str, key: bytes) -> str:
    """A session for whom an issuer says to have logged in. It holds for as long as the team names the person.

    Who comes for the first time is kept like one who logs in with a password, only without any: so `remove_user` and
    logging out end such sessions too.

    Args:
        issuer: Its address.
        key: The secret of this installation.

    Returns:
        What the browser keeps.

    Raises:
        Refused: the team does not name the person.
    """
    if name not in project.charter.team:
        others = whom_to_ask(project)
        ask = f"Ask {' or '.join(others)}." if others else "Ask whoever writes vitok.yaml."
        raise Refused(name, "is not in the team of this project", ask)
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        if users.get(connection, name) is None:
            users.add(connection, name, "", now)
        audit.record(connection, now, name, "log in", f"user {name}", {"issuer": issuer})
    return _session(project, name, key, now, issuer=issuer)


def whom_to_ask(project: Project) -> list[str]:
    """Some of the team who may let others in."""
    team = project.charter.team
    return [person for person, roles in team.items() if may(roles, "manage")][:_NAMED]


def _session(project: Project, name: str, key: bytes, now: datetime, **more: str) -> str:
    until = now + timedelta(hours=SESSION_HOURS)
    content = {"s": name, "b": now.timestamp(), "u": until.timestamp(), **more}
    with project.engine.connect() as connection:
        return sign(content, project_key(connection, SESSIONS, key))


def session_of(project: Project, token: str, key: bytes) -> str | None:
    """Whose session it is; None if it is not ours, is over, or was ended."""
    with project.engine.connect() as connection:
        content = read_signed(token, project_key(connection, SESSIONS, key))
        if content is None or project.clock().timestamp() >= content["u"]:
            return None
        if "issuer" in content and content["s"] not in project.charter.team:
            return None
        user = users.get(connection, content["s"])
    return user.name if user is not None and content["b"] >= user.sessions_from.timestamp() else None


def log_out(project: Project, name: str) -> None:
    """Ends all sessions of a person, in every browser."""
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        users.end_sessions(connection, name, now)
        audit.record(connection, now, name, "log out", f"user {name}", {})


def _wait(known: tuple[int, datetime] | None, free: int, now: datetime) -> timedelta:
    if known is None or known[0] < free:
        return timedelta(0)
    pause: timedelta = min(_FIRST_WAIT * 2 ** min(known[0] - free, 20), _LONGEST_WAIT)
    return known[1] + pause - now


def _known(connection: Any, name: str) -> None:
    if users.get(connection, name) is None:
        known = ", ".join(user.name for user in users.all_users(connection)) or "none"
        raise NotFound(f"user {name!r}", "does not exist", f"Known: {known}.")
