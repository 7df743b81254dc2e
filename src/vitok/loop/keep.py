"""Keeping a project beside its server: journal to lake, plan to workers, windows to alerts, triggers to turns."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from vitok.errors import UserMistake, VitokError
from vitok.journal.ledger import Ledger
from vitok.journal.mover import Moved, Told, move
from vitok.journal.profiles import ProfilesFault
from vitok.loop.alerts import alert_records
from vitok.loop.auditing import sign_audit
from vitok.loop.beside import Beside
from vitok.loop.incidents import look_after_incidents
from vitok.loop.maturing import label_report
from vitok.loop.notify import deliver, emit_hand_overs, emit_reminders
from vitok.loop.outcomes import JOURNAL
from vitok.loop.profiling import open_profiler
from vitok.loop.project import Project
from vitok.loop.release import publish_plan
from vitok.loop.reweighing import Reweigher
from vitok.loop.rollback import record_pending
from vitok.loop.rollout import advance
from vitok.loop.standing import Reckoner
from vitok.loop.tick import tick
from vitok.loop.watch import Watched, watch
from vitok.registry import events
from vitok.store.heartbeat import Heartbeat, write_heartbeat
from vitok.store.outages import away, is_outage

_MOVE_SECONDS = 2.0
_COLLECT_SECONDS = 5.0
_LOOKS_PER_WINDOW = 20
_LIFE = timedelta(seconds=10)
_LONGEST_PAUSE, _SHORTEST_PAUSE = timedelta(minutes=5), timedelta(seconds=5)


def collect(project: Project, told: set[str] | None = None) -> Moved:
    """Records what happened while stores were away, and moves what the workers have spooled into the lake.

    Args:
        told: What was told before and is not told again; what is told now is added.
    """
    record_pending(project)
    told = set() if told is None else told
    try:
        with open_profiler(project) as profiler:
            moved = _move(project, profiler.moved)
    except ProfilesFault as error:  # watching suffers, the journal goes on
        moved = _move(project, None)
        moved = moved._replace(problems=(*moved.problems, str(error)))
    for problem in moved.problems:
        if problem not in told:
            project.say(f"journal: {problem}")
            told.add(problem)
    return moved


def _move(project: Project, tell: Told | None) -> Moved:
    return move(project.state / JOURNAL, project.lake, project.clock(), _COLLECT_SECONDS, tell)


def watch_once(project: Project) -> Watched:
    """Collects the journal, judges every window that closed or matured, and tells what there is to tell."""
    collect(project)
    journal = Ledger(project.lake)
    watched = watch(project, journal, reweigher=Reweigher(project))
    look_after_incidents(project)
    emit_hand_overs(project)
    emit_reminders(project)
    deliver(project)
    return replace(watched, labels=label_report(project, journal))


def show_life(project: Project) -> None:
    """Leaves a sign of life with the open alerts, which workers show to whoever watches the watcher."""
    now = project.clock()
    with project.engine.connect() as connection:
        found = alert_records(connection)
        dead = events.count_dead(connection)
    alerts = Counter(f"{each.alert.kind}\t{each.alert.severity}\t{each.state(now)}" for each in found)
    write_heartbeat(project.state, Heartbeat(now.timestamp(), dict(alerts), dead))


def keep(open_project: Callable[[], Project], stop: threading.Event) -> None:
    """Keeps a project until told to stop; a look that fails is told and tried again.

    The charter is read anew before each look, so an edit takes effect without a restart. Turns work beside it.

    Args:
        open_project: Opens the project with its present charter.
        stop: Ends the work.
    """
    keeper = _Keeper(open_project)
    try:
        while not stop.is_set():
            keeper.round()
            stop.wait(_MOVE_SECONDS)
    finally:
        keeper.beside.end()


class _Keeper:
    """What a keeper knows from one round to the next."""

    def __init__(self, open_project: Callable[[], Project]) -> None:
        self._open = open_project
        self._project = open_project()
        self._database, self._reckoner = _Database(self._project.say), Reckoner()
        self._look_at: datetime | None = None
        self._live_at: datetime | None = None
        self._told: set[str] = set()
        self.beside = Beside()

    def round(self) -> None:
        """What is done every few seconds; every now and then a look."""
        project = self._project
        try:
            now, moved = project.clock(), collect(project, self._told)
            publish_plan(project)
            if moved.predictions:
                emit_hand_overs(project, now - timedelta(seconds=moved.lag_seconds))
            if moved.predictions or moved.outcomes:
                advance(project, Ledger(project.lake))
            deliver(project)
            if self._live_at is None or project.clock() >= self._live_at:
                show_life(project)
                self._live_at = project.clock() + _LIFE
            if self.beside.has_ended(project) or self._look_at is None or project.clock() >= self._look_at:
                self._look()
            self._database.answered()
        except (VitokError, SQLAlchemyError) as error:
            self._look_at = project.clock() + _SHORTEST_PAUSE
            if is_outage(error):
                self._database.is_away(error)
            elif isinstance(error, VitokError):
                project.say(f"watching: {error}")
            else:
                raise

    def _look(self) -> None:
        project = self._project = _reopened(self._open, self._project)
        emit_hand_overs(project)  # also what another process put into the lake
        triggers, reweigher = project.document.rules.triggers, Reweigher(project)
        tick(project, Ledger(project.lake), triggers, reweigher=reweigher, beside=self.beside)
        emit_reminders(project)
        _sign(project, self._told)
        self._reckoner.start(project)
        self._look_at = project.clock() + _pause(project)


class _Database:
    """What is said of the state database: once that it is away, and once that it is back."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._away = say, False

    def is_away(self, error: BaseException) -> None:
        """It did not answer."""
        if not self._away:
            self._say(f"{away(error)} Predictions go on; watching and turns go on when it is back.")
        self._away = True

    def answered(self) -> None:
        """It did."""
        if self._away:
            self._say("state database: it is back")
        self._away = False


def _sign(project: Project, told: set[str]) -> None:
    """Signs the audit log; without a secret that can be used, the loop goes on and says so once."""
    try:
        sign_audit(project)
    except UserMistake as error:
        if str(error) not in told:
            project.say(f"The audit log is not signed: {error}")
            told.add(str(error))


def _reopened(open_project: Callable[[], Project], project: Project) -> Project:
    fresh = open_project()
    project.engine.dispose()
    return fresh


def _pause(project: Project) -> timedelta:
    return min(max(project.charter.monitor.window / _LOOKS_PER_WINDOW, _SHORTEST_PAUSE), _LONGEST_PAUSE)
