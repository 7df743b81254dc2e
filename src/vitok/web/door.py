"""The door of the control plane: every address says which act it is, and is closed to whoever may not do it."""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from vitok.errors import Busy, Fault, NotFound, Refused, UserMistake, VitokError
from vitok.govern.roles import Act
from vitok.kernel.origins import comes_from_elsewhere
from vitok.loop.control import Control, Visitor
from vitok.loop.users import SESSION_HOURS

SESSION = "vitok_session"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with `no-referrer` browsers say of their own forms that they come from nowhere
    "Cache-Control": "no-store",
}
_LOG = logging.getLogger(__name__)
_LONGEST = 20_000  # bytes of a form or a JSON object

Handler = Callable[[Request, Visitor], Awaitable[Response]]
Failed = Callable[[Request, Visitor | None, Exception], Awaitable[Response]]


class Problem(Exception):
    """A request that is not answered.

    Args:
        status: Of HTTP.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def guarded(
    control: Control, path: str, method: str, act: Act, handler: Handler, *, failed: Failed | None = None
) -> Route:
    """An address that only those get to who may do the act.

    Args:
        failed: Makes the page that tells a browser of an error, where browsers ask: there who is not known is shown
            the log-in. None for programs, which read JSON.
    """

    async def endpoint(request: Request) -> Response:
        visitor = None
        try:
            if method != "GET":
                require_same_origin(request)
            visitor = await visitor_of(control, request)
            if visitor is None:
                return _unknown() if failed is None else _to_log_in(request)
            control.require(visitor, act)
            return await handler(request, visitor)
        except (VitokError, Problem) as error:
            return told_as_json(error) if failed is None else await failed(request, visitor, error)
        except DBAPIError as error:
            _LOG.exception("the state database does not answer")
            return _no_database() if failed is None else await failed(request, visitor, error)

    return Route(path, endpoint, methods=[method], name=f"{act} {method} {path}")


def _unknown() -> Response:
    told = {**HEADERS, "WWW-Authenticate": "Bearer"}
    return JSONResponse({"error": "log in, or send a key: Authorization: Bearer KEY"}, 401, headers=told)


def _to_log_in(request: Request) -> Response:
    """To the log-in, and from there back to where the reader was; a form that was sent says that nothing was done."""
    sent = request.method == "POST"
    back = urlsplit(request.headers.get("referer", "")).path if sent else request.url.path
    query = {"then": local_path(back)} | ({"ended": "1"} if sent else {})
    return RedirectResponse(f"/login?{urlencode(query)}", 303, headers=HEADERS)


def _no_database() -> Response:
    told = {"error": "the state database does not answer; predictions go on"}
    return JSONResponse(told, 503, headers=HEADERS)


def local_path(path: str) -> str:
    """The path, if it leads to a page of this server; else the first page.

    >>> local_path("/turns/3"), local_path("//evil.example"), local_path("https://evil.example")
    ('/turns/3', '/', '/')
    """
    return path if re.match(r"/(?![/\\])[^\x00-\x1f]*$", path) else "/"


async def visitor_of(control: Control, request: Request) -> Visitor | None:
    """Who asks, by key, token or session."""
    return await run_in_threadpool(
        control.visitor,
        is_guarded=bool(request.scope.get("vitok.guarded", False)),
        key=request.scope.get("vitok.key"),
        session=request.cookies.get(SESSION),
    )


def give_session(answer: Response, token: str, *, secure: bool) -> Response:
    """The answer, with a session for the browser.

    Args:
        secure: Whether it is sent back over TLS only.
    """
    age = SESSION_HOURS * 3600
    answer.set_cookie(SESSION, token, max_age=age, httponly=True, samesite="strict", secure=secure)
    return answer


def require_same_origin(request: Request) -> None:
    """Refuses what another page lets a browser send: nobody acts without wanting to.

    Raises:
        Problem: 403.
    """
    asked = request.headers
    if comes_from_elsewhere(asked.get("sec-fetch-site"), asked.get("origin"), asked.get("host", "")):
        raise Problem(403, "this request comes from another page")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that was sent; of one that is too long, nothing."""
    body = await _body(request)
    return {} if body is None else dict(parse_qsl(body.decode("utf-8", "replace")))


async def json_of(request: Request, **kinds: Any) -> dict[str, Any]:
    """The JSON object that was sent.

    Args:
        kinds: Type of each field; what may be left out has None among its types.

    Raises:
        Problem: 415 it is not sent as JSON; 413 it is too long; 400 it is not what it must be.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "send the header Content-Type: application/json")
    body = await _body(request)
    if body is None:
        raise Problem(413, f"the body is longer than {_LONGEST} bytes")
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
        unknown = sorted(found.keys() - kinds.keys())
        if unknown:
            raise Problem(400, f"unknown field {unknown[0][:50]!r}; known: {', '.join(kinds)}")
        return {name: msgspec.convert(found.get(name), kind) for name, kind in kinds.items()}
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Problem(400, f"the body is not what it must be: {error}") from error


async def _body(request: Request) -> bytes | None:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST:
            return None
    return body


def told_as_json(error: VitokError | Problem) -> Response:
    """An error as a client reads it."""
    if isinstance(error, Problem):
        return JSONResponse({"error": str(error)}, error.status, headers=HEADERS)
    return JSONResponse({"error": str(error)}, status_of(error), headers=HEADERS)


def status_of(error: VitokError) -> int:
    """The HTTP status that an error means."""
    kinds = {Refused: 403, NotFound: 404, Busy: 409, UserMistake: 400, Fault: 500}
    return next((status for kind, status in kinds.items() if isinstance(error, kind)), 500)
