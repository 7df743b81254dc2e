"""Whether people have agreed to a release: who may answer, and where a request stands."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Standing = Literal["open", "approved", "refused", "expired", "superseded"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What one role has said.

    Args:
        role: Whose agreement is needed.
        person: To whom the answer was handed over; None while anybody in the role may answer.
        answer: `yes`, `no`, or None while it is open.
        actor: Who answered.
    """

    role: str
    person: str | None
    answer: str | None
    actor: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a release, as far as answers concern it.

    Args:
        authors: Who made the change and who wants it released; they may not agree to it.
        expires: When it is too late to agree.
        evidence: Digest of what was shown to those who were asked.
    """

    authors: frozenset[str]
    expires: datetime | None
    evidence: str


def hindrance(
    asked: Asked,
    mine: Agreement,
    others: Sequence[Agreement],
    who: str,
    team: Mapping[str, Collection[str]],
    now: datetime,
) -> str | None:
    """Why a person may not answer; None if nothing is in the way.

    Args:
        mine: What is to be answered.
        others: The other agreements of the request: one person gives one of them.
        team: Roles of each person; without a team anybody counts as being in every role.
    """
    if asked.expires is not None and now >= asked.expires:
        return "it is too late: the request has expired"
    if who in asked.authors:
        return "whoever made a change, or wants it released, may not agree to it: another person must"
    if any(other.actor == who and other.answer is not None for other in others):
        return "has answered for another role already: each needs a person of its own"
    if mine.person is not None:
        return None if who == mine.person else f"the answer was handed over to {mine.person}"
    if team and mine.role not in team.get(who, ()):
        return f"is no {mine.role} of this project's team"
    return None


def standing(
    asked: Asked, agreements: Sequence[Agreement], evidence: str, roles: Collection[str], now: datetime
) -> Standing:
    """Where a request stands now.

    Args:
        evidence: Digest of what would be shown now. Where it differs, something has changed since people were asked.
        roles: Whose agreement the charter wants now.

    Returns:
        `approved` only if each role has said yes to exactly this, in time.
    """
    if any(each.answer == "no" for each in agreements):
        return "refused"
    if evidence != asked.evidence or not set(roles) <= {each.role for each in agreements}:
        return "superseded"
    if asked.expires is not None and now >= asked.expires:
        return "expired"
    return "approved" if all(each.answer == "yes" for each in agreements) else "open"
