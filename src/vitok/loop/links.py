"""Links by which one person answers one request, once: signed, with an end, and kept nowhere."""

from collections.abc import Callable
from typing import Any

from vitok.errors import Refused, UserMistake
from vitok.govern.links import link_path, read_link
from vitok.kernel.digests import digest_bytes
from vitok.loop.approving import answer_approval, find_request
from vitok.loop.project import Project
from vitok.loop.signing import LINKS, project_key
from vitok.registry import requests

_UNREADABLE = "is not whole, or was not made by this project"


def link_of(project: Project, approval_id: str, person: str, key: bytes) -> str:
    """The path of a link by which a person gives an answer, to be put behind the address of the pages.

    Args:
        key: The secret of this installation.

    Raises:
        NotFound: there is no such approval.
        UserMistake: it never ends, so that its link would not either.
    """
    with project.engine.connect() as connection:
        approval = requests.approval(connection, approval_id)
        signs = project_key(connection, LINKS, key)
    if approval.expires is None:
        raise UserMistake(f"approval {approval_id}", "has no end", "Set approve.within in the charter.")
    until = int(approval.expires.timestamp())
    return link_path(approval_id, person, until, signs)


class Links:
    """Answers what the links of a project are for.

    Args:
        key: Gives the secret of this installation; asked for when a link comes, so that a server without links
            needs none.
    """

    def __init__(self, project: Project, key: Callable[[], bytes]) -> None:
        self._project, self._key = project, key

    def look(self, token: str) -> dict[str, Any]:
        """What a link asks: the request with all that is shown, the approval, and the person.

        Raises:
            Refused: the link is not ours, or has ended.
        """
        approval, person = _read(self._project, token, self._key())
        return {**find_request(self._project, approval), "approval": approval, "person": person}

    def answer(self, token: str, *, yes: bool, reason: str) -> dict[str, Any]:
        """Gives the answer that a link is for; it is used up with it.

        Raises:
            Refused: the link is not ours, has ended or was used, or the person may not answer.
            UserMistake: there is nothing to answer any more, or a no has no reason.
        """
        project = self._project
        approval, who = _read(project, token, self._key())
        used = digest_bytes(token.encode())
        return answer_approval(project, approval, yes=yes, who=who, reason=reason, link=used)


def _read(project: Project, token: str, key: bytes) -> tuple[str, str]:
    """The approval and the person of a link that still counts."""
    anew = "Ask for a new one: `vitok approvals link ID --for NAME`."
    with project.engine.connect() as connection:
        found = read_link(token, project_key(connection, LINKS, key))
        if found is None:
            raise Refused("link", _UNREADABLE, anew)
        approval, person, until = found
        if project.clock().timestamp() >= until:
            raise Refused("link", "has ended", anew)
        if requests.is_used(connection, digest_bytes(token.encode())):
            raise Refused("link", "was used: it answers once", "See `vitok approvals` for what it led to.")
    return approval, person
