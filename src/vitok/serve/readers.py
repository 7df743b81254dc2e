"""Reading bodies, and ending requests whose body does not come."""

import asyncio
import time

from vitok.serve.http import HttpProblem, Receive, Request, Scope, read_request

_LONGEST_SECONDS = 20.0
_LOOK_SECONDS = 1.0


class Readers:
    """The requests whose bodies are being read. Nobody waits for them: they hold a connection, but no place."""

    def __init__(self) -> None:
        self._since: dict[asyncio.Task[object], float] = {}
        self._ended: set[asyncio.Task[object]] = set()

    async def read(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, limit: int) -> Request:
        """Reads a request with its whole body.

        Raises:
            HttpProblem: as `read_request`, and 408 if the body takes longer than twenty seconds.
        """
        task = asyncio.current_task()
        assert task is not None
        self._since[task] = time.monotonic()
        try:
            return await read_request(scope, headers, receive, limit)
        except asyncio.CancelledError:
            if task not in self._ended:
                raise
            self._ended.discard(task)
            task.uncancel()
            text = f"body: did not come within {_LONGEST_SECONDS:g} s"
            raise HttpProblem(408, text, ((b"connection", b"close"),)) from None
        finally:
            del self._since[task]

    async def end_slow_ones(self) -> None:
        """Ends what takes too long, again and again, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for task, since in list(self._since.items()):
                if time.monotonic() - since > _LONGEST_SECONDS and task not in self._ended:
                    self._ended.add(task)
                    task.cancel()
