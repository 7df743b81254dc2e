"""Trying to tell several addresses at once: none waits for another, and none keeps its caller for long."""

import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from vitok.kernel.clock import stopwatch
from vitok.registry.events import Event

TIMEOUT_SECONDS = 5.0  # without a byte
LONGEST_SECONDS = 10.0  # of one attempt, also at an address that sends a byte now and then
_ROUND_SECONDS = 12.0  # of all attempts together
LATE = "did not answer in time"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an event could not be delivered.

    Args:
        problem: For people; without anything that is secret.
        answered: Whether the address is there and refused this event; if not, others need not be tried either.
        wait: How long the address asks to be left alone.
        tried: Whether this event was really tried; if not, it loses no attempt.
    """

    problem: str
    answered: bool = True
    wait: timedelta | None = None
    tried: bool = True


def attempts(
    waiting: Mapping[str, Sequence[Event]], bring: Callable[[Event], Failure | None]
) -> Iterator[tuple[Event, Failure | None]]:
    """Tries all events, each address in a thread of its own, and gives what became of them as it becomes known.

    An address that is away, or asks to be left alone, is not asked for its other events; they share its failure.
    What has not answered when the round is over is given as failed; a thread that still hangs ends by itself.

    Args:
        waiting: Events by address, oldest first.
        bring: Brings one event to its address.
    """
    done: queue.Queue[tuple[Event, Failure | None]] = queue.Queue()
    started = stopwatch()
    for events in waiting.values():
        threading.Thread(target=_try, args=(events, bring, started, done), daemon=True).start()
    left = {event.id: event for events in waiting.values() for event in events}
    while left:
        try:
            event, failure = done.get(timeout=max(0.0, started + _ROUND_SECONDS - stopwatch()))
        except queue.Empty:
            break
        del left[event.id]
        yield event, failure
    yield from ((event, Failure(LATE, answered=False)) for event in left.values())


def _try(
    events: Sequence[Event],
    bring: Callable[[Event], Failure | None],
    started: float,
    done: "queue.Queue[tuple[Event, Failure | None]]",
) -> None:
    shared: Failure | None = None
    for event in events:
        if shared is None and stopwatch() > started + LONGEST_SECONDS:
            shared = Failure("", tried=False)  # a slow address; its turn comes again in the next round
        if shared is not None:
            done.put((event, shared))
            continue
        failure = bring(event)
        done.put((event, failure))
        if failure is not None and failure.wait is not None:
            shared = replace(failure, tried=False)
        elif failure is not None and not failure.answered:
            shared = failure


class Deadline:
    """Ends the sockets of an attempt when it has had its time: a time-out alone begins anew with each byte."""

    def __init__(self) -> None:
        self.is_over = False
        self._sockets: list[socket.socket] = []

    def watch(self, found: socket.socket) -> None:
        """Ends this socket too."""
        self._sockets.append(found)

    def end(self) -> None:
        """The time is over."""
        self.is_over = True
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def deadline() -> Iterator[Deadline]:
    """A deadline for what is done inside."""
    found = Deadline()
    timer = threading.Timer(LONGEST_SECONDS, found.end)
    timer.daemon = True
    timer.start()
    try:
        yield found
    finally:
        timer.cancel()
