"""The first page, the log-in, the page behind an approval's link, and the JSON API beside them."""

from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from vitok.errors import Busy, Refused, UserMistake, VitokError
from vitok.loop.control import Control, Visitor
from vitok.loop.users import SESSION_HOURS
from vitok.web.api import api_routes
from vitok.web.door import (
    HEADERS,
    SESSION,
    Problem,
    form_of,
    guarded,
    require_same_origin,
    told_as_json,
    visitor_of,
)

_HERE = Path(__file__).parent


class LinkDesk(Protocol):
    """What links of approvals lead to."""

    def look(self, token: str) -> dict[str, Any]:
        """What is asked."""
        ...

    def answer(self, token: str, *, yes: bool, reason: str) -> dict[str, Any]:
        """Gives the answer."""
        ...


def create_pages(control: Control, links: LinkDesk) -> Starlette:
    """The control plane of a project: pages and API.

    Args:
        links: Shows and answers what the links of approvals are for.
    """
    pages = _Pages(control, links)
    routes = [
        guarded(control, "/", "GET", "read", pages.home, page=True),
        *api_routes(control),
        # Open to all: whoever has a link or knows a password is let in by it.
        Route("/approve/{token}", pages.approve, methods=["GET", "POST"]),
        Route("/login", pages.login, methods=["GET", "POST"]),
        Route("/logout", pages.logout, methods=["POST"]),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]
    return Starlette(routes=routes, exception_handlers={404: _not_found, VitokError: _failed, 500: _failed})


class _Pages:
    """What browsers see."""

    def __init__(self, control: Control, links: LinkDesk) -> None:
        self._control, self._links = control, links
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
        )
        self._templates.filters["figure"] = lambda value: f"{value:.4g}"

    def _page(self, name: str, *, status: int = 200, **content: Any) -> Response:
        return HTMLResponse(self._templates.get_template(name).render(**content), status, headers=HEADERS)

    async def home(self, request: Request, visitor: Visitor) -> Response:
        found = await run_in_threadpool(self._control.status)
        return self._page("home.html", found=found, visitor=visitor)

    async def login(self, request: Request) -> Response:
        """Asks for name and password, and gives a session for them."""
        if request.method == "GET":
            return self._page("login.html", problem="")
        try:
            require_same_origin(request)
            form = await form_of(request)
            address = request.client.host if request.client else "?"
            name, password = form.get("name", ""), form.get("password", "")
            token = await run_in_threadpool(self._control.log_in, name, password, address)
        except Problem as error:
            return self._page("login.html", problem=str(error), status=error.status)
        except (Refused, Busy, UserMistake) as error:
            status = 429 if isinstance(error, Busy) else 403
            return self._page("login.html", problem=f"{error.what}. {error.remedy}", status=status)
        answer = RedirectResponse("/", 303, headers=HEADERS)
        secure = request.url.scheme == "https"
        age = SESSION_HOURS * 3600
        answer.set_cookie(SESSION, token, max_age=age, httponly=True, samesite="strict", secure=secure)
        return answer

    async def logout(self, request: Request) -> Response:
        """Ends the sessions of whoever asks."""
        try:
            require_same_origin(request)
        except Problem as error:
            return told_as_json(error)
        visitor = await visitor_of(self._control, request)
        if visitor is not None and visitor.has_session:
            await run_in_threadpool(self._control.log_out, visitor.name)
        answer = RedirectResponse("/login", 303, headers=HEADERS)
        answer.delete_cookie(SESSION, httponly=True, samesite="strict")
        return answer

    async def approve(self, request: Request) -> Response:
        """Shows what a link asks, and takes the answer."""
        token, links = request.path_params["token"], self._links
        try:
            if request.method == "GET":
                return self._page(
                    "approve.html", asked=await run_in_threadpool(links.look, token), problem=""
                )
            form = await form_of(request)
            yes, reason = form.get("answer") == "yes", form.get("reason", "")
            if form.get("answer") not in ("yes", "no"):
                asked = await run_in_threadpool(links.look, token)
                return self._page("approve.html", asked=asked, problem="Choose yes or no.", status=400)
            done = await run_in_threadpool(links.answer, token, yes=yes, reason=reason)
            return self._page("approved.html", done=done, yes=yes)
        except UserMistake as error:
            return self._page("refused.html", error=error, status=400)
        except Refused as error:
            return self._page("refused.html", error=error, status=403)


async def _not_found(request: Request, error: Exception) -> Response:
    message = f"there is no {request.url.path}; see / , /openapi.json or /v2"
    return JSONResponse({"error": message}, status_code=404, headers=HEADERS)


async def _failed(request: Request, error: Exception) -> Response:
    text = str(error) if isinstance(error, VitokError) else "something went wrong; the server's log has it"
    return JSONResponse({"error": text}, status_code=500, headers=HEADERS)
