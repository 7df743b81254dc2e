"""The processes of the data plane: one socket, one or several workers, started again when they die."""

import errno
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vitok.errors import UserMistake
from vitok.kernel.clock import system_clock
from vitok.serve.app import DataPlane, ServeSettings, create_app

DEFAULT_FACTORY = "vitok.serve.server:worker_app"
PROJECT_VARIABLE = "VITOK_PROJECT"
DURABLE_VARIABLE = "VITOK_JOURNAL_DURABLE"
_PARENT_VARIABLE = "VITOK_SERVE_PARENT"
_BACKLOG = 1024
_DRAIN_SECONDS = 10


def worker_app() -> DataPlane:
    """The application of one worker that only serves predictions."""
    return create_app(worker_folder(), system_clock, worker_settings())


def worker_folder() -> Path:
    """The `.vitok` folder that this worker serves, from the environment that `run_server` made."""
    return Path(os.environ[PROJECT_VARIABLE]) / ".vitok"


def worker_settings() -> ServeSettings:
    """The settings of this worker, from the environment that `run_server` made."""
    supervisor = os.environ.get(_PARENT_VARIABLE)
    return ServeSettings(
        durable=os.environ.get(DURABLE_VARIABLE) == "1",
        supervisor=None if supervisor is None else int(supervisor),
    )


def bind(host: str, port: int) -> socket.socket:
    """Binds the server's socket; port 0 takes any free port.

    Raises:
        UserMistake: the port is taken or not allowed, or the host is not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        is_taken = error.errno == errno.EADDRINUSE
        what = "is in use" if is_taken else f"cannot be bound: {error.strerror or error}"
        raise UserMistake(f"port {port} on {host}", what, "Choose another with --port or --host.") from error
    listener.set_inheritable(True)
    return listener


def run_server(
    project: Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    factory: str = DEFAULT_FACTORY,
    listener: socket.socket | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; requests that have begun are answered before it ends.

    Args:
        project: The project's folder.
        factory: `module:function` that makes a worker's application; `VITOK_PROJECT` tells it the folder.
        listener: A socket that `bind` made; by default one is made here.

    Raises:
        UserMistake: the port is taken or not allowed.
    """
    import uvicorn

    bound = listener or bind(host, port)
    os.environ[PROJECT_VARIABLE] = str(project.absolute())
    config = uvicorn.Config(
        factory,
        factory=True,
        workers=workers,
        access_log=False,
        log_level="warning",
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        timeout_keep_alive=75,
    )
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        if workers == 1:
            _quietly(uvicorn.Server(config).run, sockets=[bound])
        else:
            _run_workers(config, bound)
    finally:
        bound.close()


def _run_workers(config: Any, bound: socket.socket) -> None:
    from uvicorn.supervisors import Multiprocess

    os.environ[_PARENT_VARIABLE] = str(os.getpid())
    try:
        Multiprocess(config, [bound]).run()
    finally:
        del os.environ[_PARENT_VARIABLE]


def _quietly(run: Callable[..., None], **arguments: Any) -> None:
    try:
        run(**arguments)
    except KeyboardInterrupt:  # uvicorn raises the signal again once it has stopped
        return
