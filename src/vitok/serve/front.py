"""A worker with all its doors: HTTP with compressed bodies, and gRPC if a port is given."""

from pathlib import Path
from typing import Any

from vitok.errors import UserMistake
from vitok.kernel.clock import Clock
from vitok.serve.app import DataPlane, ServeSettings
from vitok.serve.codings import answer_coded
from vitok.serve.http import ASGIApp, Receive, Scope, Send

_CODED = (b"content-encoding", b"accept-encoding")


def create_front(
    folder: Path,
    clock: Clock,
    settings: ServeSettings,
    otherwise: ASGIApp | None = None,
    grpc_address: str | None = None,
) -> "Front":
    """The data plane of a project with all its doors.

    Args:
        folder, clock, settings, otherwise: As `create_app` takes them.
        grpc_address: Where gRPC answers, as `host:port`; None for not at all.
    """
    return Front(folder, clock, settings, otherwise, grpc_address)


class Front(DataPlane):
    """The data plane of one worker, behind its doors."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        settings: ServeSettings,
        otherwise: ASGIApp | None,
        grpc_address: str | None,
    ) -> None:
        super().__init__(folder, clock, settings, otherwise)
        self._max_body_bytes = settings.max_body_bytes
        self._host = min(settings.hosts) if settings.hosts else None
        self._grpc_address = grpc_address
        self._grpc: Any = None

    async def start(self) -> None:
        """Starts the data plane, then gRPC."""
        await super().start()
        if self._grpc_address is not None:
            host = self._host or self._grpc_address
            door = _load_grpc()(super().__call__, self._grpc_address, host, self._max_body_bytes)
            await door.start()
            self._grpc = door

    async def stop(self) -> None:
        """Lets the calls under way end, then stops the data plane."""
        if self._grpc is not None:
            await self._grpc.stop()
        await super().stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one ASGI scope."""
        if scope["type"] == "http":
            for name, _ in scope["headers"]:
                if name in _CODED:
                    return await answer_coded(super().__call__, scope, receive, send, self._max_body_bytes)
        return await super().__call__(scope, receive, send)


def _load_grpc() -> Any:
    try:
        from vitok.serve.grpc_door import GrpcDoor
    except ImportError as error:
        raise UserMistake(
            "--grpc-port", "needs the package grpcio", "Install it: pip install 'vitok[grpc]'."
        ) from error
    return GrpcDoor
