"""Places and deeds as addresses: the page, the form, and the same as JSON under `/api`."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Match, Route

from vitok.errors import VitokError
from vitok.loop.control import Control, Visitor
from vitok.web.door import (
    HEADERS,
    Handler,
    Problem,
    form_of,
    guarded,
    json_of,
    local_path,
    status_of,
    visitor_of,
)
from vitok.web.language import catalogue
from vitok.web.place import Ask, Deed, Place, Values
from vitok.web.render import LANGUAGE, SAID, language_of, page

_LONGEST_VALUE = 2000
_LONGEST_KEY = 200
_SAID_SECONDS = 30
_TRUE, _FALSE = frozenset({"1", "on", "true", "yes"}), frozenset({"", "0", "off", "false", "no"})


class Pages:
    """What browsers and programs see of places, and do in them."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def routes(self, places: tuple[Place, ...], deeds: tuple[Deed, ...]) -> list[Route]:
        """All addresses: those without a name in them first, so that a name never hides one."""
        routes = [route for place in places for route in self._of_place(place)]
        routes += [route for deed in deeds for route in self._of_deed(deed)]
        return sorted(routes, key=lambda route: route.path.count("{"))

    def _of_place(self, place: Place) -> list[Route]:
        async def shown(request: Request, visitor: Visitor) -> Response:
            asked = _asked(request, visitor, place.asks)

            def read() -> Values:
                found = place.read(self._control.project, asked)
                charts = {name: draw(found) for name, draw in place.charts.items()}
                return {"found": found, "asked": asked, "charts": charts}

            return await self._page(request, place.template, visitor, read)

        async def told(request: Request, visitor: Visitor) -> Response:
            asked = _asked(request, visitor, place.asks)

            def answered() -> Response:
                return JSONResponse(place.read(self._control.project, asked), headers=HEADERS)

            return await run_in_threadpool(answered)

        api = guarded(self._control, place.api, "GET", place.act, told)
        return [self._page_route(place.path, "GET", place.act, shown), api] if place.template else [api]

    def _of_deed(self, deed: Deed) -> list[Route]:
        async def sent(request: Request, visitor: Visitor) -> Response:
            values = _values(await form_of(request), deed.asks) | _of_path(request)
            done = await run_in_threadpool(deed.do, self._control.project, visitor.name, values)
            if deed.template:
                return await self._page(request, deed.template, visitor, lambda: {"found": done})
            then = deed.then.format_map({name: quote(str(value)) for name, value in values.items()})
            return said(RedirectResponse(then, 303, headers=HEADERS), request, deed.said)

        async def told(request: Request, visitor: Visitor) -> Response:
            values = await _object(request, deed.asks) | _of_path(request) | _key(request)
            done = await run_in_threadpool(deed.do, self._control.project, visitor.name, values)
            return JSONResponse(done, deed.status, headers=HEADERS)

        api = guarded(self._control, deed.api, "POST", deed.act, told)
        return [self._page_route(deed.path, "POST", deed.act, sent), api]

    def _page_route(self, path: str, method: str, act: Any, handler: Handler) -> Route:
        return guarded(self._control, path, method, act, handler, failed=self.failed)

    async def _page(
        self,
        request: Request,
        template: str,
        visitor: Visitor | None,
        read: Callable[[], Values],
        status: int = 200,
    ) -> Response:
        """Reads, draws and writes a page, none of it in the loop that answers predictions."""

        def written() -> Response:
            name, content = self._control.project.charter.project, read()
            return page(request, template, visitor=visitor, project=name, status=status, content=content)

        return await run_in_threadpool(written)

    async def not_found(self, request: Request, error: Exception) -> Response:
        """What is said of an address that there is not: a page for browsers, an object for programs."""
        what = f"there is no {request.url.path[:200]}"
        if "text/html" not in request.headers.get("accept", ""):
            told = {"error": f"{what}; see / , /openapi.json, /api/openapi.json or /v2"}
            return JSONResponse(told, 404, headers=HEADERS)
        visitor = await visitor_of(self._control, request)
        found = {"place": "", "what": what, "remedy": "", "back": "/"}
        return await self._page(request, "failed.html", visitor, lambda: {"found": found}, 404)

    async def not_allowed(self, request: Request, error: Exception) -> Response:
        """What is said of a method that an address does not take: those that it does."""
        found = [route for route in request.app.routes if isinstance(route, Route)]
        matching = [route for route in found if route.matches(request.scope)[0] != Match.NONE]
        here = [route for route in matching if route.path == matching[0].path]  # a name may match more
        allowed = ", ".join(sorted({method for route in here for method in route.methods or ()}))
        told = {"error": f"{request.url.path[:200]}: takes {allowed}, not {request.method}"}
        return JSONResponse(told, 405, headers={**HEADERS, "Allow": allowed})

    async def failed_badly(self, request: Request, error: Exception) -> Response:
        """What is said of a fault of our own: the log has the rest."""
        if "text/html" not in request.headers.get("accept", ""):
            text = "something went wrong; the server's log has it"
            return JSONResponse({"error": text}, 500, headers=HEADERS)
        return await self.failed(request, None, error)

    async def failed(self, request: Request, visitor: Visitor | None, error: Exception) -> Response:
        """The page that says what is so, and what to do next."""
        found, status = explained(error)
        back = urlsplit(request.headers.get("referer", "")).path if request.method == "POST" else "/"
        found["back"] = local_path(back)
        return await self._page(request, "failed.html", visitor, lambda: {"found": found}, status)


def explained(error: Exception) -> tuple[Values, int]:
    """What a page says of an error: what is so, what to do next; and the status of HTTP."""
    if isinstance(error, Problem):
        return {"place": "", "what": str(error), "remedy": ""}, error.status
    if isinstance(error, VitokError):
        return {"place": error.place, "what": error.what, "remedy": error.remedy}, status_of(error)
    if isinstance(error, DBAPIError):
        what = "the state database does not answer"
        remedy = "Predictions go on. Ask the one who runs this server: vitok doctor says what is wrong."
        return {"place": "", "what": what, "remedy": remedy}, 503
    return {"place": "", "what": "something went wrong", "remedy": "The log of the server has it."}, 500


def said(answer: Response, request: Request, text: str) -> Response:
    """The answer, with something to say on the next page."""
    written = quote(catalogue(language_of(request)).gettext(text))
    answer.set_cookie(SAID, written, max_age=_SAID_SECONDS, httponly=True, samesite="strict")
    return answer


async def choose_language(request: Request) -> Response:
    """Remembers the language that a reader chose, and goes back."""
    form = await form_of(request)
    answer = RedirectResponse(local_path(form.get("back", "/")), 303, headers=HEADERS)
    answer.set_cookie(
        LANGUAGE, form.get("language", "en")[:5], max_age=365 * 86400, httponly=True, samesite="strict"
    )
    return answer


def _of_path(request: Request) -> Values:
    return {name: str(value)[:_LONGEST_VALUE] for name, value in request.path_params.items()}


def _asked(request: Request, visitor: Visitor, asks: Mapping[str, Ask]) -> Values:
    """What the address says, and under `acts` what the reader may do."""
    sent = request.query_params
    for name in asks:
        if len(sent.getlist(name)) > 1:
            raise Problem(400, f"{name}: is given more than once")
    return _values(dict(sent), asks) | _of_path(request) | {"acts": visitor.acts}


def _values(sent: Mapping[str, str], asks: Mapping[str, Ask]) -> Values:
    """The values that were sent as text; what is not asked for is passed over, as browsers add things."""
    return {name: _value(name, sent.get(name, ""), ask) for name, ask in asks.items()}


def _value(name: str, text: str, ask: Ask) -> Any:
    if ask.kind is bool and text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    if not text.strip():
        if ask.needed:
            raise Problem(400, f"{name}: is missing")
        return None
    if len(text) > _LONGEST_VALUE:
        raise Problem(400, f"{name}: has {len(text)} characters; at most {_LONGEST_VALUE}")
    if ask.choices and text not in ask.choices:
        raise Problem(400, f"{name}: {text[:50]!r} is not known; one of {', '.join(ask.choices)}")
    if ask.kind is bool:
        raise Problem(400, f"{name}: {text[:50]!r} is neither true nor false")
    try:
        return ask.kind(text)
    except ValueError as error:
        raise Problem(400, f"{name}: {text[:50]!r} is no number") from error


async def _object(request: Request, asks: Mapping[str, Ask]) -> Values:
    """The values that were sent as a JSON object."""
    kinds = {name: ask.kind if ask.needed else ask.kind | None for name, ask in asks.items()}
    found = await json_of(request, **kinds)
    for name, ask in asks.items():
        if found[name] is not None and ask.choices and found[name] not in ask.choices:
            raise Problem(400, f"{name}: {found[name][:50]!r} is not known; one of {', '.join(ask.choices)}")
        if isinstance(found[name], str) and len(found[name]) > _LONGEST_VALUE:
            raise Problem(400, f"{name}: has {len(found[name])} characters; at most {_LONGEST_VALUE}")
    return found


def _key(request: Request) -> Values:
    """By which a program says that it asks for the same thing again."""
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise Problem(400, f"Idempotency-Key has {len(key)} characters; give 1 to {_LONGEST_KEY}")
    return {"idempotency_key": key}
