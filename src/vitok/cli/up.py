"""`vitok up`: predictions, pages, watching and retraining together."""

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say
from vitok.cli.serve import (
    AllowHostOption,
    AudienceOption,
    CertificateOption,
    GrpcPortOption,
    GuardedOption,
    HostOption,
    IssuerKeysOption,
    IssuerOption,
    PortOption,
    PrivateKeyOption,
    QueryBudgetOption,
    SubjectQuotaOption,
    SubjectRateOption,
    WorkersOption,
    announce,
    issuer_of,
)
from vitok.govern.secrets import read_secret
from vitok.loop.openid import SECRET_VARIABLE
from vitok.loop.release import publish_plan
from vitok.registry import releases
from vitok.serve.oidc import CLIENT_VARIABLE
from vitok.serve.server import Door, bind, reserve_grpc, run_server
from vitok.wire import open_project

_RESTART_SECONDS = 2.0
_FACTORY = "vitok.worker:whole_app"
ClientOption = Annotated[
    str | None,
    typer.Option(
        "--oidc-client",
        envvar=CLIENT_VARIABLE,
        help="Let people of the team log in to the pages with the issuer, which knows them under this client id. "
        "Default: with passwords only.",
    ),
]


def up(
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    workers: WorkersOption = 1,
    grpc_port: GrpcPortOption = None,
    guarded: GuardedOption = False,
    allow_host: AllowHostOption = None,
    tls_cert: CertificateOption = None,
    tls_key: PrivateKeyOption = None,
    oidc_issuer: IssuerOption = None,
    oidc_audience: AudienceOption = None,
    oidc_keys: IssuerKeysOption = None,
    oidc_rate: SubjectRateOption = None,
    oidc_quota: SubjectQuotaOption = None,
    oidc_client: ClientOption = None,
    query_budget: QueryBudgetOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Runs the whole project: predictions and pages on one port, and a keeper beside them that watches and retrains."""
    opened = open_project(project, say=say)
    publish_plan(opened)
    with opened.engine.connect() as connection:
        release = releases.current(connection)
    opened.engine.dispose()
    issuer = issuer_of(oidc_issuer, oidc_audience, oidc_keys, oidc_rate, oidc_quota, oidc_client)
    door = Door(host, guarded, tuple(allow_host or ()), tls_cert, tls_key, issuer, query_budget)
    door.require_safe(opened.folder)
    if issuer is not None and issuer.client is not None:
        read_secret(SECRET_VARIABLE)  # a file that cannot be read is told now, and not by every worker
    listener = bind(host, port)
    grpc = None if grpc_port is None else reserve_grpc(host, grpc_port)
    announce(as_json, listener, grpc, door, None if release is None else release.version)
    keeper = _Keeper(opened.folder)
    # The server stops on SIGTERM and then raises it again: as an exception, so that the keeper is ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        run_server(opened.folder, workers=workers, factory=_FACTORY, listener=listener, grpc=grpc, door=door)
    finally:
        keeper.end()


class _Keeper:
    """The process that watches and retrains; started again when it dies."""

    def __init__(self, folder: Path) -> None:
        self._command = [
            sys.executable,
            "-m",
            "vitok.cli",
            "watch",
            "--with-parent",
            "--project",
            str(folder),
        ]
        self._ending = threading.Event()
        self._process = self._start()
        self._guard = threading.Thread(target=self._watch_over, daemon=True)
        self._guard.start()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def _watch_over(self) -> None:
        while not self._ending.wait(_RESTART_SECONDS):
            if self._process.poll() is not None:
                say(f"The keeper ended with code {self._process.returncode}; starting it again.")
                self._process = self._start()

    def end(self) -> None:
        """Ends it, by force if it does not within ten seconds."""
        self._ending.set()
        self._guard.join()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok up --project flights --port 8000")(up)
