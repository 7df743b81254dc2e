"""The roll-out of a version: begun by a command or a turn, moved on by each look, ended by evidence or by hand."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection

from vitok.charter.releasing import Strategy
from vitok.errors import Busy, NotFound
from vitok.loop.approving import Wish, mark_released, require_agreement
from vitok.loop.backup import back_up_before_release
from vitok.loop.demands import new_demands
from vitok.loop.journals import JournalReader
from vitok.loop.notify import emit
from vitok.loop.observe import Observed, observe
from vitok.loop.policy import require_segment
from vitok.loop.project import Project
from vitok.loop.release import (
    Change,
    give_all,
    in_force,
    publish_plan,
    put_in_force,
    releasable,
    release_at_once,
    release_json,
    require_still_releasable,
    require_whole,
)
from vitok.loop.rollout_rows import champion_baseline
from vitok.loop.way import way_of
from vitok.model.bundle import load_manifest
from vitok.registry import releases, rollouts, versions
from vitok.registry.rollouts import Rollout
from vitok.release.plan import Plan
from vitok.release.rollout import (
    OPEN,
    Move,
    Position,
    arms_of,
    first_move,
    next_move,
)

ACTOR = "vitok"
TAKEN = "from"  # in the evidence of a release: the version that somebody took back by it
HASTE = timedelta(minutes=10)  # within which a second person may not know that the first has ended a roll-out
HASTE_OF_ONE = timedelta(minutes=1)  # within which nobody may know that it has ended by itself
_TRIES = 5


@dataclass(frozen=True)
class Released:
    """What a release led to.

    Args:
        release: The plan in force now.
        rollout: The roll-out that it belongs to, None if the version got all traffic at once.
        warnings: What callers or keepers must do now.
    """

    release: releases.Release
    rollout: Rollout | None
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The object that `vitok release --json` prints."""
        found = release_json(self.release) | {"warnings": list(self.warnings)}
        rollout = self.rollout
        if rollout is None:
            return found | {"rollout": None, "candidate": None}
        told = {"rollout": rollout.number, "candidate": rollout.version, "state": rollout.state}
        if not rollout.position.is_open:
            return found | told
        share, strategy = rollout.way.stages[rollout.stage].share, rollout.way.strategy
        return found | told | {"version": rollout.version, "share": share, "strategy": strategy}


@dataclass(frozen=True)
class TakenBack(Released):
    """What a rollback led to.

    Args:
        taken_back: The version that answers no longer; None if nothing was changed.
        note: Why nothing was changed, and what to do if something should be.
    """

    taken_back: int | None = None
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """The object that `vitok rollback --json` prints."""
        return super().as_json() | {"taken_back": self.taken_back, "note": self.note}


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
        UserMistake: the strategy lacks something that the charter must state, or the version demands what callers of
            today do not send.
    """
    chosen = strategy or project.charter.release.strategy
    version, now_released = releasable(project, number)
    if now_released is None or now_released.version == number:
        return Released(release_at_once(project, number, actor=actor, strategy=strategy), None)
    with project.engine.connect() as connection:
        champion = versions.get(connection, now_released.version)
    warnings = tuple(new_demands(project, champion, version, chosen, is_asked=strategy is not None))
    for line in warnings:
        project.say(f"warning: {line}")
    if chosen == "immediate":
        return Released(release_at_once(project, number, actor=actor, strategy=strategy), None, warnings)
    require_whole(project, champion)  # the way back must be there before it is needed
    way = way_of(project, chosen, flag)
    manifest = load_manifest(project.blobs, version.digest)
    for stage in way.stages:
        if stage.when is not None:
            require_segment(project.document, manifest, stage.when)
    risk = require_agreement(project, version, now_released, Wish(strategy, flag, actor))
    back_up_before_release(project, number)
    evidence = {"risk": risk, "verdict": version.turn}
    now = project.clock()
    baseline = champion_baseline(journal, champion.number, now)
    planned: dict[str, Any] = {
        "version": version.number,
        "champion": champion.number,
        "now": now,
        "actor": actor,
    }
    with in_force(project) as connection:
        require_still_releasable(project, connection, number, now_released)
        rollout = rollouts.begin(connection, **planned, way=way, baseline=baseline)
        rollout, release = make_move(project, connection, rollout, first_move(way), actor, None, evidence)
        mark_released(project, connection, number)
    return Released(release, rollout, warnings)


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
        rollout, _ = make_move(project, connection, rollout, made, ACTOR, seen, {})
    project.say(f"Version {rollout.version} {rollout.state}: {made.reason}")
    return rollout


def plans_of(connection: Connection, number: int) -> list[Plan]:
    """The plans that a roll-out has put in force, oldest first."""
    epochs = {step.epoch for step in rollouts.all_transitions(connection, number)}
    return [found.plan for found in releases.of_epochs(connection, epochs - {None})]


def end_by_hand(project: Project, *, actor: str, reason: str, away: int | None = None) -> TakenBack:
    """Takes a version away: ends its roll-out, or goes back from it to the version before.

    Done again it changes nothing, and so it does if somebody else was faster.

    Args:
        away: The version that is to answer no longer. None for the one that is rolled out, else for the champion;
            for none if somebody has gone back to the champion, or a roll-out has just ended: two people in haste must
            not go back twice, nor one too far.

    Raises:
        NotFound: there is no such version, or nothing to go back to, or its bundle is gone.
        Busy: others change the plan again and again.
    """
    for _ in range(_TRIES):
        with project.engine.connect() as connection:
            if away is None:
                away, note = _meant(project, connection)
            if away is None:
                break
            way = _way_back(connection, away)
            target = None if way.target is None else versions.get(connection, way.target)
        if target is not None:
            require_whole(project, target)
        with in_force(project) as connection:
            if _way_back(connection, away) == way:
                return _go_back(project, connection, way, away, actor, reason)
    else:
        raise Busy("rollback", "others change the plan again and again", "Look at `vitok releases`.")
    publish_plan(project)
    with project.engine.connect() as connection:
        return TakenBack(_in_force(connection), None, note=note)


class _WayBack(NamedTuple):
    """How a version is taken away: its roll-out or the one above it that ends, and who gets its traffic."""

    rollout: int | None
    target: int | None


def _meant(project: Project, connection: Connection) -> tuple[int | None, str]:
    """The version that a rollback without a version takes away; or None, and why it takes none."""
    under_way = rollouts.current(connection)
    if under_way is not None:
        return under_way.version, ""
    _in_force(connection)
    history = releases.all_releases(connection)
    last, ended = history[-1], rollouts.last_ended(connection)
    if releases.taken_back_just_now(history):
        back = next(each for each in reversed(history) if each.strategy == releases.ROLLBACK)
        return None, nothing_done(last.version, f"{back.actor} has taken back what answered before")
    if ended is not None and last.evidence.get("rollout") == ended.number and ended.version != last.version:
        haste = HASTE if TAKEN in last.evidence else HASTE_OF_ONE
        if project.clock() - last.created < haste:
            why = f"the roll-out of version {ended.version} has just ended ({ended.state}, by {last.actor})"
            return None, nothing_done(last.version, why)
    return last.version, ""


def nothing_done(version: int, why: str) -> str:
    """Why a rollback without a version left a champion where it is, and how it is taken away all the same."""
    return f"Nothing was changed: {why}. To take version {version} away too: vitok rollback {version}"


def _way_back(connection: Connection, away: int) -> _WayBack:
    _in_force(connection)
    versions.get(connection, away)
    under_way, history = rollouts.current(connection), releases.all_releases(connection)
    if under_way is not None and under_way.version == away:
        return _WayBack(under_way.number, None)
    if away != (history[-1].version if under_way is None else under_way.champion):
        return _WayBack(None, None)
    earlier = releases.rollback_target(history, away)
    if earlier is None:
        what = f"there is no version before {away} to go back to"
        raise NotFound("rollback", what, "Release another version.")
    return _WayBack(None if under_way is None else under_way.number, earlier.version)


def _go_back(
    project: Project, connection: Connection, way: _WayBack, away: int, actor: str, reason: str
) -> TakenBack:
    rollout, taken = None, {"reason": reason, TAKEN: away}
    if way.rollout is not None:
        rollout = rollouts.get(connection, way.rollout)
        made = Move("aborted", rollout.stage, reason)
        rollout, _ = make_move(project, connection, rollout, made, actor, None, taken)
    if way.target is not None:
        change = Change(releases.ROLLBACK, actor, "rolled back", taken)
        give_all(project, connection, versions.get(connection, way.target), change)
    release = _in_force(connection)
    if way == (None, None):
        return TakenBack(release, None, note=f"Nothing was changed: version {away} answers nothing.")
    return TakenBack(release, rollout, taken_back=away)


def _in_force(connection: Connection) -> releases.Release:
    release = releases.current(connection)
    if release is None:
        raise NotFound("rollback", "nothing has been released yet", "Release a version first.")
    return release


def make_move(
    project: Project,
    connection: Connection,
    rollout: Rollout,
    made: Move,
    actor: str,
    seen: Observed | None,
    evidence: dict[str, Any],
) -> tuple[Rollout, releases.Release]:
    """Makes a move: its plan, its line, its event, all in one transaction.

    Args:
        seen: What the move was decided by; None for one by hand that needs nothing.
        evidence: What else the release tells of itself.
    """
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
