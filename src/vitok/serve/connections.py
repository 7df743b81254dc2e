"""Connections that cost little while they bring nothing: heads that never come, heads without end, too many at once."""

import resource
from asyncio import TimerHandle, Transport
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vitok.serve.gate import STATE, Gate
from vitok.serve.http import log

HEAD_BYTES = 64 * 2**10
HEAD_SECONDS = 10.0
REFUSAL_SECONDS = 0.1
_JOINED_BYTES = 64 * 2**10  # of more the copy would cost what the call saves
_SPARE_FILES = 128  # for the journal, models and pages
_MANY_FILES = 65_536
_TELL_SECONDS = 60.0


def most_connections() -> int:
    """How many connections a worker may hold, after it took as many files as the system gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, _MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(_SPARE_FILES, (_MANY_FILES if soft == resource.RLIM_INFINITY else soft) - _SPARE_FILES)


class _AtOnce:
    """Sends the head of an answer together with what follows: the system is called once for both, and the client too.

    Only a head that announces a length waits: what follows it is there already. A stream's goes at once.
    """

    __slots__ = ("_head", "_transport", "is_closing")

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Sends bytes, and the head that waits for them."""
        if self._head:
            head, self._head = self._head, b""
            if len(data) > _JOINED_BYTES:
                self._transport.write(head)
            else:
                data = head + data
        elif data.startswith(b"HTTP/1.1 ") and b"\r\ncontent-length: " in data:
            self._head = data
            return
        self._transport.write(data)

    def close(self) -> None:
        """Closes the connection, after what waits is sent."""
        if self._head:
            self.write(b"")
        self._transport.close()


class Connection(HttpToolsProtocol):
    """A connection whose heads must come whole, soon, and not be endless."""

    _most = 0
    _told_until = 0.0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Takes a connection, unless the worker holds too many; the first head must come now."""
        super().connection_made(transport)
        Connection._most = Connection._most or most_connections()
        self._timer: TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0
        self._gate: Gate | None = self.app_state.get(STATE)
        self._inside = 0
        self._is_turned_away = False
        self._refusals: list[bytes] = []
        if len(self.connections) > Connection._most:
            self._tell_of_too_many()
            transport.abort()
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self._head_came()
        if self._gate is not None:
            self._gate.inside -= self._inside
            self._gate = None
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._in_head = False
        self._head_came()
        cycle, gate = self.cycle, self._gate
        if gate is not None and (cycle is None or cycle.response_complete):
            behind = bool(self._refusals)  # answers go out in the order of the requests
            self._is_turned_away = behind or gate.turns_away(self.parser.get_method(), self.url, self.headers)
            if self._is_turned_away:
                return
        super().on_headers_complete()
        cycle = self.cycle
        if cycle is not None and cycle.transport is self.transport and self.scope["method"] != "HEAD":
            cycle.transport = cast("Transport", _AtOnce(self.transport))

    def on_body(self, body: bytes) -> None:
        """Bytes of a body; of a request that is turned away they are not kept."""
        if not self._is_turned_away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole: it counts until it is answered, or is turned away."""
        if self._is_turned_away and self._gate is not None:
            self._is_turned_away = False
            self._refusals.append(self._gate.refusal(self.url, self.server_state.default_headers))
            if len(self._refusals) == 1:
                self.flow.pause_reading()
                self.loop.call_later(REFUSAL_SECONDS, self._turn_away)
            return
        super().on_message_complete()
        is_open = self.cycle is not None and not self.cycle.response_complete
        if self._gate is not None and is_open and self.scope["method"] == "POST":
            self._gate.inside += 1
            self._inside += 1

    def on_response_complete(self) -> None:
        """A request is answered."""
        if self._gate is not None and self._inside:
            self._gate.inside -= 1
            self._inside -= 1
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        """Takes bytes, and refuses a head that has become too long."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                return self._refuse()
        if self._timer is None and (self._in_head or self.cycle is None or self.cycle.response_complete):
            self._wait_for_head()
        return None

    def _turn_away(self) -> None:
        """Refuses requests, after a while: whoever asks again at once would take the time of those inside."""
        refusals, self._refusals = self._refusals, []
        if self.transport.is_closing():
            return
        self.transport.write(b"".join(refusals))
        self.flow.resume_reading()
        if not self.parser.should_keep_alive():
            self.transport.close()

    def _tell_of_too_many(self) -> None:
        """Now and then, not for each: whoever sends too many would fill the log too."""
        if self.loop.time() >= Connection._told_until:
            Connection._told_until = self.loop.time() + _TELL_SECONDS
            log.warning("more than %d connections: new ones are closed", Connection._most)

    def _wait_for_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _head_came(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self) -> None:
        body = b'{"error":"headers: are longer than %d bytes. Send fewer or shorter ones"}' % HEAD_BYTES
        head = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
        self.transport.write(head + b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body))
        self.transport.close()
