"""Pages that follow what happens: one look a second at a mark of the state, told to every reader as it changes."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable
from types import FrameType

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
        self._readers: set[asyncio.Queue[str | None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._is_warned = False

    async def follow(self, request: Request, visitor: Visitor) -> Response:
        """The events, for as long as the reader listens; who comes back is told what was missed meanwhile."""
        if len(self._readers) >= _MOST:
            raise Problem(503, f"{_MOST} readers follow already; load the page again to see it anew")
        self._hear_of_the_end()
        headers = {**HEADERS, "X-Accel-Buffering": "no"}
        events = self._events(request.headers.get("last-event-id"))
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def _events(self, seen: str | None) -> AsyncIterator[str]:
        told: asyncio.Queue[str | None] = asyncio.Queue(maxsize=1)
        self._readers.add(told)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            now = await self._marked()
            yield f"retry: 3000\nid: {now}\n\n"
            if seen not in (None, now):
                yield _changed(now)
            while True:
                try:
                    found = await asyncio.wait_for(told.get(), _BEAT_SECONDS)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if found is None:  # the server ends, and would wait for its readers
                    return
                yield _changed(found)
        finally:
            self._readers.discard(told)

    async def _look(self) -> None:
        """Looks as long as somebody listens."""
        before = None
        while self._readers:
            now = await self._marked()
            if before is not None and now != before:
                self._tell(now)
            before = now
            await asyncio.sleep(_LOOK_SECONDS)

    async def _marked(self) -> str:
        try:
            return await run_in_threadpool(self._mark)
        except Exception:  # a database that is away is told of by the pages themselves
            return "away"

    def _tell(self, what: str | None) -> None:
        for reader in self._readers:
            if what is None and reader.full():
                reader.get_nowait()
            if not reader.full():
                reader.put_nowait(what)

    def _hear_of_the_end(self) -> None:
        """Lets readers go when the process is told to end, before what else it does then.

        The server itself tells its applications only when every connection has ended, which these never do.
        """
        if self._is_warned or threading.current_thread() is not threading.main_thread():
            return
        self._is_warned, loop = True, asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _first(lambda: loop.call_soon_threadsafe(self._tell, None), number))


def _first(call: Callable[[], object], number: int) -> Callable[[int, FrameType | None], None]:
    """A handler that calls, and then does what the one before does."""
    before = signal.getsignal(number)

    def handle(number: int, frame: FrameType | None) -> None:
        call()
        if callable(before):
            before(number, frame)

    return handle


def _changed(mark: str) -> str:
    return f"event: changed\nid: {mark}\ndata: {mark}\n\n"
