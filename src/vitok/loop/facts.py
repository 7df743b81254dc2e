"""What a project really holds, read once: charters, turns, versions, releases, windows, journal, hours."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
from sqlalchemy import Connection

from vitok.charter.model import Charter
from vitok.journal.frames import TIME
from vitok.journal.tables import has_predictions, scan_predictions
from vitok.loop.check import check_project
from vitok.loop.project import Project
from vitok.registry import charters, efforts, releases, turns, versions
from vitok.registry import windows as remembered
from vitok.registry.charters import CharterVersion
from vitok.registry.releases import Release
from vitok.registry.turns import Turn
from vitok.registry.versions import Version
from vitok.store.lake import Lake

_JUDGED = ("accepted", "refused", "waiting")  # how a turn that measured everything ends


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether something is done, by what it is known, and since when.

    Args:
        evidence: What the project holds, or what is missing.
        when: When it was done, None if it is not or the project does not tell.
        remedy: What to do while it is not done.
        applies: Whether the question makes sense for the project; if not, the evidence says why.
    """

    done: bool
    evidence: str
    when: datetime | None = None
    remedy: str = ""
    applies: bool = True


@dataclass(frozen=True)
class Facts:
    """A project at one moment; lists are in the order of time.

    Args:
        problems: What `vitok check` finds.
        turns: Turns that ended with a verdict.
        windows: Windows as the table holds them.
        predicted: When each prediction came into the journal, sorted; no shadows.
        labelled: When the outcome of each predicted id was there too, sorted.
        hours: Logged hours by experiment.
    """

    project: Project
    now: datetime
    problems: list[dict[str, Any]]
    charters: list[CharterVersion]
    turns: list[Turn]
    versions: list[Version]
    releases: list[Release]
    windows: list[dict[str, Any]]
    predicted: pl.Series
    labelled: pl.Series
    hours: dict[str, float]

    @property
    def charter(self) -> Charter:
        """The charter as the file says it now."""
        return self.project.charter

    @property
    def today(self) -> date:
        """The present day, in UTC like every time of a project."""
        return self.now.date()

    @property
    def start(self) -> date:
        """The first day of the plan: as planned, else when the first charter was recorded, else today."""
        first = self.charters[0].seen.date() if self.charters else self.today
        planned = self.charter.plan.start
        return first if planned is None else moment(planned, first)

    @property
    def accepted(self) -> list[Version]:
        """Versions that passed their gates."""
        return [version for version in self.versions if version.verdict == "accepted"]

    @property
    def final_windows(self) -> list[dict[str, Any]]:
        """Windows whose labels had the time to come."""
        return [window for window in self.windows if window["state"] == "final"]

    @property
    def subject(self) -> Version | None:
        """The version that is asked about: in production, else accepted last, else judged last."""
        if self.releases:
            return next(v for v in self.versions if v.number == self.releases[-1].version)
        return next(reversed(self.accepted or self.versions), None)

    def since(self, says: Callable[[dict[str, Any]], bool]) -> datetime | None:
        """Since when the recorded charters have said something without a break; None if the last does not.

        Args:
            says: Looks at a charter as JSON values.
        """
        when = None
        for charter in reversed(self.charters):
            if not says(charter.content):
                break
            when = charter.seen
        return when


Check = Callable[[Facts], Finding]


def moment(value: date | timedelta, start: date) -> date:
    """A day of the plan: as written, or so long after the start."""
    return start + value if isinstance(value, timedelta) else value


def gather(project: Project) -> Facts:
    """Reads everything that the plan is judged by; writes nothing."""
    predicted, labelled = _journal(project.lake)
    problems = check_project(project)["problems"]
    with project.engine.connect() as connection:
        return Facts(
            project=project,
            now=project.clock(),
            problems=problems,
            charters=charters.all_charters(connection),
            turns=[t for t in turns.all_turns(connection) if t.state in _JUDGED],
            versions=versions.all_versions(connection),
            releases=releases.all_releases(connection),
            windows=remembered.all_windows(connection),
            predicted=predicted,
            labelled=labelled,
            hours=_hours(connection),
        )


def _hours(connection: Connection) -> dict[str, float]:
    hours: dict[str, float] = {}
    for effort in efforts.all_efforts(connection):
        if effort.experiment is not None:
            hours[effort.experiment] = hours.get(effort.experiment, 0.0) + effort.hours
    return hours


def _journal(lake: Lake) -> tuple[pl.Series, pl.Series]:
    """Times of predictions and of known labels; a label that came before its prediction counts from then on."""
    none = pl.Series("received", [], dtype=TIME)
    if not has_predictions(lake):
        return none, none
    predictions = scan_predictions(lake).filter(pl.col("role") != "shadow").select("id", "received")
    predicted = predictions.select("received").collect()["received"].sort()
    if not lake.exists("outcomes"):
        return predicted, none
    outcomes = lake.scan("outcomes").group_by("id").agg(known=pl.col("received").min())
    both = predictions.group_by("id").agg(pl.col("received").min()).join(outcomes, on="id", how="inner")
    labelled = both.select(when=pl.max_horizontal("received", "known")).collect()["when"].sort()
    return predicted, labelled
