"""The processes of the data plane: one socket, one or several workers, started again when they die."""

import errno
import importlib.util
import os
import secrets
import socket
import ssl
from pathlib import Path
from typing import Any, NamedTuple

from vitok.errors import UserMistake
from vitok.kernel.clock import system_clock
from vitok.release.keys import KEYS_FILE
from vitok.serve.app import DataPlane, ServeSettings, create_app
from vitok.serve.observe import configure_logs
from vitok.serve.oidc import Issuer, issuer_of_environment, variables_of
from vitok.store.counts import forget_counts

DEFAULT_FACTORY = "vitok.serve.server:worker_app"
PROJECT_VARIABLE = "VITOK_PROJECT"
DURABLE_VARIABLE = "VITOK_JOURNAL_DURABLE"
_PARENT_VARIABLE = "VITOK_SERVE_PARENT"
_GRPC_VARIABLE = "VITOK_SERVE_GRPC"
_GUARDED_VARIABLE = "VITOK_SERVE_GUARDED"
_HOSTS_VARIABLE = "VITOK_SERVE_HOSTS"
_WORKERS_VARIABLE = "VITOK_SERVE_WORKERS"
BUDGET_VARIABLE = "VITOK_QUERY_BUDGET"
_RUN_VARIABLE = "VITOK_SERVE_RUN"
_CERTIFICATE_VARIABLE = "VITOK_SERVE_CERTIFICATE"
_PRIVATE_KEY_VARIABLE = "VITOK_SERVE_PRIVATE_KEY"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_BACKLOG = 1024
_DRAIN_SECONDS = 10


def worker_app() -> DataPlane:
    """The application of one worker that only serves predictions."""
    configure_logs()
    return create_app(worker_folder(), system_clock, worker_settings())


def worker_folder() -> Path:
    """The `.vitok` folder that this worker serves, from the environment that `run_server` made."""
    return Path(os.environ[PROJECT_VARIABLE]) / ".vitok"


def worker_settings() -> ServeSettings:
    """The settings of this worker, from the environment that `run_server` made."""
    supervisor = os.environ.get(_PARENT_VARIABLE)
    budget = os.environ.get(BUDGET_VARIABLE)
    hosts, run = os.environ.get(_HOSTS_VARIABLE), os.environ.get(_RUN_VARIABLE)
    return ServeSettings(
        durable=os.environ.get(DURABLE_VARIABLE) == "1",
        supervisor=None if supervisor is None else int(supervisor),
        guarded=os.environ.get(_GUARDED_VARIABLE) == "1",
        hosts=frozenset(hosts.split(",")) if hosts else None,
        workers=int(os.environ.get(_WORKERS_VARIABLE, "1")),
        run=None if run is None else int(run),
        issuer=issuer_of_environment(),
        query_budget=int(budget) if budget else None,
        grpc_address=os.environ.get(_GRPC_VARIABLE),
        tls=_tls(),
    )


def _tls() -> tuple[Path, Path] | None:
    certificate, key = os.environ.get(_CERTIFICATE_VARIABLE), os.environ.get(_PRIVATE_KEY_VARIABLE)
    return (Path(certificate), Path(key)) if certificate and key else None


class Door(NamedTuple):
    """Who may come in.

    Args:
        host: The address that is listened on.
        guarded: Whether a key is needed also on a loopback address; on any other it always is.
        hosts: Names that the header `Host` may have; none means any, on loopback that of loopback.
        certificate, private_key: Files for TLS.
        issuer: Whose tokens are taken as keys; with one, a key or token is always needed.
        query_budget: Rows a day from which on a caller is told of; None for no budget.
    """

    host: str = "127.0.0.1"
    guarded: bool = False
    hosts: tuple[str, ...] = ()
    certificate: Path | None = None
    private_key: Path | None = None
    issuer: Issuer | None = None
    query_budget: int | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in _LOOPBACK or self.host.startswith("127.")

    @property
    def is_guarded(self) -> bool:
        """Whether a key or token is needed."""
        return self.guarded or not self.is_loopback or self.issuer is not None

    def require_safe(self, project: Path) -> None:
        """Checks that the door is not open to the world.

        Raises:
            UserMistake: there are neither keys nor an issuer, half of what TLS needs, a file that is not there or not
                what it must be, an issuer that cannot be used, or a budget that is none or of callers whom
                nobody names.
        """
        if self.issuer is not None:
            self.issuer.require_usable()
        elif self.is_guarded and not (project / ".vitok" / KEYS_FILE).is_file():
            what = "would be open to everybody who can reach it: there are no keys"
            raise UserMistake(f"--host {self.host}", what, "Make one: vitok keys add NAME.")
        if self.query_budget is not None and self.query_budget <= 0:
            what = f"{self.query_budget} is no budget"
            raise UserMistake("--query-budget", what, "Give a positive number, or leave it out.")
        if self.query_budget is not None and not self.is_guarded:
            what = "has no effect: without keys or tokens nobody knows who asks"
            raise UserMistake("--query-budget", what, "Add --guarded, or leave it out.")
        if (self.certificate is None) != (self.private_key is None):
            raise UserMistake("--tls-cert, --tls-key", "belong together", "Give both, or none.")
        for option, path in (("--tls-cert", self.certificate), ("--tls-key", self.private_key)):
            if path is not None and not path.is_file():
                raise UserMistake(option, f"{path} is not there", "Give a PEM file.")
        if self.certificate is not None and self.private_key is not None:
            _require_pair(self.certificate, self.private_key)


def _require_pair(certificate: Path, private_key: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, private_key, password=lambda: b"")
    except (OSError, ValueError) as error:  # SSLError among them
        reason = "they are no PEM, or the key has a password"
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            reason = "the key is that of another certificate"
        elif isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
            reason = error.strerror or str(error)
        raise UserMistake(
            "--tls-cert, --tls-key",
            f"{certificate} and {private_key} cannot be used: {reason}",
            "Give a PEM certificate and its own PEM key, without a password.",
        ) from error


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


def reserve_grpc(host: str, port: int) -> socket.socket:
    """Reserves a port for gRPC: each worker listens on it for itself, so that the kernel deals the connections out.

    Raises:
        UserMistake: grpcio is not installed; the port is taken or not allowed.
    """
    if importlib.util.find_spec("grpc") is None:
        raise UserMistake("--grpc-port", "needs the package grpcio", "Install it: pip install 'vitok[grpc]'.")
    free = bind(host, port)  # whoever listens there already would otherwise share his port with us
    number = free.getsockname()[1]
    free.close()
    holder = socket.socket(free.family, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind((host, number))
    return holder


def run_server(
    project: Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    factory: str = DEFAULT_FACTORY,
    listener: socket.socket | None = None,
    grpc: socket.socket | None = None,
    door: Door | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; requests that have begun are answered before it ends.

    Args:
        project: The project's folder.
        factory: `module:function` that makes a worker's application; `VITOK_PROJECT` tells it the folder.
        listener: A socket that `bind` made; by default one is made here.
        door: Who may come in; by default whoever can reach a loopback address.
        grpc: A socket that `reserve_grpc` made, if gRPC is to be answered too.

    Raises:
        UserMistake: the port is taken or not allowed.
    """
    import uvicorn

    bound = listener or bind(host, port)
    os.environ[PROJECT_VARIABLE] = str(project.absolute())
    _open(door or Door(host), workers)
    forget_counts(project / ".vitok")
    os.environ.pop(_GRPC_VARIABLE, None)
    if grpc is not None:
        os.environ[_GRPC_VARIABLE] = show_address(*grpc.getsockname()[:2])
    config = uvicorn.Config(
        factory,
        factory=True,
        workers=workers,
        access_log=False,
        log_level="warning",
        lifespan="on",
        server_header=False,
        ssl_certfile=None if door is None or door.certificate is None else str(door.certificate),
        ssl_keyfile=None if door is None or door.private_key is None else str(door.private_key),
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        timeout_keep_alive=75,
        http="vitok.serve.connections:Connection",
    )
    configure_logs()
    try:
        _run_workers(config, bound)
    finally:
        bound.close()


def show_address(host: str, port: int) -> str:
    """A host and a port as they stand in an address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _open(door: Door, workers: int) -> None:
    """Tells the workers who may come in."""
    hosts = door.hosts or (_LOOPBACK if door.is_loopback else ())
    os.environ[_GUARDED_VARIABLE] = "1" if door.is_guarded else "0"
    os.environ[_RUN_VARIABLE] = str(secrets.randbits(62) | 1)
    os.environ[_HOSTS_VARIABLE] = ",".join(name.lower() for name in hosts)
    os.environ[_WORKERS_VARIABLE] = str(workers)
    settings = {
        _CERTIFICATE_VARIABLE: door.certificate and door.certificate.absolute(),
        _PRIVATE_KEY_VARIABLE: door.private_key and door.private_key.absolute(),
        BUDGET_VARIABLE: door.query_budget,
        **variables_of(door.issuer),
    }
    for variable, value in settings.items():
        os.environ.pop(variable, None)
        if value is not None:
            os.environ[variable] = str(value)


def _run_workers(config: Any, bound: socket.socket) -> None:
    from uvicorn.supervisors import Multiprocess

    os.environ[_PARENT_VARIABLE] = str(os.getpid())
    try:
        Multiprocess(config, [bound]).run()
    finally:
        del os.environ[_PARENT_VARIABLE]
