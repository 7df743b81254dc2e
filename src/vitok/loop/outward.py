"""Asking other servers over HTTP within a deadline; one that hands on to another address has not answered."""

import ssl
import urllib.request
from http.client import HTTPConnection, HTTPSConnection
from typing import Any

from vitok.loop.attempt import Deadline


def opener_of(limit: Deadline) -> urllib.request.OpenerDirector:
    """Opens addresses of HTTP; their sockets end with the deadline, and nothing is sent to where nobody asked for."""
    return urllib.request.build_opener(_Http(limit), _Https(limit), _NoRedirects())


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class _Http(urllib.request.HTTPHandler):
    def __init__(self, limit: Deadline) -> None:
        super().__init__()
        self._limit = limit

    def http_open(self, req: urllib.request.Request) -> Any:
        limit = self._limit

        class Connection(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                limit.watch(self.sock)

        return self.do_open(Connection, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, limit: Deadline) -> None:
        super().__init__()
        self._limit = limit

    def https_open(self, req: urllib.request.Request) -> Any:
        limit = self._limit

        class Connection(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                limit.watch(self.sock)

        return self.do_open(Connection, req, context=ssl.create_default_context())
