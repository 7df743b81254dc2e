"""Compressed bodies: requests that come in gzip or deflate, and answers for whoever accepts them."""

import asyncio
import zlib
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

from vitok.serve.http import ASGIApp, HttpProblem, Receive, Scope, Send

_ANY_HEADER = 47  # zlib's window bits for "gzip or zlib, look at the header"
_WINDOW = {"gzip": 31, "deflate": 15}
_INLINE_BYTES = 2**10  # deflate grows at most 1032-fold: so little is inflated in 2 ms, more goes to a thread
_WORTH_BYTES = (
    8 * 2**10
)  # packing a shorter answer costs more than it saves: it fits into a few packets anyway
_THREAD_BYTES = 128 * 2**10  # so much is packed in about 2 ms
_CODINGS = (b"gzip", b"x-gzip", b"deflate")


async def answer_coded(app: ASGIApp, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    """Lets an application answer a request whose bodies may be compressed, without its knowing.

    Args:
        limit: Most bytes of a body, compressed or not; a request that inflates to more is refused (413) before it is
            inflated any further.
    """
    accepted = None
    for name, value in scope["headers"]:
        if name == b"content-encoding" and value.lower() in _CODINGS:
            scope = {**scope, "headers": [item for item in scope["headers"] if item[0] != name]}
            receive = _Inflated(receive, limit)
        elif name == b"accept-encoding":
            accepted = accepted_coding(value)
    await app(scope, receive, send if accepted is None else _Packed(send, accepted))


@lru_cache(maxsize=64)
def accepted_coding(header: bytes) -> str | None:
    """The coding of ours that an `Accept-Encoding` prefers; None for the plain answer.

    >>> accepted_coding(b"deflate, gzip;q=0.5, br"), accepted_coding(b"gzip;q=0, *"), accepted_coding(b"gzip, deflate")
    ('deflate', None, 'gzip')
    """
    best: tuple[float, str] | None = None
    for part in header.decode("latin-1").lower().split(","):
        name, _, weight = part.replace(" ", "").partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if name in _WINDOW and quality > 0 and (best is None or quality > best[0]):
            best = (quality, name)
    return None if best is None else best[1]


class _Inflated:
    """Gives a compressed body as one message, inflated; then whatever else the server says."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._is_read = False

    async def __call__(self) -> MutableMapping[str, Any]:
        if self._is_read:
            return await self._receive()
        self._is_read = True
        inflater, read, size = _Inflater(), 0, 0
        parts: list[bytes] = []
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            content: bytes = message.get("body", b"")
            read += len(content)
            if read <= self._limit:
                parts.append(await self._inflate(inflater, content, self._limit + 1 - size))
                size += len(parts[-1])
            if max(read, size) > self._limit:
                raise HttpProblem(
                    413,
                    f"body: is larger than {self._limit} bytes once inflated. Send fewer rows",
                    ((b"connection", b"close"),),
                )
            if not message.get("more_body"):
                inflater.require_end()
                return {"type": "http.request", "body": b"".join(parts), "more_body": False}

    async def _inflate(self, inflater: "_Inflater", content: bytes, most: int) -> bytes:
        if len(content) <= _INLINE_BYTES:
            return inflater.inflate(content, most)
        return await asyncio.to_thread(inflater.inflate, content, most)


class _Inflater:
    """Inflates gzip, zlib, or bare deflate, which some clients send under the name of zlib's."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_ANY_HEADER)
        self._is_new = True

    def inflate(self, content: bytes, most: int) -> bytes:
        """The next piece, at most so many bytes of it."""
        is_new, self._is_new = self._is_new, self._is_new and not content
        try:
            return self._inflate.decompress(content, most)
        except zlib.error as error:
            if is_new:
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
                return self.inflate(content, most)
            raise HttpProblem(
                400, f"body: is not what its Content-Encoding says ({error}). Send gzip or deflate"
            ) from error

    def require_end(self) -> None:
        """Refuses a body that ends too early, or goes on after its end."""
        if not self._inflate.eof:
            raise HttpProblem(400, "body: ends inside of its compressed data. Send all of it")
        if self._inflate.unused_data:
            raise HttpProblem(400, "body: goes on after the end of its compressed data. Send one piece")


class _Packed:
    """Sends an answer compressed if it is long enough and in one piece."""

    def __init__(self, send: Send, coding: str) -> None:
        self._send = send
        self._coding = coding
        self._start: MutableMapping[str, Any] | None = None

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            body: bytes = message.get("body", b"")
            if len(body) >= _WORTH_BYTES and not message.get("more_body") and _is_plain(start):
                message = {**message, "body": await self._pack(body)}
                start = {**start, "headers": self._headers(start, len(message["body"]))}
            await self._send(start)
        await self._send(message)

    async def _pack(self, body: bytes) -> bytes:
        packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW[self._coding])
        if len(body) <= _THREAD_BYTES:
            return packer.compress(body) + packer.flush()
        return await asyncio.to_thread(lambda: packer.compress(body) + packer.flush())

    def _headers(self, start: MutableMapping[str, Any], length: int) -> list[tuple[bytes, bytes]]:
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        return [
            *kept,
            (b"content-length", str(length).encode()),
            (b"content-encoding", self._coding.encode()),
            (b"vary", b"accept-encoding"),
        ]


def _is_plain(start: MutableMapping[str, Any]) -> bool:
    return all(name.lower() != b"content-encoding" for name, _ in start["headers"])
