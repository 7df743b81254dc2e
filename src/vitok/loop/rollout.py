"""The roll-out of a version: begun by a command or a turn, moved on by each look, ended by evidence or by hand."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from vitok.charter.releasing import Strategy
from vitok.errors import UserMistake
from vitok.kernel.clock import format_time
from vitok.loop.journals import JournalReader
from vitok.loop.notify import emit
from vitok.loop.observe import Observed, observe
from vitok.loop.policy import require_segment
from vitok.loop.project import Project
from vitok.loop.release import (
    Change,
    go_back,
    in_force,
    put_in_force,
    releasable,
    release_at_once,
    release_json,
    require_approvals,
    require_whole,
)
from vitok.loop.rollout_rows import champion_baseline
from vitok.model.bundle import load_manifest
from vitok.registry import releases, rollouts, versions
from vitok.registry.rollouts import Rollout
from vitok.release.guards import Limits
from vitok.release.plan import Plan
from vitok.release.rollout import (
    OPEN,
    Evidence,
    Move,
    Position,
    Stage,
    Way,
    arms_of,
    first_move,
    next_move,
)

ACTOR = "vitok"
_HOUR = 3600.0


@dataclass(frozen=True)
class Released:
    """What a release led to.

    Args:
        release: The plan in force now.
        rollout: The roll-out that it belongs to, None if the version got all traffic at once.
    """

    release: releases.Release
    rollout: Rollout | None

    def as_json(self) -> dict[str, Any]:
        """The object that `vitok release --json` prints."""
        found = release_json(self.release)
        rollout = self.rollout
        if rollout is None:
            return found | {"rollout": None, "candidate": None}
        told = {"rollout": rollout.number, "candidate": rollout.version, "state": rollout.state}
        if not rollout.position.is_open:
            return found | told
        share, strategy = rollout.way.stages[rollout.stage].share, rollout.way.strategy
        return found | told | {"version": rollout.version, "share": share, "strategy": strategy}


def release_version(
    project: Project,
    journal: JournalReader,
    number: int,
    *,
    strategy: Strategy | None = None,
    flag: str | None = None,
    actor: str = "user",
) -> Released:
    """Releases an accepted version.

    Args:
        strategy: None for the charter's. The first release of a project is immediate: there is nothing to compare.
        flag: The segment of the strategy `flag`; None if the charter has only one.
        actor: Who asks for it.

    Raises:
        NotFound: no such version, or a bundle that is needed is gone.
        Fault: a bundle that is needed is damaged.
        Refused: its verdict is not *accepted*, or it needs approvals.
        Busy: a roll-out is under way, or another release came first.
        CharterMistake: a rule or a segment names a column that requests do not have.
        UserMistake: the strategy lacks something that the charter must state.
    """
    chosen = strategy or project.charter.release.strategy
    version, now_released = releasable(project, number)
    if chosen == "immediate" or now_released is None or now_released.version == number:
        return Released(release_at_once(project, number, actor=actor), None)
    with project.engine.connect() as connection:
        champion = versions.get(connection, now_released.version)
    require_whole(project, champion)  # the way back must be there before it is needed
    way = way_of(project, chosen, flag)
    for stage in way.stages:
        if stage.when is not None:
            require_segment(project.document, load_manifest(project.blobs, version.digest), stage.when)
    risk = require_approvals(project, version, now_released)
    now = project.clock()
    baseline = champion_baseline(journal, champion.number, now)
    with in_force(project) as connection:
        rollout = rollouts.begin(
            connection,
            version=version.number,
            champion=champion.number,
            now=now,
            actor=actor,
            way=way,
            baseline=baseline,
        )
        rollout, release = _make(
            project,
            connection,
            rollout,
            first_move(way),
            actor,
            None,
            {"risk": risk, "verdict": version.turn},
        )
    return Released(release, rollout)


def way_of(project: Project, strategy: Strategy, flag: str | None = None) -> Way:
    """The way that the charter states for a strategy.

    Raises:
        UserMistake: it lacks something that the charter must state.
    """
    release, segments = project.charter.release, project.document.segments
    steps = tuple(Stage(share) for share in release.shares)
    first = () if release.shadow is None else (Stage(0.0, is_shadow=True),)
    if strategy == "shadow":
        stages: tuple[Stage, ...] = (Stage(0.0, is_shadow=True),)
    elif strategy == "pilot":
        if segments.pilot is None:
            raise UserMistake("release.pilot", "is not given", "Write the rows that a pilot begins with.")
        stages = (*first, Stage(0.5, segments.pilot), *steps)
    elif strategy == "flag":
        stages = (Stage(1.0, segments.flags[_flag(segments.flags, flag)]),)
    elif strategy == "ab":
        stages = (Stage(release.ab.share),)
    else:
        stages = (Stage(1.0),) if strategy == "blue-green" else (*first, *steps)
    if not stages:
        raise UserMistake("release.shares", "names no step", "Write such as [5%, 25%, 50%].")
    is_test, guard = strategy == "ab", release.guard
    if is_test and release.ab.primary == "profit" and project.charter.decide.costs is None:
        raise UserMistake("release.ab.primary", "compares money without decide.costs", "Give the costs.")
    limits = Limits(
        guard.errors,
        guard.latency,
        guard.quality,
        guard.profit,
        guard.negligible,
        release.alpha,
        guard.conversion,
        None if guard.latency_p95 is None else guard.latency_p95 / timedelta(milliseconds=1),
    )
    return Way(
        strategy=strategy,
        stages=stages,
        step_seconds=release.step.total_seconds(),
        longest_seconds=release.ab.horizon.total_seconds() if is_test else release.max_hours * _HOUR,
        otherwise=release.otherwise,
        most_answers=None
        if release.exposure is None
        else int(release.exposure.budget // release.exposure.per_answer),
        promotes=strategy != "flag",
        limits=limits,
        primary=(release.ab.primary, release.ab.effect) if is_test else None,
        reading=release.ab.reading,
    )


def _flag(flags: dict[str, Any], name: str | None) -> str:
    known = ", ".join(flags) or "none"
    if name is None and len(flags) == 1:
        return next(iter(flags))
    if name is None:
        raise UserMistake("--flag", "is needed with the strategy flag", f"Flags of the charter: {known}.")
    if name not in flags:
        raise UserMistake(f"--flag {name}", "is no flag of the charter", f"Flags: {known}.")
    return name


def advance(project: Project, journal: JournalReader) -> Rollout | None:
    """Looks at the roll-out under way, and moves it on if the evidence says so.

    Returns:
        The roll-out after its move; None if there is none or it stays where it is.
    """
    with project.engine.connect() as connection:
        rollout = rollouts.current(connection)
        if rollout is None:
            return None
        plans = plans_of(connection, rollout.number)
    now = project.clock()
    seen = observe(project, journal, rollout, plans, now)
    made = next_move(rollout.way, rollout.position, seen.evidence, now)
    if made is None:
        return None
    with in_force(project) as connection:
        if rollouts.get(connection, rollout.number).position != rollout.position:
            return None  # somebody else was faster: a rollback by hand, or another keeper
        rollout, _ = _make(project, connection, rollout, made, ACTOR, seen, {})
    project.say(f"Version {rollout.version} {rollout.state}: {made.reason}")
    return rollout


def plans_of(connection: Connection, number: int) -> list[Plan]:
    """The plans that a roll-out has put in force, oldest first."""
    epochs = {step.epoch for step in rollouts.all_transitions(connection, number)}
    return [found.plan for found in releases.all_releases(connection) if found.epoch in epochs]


def end_by_hand(project: Project, *, actor: str, reason: str) -> Released:
    """Ends the roll-out under way, if there is one, and else goes back to the version before.

    Raises:
        NotFound: there is nothing to go back to.
    """
    with project.engine.connect() as connection:
        rollout = rollouts.current(connection)
    if rollout is None:
        return Released(go_back(project, actor=actor, reason=reason), None)
    with in_force(project) as connection:
        made = Move("aborted", rollout.stage, reason)
        rollout, release = _make(project, connection, rollout, made, actor, None, {"reason": reason})
    return Released(release, rollout)


def _make(
    project: Project,
    connection: Connection,
    rollout: Rollout,
    made: Move,
    actor: str,
    seen: Observed | None,
    evidence: dict[str, Any],
) -> tuple[Rollout, releases.Release]:
    """Makes a move: its plan, its line, its event, all in one transaction."""
    before = rollout
    new, old = (versions.get(connection, number) for number in (rollout.version, rollout.champion))
    position = Position(made.state, made.stage, rollout.since, rollout.started)
    arms = arms_of(rollout.way, position, (old.number, old.digest), (new.number, new.digest))
    leader = next(arm.version for arm in arms if arm.role == "champion")
    was_leading = rollout.way.replaces and before.state in OPEN and before.state != "planned"
    taken_back = was_leading and leader == old.number
    strategy = "rollback" if made.state in ("rolled back", "aborted") else rollout.way.strategy
    told = {"rollout": rollout.number, "state": made.state, "reason": made.reason, **evidence}
    change = Change(
        strategy,
        actor,
        "rolled back" if taken_back else "superseded",
        told,
        salt=f"{project.charter.project}/{rollout.number}",
    )
    release = put_in_force(project, connection, versions.get(connection, leader), arms, change)
    now = project.clock()
    rollout = rollouts.move(
        connection,
        rollout,
        made,
        now,
        actor=actor,
        epoch=release.epoch,
        evidence=None if seen is None else seen.evidence,
        seen={} if seen is None else seen.seen,
    )
    kind = "rollback" if made.state in ("rolled back", "aborted", "inconclusive") else "release"
    about = {"version": rollout.version, "epoch": release.epoch, "actor": actor, **told}
    emit(connection, project.charter, now, kind, f"roll-out {rollout.number}", about)
    return rollout, release


def reproduce(project: Project, journal: JournalReader, rollout: Rollout, number: int) -> Evidence | None:
    """The evidence of a transition, made anew of what the journal held then; None for one without evidence.

    Args:
        number: Of the transition.
    """
    with project.engine.connect() as connection:
        steps = rollouts.all_transitions(connection, rollout.number)
        plans = plans_of(connection, rollout.number)
    step = steps[number - 1]
    if step.evidence is None:
        return None
    past = [other for other in steps[: number - 1] if other.epoch is not None]
    epochs = {other.epoch for other in past}
    then = replace(rollout, stage=past[-1].stage, state=past[-1].state, since=past[-1].time)
    found = observe(
        project, journal, then, [plan for plan in plans if plan.epoch in epochs], step.time, step.seen
    )
    return found.evidence


def rollout_json(project: Project, journal: JournalReader | None, rollout: Rollout) -> dict[str, Any]:
    """The object that `vitok releases show --json` prints.

    Args:
        journal: To make the evidence of each step anew, and compare, and to tell what is known now; None to leave
            that out.
    """
    with project.engine.connect() as connection:
        steps = rollouts.all_transitions(connection, rollout.number)
        plans = plans_of(connection, rollout.number)
    now = None
    if journal is not None and rollout.position.is_open:
        now = observe(project, journal, rollout, plans, project.clock()).evidence
    told = []
    for step in steps:
        again = None if journal is None else reproduce(project, journal, rollout, step.number)
        told.append(
            {
                "number": step.number,
                "time": format_time(step.time),
                "from": step.before,
                "to": step.state,
                "share": _share(rollout, step.state, step.stage),
                "epoch": step.epoch,
                "actor": step.actor,
                "reason": step.reason,
                "findings": _findings(step.evidence),
                "reproduced": None if step.evidence is None or journal is None else again == step.evidence,
            }
        )
    return {
        "rollout": rollout.number,
        "version": rollout.version,
        "champion": rollout.champion,
        "strategy": rollout.way.strategy,
        "state": rollout.state,
        "share": _share(rollout, rollout.state, rollout.stage),
        "started": format_time(rollout.started),
        "ended": None if rollout.ended is None else format_time(rollout.ended),
        "actor": rollout.actor,
        "steps": told,
        "now": _findings(now),
    }


def _share(rollout: Rollout, state: str, stage: int) -> float:
    if state == "promoted":
        return 1.0
    return rollout.way.stages[stage].share if state in OPEN else 0.0


def _findings(evidence: Evidence | None) -> list[dict[str, Any]]:
    if evidence is None:
        return []
    found = [*evidence.findings, *(each for each in (evidence.split, evidence.primary) if each is not None)]
    return [
        {
            "guard": each.guard,
            "state": "broken" if each.broken else "kept" if each.kept else "open",
            "limit": each.limit,
            "champion": each.champion,
            "challenger": each.challenger,
            "low": _finite(each.low),
            "high": _finite(each.high),
            "evidence": _finite(each.log_e),
            "boundary": each.boundary,
            "units": each.units,
            "sentence": each.sentence,
        }
        for each in found
    ]


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
