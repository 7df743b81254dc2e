"""Steps that run once: at once, or under the workflow engine, which remembers what each has given."""

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")

_NAME = "turn/1"  # a new name when the order of steps changes: a turn goes on by the steps that it began with
_WAIT_SECONDS = 0.2
_ENGINE = threading.Lock()


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """One step of a turn.

    Args:
        work: Safe to repeat, since a crash may come between its end and the note of it.
        store: Puts what it made away and gives JSON values that `load` makes it from again.
        key: Equal for steps that must give the same; None if nobody can tell.
    """

    name: str
    work: Callable[[], T]
    store: Callable[[T], dict[str, Any]]
    load: Callable[[dict[str, Any]], T]
    key: str | None = None


class Steps(Protocol):
    """How the steps of a turn are run."""

    def do(self, step: Step[T]) -> T:
        """Gives what a step has made."""
        ...


class AtOnce:
    """Runs each step and remembers nothing: for replay, where a crash ends all."""

    def do(self, step: Step[T]) -> T:
        """Runs the step."""
        return step.work()


class _Cut(BaseException):
    """Carries an error past the workflow engine, which would take it for the step's result and never try again."""


class _Durable:
    """Runs a step unless its result is known."""

    def do(self, step: Step[T]) -> T:
        """Runs the step, or takes what it gave before."""
        from dbos import DBOS

        made: list[T] = []

        def once() -> dict[str, Any]:
            try:
                made.append(step.work())
                return step.store(made[0])
            except BaseException as error:
                raise _Cut from error

        stored = DBOS.run_step({"name": step.name}, once)
        return made[0] if made else step.load(stored)


def run_durably(url: str, key: str, body: Callable[[Steps], T], stop: Callable[[], None]) -> T:
    """Runs a workflow, or goes on with it where it ended.

    Args:
        url: Of the workflow engine's database.
        key: The workflow; what it has done is remembered under this name.
        body: Its steps. What happens between steps is repeated when it goes on, and must be pure.
        stop: Asks the body to end soon; called on Ctrl-C while it runs in another thread.

    Raises:
        Whatever the body raises; its finished steps are kept, and the next call goes on after them.
    """
    with _engine(url) as workflow:
        from dbos import DBOS, SetWorkflowID

        run = _Run(body)
        _RUNS[key] = run
        try:
            if DBOS.get_workflow_status(key) is None:
                with SetWorkflowID(key):
                    workflow(key)
            else:
                DBOS.resume_workflow(key)
                run.wait(stop)
        except _Cut:
            pass
        finally:
            del _RUNS[key]
        if run.error is not None:
            raise run.error
        result: T = run.result[0]
        return result


class _Run:
    """A body in this process, and how it ended."""

    def __init__(self, body: Callable[[Steps], Any]) -> None:
        self._body = body
        self._ended = threading.Event()
        self.result: list[Any] = []
        self.error: BaseException | None = None

    def __call__(self) -> None:
        try:
            self.result.append(self._body(_Durable()))
        except _Cut as cut:
            self.error = cut.__cause__
            raise
        except BaseException as error:
            self.error = error
            raise _Cut from error
        finally:
            self._ended.set()

    def wait(self, stop: Callable[[], None]) -> None:
        """Waits for the end, also after Ctrl-C: the step under way is left in order."""
        while True:
            try:
                if self._ended.wait(_WAIT_SECONDS):
                    return
            except KeyboardInterrupt:
                stop()


_RUNS: dict[str, _Run] = {}
_WORKFLOW: list[Callable[[str], None]] = []


@contextmanager
def _engine(url: str) -> Iterator[Callable[[str], None]]:
    """The engine, for the time of one workflow; it is one for a process, so others wait."""
    from dbos import DBOS, WorkflowSerializationFormat
    from dbos._serialization import DBOSPortableJSON

    with _ENGINE:
        if not _WORKFLOW:

            @DBOS.workflow(name=_NAME, serialization_type=WorkflowSerializationFormat.PORTABLE)
            def turn(key: str) -> None:
                _RUNS[key]()

            _WORKFLOW.append(turn)
        DBOS(
            config={
                "name": "vitok",
                "system_database_url": url,
                "application_version": _NAME,
                # Two processes with one id would both take up what a third left behind.
                "executor_id": f"{os.getpid()}-{secrets.token_hex(4)}",
                "serializer": DBOSPortableJSON,
                "log_level": "CRITICAL",
                "notification_listener_polling_interval_sec": 0.1,
            }
        )
        DBOS.launch()
        try:
            yield _WORKFLOW[0]
        finally:
            DBOS.destroy()
