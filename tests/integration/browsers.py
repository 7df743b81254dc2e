"""A browser, and a server of pages beside it that asks who one is, as one away from this machine does."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from vitok.loop.control import Control
from vitok.loop.links import Links
from vitok.loop.openid import OpenIdClient
from vitok.web.app import create_pages

SECRET = b"a secret of the browser's tests"
PASSWORD = "correct horse battery"
NAMES = ("chromium", "chromium-browser", "google-chrome")


def require_browser() -> str:
    """The browser's program; without one the tests that need it are passed over, and say so."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no browser is here: apt-get install chromium")
    return found


class Server:
    """Pages of a project on a free port.

    Args:
        guarded: Whether people have to log in.
        client: Of the issuer where they log in too.
    """

    def __init__(self, project: Any, *, guarded: bool, client: OpenIdClient | None = None) -> None:
        pages = create_pages(Control(project, lambda: SECRET), Links(project, lambda: SECRET), client)

        async def behind_the_door(scope: Any, receive: Any, send: Any) -> None:
            scope |= {"vitok.guarded": guarded, "vitok.key": None}
            await pages(scope, receive, send)

        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            behind_the_door, log_level="warning", lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    def __enter__(self) -> "Server":
        self._thread.start()
        while not self._server.started:
            time.sleep(0.02)
        return self

    def __exit__(self, *failure: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


@contextmanager
def browser() -> Iterator[Any]:
    """A browser without a screen."""
    path = require_browser()
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


def log_in(page: Any, server: Server, name: str) -> None:
    """Logs a person in by the form."""
    page.goto(f"{server.url}/login")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("section form button")
    page.wait_for_selector("nav.places")
