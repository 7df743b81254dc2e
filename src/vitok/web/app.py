"""The first page, the same as JSON, and the page behind an approval's link."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from vitok.errors import Refused, UserMistake, VitokError

_HERE = Path(__file__).parent
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri "
    "'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_LONGEST_FORM = 20_000  # bytes


class LinkDesk(Protocol):
    """What links of approvals lead to."""

    def look(self, token: str) -> dict[str, Any]:
        """What is asked."""
        ...

    def answer(self, token: str, *, yes: bool, reason: str) -> dict[str, Any]:
        """Gives the answer."""
        ...


def create_pages(read_status: Callable[[], dict[str, Any]], links: LinkDesk) -> Starlette:
    """The pages of a project.

    Args:
        read_status: Gives what `vitok status --json` prints.
        links: Shows and answers what the links of approvals are for.
    """
    templates = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )
    templates.filters["figure"] = lambda value: f"{value:.4g}"

    def page(name: str, *, status: int = 200, **content: Any) -> Response:
        return HTMLResponse(templates.get_template(name).render(**content), status, headers=_HEADERS)

    async def home(request: Request) -> Response:
        return page("home.html", status=200, found=await run_in_threadpool(read_status))

    async def api_status(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(read_status), headers=_HEADERS)

    async def approve(request: Request) -> Response:
        token = request.path_params["token"]
        try:
            if request.method == "GET":
                return page("approve.html", asked=await run_in_threadpool(links.look, token), problem="")
            form = await _form(request)
            yes, reason = form.get("answer") == "yes", form.get("reason", "")
            if form.get("answer") not in ("yes", "no"):
                asked = await run_in_threadpool(links.look, token)
                return page("approve.html", asked=asked, problem="Choose yes or no.", status=400)
            done = await run_in_threadpool(links.answer, token, yes=yes, reason=reason)
            return page("approved.html", done=done, yes=yes)
        except UserMistake as error:
            return page("refused.html", error=error, status=400)
        except Refused as error:
            return page("refused.html", error=error, status=403)

    async def not_found(request: Request, error: Exception) -> Response:
        message = f"there is no {request.url.path}; see / , /openapi.json or /v2"
        return JSONResponse({"error": message}, status_code=404, headers=_HEADERS)

    async def failed(request: Request, error: Exception) -> Response:
        text = (
            str(error) if isinstance(error, VitokError) else "something went wrong; the server's log has it"
        )
        return JSONResponse({"error": text}, status_code=500, headers=_HEADERS)

    routes = [
        Route("/", home),
        Route("/api/status", api_status),
        Route("/approve/{token}", approve, methods=["GET", "POST"]),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]
    return Starlette(routes=routes, exception_handlers={404: not_found, VitokError: failed, 500: failed})


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form that was sent; of one that is too long, nothing."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace")))
