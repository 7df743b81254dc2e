"""The control plane of a project as one application: places, deeds, the log-in, and the pages behind links."""

from pathlib import Path
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from vitok.errors import Busy, Refused, UserMistake, VitokError
from vitok.loop.control import Control
from vitok.loop.openid import OpenIdClient
from vitok.web.describe import describe
from vitok.web.door import (
    HEADERS,
    SESSION,
    Problem,
    form_of,
    give_session,
    guarded,
    local_path,
    require_same_origin,
    told_as_json,
    visitor_of,
)
from vitok.web.drawing import Drawing
from vitok.web.issuer import BACK_PATH, BEGIN_PATH, IssuerDoor
from vitok.web.live import Live
from vitok.web.pages import Pages, choose_language
from vitok.web.places import DEEDS, PLACES
from vitok.web.render import page

_HERE = Path(__file__).parent


class LinkDesk(Protocol):
    """What links of approvals lead to."""

    def look(self, token: str) -> dict[str, Any]:
        """What is asked."""
        ...

    def answer(self, token: str, *, yes: bool, reason: str) -> dict[str, Any]:
        """Gives the answer."""
        ...


def create_pages(control: Control, links: LinkDesk, client: OpenIdClient | None = None) -> Starlette:
    """The control plane of a project: pages and API.

    Args:
        links: Shows and answers what the links of approvals are for.
        client: Of the issuer where people log in too; None for passwords only.
    """
    host = "" if client is None else client.host
    door, pages, live = _FrontDoor(control, links, host), Pages(control), Live(control.mark)
    about = describe(PLACES, DEEDS)
    routes = [
        # Open to all: whoever has a link or knows a password is let in by it.
        Route("/approve/{token}", door.approve, methods=["GET", "POST"]),
        Route("/login", door.log_in, methods=["GET", "POST"]),
        Route("/logout", door.log_out, methods=["POST"]),
        Route("/language", choose_language, methods=["POST"]),
        Route("/static/vega.js", Drawing(control.project.state).script),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
        guarded(control, "/live", "GET", "read", live.follow),
        guarded(control, "/api/openapi.json", "GET", "read", about),
        *pages.routes(PLACES, DEEDS),
    ]
    if client is not None:
        issuer = IssuerDoor(control, client)
        routes += [Route(BEGIN_PATH, issuer.begin), Route(BACK_PATH, issuer.come_back)]
    told = {404: pages.not_found, 405: pages.not_allowed, VitokError: _failed, 500: pages.failed_badly}
    return Starlette(routes=routes, exception_handlers=told)


class _FrontDoor:
    """What is open to all.

    Args:
        issuer: The host where people log in too; empty for none.
    """

    def __init__(self, control: Control, links: LinkDesk, issuer: str) -> None:
        self._control, self._links, self._issuer = control, links, issuer

    async def _page(self, request: Request, name: str, *, status: int = 200, **content: Any) -> Response:
        project = self._control.project.charter.project
        return page(request, name, visitor=None, project=project, status=status, content=content)

    async def log_in(self, request: Request) -> Response:
        """Asks for name and password, and gives a session for them."""
        if request.method == "GET":
            asked = request.query_params
            then, ended = local_path(asked.get("then", "/")), asked.get("ended") == "1"
            return await self._log_in_page(request, then, ended=ended)
        then = "/"
        try:
            require_same_origin(request)
            form = await form_of(request)
            then = local_path(form.get("then", "/"))
            address = request.client.host if request.client else "?"
            name, password = form.get("name", ""), form.get("password", "")
            token = await run_in_threadpool(self._control.log_in, name, password, address)
        except (Problem, Refused, UserMistake) as error:
            status = 429 if isinstance(error, Busy) else 403
            text = str(error) if isinstance(error, Problem) else f"{error.what}. {error.remedy}"
            return await self._log_in_page(request, then, problem=text, status=status)
        answer = RedirectResponse(then, 303, headers=HEADERS)
        return give_session(answer, token, secure=request.url.scheme == "https")

    async def _log_in_page(
        self, request: Request, then: str, *, problem: str = "", ended: bool = False, status: int = 200
    ) -> Response:
        content = {"problem": problem, "then": then, "ended": ended, "issuer": self._issuer}
        return await self._page(request, "login.html", status=status, **content)

    async def log_out(self, request: Request) -> Response:
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
                asked = await run_in_threadpool(links.look, token)
                return await self._page(request, "approve.html", asked=asked, unanswered=False)
            form = await form_of(request)
            yes, reason = form.get("answer") == "yes", form.get("reason", "")
            if form.get("answer") not in ("yes", "no"):
                asked = await run_in_threadpool(links.look, token)
                return await self._page(request, "approve.html", asked=asked, unanswered=True, status=400)
            done = await run_in_threadpool(links.answer, token, yes=yes, reason=reason)
            return await self._page(request, "approved.html", done=done, yes=yes)
        except (UserMistake, Refused) as error:
            status = 403 if isinstance(error, Refused) else 400
            found = {"place": error.place, "what": error.what, "remedy": error.remedy, "back": ""}
            return await self._page(request, "failed.html", found=found, status=status)


async def _failed(request: Request, error: Exception) -> Response:
    text = str(error) if isinstance(error, VitokError) else "something went wrong; the server's log has it"
    return JSONResponse({"error": text}, status_code=500, headers=HEADERS)
