"""`vitok serve`: predictions only."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.errors import NotFound, UserMistake
from vitok.serve.oidc import (
    AUDIENCE_VARIABLE,
    ISSUER_VARIABLE,
    KEYS_VARIABLE,
    QUOTA_VARIABLE,
    RATE_VARIABLE,
    Issuer,
)
from vitok.serve.server import BUDGET_VARIABLE, Door, bind, reserve_grpc, run_server, show_address

HostOption = Annotated[str, typer.Option(help="Address to listen on.")]
PortOption = Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)]
WorkersOption = Annotated[int, typer.Option(help="Processes that answer.", min=1, max=64)]
GrpcPortOption = Annotated[
    int | None,
    typer.Option(
        "--grpc-port",
        help="Answer the Open Inference Protocol over gRPC too, on this port; 0 takes a free one.",
        min=0,
        max=65535,
        show_default="off",
    ),
]


GuardedOption = Annotated[
    bool,
    typer.Option(
        "--guarded", help="Ask for a key also on a loopback address; elsewhere one is always needed."
    ),
]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Name that requests may ask for; repeat for more. Default: any, on loopback its own names."
    ),
]
CertificateOption = Annotated[Path | None, typer.Option("--tls-cert", help="Certificate for HTTPS, PEM.")]
PrivateKeyOption = Annotated[Path | None, typer.Option("--tls-key", help="Its private key, PEM.")]
IssuerOption = Annotated[
    str | None,
    typer.Option(
        "--oidc-issuer",
        envvar=ISSUER_VARIABLE,
        help="Take tokens of this OpenID Connect issuer as keys. Default: no tokens.",
    ),
]
AudienceOption = Annotated[
    str | None,
    typer.Option("--oidc-audience", envvar=AUDIENCE_VARIABLE, help="What its tokens must name in `aud`."),
]
IssuerKeysOption = Annotated[
    str | None,
    typer.Option(
        "--oidc-keys",
        envvar=KEYS_VARIABLE,
        help="File or address of its keys, JWKS. Default: what the issuer's own description says.",
    ),
]
SubjectRateOption = Annotated[
    float | None,
    typer.Option(
        "--oidc-rate", envvar=RATE_VARIABLE, help="Requests a second of each subject. Default: no limit."
    ),
]
SubjectQuotaOption = Annotated[
    int | None,
    typer.Option(
        "--oidc-quota", envvar=QUOTA_VARIABLE, help="Requests a day of each subject. Default: no limit."
    ),
]
QueryBudgetOption = Annotated[
    int | None,
    typer.Option(
        "--query-budget",
        envvar=BUDGET_VARIABLE,
        help="Rows a day of one caller from which on an alert is raised; a quota refuses. Default: none.",
    ),
]


def serve(
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
    query_budget: QueryBudgetOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Answers predictions and journals them, and nothing else: no page, no watching, no database needed."""
    # No import of wire here: the process that serves stays small.
    if not (project / ".vitok" / "plan.json").is_file():
        raise NotFound(
            str(project),
            "no version has been released here",
            "Release one with `vitok release VERSION`, or give --project DIR.",
        )
    issuer = issuer_of(oidc_issuer, oidc_audience, oidc_keys, oidc_rate, oidc_quota)
    door = Door(host, guarded, tuple(allow_host or ()), tls_cert, tls_key, issuer, query_budget)
    door.require_safe(project)
    listener = bind(host, port)
    grpc = None if grpc_port is None else reserve_grpc(host, grpc_port)
    announce(as_json, listener, grpc, door, None)
    run_server(project, workers=workers, listener=listener, grpc=grpc, door=door)


def issuer_of(
    url: str | None,
    audience: str | None,
    keys: str | None,
    rate: float | None,
    quota: int | None,
    client: str | None = None,
) -> Issuer | None:
    """The issuer that the options name.

    Raises:
        UserMistake: options say more of an issuer that is not named.
    """
    if url:
        return Issuer(url, audience or "", keys or None, rate, quota, client or None)
    given = {
        "--oidc-audience": audience,
        "--oidc-keys": keys,
        "--oidc-rate": rate,
        "--oidc-quota": quota,
        "--oidc-client": client,
    }
    for option, value in given.items():
        if value not in (None, ""):
            raise UserMistake(
                option, f"{value!r} belongs to an issuer, and none is given", "Add --oidc-issuer URL."
            )
    return None


def announce(as_json: bool, listener: Any, grpc: Any, door: Door, version: int | None) -> None:
    """Says where it answers."""
    scheme = "http" if door.certificate is None else "https"
    url = f"{scheme}://{show_address(door.host, listener.getsockname()[1])}"
    address = None if grpc is None else show_address(door.host, grpc.getsockname()[1])
    also = "" if address is None else f", and gRPC at {address}"
    say(f"Answering at {url}{also} (end with Ctrl-C)")
    if as_json:
        show(True, {"url": url, "grpc": address, "pid": os.getpid(), "version": version}, "")


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok serve --port 8080 --workers 2")(serve)
