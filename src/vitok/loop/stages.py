"""The stages of a turn as they go by: said, timed, written down, and ended when somebody asks for it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from vitok.errors import UserMistake
from vitok.kernel.clock import format_time, stopwatch
from vitok.loop.durable import Step, Steps
from vitok.loop.project import Project
from vitok.registry import steps as shown
from vitok.registry import turns
from vitok.store.outages import patiently

T = TypeVar("T")
LOGS = "logs"


class Cancelled(UserMistake):
    """Somebody asked the turn to end."""


@dataclass
class Stages:
    """Where a turn is.

    Args:
        project: As pinned.
        turn: The turn's line.
        steps: How its steps are run.
        now: The stage under way.
        stopping: Whether this process is asked to end.
    """

    project: Project
    turn: turns.Turn
    steps: Steps
    seconds: dict[str, float] = field(default_factory=dict)
    now: str = "start"
    stopping: bool = False

    def do(
        self,
        name: str,
        line: str,
        work: Callable[[], T],
        store: Callable[[T], dict[str, Any]],
        load: Callable[[dict[str, Any]], T],
        key: str | None = None,
    ) -> T:
        """Runs one stage, or takes what it gave before; says so, writes where the turn is, and takes its time.

        Args:
            line: What is said when it begins; empty for nothing.
            work, store, load, key: As for `Step`.
        """
        self.now = name
        self.require_wanted()

        def once() -> T:
            if line:
                self.project.say(line)
            self._write(lambda connection: self._begin(connection, name))
            started = stopwatch()
            made = work()
            self.seconds[name] = round(stopwatch() - started, 3)
            self._write(lambda connection: self._end(connection, name))
            return made

        def put_away(made: T) -> dict[str, Any]:
            found = store(made)
            self._write(lambda connection: shown.change(connection, self.turn.id, name, outputs=found))
            return found

        return self.steps.do(Step(name, once, put_away, load, key))

    def _begin(self, connection: Connection, name: str) -> None:
        turns.advance(connection, self.turn.id, stage=name)
        shown.begin(connection, self.turn.id, name, self.project.clock())

    def _end(self, connection: Connection, name: str) -> None:
        shown.change(connection, self.turn.id, name, ended=self.project.clock())
        turns.advance(connection, self.turn.id, seconds={**self.turn.seconds, **self.seconds})

    def patiently(self, work: Callable[[], T]) -> T:
        """Does what is safe to repeat, and waits while the database is away: a step's work is not lost by that."""
        return patiently(self.project.engine, work, self.project.say, lambda: self.stopping)

    def _write(self, change: Callable[[Connection], None]) -> None:
        def once() -> None:
            with self.project.engine.begin() as connection:
                change(connection)

        self.patiently(once)

    def _cancelled_by(self) -> str | None:
        with self.project.engine.connect() as connection:
            return turns.get(connection, self.turn.id).cancel

    def require_wanted(self) -> None:
        """Ends the turn if somebody asked for it.

        Raises:
            Cancelled: somebody did.
            KeyboardInterrupt: whoever is at the keyboard did.
        """
        if self.stopping:
            raise KeyboardInterrupt
        who = self.patiently(self._cancelled_by)
        if who is not None:
            what = f"was cancelled by {who} in stage {self.now}; nothing was registered"
            remedy = f"Go on with `vitok turns resume {self.turn.number}` when you like."
            raise Cancelled(f"turn {self.turn.number}", what, remedy)


def log_path(project: Project, turn: str) -> Path:
    """The file with all that a turn has said."""
    return project.state / LOGS / f"turn-{turn}.log"


def logged(project: Project, turn: str) -> Project:
    """A project whose words also go to the turn's log."""
    path, say = log_path(project, turn), project.say
    path.parent.mkdir(parents=True, exist_ok=True)

    def both(line: str) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{format_time(project.clock())} {line}\n")
        say(line)

    return replace(project, say=both)
