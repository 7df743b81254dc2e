"""The first page: champion, last turn, last window, alerts; and the same as JSON."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from vitok.errors import VitokError

_HERE = Path(__file__).parent
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri "
    "'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

ReadStatus = Callable[[], dict[str, Any]]


def create_pages(read_status: ReadStatus) -> Starlette:
    """The pages of a project.

    Args:
        read_status: Gives what `vitok status --json` prints.
    """
    templates = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )
    templates.filters["figure"] = lambda value: f"{value:.4g}"

    async def home(request: Request) -> Response:
        status = await run_in_threadpool(read_status)
        return HTMLResponse(templates.get_template("home.html").render(status=status), headers=_HEADERS)

    async def api_status(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(read_status), headers=_HEADERS)

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
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]
    return Starlette(routes=routes, exception_handlers={404: not_found, VitokError: failed, 500: failed})
