"""Who acts by a command: whoever is at the keyboard, or a member of the team who may do it."""

from vitok.govern.people import local_user
from vitok.govern.roles import Act
from vitok.loop.project import Project
from vitok.loop.users import require_act


def acting(project: Project, who: str | None, act: Act) -> str:
    """The person who acts.

    Args:
        who: As `--as` names the person; None for whoever is at the keyboard, without ceremony.

    Raises:
        Refused: there is a team, and none of the person's roles may do it.
    """
    if who is None:
        return local_user()
    require_act(project, who, act)
    return who
