"""The way of a roll-out, as the charter states it for a strategy."""

from datetime import timedelta
from typing import Any

from vitok.charter.releasing import Strategy
from vitok.errors import UserMistake
from vitok.loop.project import Project
from vitok.release.guards import Limits
from vitok.release.rollout import Stage, Way

_HOUR = 3600.0


def way_of(project: Project, strategy: Strategy, flag: str | None = None) -> Way:
    """The way that the charter states for a strategy.

    Raises:
        UserMistake: it lacks something that the charter must state.
    """
    release, guard = project.charter.release, project.charter.release.guard
    is_test = strategy == "ab"
    if is_test and release.ab.primary == "profit" and project.charter.decide.costs is None:
        raise UserMistake("release.ab.primary", "compares money without decide.costs", "Give the costs.")
    exposure, horizon = release.exposure, release.ab.horizon.total_seconds()
    return Way(
        strategy=strategy,
        stages=_stages(project, strategy, flag),
        step_seconds=release.step.total_seconds(),
        longest_seconds=horizon if is_test else release.max_hours * _HOUR,
        otherwise=release.otherwise,
        most_answers=None if exposure is None else int(exposure.budget // exposure.per_answer),
        promotes=strategy != "flag",
        limits=Limits(
            guard.errors,
            guard.latency,
            guard.quality,
            guard.profit,
            guard.negligible,
            release.alpha,
            guard.conversion,
            None if guard.latency_p95 is None else guard.latency_p95 / timedelta(milliseconds=1),
        ),
        primary=(release.ab.primary, release.ab.effect) if is_test else None,
        reading=release.ab.reading,
    )


def _stages(project: Project, strategy: Strategy, flag: str | None) -> tuple[Stage, ...]:
    release, segments = project.charter.release, project.document.segments
    if strategy == "shadow":
        return (Stage(0.0, is_shadow=True),)
    if strategy == "blue-green":
        return (Stage(1.0),)
    if strategy == "ab":
        return (Stage(release.ab.share),)
    if strategy == "flag":
        return (Stage(1.0, segments.flags[_flag(segments.flags, flag)]),)
    steps = tuple(Stage(share) for share in release.shares)
    first = () if release.shadow is None else (Stage(0.0, is_shadow=True),)
    if strategy == "pilot":
        if segments.pilot is None:
            raise UserMistake("release.pilot", "is not given", "Write the rows that a pilot begins with.")
        return (*first, Stage(0.5, segments.pilot), *steps)
    if not steps:
        raise UserMistake("release.shares", "names no step", "Write such as [5%, 25%, 50%].")
    return (*first, *steps)


def _flag(flags: dict[str, Any], name: str | None) -> str:
    known = ", ".join(flags) or "none"
    if name is None and len(flags) == 1:
        return next(iter(flags))
    if name is None:
        raise UserMistake("--flag", "is needed with the strategy flag", f"Flags of the charter: {known}.")
    if name not in flags:
        raise UserMistake(f"--flag {name}", "is no flag of the charter", f"Flags: {known}.")
    return name
