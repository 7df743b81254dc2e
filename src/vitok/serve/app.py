"""The data plane as one ASGI application: routes, limits, and what is answered when something fails."""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Coroutine, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple

from vitok.errors import UserMistake
from vitok.journal.index import Lookup
from vitok.journal.spool import Spool
from vitok.kernel.clock import Clock, stopwatch
from vitok.kernel.ids import new_id
from vitok.release.policy import Policy
from vitok.serve.access import Access
from vitok.serve.batcher import Batcher
from vitok.serve.codings import answer_coded
from vitok.serve.deployment import PlanWatcher
from vitok.serve.endpoints import Endpoints
from vitok.serve.gate import STATE, Gate
from vitok.serve.http import (
    ASGIApp,
    Handler,
    HttpProblem,
    Receive,
    Response,
    Scope,
    Send,
    error_response,
    require_same_origin,
    send_response,
)
from vitok.serve.invocations import explain_failure
from vitok.serve.metrics import Metrics
from vitok.serve.mirror import Mirror
from vitok.serve.observe import observer_of_surroundings
from vitok.serve.oidc import Issuer, Tokens
from vitok.serve.probing import Probing
from vitok.serve.readers import Readers
from vitok.serve.recorder import Recorder
from vitok.serve.rows import OutcomeDesk
from vitok.serve.watchdog import Watchdog
from vitok.store.usage import Usage

MAX_BODY_BYTES = 16 * 2**20
_SUPERVISOR_SECONDS = 1.0
_COLLECT_EVERY = 50_000  # objects
_KNOWN_PATHS, _KNOWN_LENGTH = 1000, 300
_CODED = frozenset({b"content-encoding", b"accept-encoding"})
_NO_POLICY = Policy()
_Found = tuple[str, dict[str, Handler], list[str]]
_Routes = dict[int, list[tuple[list[str], dict[str, Handler]]]]


class ServeSettings(NamedTuple):
    """Settings of the data plane.

    Args:
        max_body_bytes: Largest body of a request.
        durable: Whether each answer waits until the disk has its record (survives a power cut).
        supervisor: Process without which this worker ends, so that it never keeps the port of a dead server.
        guarded: Whether a key is needed.
        hosts: Names that the header `Host` may have; None for any.
        workers: How many workers share rates and quotas.
        run: The run of the server, the same for all its workers; None for one of its own.
        issuer: Whose tokens are taken as keys; None for nobody's.
        query_budget: Rows a day from which on a caller is told of; None for no budget.
        grpc_address: Where gRPC answers, as `host:port`; None for not at all.
        tls: Files of certificate and private key for gRPC; HTTPS is the server's own business.
    """

    max_body_bytes: int = MAX_BODY_BYTES
    durable: bool = False
    supervisor: int | None = None
    guarded: bool = False
    hosts: frozenset[str] | None = None
    workers: int = 1
    run: int | None = None
    issuer: Issuer | None = None
    query_budget: int | None = None
    grpc_address: str | None = None
    tls: tuple[Path, Path] | None = None


def create_app(
    folder: Path, clock: Clock, settings: ServeSettings | None = None, otherwise: ASGIApp | None = None
) -> "DataPlane":
    """The data plane of a project.

    Args:
        folder: The project's `.vitok` folder: `plan.json`, `blobs` and `journal` lie in it.
        clock: The present.
        otherwise: An application that gets the paths which are not the data plane's, for example the
            dashboard.
    """
    return DataPlane(folder, clock, settings or ServeSettings(), otherwise)


class DataPlane:
    """One worker with all its doors: follows the plan, answers, and records before it answers."""

    def __init__(
        self, folder: Path, clock: Clock, settings: ServeSettings, otherwise: ASGIApp | None
    ) -> None:
        self.worker = f"{os.getpid()}-{new_id(clock())}"
        self.watcher = PlanWatcher(folder)
        self._journal = folder / "journal"
        self._clock = clock
        self._settings = settings
        self._otherwise = otherwise
        self._metrics = Metrics(folder, self.worker)
        self._closing = contextlib.AsyncExitStack()
        self._routes: _Routes = {}
        self._known: dict[str, _Found] = {}
        self._busy = 0
        self._readers = Readers()
        self._observer = observer_of_surroundings(clock)
        usage = Usage(folder, settings.workers, settings.run)
        self._access = _access(folder, clock, settings, usage)
        self._probing = (
            Probing(folder, self.watcher.blobs, usage, clock, self._metrics, settings.query_budget)
            if settings.guarded
            else None
        )

    async def start(self) -> None:
        """Opens the journal, loads the plan and starts to follow it."""
        spool = Spool(self._journal, self.worker, self._settings.durable)
        self._closing.callback(spool.close)
        lookup = Lookup(self._journal)
        self._closing.callback(lookup.close)
        recorder = Recorder(spool)
        desk = OutcomeDesk(lookup, recorder)
        mirror = Mirror(self.worker, recorder, self._metrics.count_shadows)
        self._closing.push_async_callback(mirror.close)
        batcher = Batcher(self.worker, recorder, mirror)
        endpoints = Endpoints(self._clock, self.watcher, batcher, desk, self._metrics, self._probing)
        for path, handlers in endpoints.routes().items():
            parts = path.split("/")
            self._routes.setdefault(len(parts), []).append((parts, handlers))
        if self._access is not None:
            self._closing.push_async_callback(self._access.stop)
            self._run_beside(self._access.start())
        await self.watcher.poll()
        self._run_beside(self.watcher.watch())
        self._run_beside(self._metrics.publish())
        self._run_beside(self._readers.end_slow_ones())
        if self._settings.supervisor is not None:
            self._run_beside(self._watchdog(spool).beat())
            self._run_beside(_end_with(self._settings.supervisor))
        if self._settings.grpc_address is not None:
            await self._open_grpc(self._settings.grpc_address)
        # What was loaded stays, and requests leave hardly any circles: they need not wait for the collector.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_EVERY)

    async def stop(self) -> None:
        """Lets the calls of gRPC end, stops following the plan, and gives the journal back."""
        await self._closing.aclose()

    async def _open_grpc(self, address: str) -> None:
        hosts = self._settings.hosts
        host = min(hosts) if hosts else address
        door = _load_grpc()(self._answer, address, host, self._settings.max_body_bytes, self._settings.tls)
        await door.start()
        self._closing.push_async_callback(door.stop)

    def _refusal(self, path: str) -> bytes:
        route, problem = self._find(path)[0], _overloaded()
        self._metrics.count_request(route, problem.status, 0.0)
        return _explain(route, problem).body

    def _watchdog(self, spool: Spool) -> Watchdog:
        """Ends this worker if a model hangs it; only where a supervisor starts another."""
        policy = self._policy
        return Watchdog(
            lambda: policy().timeout_seconds, lambda: policy().memory_mb, self.watcher.trouble, spool.append
        )

    def _policy(self) -> Policy:
        return self.watcher.current.plan.policy if self.watcher.current else _NO_POLICY

    def _run_beside(self, work: Coroutine[Any, Any, None]) -> None:
        self._closing.push_async_callback(_cancel, asyncio.create_task(work))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "http":
            headers = dict(scope["headers"])  # ASGI gives names in lower case
            if _CODED.isdisjoint(headers):
                await self._answer_plain(scope, headers, receive, send)
            else:
                await answer_coded(self._answer, scope, receive, send, self._settings.max_body_bytes)
        elif self._otherwise is not None:
            await self._otherwise(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if "state" in scope:  # what the server hands to its connections
            scope["state"][STATE] = Gate(lambda: self._policy().queue, self._refusal)
        try:
            await self.start()
        except Exception as error:  # the server prints the message and ends
            return await send({"type": "lifespan.startup.failed", "message": str(error)})
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        return await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer_plain(scope, dict(scope["headers"]), receive, send)

    async def _answer_plain(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        found = self._find(scope["path"])
        if self._observer is None:
            return await self._serve(scope, headers, receive, send, found)
        method, started, status = scope["method"], stopwatch(), [500]
        observed = self._observer.begin(method, found[0], headers)

        async def sent(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", observed.id.encode())]
            await send(message)

        try:
            with self._observer.active(observed):
                await self._serve(scope, headers, receive, sent, found)
        finally:
            self._observer.end(observed, method, found[0], status[0], stopwatch() - started)
        return None

    async def _serve(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send, found: _Found
    ) -> None:
        started, caller = stopwatch(), None
        route, handlers, names = found
        is_page = not handlers and self._otherwise is not None
        try:
            if is_page:
                assert self._otherwise is not None
                if self._access is not None:
                    scope["vitok.key"] = await self._access.visitor(headers)
                    scope["vitok.guarded"] = self._access.with_keys
                return await self._otherwise(scope, receive, send)
            if self._access is not None:
                caller = await self._access.admit(route, headers)
            if caller is None and scope["method"] != "GET":
                require_same_origin(headers)  # a page cannot send a key that it does not have
            handler = _choose(handlers, scope["method"], scope["path"])
            if self._busy >= self._policy().queue and scope["method"] == "POST":
                raise _overloaded()
            request = await self._readers.read(scope, headers, receive, self._settings.max_body_bytes)
            if caller is not None:
                request = request._replace(caller=caller)
            if self._busy >= self._policy().queue and scope["method"] == "POST":
                raise _overloaded()  # others came while the body did
            self._busy += 1
            try:
                response = await handler(request, names)
            finally:
                self._busy -= 1
        except Exception as error:  # whatever fails, the caller gets an answer and others go on
            response = _explain(route, error)
        finally:
            self._readers.answered()
        self._metrics.count_request(route, response.status, stopwatch() - started)
        return await send_response(send, response)

    def _find(self, path: str) -> _Found:
        found = self._known.get(path)
        if found is None:
            found = self._search(path)
            if found[1] and len(path) <= _KNOWN_LENGTH:
                if len(self._known) >= _KNOWN_PATHS:
                    self._known.clear()  # somebody asks for ever new models
                self._known[path] = found
        return found

    def _search(self, path: str) -> _Found:
        parts = path.strip("/").split("/")
        for pattern, handlers in self._routes.get(len(parts), ()):
            if all(wanted in ("*", part) for wanted, part in zip(pattern, parts, strict=True)):
                names = [part for wanted, part in zip(pattern, parts, strict=True) if wanted == "*"]
                return "/".join(pattern), handlers, names
        return "other", {}, []


def _choose(handlers: dict[str, Handler], method: str, path: str) -> Handler:
    if not handlers:
        raise HttpProblem(404, f"{path[:200]}: is no address of this server. GET /openapi.json lists them")
    if method not in handlers:
        allowed = ", ".join(handlers)
        raise HttpProblem(405, f"{path}: takes {allowed}, not {method}", ((b"allow", allowed.encode()),))
    return handlers[method]


def _explain(route: str, error: Exception) -> Response:
    """An error in the form that the clients of an address read; V2's form is ours."""
    return explain_failure(error) if route == "invocations" else error_response(error)


def _overloaded() -> HttpProblem:
    text = "too many requests are in progress. Try again in a second"
    return HttpProblem(429, text, ((b"retry-after", b"1"),))


def _access(folder: Path, clock: Clock, settings: ServeSettings, usage: Usage) -> Access | None:
    if not settings.guarded and settings.hosts is None:
        return None
    tokens = None if settings.issuer is None else Tokens(settings.issuer, clock)
    return Access(folder, clock, settings.hosts, usage, tokens, with_keys=settings.guarded)


def _load_grpc() -> Any:
    try:
        from vitok.serve.grpc_door import GrpcDoor
    except ImportError as error:
        raise UserMistake(
            "--grpc-port", "needs the package grpcio", "Install it: pip install 'vitok[grpc]'."
        ) from error
    return GrpcDoor


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _end_with(supervisor: int) -> None:
    while os.getppid() == supervisor:
        await asyncio.sleep(_SUPERVISOR_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
