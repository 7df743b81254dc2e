"""`vitok pages`: the pages of a project to read, now or as of an earlier moment."""

import threading
from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say
from vitok.cli.serve import PortOption, announce
from vitok.errors import Refused
from vitok.govern.roles import Act
from vitok.govern.secrets import signing_key
from vitok.kernel.clock import parse_time, system_clock
from vitok.loop.control import Control
from vitok.loop.standing import reckon_due
from vitok.serve.server import Door, bind
from vitok.web.app import create_pages
from vitok.wire import open_project

_READING: frozenset[Act] = frozenset({"read", "personal", "manage"})
_NAMES = ["127.0.0.1", "localhost", "[::1]"]


class _NoDesk:
    """Links of approvals lead nowhere here: answers are given where the project runs."""

    def look(self, token: str) -> dict[str, Any]:
        """Refuses."""
        what = "cannot be answered here: these pages are to read"
        raise Refused("this link", what, "Open it where the project runs: vitok up.")

    def answer(self, token: str, *, yes: bool, reason: str) -> dict[str, Any]:
        """Refuses."""
        return self.look(token)


def pages(
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="As of this moment: for a history that was kept. Default: now."
        ),
    ] = None,
    port: PortOption = 8000,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Shows the pages of a project on this machine, to read: nothing is predicted, watched or changed."""
    import uvicorn  # slow to import, as all that serves is
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    moment = None if at is None else parse_time(at, "--at")
    opened = open_project(project, clock=system_clock if moment is None else lambda: moment, say=say)
    listener = bind("127.0.0.1", port)
    reckoner = threading.Thread(target=reckon_due, args=(opened,), daemon=True)
    reckoner.start()
    shown = create_pages(Control(opened, signing_key, _READING), _NoDesk())
    announce(as_json, listener, None, Door(), None)
    config = uvicorn.Config(
        TrustedHostMiddleware(shown, _NAMES), log_level="warning", timeout_graceful_shutdown=10
    )
    uvicorn.Server(config).run(sockets=[listener])


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok pages --project demo-flights/year --at 2014-01-02")(pages)
