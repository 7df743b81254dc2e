"""What people see of releases: the plan in force, all plans, all roll-outs, and what could be released."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from sqlalchemy import Connection

from vitok.charter.releasing import Strategy
from vitok.errors import UserMistake
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import format_time
from vitok.loop.keep import collect
from vitok.loop.project import Project
from vitok.loop.release import release_json
from vitok.loop.rollout import release_version
from vitok.loop.rollout_by_hand import promote_rollout
from vitok.loop.rollout_paths import kept_path, points_at
from vitok.loop.rollout_story import rollout_head, rollout_json
from vitok.registry import releases, requests, rollouts, versions
from vitok.registry.releases import Release
from vitok.registry.rollouts import Rollout
from vitok.release.plan import ACCEPTED
from vitok.store.heartbeat import read_heartbeat

_LIFE_SECONDS = 60.0  # without a sign of the keeper, which leaves one every ten seconds
STRATEGIES: tuple[str, ...] = get_args(Strategy)


def release_as_asked(
    project: Project, number: int, *, strategy: str | None, flag: str | None, actor: str
) -> dict[str, Any]:
    """Releases an accepted version, with all that has been predicted until now taken into account.

    Returns:
        The object that `vitok release --json` prints.

    Raises:
        UserMistake: there is no such strategy, or it has no use for a flag; and as `release_version`.
    """
    chosen: Any = strategy
    if strategy is not None and strategy not in STRATEGIES:
        raise UserMistake(f"strategy {strategy}", "is not known", f"Known: {', '.join(STRATEGIES)}.")
    if flag is not None and strategy not in (None, "flag"):
        raise UserMistake("flag", f"has no meaning with the strategy {strategy}", "Leave one of them out.")
    collect(project)
    journal = Ledger(project.lake)
    released = release_version(project, journal, number, strategy=chosen, flag=flag, actor=actor)
    found = released.as_json()
    missing = None if released.rollout is None else _keeper_missing(project)
    if missing is not None:
        project.say(f"warning: {missing}")
        found["warnings"].append(missing)
    return found


def promote_as_asked(project: Project, *, actor: str, reason: str) -> dict[str, Any]:
    """Promotes the version that is rolled out, with all that has been predicted until now taken into account.

    Returns, raises: The object that `vitok releases promote --json` prints; and as `promote_rollout`.
    """
    collect(project)
    return promote_rollout(project, Ledger(project.lake), actor=actor, reason=reason).as_json()


def _keeper_missing(project: Project) -> str | None:
    """Why nobody decides a roll-out; None if a keeper does."""
    life, now = read_heartbeat(project.state), project.clock()
    if life is not None and now.timestamp() - life.seen <= _LIFE_SECONDS:
        return None
    seen = "has never been seen" if life is None else f"was last seen at {_moment(life.seen)}"
    return f"Nothing decides this roll-out until `vitok up` or `vitok watch` runs: the keeper {seen}."


def _moment(seconds: float) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC))


def list_releases(project: Project) -> dict[str, Any]:
    """The object that `vitok releases --json` prints: all plans and all roll-outs, oldest first.

    `in_force` is the plan that workers follow, with each version's share; None before the first.
    """
    with project.engine.connect() as connection:
        return _listed(releases.all_releases(connection), rollouts.all_rollouts(connection))


def release_desk(project: Project) -> dict[str, Any]:
    """What the page of releases shows: `list_releases`, and what can be done.

    Returns:
        Also `candidates`: accepted versions that do not answer everything now, newest first; `under_way`: the number
        of the roll-out that goes on, None if none does; `waiting`: requests that people have not answered;
        `away`: the version that can be taken back, None if none can; `strategy` and `flags` of the charter; all
        `strategies`.
    """
    with project.engine.connect() as connection:
        history, ways = releases.all_releases(connection), rollouts.all_rollouts(connection)
        candidates = _candidates(connection, history)
        asked = requests.all_open(connection)
    under_way = next((each for each in ways if each.position.is_open), None)
    earlier = releases.rollback_target(history) if history else None
    release = project.charter.release
    return {
        **_listed(history, ways),
        "candidates": candidates,
        "under_way": None if under_way is None else under_way.number,
        "waiting": [{"request": each.name, "version": each.version} for each in asked],
        "away": under_way.version if under_way else history[-1].version if earlier else None,
        "strategy": release.strategy,
        "flags": sorted(release.flags),
        "strategies": list(STRATEGIES),
    }


def rollout_page(project: Project, number: int) -> dict[str, Any]:
    """What the page of a roll-out shows: as `vitok releases show --json` without what only the journal tells.

    Returns:
        Also `stages`: the shares it goes through; `shares`: since when the new version answered which; `path`: its
        evidence through time, or at its steps until the keeper has reckoned that; `can_end`; `is_paused`.

    Raises:
        NotFound: there is no such roll-out.
    """
    with project.engine.connect() as connection:
        rollout = rollouts.get(connection, number)
        steps = rollouts.all_transitions(connection, number)
    found = rollout_json(project, None, rollout)
    shares = [{"time": step["time"], "share": step["share"]} for step in found["steps"]]
    known = [point for step in steps if step.evidence for point in points_at(step.time, step.evidence)]
    way = rollout.way
    return {
        **found,
        "shares": shares,
        "path": kept_path(project, number) or known,
        "until": found["ended"] or format_time(project.clock()),
        "stages": [{"share": stage.share, "shadow": stage.is_shadow} for stage in way.stages],
        "can_end": rollout.position.is_open,
        "is_paused": rollout.state == "paused",
    }


def _listed(known: Sequence[Release], ways: Sequence[Rollout]) -> dict[str, Any]:
    return {
        "releases": [release_json(release) for release in known],
        "rollouts": [rollout_head(each) for each in ways],
        "in_force": _in_force(known[-1]) if known else None,
    }


def _in_force(release: Release) -> dict[str, Any]:
    plan = release.plan
    arms = [{"version": arm.version, "role": arm.role, "share": arm.share} for arm in plan.arms]
    fallback = None if plan.fallback is None else plan.fallback.version
    return {**release_json(release), "arms": arms, "fallback": fallback}


def _candidates(connection: Connection, history: Sequence[Release]) -> list[dict[str, Any]]:
    now = history[-1].version if history else None
    return [
        {"version": each.number, "created": format_time(each.created)}
        for each in reversed(versions.all_versions(connection))
        if each.verdict == ACCEPTED and each.number != now
    ]
