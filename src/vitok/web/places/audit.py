"""The audit log: who did what, when and why, and whether it is whole."""

from vitok.kernel.clock import parse_time
from vitok.loop.auditing import list_audit
from vitok.loop.project import Project
from vitok.web.place import Ask, Deed, Place, Values

_LINES = 200


def _read(project: Project, asked: Values) -> Values:
    filters = {
        "actor": asked["actor"],
        "action": asked["action"],
        "since": None if asked["since"] is None else parse_time(asked["since"], "since"),
    }
    return list_audit(
        project, limit=_LINES, **{name: each for name, each in filters.items() if each is not None}
    )


PLACES = (
    Place(
        "/audit",
        "audit.html",
        _read,
        "The newest lines of the audit log.",
        asks={
            "actor": Ask(help="Only what this person did."),
            "action": Ask(help="Only acts of this name."),
            "since": Ask(help="ISO 8601: only from then on."),
        },
    ),
)
DEEDS: tuple[Deed, ...] = ()
