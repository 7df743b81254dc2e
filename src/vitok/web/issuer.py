"""Logging in at an OpenID Connect issuer: to it and back, with one clear page for whatever goes wrong."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from vitok.errors import Refused, shortened
from vitok.loop.begun import BEGUN_SECONDS, Begun
from vitok.loop.control import Control
from vitok.loop.openid import NotLoggedIn, OpenIdClient, error_of
from vitok.loop.users import whom_to_ask
from vitok.web.door import HEADERS, give_session, local_path
from vitok.web.pages import explained
from vitok.web.render import page

BEGIN_PATH, BACK_PATH = "/login/issuer", "/login/callback"
_BEGUN = "vitok_begun"
# Log-ins that may wait for the issuer; they have threads of their own, so that pages never wait for it.
_AT_ONCE = 4
_TIMEOUT_SECONDS = 10.0
_LONGEST_PATH, _LONGEST_CODE, _LONGEST_NAME = 500, 4096, 100
_STATUS = {"away": 503, "refused": 403, "token": 403, "team": 403, "unknown": 400, "in": 200}
_LOG = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")


class IssuerDoor:
    """The way to the issuer and back.

    Args:
        client: Of the issuer.
    """

    def __init__(self, control: Control, client: OpenIdClient) -> None:
        self._control, self._client = control, client
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="vitok-issuer")

    async def begin(self, request: Request) -> Response:
        """Sends the browser to the issuer."""
        then = local_path(request.query_params.get("then", "/"))
        redirect = f"{self._origin(request)}{BACK_PATH}"
        try:
            address, asked = await self._beside(self._client.begin, redirect)
            begun = Begun(asked, then if len(then) <= _LONGEST_PATH else "/")
            kept = await run_in_threadpool(self._control.keep, begun)
        except NotLoggedIn as error:
            return await self._told(request, error.why, str(error))
        except DBAPIError as error:
            return await self._no_database(request, error)
        answer = RedirectResponse(address, 303, headers=HEADERS)
        # Lax and not Strict as the session: with the latter, a browser that comes back from the issuer, another site,
        # would not send it. It is of no use to others, as whoever begins anywhere else has another state.
        answer.set_cookie(
            _BEGUN,
            kept,
            max_age=BEGUN_SECONDS,
            path=BACK_PATH,
            httponly=True,
            samesite="lax",
            secure=redirect.startswith("https:"),
        )
        return answer

    async def come_back(self, request: Request) -> Response:
        """Takes the browser back from the issuer, and gives it a session."""
        sent = request.query_params
        if not sent.keys() & {"code", "error", "state"}:
            return RedirectResponse("/login", 303, headers=HEADERS)
        try:
            kept, state = request.cookies.get(_BEGUN, ""), sent.get("state", "")
            begun = await run_in_threadpool(self._control.take, kept, state)
            if begun is None:  # what the browser keeps stays: somebody else may have sent it here
                return await self._told(request, "unknown", "it was not begun here, is too old or was used")
            answer = await self._finished(request, begun)
        except DBAPIError as error:
            return await self._no_database(request, error)
        answer.delete_cookie(_BEGUN, path=BACK_PATH, httponly=True, samesite="lax")
        return answer

    async def _finished(self, request: Request, begun: Begun) -> Response:
        sent, person = request.query_params, ""
        try:
            if "error" in sent:
                raise NotLoggedIn("refused", f"the issuer answers: {error_of(sent['error'])}")
            if sent.get("iss", self._client.issuer) != self._client.issuer:  # RFC 9207
                raise NotLoggedIn("refused", "the answer comes from another issuer")
            code = sent.get("code", "")
            if not 0 < len(code) <= _LONGEST_CODE:
                raise NotLoggedIn("refused", f"the issuer sent a code of {len(code)} characters")
            person = await self._beside(self._client.person, code, begun.asked)
            token = await run_in_threadpool(self._control.log_in_by_issuer, person, self._client.issuer)
        except NotLoggedIn as error:
            return await self._told(request, error.why, str(error))
        except Refused as error:
            return await self._told(request, "team", str(error), person=person)
        answer = await self._page(request, "in", person=person, then=begun.then)
        # A page and no redirect: browsers send a cookie that is Strict only where a page of our own leads, and a
        # redirect would still lead from the issuer.
        answer.headers["Refresh"] = f"0; url={quote(begun.then, safe='/?&=%')}"
        return give_session(answer, token, secure=begun.asked.redirect.startswith("https:"))

    def _origin(self, request: Request) -> str:
        """Where people reach these pages: as the charter says, else as the request came."""
        told = self._control.project.charter.approve.url
        return told.rstrip("/") if told else f"{request.url.scheme}://{request.url.netloc}"

    async def _beside(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What the issuer says, in a thread; whoever waits does so for ten seconds at most.

        Raises:
            NotLoggedIn: it has not answered by then.
        """
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, lambda: work(*args, **kwargs))
        try:
            return await asyncio.wait_for(asked, _TIMEOUT_SECONDS)
        except TimeoutError as error:
            raise NotLoggedIn("away", f"{self._client.issuer} did not answer in time") from error

    async def _told(self, request: Request, why: str, text: str, *, person: str = "") -> Response:
        """The page that says why nobody is logged in, and a line in the log."""
        plain = "".join(each if each.isprintable() else "?" for each in text)  # no lines that others write
        _LOG.warning("log-in with %s: %s: %s", self._client.host, why, plain)
        return await self._page(
            request, why, person=person, detail=text if why in ("refused", "token") else ""
        )

    async def _no_database(self, request: Request, error: DBAPIError) -> Response:
        _LOG.error("log-in with %s: the state database does not answer", self._client.host)
        found, status = explained(error)
        return await self._rendered(request, "failed.html", status, {"found": {**found, "back": "/login"}})

    async def _page(
        self, request: Request, why: str, *, person: str = "", detail: str = "", then: str = "/"
    ) -> Response:
        content = {
            "why": why,
            "host": self._client.host,
            "person": person if len(person) <= _LONGEST_NAME else shortened(person),
            "detail": detail,
            "then": then,
            "whom": whom_to_ask(self._control.project) if why == "team" else [],
        }
        return await self._rendered(request, "login_issuer.html", _STATUS[why], content)

    async def _rendered(
        self, request: Request, template: str, status: int, content: Mapping[str, Any]
    ) -> Response:
        project = self._control.project.charter.project

        def written() -> Response:
            return page(request, template, visitor=None, project=project, status=status, content=content)

        return await run_in_threadpool(written)
