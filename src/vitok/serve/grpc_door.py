"""The Open Inference Protocol V2 over gRPC, in a worker's own process and event loop.

A call becomes a request to the worker's own application, without a socket between: limits, use case, journal, metrics
and errors are those of HTTP. Only started when a port is given; nothing else imports it.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio
import msgspec
from google.protobuf.message import DecodeError

from vitok.errors import Fault, RequestMistake
from vitok.serve.grpc_messages import MESSAGES, SERVICE
from vitok.serve.grpc_tensors import from_http, to_http
from vitok.serve.http import ASGIApp, log
from vitok.serve.tensors import LENGTH_HEADER

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_DRAIN_SECONDS = 10.0
_ENVELOPE_BYTES = 2**16  # what names, shapes and parameters may add to the tensors
_OWN_HEADERS = ("host", "content-", "accept-encoding", "grpc-", "te", "transfer-", "connection", "inference-")
_Context = Any  # grpc.aio.ServicerContext, which ships no types


class _Answer(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class GrpcDoor:
    """A gRPC server in front of an application.

    Args:
        app: The worker's application.
        address: `host:port`; several workers may share it.
        host: What the requests name as their host: that check is against browsers, and none speaks gRPC.
        max_body_bytes: Largest request.
        tls: Files of certificate and private key; None for plain gRPC.
    """

    def __init__(
        self, app: ASGIApp, address: str, host: str, max_body_bytes: int, tls: tuple[Path, Path] | None = None
    ) -> None:
        self._app = app
        self._address = address
        self._host = host.encode()
        self._tls = tls
        options = [
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", max_body_bytes + _ENVELOPE_BYTES),
            ("grpc.max_send_message_length", -1),
        ]
        self._server = grpc.aio.server(options=options)
        calls: dict[str, Callable[[Any, _Context], Awaitable[Any]]] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._model_infer,
            "RepositoryIndex": self._repository_index,
        }
        handlers = {name: _handler(name, call) for name, call in calls.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def start(self) -> None:
        """Begins to listen.

        Raises:
            Fault: the port cannot be bound, or the certificate cannot be read.
        """
        try:
            if self._tls is None:
                self._server.add_insecure_port(self._address)
            else:
                self._server.add_secure_port(self._address, _credentials(*self._tls))
        except (RuntimeError, OSError) as error:
            raise Fault(
                f"gRPC at {self._address}", "cannot be bound", "Choose another with --grpc-port."
            ) from error
        await self._server.start()

    async def stop(self) -> None:
        """Ends; calls under way are answered first."""
        await self._server.stop(_DRAIN_SECONDS)

    async def _server_live(self, request: Any, context: _Context) -> Any:
        answer = await self._ask(context, "GET", "/v2/health/live")
        return MESSAGES["ServerLiveResponse"](live=answer.status == 200)

    async def _server_ready(self, request: Any, context: _Context) -> Any:
        answer = await self._ask(context, "GET", "/v2/health/ready")
        return MESSAGES["ServerReadyResponse"](ready=answer.status == 200)

    async def _model_ready(self, request: Any, context: _Context) -> Any:
        answer = await self._ask(context, "GET", _path(request.name, request.version, "/ready"))
        return MESSAGES["ModelReadyResponse"](ready=answer.status == 200)

    async def _server_metadata(self, request: Any, context: _Context) -> Any:
        answer = await self._insist(context, "GET", "/v2")
        return MESSAGES["ServerMetadataResponse"](**answer.json())

    async def _model_metadata(self, request: Any, context: _Context) -> Any:
        answer = await self._insist(context, "GET", _path(request.name, request.version, ""))
        found = {name: value for name, value in answer.json().items() if name != "parameters"}
        return MESSAGES["ModelMetadataResponse"](**found)

    async def _repository_index(self, request: Any, context: _Context) -> Any:
        answer = await self._insist(context, "POST", "/v2/repository/index")
        return MESSAGES["RepositoryIndexResponse"](models=answer.json())

    async def _model_infer(self, request: Any, context: _Context) -> Any:
        path = _path(request.model_name, request.model_version, "/infer")
        body, length = to_http(request)
        answer = await self._insist(context, "POST", path, body, length)
        sent = answer.headers.get(LENGTH_HEADER)
        return from_http(answer.body, None if sent is None else int(sent))

    async def _insist(
        self, context: _Context, method: str, path: str, body: bytes = b"", length: int | None = None
    ) -> _Answer:
        answer = await self._ask(context, method, path, body, length)
        if answer.status != 200:
            text = answer.json()["error"]
            await context.abort(CODES.get(answer.status, grpc.StatusCode.INTERNAL), text)
        return answer

    async def _ask(
        self, context: _Context, method: str, path: str, body: bytes = b"", length: int | None = None
    ) -> _Answer:
        """Sends a request through the application of this process."""
        headers = [(b"host", self._host), *_headers(context, len(body), length)]
        scope = _scope(context, method, path, headers)
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        start, *rest = sent
        return _Answer(start["status"], dict(start["headers"]), b"".join(part["body"] for part in rest))


def _credentials(certificate: Path, private_key: Path) -> Any:
    """What HTTPS shows its callers, shown to those of gRPC."""
    return grpc.ssl_server_credentials([(private_key.read_bytes(), certificate.read_bytes())])


def _handler(name: str, call: Callable[[Any, _Context], Awaitable[Any]]) -> Any:
    """A handler that reads its message itself: what is no message is the caller's mistake, not a fault of ours."""
    read = MESSAGES[f"{name}Request"].FromString

    async def handle(content: bytes, context: _Context) -> Any:
        try:
            return await call(read(content), context)
        except DecodeError:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"body: is no {name}Request")
        except RequestMistake as mistake:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(mistake))
        except grpc.aio.AbortError:
            raise
        except Exception:
            log.exception("a call of %s failed", name)
            await context.abort(
                grpc.StatusCode.INTERNAL, "the server failed: its log says why. Try again later"
            )

    return grpc.unary_unary_rpc_method_handler(
        handle, response_serializer=lambda message: message.SerializeToString()
    )


def _path(name: str, version: str, rest: str) -> str:
    if "/" in name or "/" in version:
        raise RequestMistake(f"model {name!r}, version {version!r}", "has a slash in it", "Send plain names.")
    return f"/v2/models/{name}" + (f"/versions/{version}" if version else "") + rest


def _headers(context: _Context, size: int, length: int | None) -> list[tuple[bytes, bytes]]:
    found = [(b"content-length", str(size).encode())]
    if length is not None:
        found.append((LENGTH_HEADER, str(length).encode()))
    for name, value in context.invocation_metadata() or ():
        if not name.startswith(_OWN_HEADERS):
            found.append((name.encode(), value if isinstance(value, bytes) else value.encode()))
    return found


def _scope(context: _Context, method: str, path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    _, _, peer = context.peer().partition(":")
    host, _, port = peer.rpartition(":")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "2",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": (host, int(port)) if port.isdigit() else None,
        "server": None,
    }
