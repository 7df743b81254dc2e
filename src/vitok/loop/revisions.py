"""Criteria that were revised after a result was seen: who moves the bar once he knows the jump should say so."""

from itertools import pairwise

from sqlalchemy import Connection

from vitok.charter.changes import criteria_changes
from vitok.registry import charters, versions


def charter_number(version: versions.Version, known: list[charters.CharterVersion]) -> int | None:
    """The number of the charter that a version was judged by, None if it is not known.

    Versions of early databases name only the charter's digest: of several charters with it, the one that was in force
    when the version was made.
    """
    number = version.summary.get("charter_version")
    if number is not None:
        return int(number)
    digest = version.summary.get("charter")
    found = [each.number for each in known if each.digest == digest and each.seen <= version.created]
    return found[-1] if found else None


def revisions(connection: Connection, version: versions.Version) -> list[str]:
    """How the criteria of a version changed since the first result of its project was seen.

    Every change counts, also one that makes a gate stricter or is taken back later: the reader judges. A turn that
    failed showed no result, so what was changed before the first verdict is not told.

    Args:
        version: The version whose verdict is to be read with them.

    Returns:
        One sentence for each change, oldest first; empty if the criteria stood before any result.
    """
    return revised(charters.all_charters(connection), versions.all_versions(connection), version)


def revised(
    known: list[charters.CharterVersion], judged: list[versions.Version], version: versions.Version
) -> list[str]:
    """The same from what was read before: all charters and all versions, oldest first."""
    mine = charter_number(version, known)
    earlier = [
        (number, each)
        for each in judged
        if each.number < version.number and (number := charter_number(each, known)) is not None
    ]
    first = min((number for number, _ in earlier), default=None)
    if mine is None or first is None:
        return []
    sentences = []
    chain = [charter for charter in known if first <= charter.number <= mine]
    for before, after in pairwise(chain):
        last = [each for number, each in earlier if number <= before.number][-1]
        when = f"(charter {before.number} -> {after.number}, {after.seen:%Y-%m-%d})"
        sentences += [
            f"after version {last.number} was {last.verdict}, {change.sentence} {when}"
            for change in criteria_changes(before.content, after.content)
        ]
    return sentences
