"""The control plane's JSON API: what commands do, for whoever may do it."""

from collections.abc import Callable
from typing import Any, Literal, get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vitok.charter.releasing import Strategy
from vitok.loop.control import Control, Visitor
from vitok.web.door import HEADERS, Handler, Problem, guarded, json_of

_LONGEST_KEY = 200


def api_routes(control: Control) -> list[Route]:
    """All addresses under `/api`."""

    def reads(path: str, read: Callable[[], dict[str, Any]]) -> Route:
        async def handler(request: Request, visitor: Visitor) -> Response:
            return _json(await run_in_threadpool(read))

        return guarded(control, path, "GET", "read", handler)

    return [
        reads("/api/status", control.status),
        reads("/api/turns", control.turns),
        reads("/api/approvals", control.approvals),
        reads("/api/decisions", control.decisions),
        guarded(control, "/api/turns/{name}", "GET", "read", _turn(control)),
        guarded(control, "/api/turns", "POST", "train", _want_turn(control)),
        guarded(control, "/api/approvals/{name}", "POST", "approve", _answer(control)),
        guarded(control, "/api/releases", "POST", "release", _release(control)),
    ]


def _turn(control: Control) -> Handler:
    async def handler(request: Request, visitor: Visitor) -> Response:
        return _json(await run_in_threadpool(control.turn, request.path_params["name"]))

    return handler


def _want_turn(control: Control) -> Handler:
    async def handler(request: Request, visitor: Visitor) -> Response:
        sent = await json_of(request, reason=str | None)
        key = request.headers.get("idempotency-key")
        if key is not None and not 0 < len(key) <= _LONGEST_KEY:
            raise Problem(400, f"Idempotency-Key has {len(key)} characters; give 1 to {_LONGEST_KEY}")
        told: dict[str, Any] = {"reason": (sent["reason"] or "by hand")[:500], "key": key}
        return _json(await run_in_threadpool(control.want_turn, visitor.name, **told), 202)

    return handler


def _answer(control: Control) -> Handler:
    async def handler(request: Request, visitor: Visitor) -> Response:
        sent = await json_of(request, answer=Literal["yes", "no"], reason=str | None)
        said = {"yes": sent["answer"] == "yes", "reason": sent["reason"] or ""}
        name = request.path_params["name"]
        return _json(await run_in_threadpool(control.answer, name, visitor.name, **said))

    return handler


def _release(control: Control) -> Handler:
    async def handler(request: Request, visitor: Visitor) -> Response:
        sent = await json_of(request, version=int, strategy=str | None, flag=str | None)
        if sent["strategy"] is not None and sent["strategy"] not in get_args(Strategy):
            raise Problem(
                400, f"strategy {sent['strategy'][:50]!r} is not known: {', '.join(get_args(Strategy))}"
            )
        how = {"strategy": sent["strategy"], "flag": sent["flag"]}
        return _json(await run_in_threadpool(control.release, visitor.name, sent["version"], **how), 201)

    return handler


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(content, status, headers=HEADERS)
