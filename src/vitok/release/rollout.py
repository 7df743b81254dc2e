"""The way of a version from its first share to all traffic or back: one state machine, a pure function of evidence."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from vitok.charter.predicates import Condition
from vitok.charter.releasing import Strategy
from vitok.release.guards import Finding, Limits
from vitok.release.plan import Arm

State = Literal[
    "planned", "shadow", "stepping", "holding", "paused", "promoted", "rolled back", "aborted", "inconclusive"
]
OPEN: tuple[State, ...] = ("planned", "shadow", "stepping", "holding", "paused")
LEAST_UNITS = 30  # that a share must have answered before the next one
MOST_HANGS = 2  # workers that a version may hang; more is no accident


class Stage(msgspec.Struct, frozen=True):
    """One step of the way.

    Args:
        share: Of the units that the new version answers.
        when: The rows that it answers; None for all.
        is_shadow: Whether it only mirrors.
    """

    share: float
    when: Condition | None = None
    is_shadow: bool = False


class Way(msgspec.Struct, frozen=True):
    """What was decided when the roll-out began.

    Args:
        stages: In their order.
        step_seconds: Least time at each stage.
        longest_seconds: When the roll-out ends without a decision.
        otherwise: What happens then: back to the champion, or stay.
        most_answers: Answers of the new version before any test decided; None for no limit.
        promotes: Whether the new version takes over once all limits are kept.
        limits: Of the charter.
        primary: What an A/B test compares, with the smallest difference worth acting on; None for other strategies.
        reading: How an A/B test is read.
    """

    strategy: Strategy
    stages: tuple[Stage, ...]
    step_seconds: float
    longest_seconds: float
    otherwise: Literal["champion", "hold"]
    most_answers: int | None
    promotes: bool
    limits: Limits
    primary: tuple[str, float] | None = None
    reading: Literal["always", "looks", "horizon"] = "always"

    @property
    def replaces(self) -> bool:
        """Whether the new version answers everything from the first moment on."""
        return self.strategy == "blue-green"


class Position(msgspec.Struct, frozen=True):
    """Where a roll-out is.

    Args:
        stage: Number of the stage, from 0.
        since: When the stage began.
        started: When the roll-out began.
    """

    state: State
    stage: int
    since: datetime
    started: datetime

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.state in OPEN


class Evidence(msgspec.Struct, frozen=True):
    """What is known at one moment.

    Args:
        findings: Of all limits of the charter.
        split: Whether units are split as planned.
        primary: What an A/B test compares: `broken` if the new version is worse, `kept` if it is better.
        units: Of the new version in this stage.
        answers: Of the new version in the whole roll-out.
        hangs: Workers that it hung.
        obstacle: Why it may not answer any longer, such as a verdict that was taken back; empty if it may.
    """

    findings: tuple[Finding, ...]
    split: Finding | None = None
    primary: Finding | None = None
    units: int = 0
    answers: int = 0
    hangs: int = 0
    obstacle: str = ""


class Move(msgspec.Struct, frozen=True):
    """A transition and its reason."""

    state: State
    stage: int
    reason: str


def first_move(way: Way) -> Move:
    """How a roll-out begins."""
    return _enter(way, 0, "begins")


def next_move(way: Way, position: Position, evidence: Evidence, now: datetime) -> Move | None:
    """What a roll-out does next; None while it stays where it is.

    Promotion needs every limit kept; a broken limit, a wrong split, an obstacle and the end of time all lead back to
    the champion. A paused one gets no further share, but the ways back stay open.
    """
    if not position.is_open:
        return None
    stage = position.stage
    ended = _ended(way, evidence)
    if ended is not None:
        return Move(*ended[:1], stage, ended[1])
    is_last = stage == len(way.stages) - 1
    is_paused = position.state == "paused"
    if is_last and way.promotes and not is_paused and _is_good(way, evidence):
        return Move("promoted", stage, _praise(way, evidence))
    if now - position.started >= timedelta(seconds=way.longest_seconds):
        return _time_is_over(way, position, evidence)
    due = now - position.since >= timedelta(seconds=way.step_seconds)
    if is_last or is_paused or not due or evidence.units < LEAST_UNITS:
        return None
    return _enter(way, stage + 1, f"{evidence.units} units answered, no limit broken")


def paused(position: Position, reason: str) -> Move:
    """Somebody holds a roll-out at its share."""
    return Move("paused", position.stage, f"held by hand: {reason}")


def resumed(way: Way, position: Position, reason: str) -> Move:
    """A paused roll-out goes on at its share."""
    return _enter(way, position.stage, f"goes on by hand: {reason}")


def promoted(position: Position, reason: str) -> Move:
    """Somebody gives a version all traffic; only where nothing `against_promotion` is left."""
    return Move("promoted", position.stage, f"promoted by hand: {reason}")


def against_promotion(way: Way, evidence: Evidence) -> list[str]:
    """What forbids a promotion also by hand: whatever ends the roll-out, and limits that are not known to be kept."""
    ended = _ended(way, evidence)
    if ended is not None:
        return [ended[1]]
    if _is_good(way, evidence):
        return []
    if way.primary is not None:
        asked = "nothing was asked yet" if evidence.primary is None else evidence.primary.sentence
        return [
            asked,
            *(each.sentence for each in evidence.findings if each.guard == "errors" and not each.kept),
        ]
    left = [finding.sentence for finding in evidence.findings if not finding.kept]
    judged = {finding.guard.partition(" ")[0] for finding in evidence.findings}
    left += [f"{name}: nothing to compare yet" for name in way.limits.names if name not in judged]
    return left or ["the charter states no limit under release.guard that could be kept"]


def arms_of(
    way: Way, position: Position, champion: tuple[int, str], challenger: tuple[int, str]
) -> tuple[Arm, ...]:
    """Who answers what at a position.

    Args:
        champion, challenger: Version and digest of the bundle.
    """
    if position.state == "promoted":
        return (Arm(*challenger, "champion", 1.0),)
    if not position.is_open:
        return (Arm(*champion, "champion", 1.0),)
    stage = way.stages[position.stage]
    if stage.is_shadow:
        return (Arm(*champion, "champion", 1.0), Arm(*challenger, "shadow", 0.0))
    if way.replaces:  # the old one stays loaded: the way back is instant
        return (Arm(*challenger, "champion", 1.0), Arm(*champion, "challenger", 0.0))
    role: Literal["variant", "challenger"] = "variant" if way.strategy == "ab" else "challenger"
    return (
        Arm(*champion, "champion", 1.0 - stage.share),
        Arm(*challenger, role, stage.share, stage.when),
    )


def _enter(way: Way, stage: int, reason: str) -> Move:
    entered = way.stages[stage]
    if entered.is_shadow:
        return Move("shadow", stage, f"{reason}: all requests are mirrored")
    is_last = stage == len(way.stages) - 1
    where = "" if entered.when is None else " of its segment"
    return Move("holding" if is_last else "stepping", stage, f"{reason}: {entered.share:.0%}{where}")


def _ended(way: Way, evidence: Evidence) -> tuple[State, str] | None:
    """Why the roll-out cannot go on."""
    if evidence.obstacle:
        return "aborted", evidence.obstacle
    if evidence.hangs >= MOST_HANGS:
        return "rolled back", f"it hung {evidence.hangs} workers"
    broken = [finding for finding in evidence.findings if finding.broken]
    if broken:
        return "rolled back", "; ".join(finding.sentence for finding in broken)
    split = evidence.split
    if split is not None and split.broken:
        found, planned = split.challenger or 0.0, split.champion or 0.0
        return "inconclusive", f"units are not split as planned: {found:.2%} instead of {planned:.2%}"
    if evidence.primary is not None and evidence.primary.broken:
        return "rolled back", evidence.primary.sentence
    if way.most_answers is not None and evidence.answers >= way.most_answers and not _is_good(way, evidence):
        return "inconclusive", f"{evidence.answers} answers are all that the budget of harm allows"
    return None


def _is_good(way: Way, evidence: Evidence) -> bool:
    """Whether harm is excluded for every limit; in an A/B test, whether the new one is better and fails rarely."""
    if any(finding.guard == "errors" and not finding.kept for finding in evidence.findings):
        return False
    if way.primary is not None:
        return evidence.primary is not None and evidence.primary.kept
    judged = {finding.guard.partition(" ")[0] for finding in evidence.findings}
    return (
        set(way.limits.names) <= judged
        and bool(way.limits.names)
        and all(finding.kept for finding in evidence.findings)
    )


def _praise(way: Way, evidence: Evidence) -> str:
    if way.primary is not None and evidence.primary is not None:
        return evidence.primary.sentence
    return "; ".join(finding.sentence for finding in evidence.findings)


def _time_is_over(way: Way, position: Position, evidence: Evidence) -> Move | None:
    open_ = [finding.sentence for finding in evidence.findings if not finding.kept]
    if way.primary is not None:
        open_ = [] if evidence.primary is None else [evidence.primary.sentence]
    why = f"no decision within {way.longest_seconds / 3600:g} h ({'; '.join(open_) or 'nothing was asked'})"
    if way.otherwise == "hold" and way.primary is None:
        return None
    return Move("inconclusive", position.stage, why)
