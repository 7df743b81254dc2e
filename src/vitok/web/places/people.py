"""People and keys: who logs in, what each may do, and which programs may ask."""

from vitok.errors import Refused
from vitok.govern.roles import ACTS, MAY
from vitok.kernel.clock import parse_duration
from vitok.loop.keys import add_key, list_keys, revoke_key
from vitok.loop.project import Project
from vitok.loop.users import add_user, list_users, remove_user
from vitok.release.keys import ACTING, SCOPES
from vitok.web.language import marked as _
from vitok.web.place import Ask, Deed, Place, Values


def _read(project: Project, asked: Values) -> Values:
    roles = {role: sorted(acts, key=list(ACTS).index) for role, acts in MAY.items()}
    return {**list_users(project), **list_keys(project), "roles": roles, "acts": ACTS}


def _add_user(project: Project, who: str, values: Values) -> Values:
    return add_user(project, values["name"], values["password"], actor=who)


def _remove_user(project: Project, who: str, values: Values) -> Values:
    return remove_user(project, values["name"], actor=who)


def _add_key(project: Project, who: str, values: Values) -> Values:
    """A key for a program; one that acts is for the one who makes it: nobody gets the rights of others here."""
    scopes = (values["scopes"] or "").replace(",", " ").split()
    person = who if ACTING.intersection(scopes) else None
    if person is not None and project.charter.team and who not in project.charter.team:
        raise Refused("key", f"{who} is not in the team", "Log in as one of the team.")
    expires = None if values["expires"] is None else parse_duration(values["expires"], "expires")
    how = {"rate": values["rate"], "quota": values["quota"], "person": person, "actor": who}
    return add_key(project, values["name"], scopes=scopes, expires=expires, **how)


PLACES = (
    Place(
        "/people",
        "people.html",
        _read,
        "Who logs in and may do what, and the keys of programs.",
        act="manage",
    ),
)
DEEDS = (
    Deed(
        "/people/users",
        _add_user,
        "Lets a person of the team log in.",
        act="manage",
        then="/people",
        said=_("The person can log in now."),
        asks={
            "name": Ask(needed=True, help="As in the charter's team."),
            "password": Ask(needed=True, help="At least 12 characters; it is kept as an argon2 hash."),
        },
    ),
    Deed(
        "/people/users/{name}/remove",
        _remove_user,
        "Takes a person's log-in, and ends their sessions.",
        act="manage",
        then="/people",
        said=_("The person cannot log in any more."),
    ),
    Deed(
        "/people/keys",
        _add_key,
        "Makes a key for a program; it is told this once.",
        act="manage",
        then="/people",
        said="",
        asks={
            "name": Ask(needed=True),
            "scopes": Ask(
                needed=True, help=f"Of {', '.join(SCOPES)}; those that act are for whoever makes the key."
            ),
            "expires": Ask(help="Such as 90d; for ever if left out."),
            "rate": Ask(float, help="Requests a second."),
            "quota": Ask(int, help="Requests a day."),
        },
        template="key.html",
    ),
    Deed(
        "/people/keys/{name}/revoke",
        lambda project, who, values: revoke_key(project, values["name"], actor=who),
        "Takes a key's force; workers obey within two seconds.",
        act="manage",
        then="/people",
        said=_("The key is revoked."),
    ),
)
