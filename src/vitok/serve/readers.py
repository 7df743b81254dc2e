"""Reading bodies, and ending requests whose body does not come."""

import asyncio
import time

from vitok.serve.http import HttpProblem, Receive, Request, Scope, read_request

MOST_BYTES = 256 * 2**20  # of bodies that come in parts, in all requests of a worker together
_LONGEST_SECONDS = 20.0
_LOOK_SECONDS = 1.0


class Readers:
    """The requests whose bodies are being read. Nobody waits for them: they hold a connection, but no place.

    Bodies that come in parts count until their request is answered: what is read of them takes memory too.
    """

    def __init__(self) -> None:
        self._held: dict[asyncio.Task[object], int] = {}
        self._all_held = 0
        self._since: dict[asyncio.Task[object], float] = {}
        self._ended: set[asyncio.Task[object]] = set()

    async def read(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, limit: int) -> Request:
        """Reads a request with its whole body.

        Raises:
            HttpProblem: as `read_request`; 408 if the body takes longer than twenty seconds; 429 if the bodies of all
                requests together are too large.
        """
        task = asyncio.current_task()
        assert task is not None
        self._since[task] = time.monotonic()
        try:
            return await read_request(scope, headers, receive, limit, self._hold)
        except asyncio.CancelledError:
            if task not in self._ended:
                raise
            self._ended.discard(task)
            task.uncancel()
            text = f"body: did not come within {_LONGEST_SECONDS:g} s"
            raise HttpProblem(408, text, ((b"connection", b"close"),)) from None
        finally:
            del self._since[task]

    def answered(self) -> None:
        """Takes note that the request of this task needs its body no more."""
        if self._held and (task := asyncio.current_task()) is not None:
            self._all_held -= self._held.pop(task, 0)

    def _hold(self, size: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._held[task] = self._held.get(task, 0) + size
        self._all_held += size
        if self._all_held > MOST_BYTES:
            text = "body: the requests in progress are too large together. Try again in a second"
            raise HttpProblem(429, text, ((b"retry-after", b"1"), (b"connection", b"close")))

    async def end_slow_ones(self) -> None:
        """Ends what takes too long, again and again, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for task, since in list(self._since.items()):
                if time.monotonic() - since > _LONGEST_SECONDS and task not in self._ended:
                    self._ended.add(task)
                    task.cancel()
