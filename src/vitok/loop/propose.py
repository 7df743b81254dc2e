"""`vitok releases propose`: the first share and the alpha of a roll-out, from what errors and rollbacks cost."""

import math
from typing import Any, NamedTuple

import msgspec

from vitok.errors import UserMistake
from vitok.loop.project import Project
from vitok.loop.traffic import Units, units_of
from vitok.release.exposure import Offer, Stakes, offer, offers

_DAYS = 30
_RULE_OF_THREE = 3.0  # failures that are still likely where none was seen


class Asked(NamedTuple):
    """What a proposal is made for; None for what the project says.

    Args:
        error_cost: Money that one failure costs; default: the charter's `release.exposure.per_answer`.
        rollback_cost: Money that a false rollback costs.
        base: The champion's failure rate; default: of the last 30 days in the journal.
        bad: A bad version's rate over it.
        chance: Chance that a version is bad.
        traffic: Units a day; default: of the last 30 days in the journal.
    """

    rollback_cost: float
    error_cost: float | None = None
    base: float | None = None
    bad: float = 2.0
    chance: float = 0.1
    traffic: float | None = None


def propose_rollout(project: Project, asked: Asked) -> dict[str, Any]:
    """The object that `vitok releases propose --json` prints.

    Returns:
        stakes, sources (where each figure comes from), offers (cheapest first), best, now (what the charter says now),
        sentence.

    Raises:
        UserMistake: a figure is missing, or out of its range.
    """
    seen = units_of(project.lake, project.clock(), _DAYS)
    stakes, sources = _stakes(project, asked, seen)
    found, release = offers(stakes), project.charter.release
    chosen = found[0] if found[0].is_in_time else None
    now = offer(stakes, release.shares[0], release.alpha) if release.shares else None
    return {
        "stakes": msgspec.to_builtins(stakes),
        "sources": sources,
        "offers": [_told(each) for each in found],
        "best": None if chosen is None else _told(chosen),
        "now": None if now is None else _told(now),
        "sentence": _sentence(stakes, found, chosen, now),
    }


def _stakes(project: Project, asked: Asked, seen: Units | None) -> tuple[Stakes, dict[str, str]]:
    release = project.charter.release
    base, base_from = _base(project, asked, seen)
    traffic, traffic_from = asked.traffic, "as given"
    if traffic is None and seen is not None:
        traffic, traffic_from = seen.per_day, seen.source
    elif traffic is None:
        traffic_from = "unknown: no roll-out is taken to be too slow; give --traffic"
    error_cost, cost_from = asked.error_cost, "as given"
    if error_cost is None and release.exposure is not None:
        error_cost, cost_from = release.exposure.per_answer, "release.exposure.per_answer"
    if error_cost is None:
        raise UserMistake("--error-cost", "is not given", "Say what one failing request costs, such as 60.")
    if traffic is not None and not 0 < traffic < math.inf:
        raise UserMistake("--traffic", f"{traffic:g} units a day show nothing", "Give a number above 0.")
    requests = None if traffic is None else traffic * release.max_hours / 24
    limits = sum(each is not None for each in _limits(project)) or 1
    try:
        stakes = Stakes(base, asked.bad, asked.chance, error_cost, asked.rollback_cost, requests, limits)
    except ValueError as error:
        raise UserMistake("releases propose", str(error), "Give other figures.") from error
    return stakes, {"base": base_from, "traffic": traffic_from, "error_cost": cost_from}


def _limits(project: Project) -> list[Any]:
    guard = project.charter.release.guard
    return [getattr(guard, name) for name in type(guard).model_fields if name != "negligible"]


def _base(project: Project, asked: Asked, seen: Units | None) -> tuple[float, str]:
    """The champion's failure rate, and where it comes from."""
    negligible = project.charter.release.guard.negligible
    if asked.base is not None:
        return asked.base, "as given"
    if seen is None:
        return negligible, "release.guard.negligible: the journal has no units of the last 30 days"
    if seen.failed:
        return (
            seen.failed / seen.seen,
            f"journal: {seen.failed} of {seen.seen} units of the last 30 days failed",
        )
    bound = min(negligible, _RULE_OF_THREE / seen.seen)
    return (
        bound,
        f"none of {seen.seen} units of the last 30 days failed: at most so many, with 95 % certainty",
    )


def _told(found: Offer) -> dict[str, Any]:
    return {**msgspec.to_builtins(found), "in_time": found.is_in_time}


def _sentence(stakes: Stakes, found: tuple[Offer, ...], chosen: Offer | None, now: Offer | None) -> str:
    worse = f"a version that fails {stakes.ratio:g} times as often as {stakes.base:.2%}"
    if chosen is None:
        most = max(found, key=lambda each: each.finds)
        return (
            f"No share finds {worse} in time: at most {most.finds:.0%} of such versions are found "
            f"(share {most.share:.0%}, alpha {most.alpha:g}). Raise release.max_hours, or wait for more traffic."
        )
    parts = [
        f"Begin with {chosen.share:.0%} and alpha {chosen.alpha:g}: a version then costs {chosen.cost:,.0f} on "
        f"average. {worse[0].upper()}{worse[1:]} is found after {chosen.requests:,.0f} requests and costs "
        f"{chosen.harm:,.0f} by then; one that is no worse is taken back in {chosen.false_rollback:.2%} of the cases."
    ]
    if now is not None and (now.share, now.alpha) != (chosen.share, chosen.alpha):
        late = "" if now.is_in_time else f", and finds a bad version in {now.finds:.0%} of the cases only"
        parts.append(f"The charter's {now.share:.0%} and alpha {now.alpha:g} cost {now.cost:,.0f}{late}.")
    if stakes.requests is None:
        parts.append(
            "Without known traffic time costs nothing here, and small shares look best: give --traffic."
        )
    return " ".join(parts)
