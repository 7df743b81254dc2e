"""The few parts of HTTP that the data plane needs, on bare ASGI: bodies, answers, and errors as statuses."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import msgspec

from vitok.errors import Busy, NotFound, Refused, UserMistake
from vitok.kernel.origins import comes_from_elsewhere

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_ROWS = 10_000
log = logging.getLogger("vitok.serve")
_SAFE = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
encode = msgspec.json.Encoder().encode


class Request(NamedTuple):
    """One request whose body has been read."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes
    query: bytes = b""
    caller: str | None = None


class Response(NamedTuple):
    """One answer."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


Handler = Callable[[Request, list[str]], Awaitable[Response]]


class HttpProblem(Exception):
    """A refusal that has a status of its own."""

    def __init__(self, status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.status = status
        self.headers = headers
        super().__init__(message)


def too_many_rows(count: int) -> HttpProblem:
    """The refusal of a request that brings more rows than one may."""
    return HttpProblem(413, f"rows: {count} rows, at most {MAX_ROWS}. Send several requests")


def require_same_origin(headers: dict[bytes, bytes]) -> None:
    """Refuses what the page of another site lets a browser send; programs name no origin.

    Raises:
        HttpProblem: 403.
    """
    if b"sec-fetch-site" not in headers and b"origin" not in headers:
        return
    told = {name: value.decode("latin-1") for name, value in headers.items()}
    if comes_from_elsewhere(told.get(b"sec-fetch-site"), told.get(b"origin"), told.get(b"host", "")):
        text = "this request comes from the page of another site. Let a server of yours send it"
        raise HttpProblem(403, text)


def json_response(content: Any, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(status, encode(content))


def error_response(error: Exception) -> Response:
    """The answer to a request that failed: always `{"error": "..."}`, never a stack trace."""
    if isinstance(error, HttpProblem):
        return Response(error.status, encode({"error": str(error)}), headers=error.headers)
    if isinstance(error, NotFound):
        status = 404
    elif isinstance(error, Busy):
        status = 503
    elif isinstance(error, UserMistake):
        status = 400
    elif isinstance(error, Refused):
        status = 403
    else:
        log.error("a request failed", exc_info=error)
        status = 500
    # Only messages that were written for people go out; what else went wrong is in the log.
    text = str(error) if hasattr(error, "remedy") else "the server failed: its log says why. Try again later"
    return Response(status, encode({"error": text}))


async def read_request(
    scope: Scope, headers: dict[bytes, bytes], receive: Receive, limit: int, hold: Callable[[int], None]
) -> Request:
    """Reads a request with its whole body.

    Args:
        headers: Of the scope.
        limit: Most bytes of the body.
        hold: Is told of bytes that are held until the rest comes; may refuse them.

    Raises:
        HttpProblem: the body is larger than the limit (413) or compressed (415).
    """
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise HttpProblem(
            415, "body: is packed in a way that is not known. Send it as gzip, deflate, or plain"
        )
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts, size = [body], len(body)
        hold(size)
        while message.get("more_body"):
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise _too_large(limit)
            hold(len(parts[-1]))
        body = b"".join(parts)
    return Request(scope["method"], scope["path"], headers, body, scope.get("query_string", b""))


def _too_large(limit: int) -> HttpProblem:
    text = f"body: is larger than {limit} bytes. Send fewer rows"
    return HttpProblem(413, text, ((b"connection", b"close"),))


async def send_response(send: Send, response: Response) -> None:
    """Sends an answer."""
    headers = [
        (b"content-type", response.content_type),
        (b"content-length", str(len(response.body)).encode()),
        *_SAFE,
        *response.headers,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
