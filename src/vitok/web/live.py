"""Pages that follow what happens: one look a second at a mark of the state, told to every reader as it changes."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from vitok.loop.control import Visitor
from vitok.web.door import HEADERS, Problem

_LOOK_SECONDS = 1.0
_BEAT_SECONDS = 15.0  # something is said at least so often, or proxies end the connection
_MOST = 200  # readers at a time of one worker


class Live:
    """Tells readers that something has changed, without saying what: they ask for their page again.

    Args:
        mark: Something that differs whenever what pages show does.
    """

    def __init__(self, mark: Callable[[], str]) -> None:
        self._mark = mark
        self._readers: set[asyncio.Queue[str]] = set()
        self._looking: asyncio.Task[None] | None = None

    async def follow(self, request: Request, visitor: Visitor) -> Response:
        """The events, for as long as the reader listens."""
        if len(self._readers) >= _MOST:
            raise Problem(503, f"{_MOST} readers follow already; load the page again to see it anew")
        headers = {**HEADERS, "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(), media_type="text/event-stream", headers=headers)

    async def _events(self) -> AsyncIterator[str]:
        told: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        self._readers.add(told)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield "retry: 3000\n\n"
            while True:
                try:
                    yield f"event: changed\ndata: {await asyncio.wait_for(told.get(), _BEAT_SECONDS)}\n\n"
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._readers.discard(told)

    async def _look(self) -> None:
        """Looks as long as somebody listens."""
        before = None
        while self._readers:
            try:
                now = await run_in_threadpool(self._mark)
            except Exception:  # a database that is away is told of by the pages themselves
                now = "?"
            if before is not None and now != before:
                for reader in self._readers:
                    if reader.empty():
                        reader.put_nowait(now)
            before = now
            await asyncio.sleep(_LOOK_SECONDS)
