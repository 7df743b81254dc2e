"""`vitok serve`: predictions only."""

import os
from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.errors import NotFound
from vitok.serve.server import bind, reserve_grpc, run_server, show_address

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


def serve(
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    workers: WorkersOption = 1,
    grpc_port: GrpcPortOption = None,
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
    listener = bind(host, port)
    grpc = None if grpc_port is None else reserve_grpc(host, grpc_port)
    announce(as_json, listener, grpc, host, None)
    run_server(project, workers=workers, listener=listener, grpc=grpc)


def announce(as_json: bool, listener: Any, grpc: Any, host: str, version: int | None) -> None:
    """Says where it answers."""
    url = f"http://{show_address(host, listener.getsockname()[1])}"
    address = None if grpc is None else show_address(host, grpc.getsockname()[1])
    also = "" if address is None else f", and gRPC at {address}"
    say(f"Answering at {url}{also} (end with Ctrl-C)")
    if as_json:
        show(True, {"url": url, "grpc": address, "pid": os.getpid(), "version": version}, "")


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok serve --port 8080 --workers 2")(serve)
