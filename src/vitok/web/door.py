"""The door of the control plane: every address says which act it is, and is closed to whoever may not do it."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from vitok.errors import Busy, Fault, NotFound, Refused, UserMistake, VitokError
from vitok.govern.roles import Act
from vitok.loop.control import Control, Visitor

SESSION = "vitok_session"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with `no-referrer` browsers say of their own forms that they come from nowhere
    "Cache-Control": "no-store",
}
_LONGEST = 20_000  # bytes of a form or a JSON object

Handler = Callable[[Request, Visitor], Awaitable[Response]]


class Problem(Exception):
    """A request that is not answered.

    Args:
        status: Of HTTP.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def guarded(
    control: Control, path: str, method: str, act: Act, handler: Handler, *, page: bool = False
) -> Route:
    """An address that only those get to who may do the act.

    Args:
        page: Whether browsers ask for it: who is not known is shown the log-in.
    """

    async def endpoint(request: Request) -> Response:
        try:
            if method != "GET":
                require_same_origin(request)
            visitor = await visitor_of(control, request)
            if visitor is None:
                if page:
                    return RedirectResponse("/login", 303, headers=HEADERS)
                told = {**HEADERS, "WWW-Authenticate": "Bearer"}
                return JSONResponse(
                    {"error": "log in, or send a key: Authorization: Bearer KEY"}, 401, headers=told
                )
            control.require(visitor, act)
            return await handler(request, visitor)
        except (VitokError, Problem) as error:
            return told_as_json(error)

    return Route(path, endpoint, methods=[method], name=f"{act} {method} {path}")


async def visitor_of(control: Control, request: Request) -> Visitor | None:
    """Who asks, by key, token or session."""
    return await run_in_threadpool(
        control.visitor,
        is_guarded=bool(request.scope.get("vitok.guarded", False)),
        key=request.scope.get("vitok.key"),
        session=request.cookies.get(SESSION),
    )


def require_same_origin(request: Request) -> None:
    """Refuses what another page lets a browser send: nobody acts without wanting to.

    Raises:
        Problem: 403.
    """
    site = request.headers.get("sec-fetch-site")
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    differs = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
    if site in ("cross-site", "same-site") or (differs and site != "same-origin"):
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
