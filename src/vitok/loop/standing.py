"""Figures that pages show and that grow with production: the keeper reckons them anew when their basis has changed."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from vitok.errors import Refused, UserMistake, VitokError
from vitok.journal.ledger import Ledger, StillLedger
from vitok.kernel.clock import format_time
from vitok.loop.drift import drift
from vitok.loop.drift_spans import Asked
from vitok.loop.earned import project_earned
from vitok.loop.maturity import maturity
from vitok.loop.operations import operations_report
from vitok.loop.performance import Period, project_performance
from vitok.loop.performance_table import performance_table
from vitok.loop.plan import project_plan
from vitok.loop.project import Project
from vitok.loop.queue import waiting_rows
from vitok.loop.risks import project_risks
from vitok.loop.roi import project_roi
from vitok.loop.rollout_paths import NAME as ROLLOUTS
from vitok.loop.rollout_paths import rollout_paths
from vitok.registry import figures
from vitok.registry.figures import Kept

_LOG = logging.getLogger(__name__)
_HOUR = timedelta(hours=1)  # some figures know what day it is
_OLD = {"reviews": timedelta(minutes=1), "operations": timedelta(minutes=5)}  # what follows each prediction
_WEEK = timedelta(days=7)

FIGURES: dict[str, Callable[[Project], dict[str, Any]]] = {
    "performance": project_performance,
    "performance, all": partial(project_performance, period="all"),
    "compared": performance_table,
    "earned": lambda project: project_earned(project, by="month", start=None, end=None),
    "operations": lambda project: operations_report(project, Ledger(project.lake), _WEEK),
    "roi": project_roi,
    "risks": project_risks,
    "plan": project_plan,
    "maturity": maturity,
    "reviews": waiting_rows,
    ROLLOUTS: rollout_paths,
    # The slowest comes last.
    "drift": lambda project: drift(project, StillLedger(project.lake), Asked(), through_time=True),
}


def standing(project: Project, name: str) -> dict[str, Any]:
    """A figure as it was reckoned last.

    Args:
        name: One of `FIGURES`.

    Returns:
        `figure` the object that the command of this name prints, None if it was never reckoned; `refused` why it
        cannot be reckoned, else None; `reckoned` when; `current` whether nothing has changed since.
    """
    with project.engine.connect() as connection:
        found, basis = figures.kept(connection, name), figures.basis(connection)
    if found is None:
        return {"figure": None, "refused": None, "reckoned": None, "current": False}
    return {
        "figure": found.content.get("figure"),
        "refused": found.content.get("refused"),
        "reckoned": format_time(found.reckoned),
        "current": found.basis == basis,
    }


def main_performance(project: Project, period: Period = "year") -> dict[str, Any]:
    """The main metric through time: of long periods as it was reckoned last, and before that as it is now."""
    name = {"year": "performance", "all": "performance, all"}.get(period)
    found: dict[str, Any] | None = None if name is None else standing(project, name)["figure"]
    return project_performance(project, period=period) if found is None else found


def reckon_due(project: Project) -> list[str]:
    """Reckons each figure whose basis has changed, or that is older than it may be.

    Returns:
        The names of those that were reckoned.
    """
    now = project.clock()
    with project.engine.connect() as connection:
        basis, known = figures.basis(connection), figures.ages(connection)
    due = [name for name in FIGURES if _is_due(known.get(name), basis, now, _OLD.get(name, _HOUR))]
    for name in due:
        content = _reckoned(project, name)
        with project.engine.begin() as connection:
            figures.keep(connection, name, Kept(basis, project.clock(), content))
    return due


class Reckoner:
    """Reckons beside whatever else its process does, one at a time."""

    def __init__(self) -> None:
        self._work: threading.Thread | None = None
        self._told: set[str] = set()

    def start(self, project: Project) -> None:
        """Reckons what is due, unless that is being done already."""
        if self._work is None or not self._work.is_alive():
            self._work = threading.Thread(target=self._reckon, args=(project,), daemon=True)
            self._work.start()

    def _reckon(self, project: Project) -> None:
        try:
            reckon_due(project)
        except (VitokError, SQLAlchemyError, OSError) as error:  # pages show what was reckoned before
            if str(error) not in self._told:
                project.say(f"Figures of the pages cannot be reckoned: {error}")
                self._told.add(str(error))


def _is_due(known: tuple[str, datetime] | None, basis: str, now: datetime, old: timedelta) -> bool:
    return known is None or known[0] != basis or now - known[1] >= old


def _reckoned(project: Project, name: str) -> dict[str, Any]:
    """The figure; what cannot be reckoned yet, such as drift without a window, says why.

    A fault of our own in one figure leaves the others alone: it is told in its place, and in the log.
    """
    try:
        return {"figure": FIGURES[name](project), "refused": None}
    except (UserMistake, Refused) as error:
        return {"figure": None, "refused": {"what": f"{error.place}: {error.what}", "remedy": error.remedy}}
    except SQLAlchemyError:
        raise
    except Exception as error:
        _LOG.exception("the figure %s cannot be reckoned", name)
        what = f"{name}: cannot be reckoned: {type(error).__name__}"
        return {"figure": None, "refused": {"what": what, "remedy": "The keeper's log has the rest."}}
