"""Connections that bring nothing: heads without end, heads that never come, more than a worker can hold."""

import json
import socket
import time
from contextlib import closing

import httpx
import pytest

from examples import FLIGHT, flight_bundle, write_plan
from serving import running
from vitok.serve.connections import HEAD_SECONDS
from vitok.store.blobs import Blobs

pytestmark = pytest.mark.xdist_group("serving")
PATH = "/models/flights/predict"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("connections")
    home = folder / ".vitok"
    write_plan(home, flight_bundle(Blobs(home / "blobs")))
    with running(folder) as found:
        yield found


def connected(server):
    return closing(socket.create_connection(("127.0.0.1", server.port), timeout=30))


def read_all(connection):
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("kind", ["many headers", "one header", "one address"])
def test_head_without_end_is_refused(server, kind):
    with connected(server) as connection:
        connection.sendall(b"POST /" if kind == "one address" else b"POST / HTTP/1.1\r\nhost: localhost\r\n")
        piece = {
            "many headers": b"x-a: " + b"b" * 1000 + b"\r\n",
            "one header": b"x" * 1007,
            "one address": b"x" * 1007,
        }
        sent = 0
        try:
            if kind == "one header":
                connection.sendall(b"x-a: ")
            while sent < 20 * 2**20:
                connection.sendall(piece[kind])
                sent += len(piece[kind])
        except OSError:
            pass
        assert sent < 20 * 2**20  # it was cut off on the way
    assert httpx.get(f"{server.url}/health/ready").status_code == 200


def test_head_that_is_somewhat_too_long_hears_why(server):
    with connected(server) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nx-a: ")
        time.sleep(0.2)
        connection.sendall(b"b" * 70_000)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert "headers: are longer than 65536 bytes" in json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def test_connections_whose_head_does_not_come_are_ended_and_others_stay(server):
    beginnings = (b"", b"POST /mod", b"POST /models/flights/predict HTTP/1.1\r\nhost: a\r\n", b"\r\n")
    halves = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in beginnings]
    for half, beginning in zip(halves, beginnings, strict=True):
        half.sendall(beginning)
    limits = httpx.Limits(keepalive_expiry=60)
    with httpx.Client(base_url=server.url, limits=limits) as client:
        assert client.get("/health/live").status_code == 200
        (kept,) = client._transport._pool.connections
        begun = time.monotonic()
        for half in halves:
            assert read_all(half) == b""
            half.close()
        assert time.monotonic() - begun < HEAD_SECONDS + 20
        assert client.post(PATH, json={"rows": [FLIGHT]}).status_code == 200
        assert client._transport._pool.connections == [kept]  # idle between requests, and still there


def test_second_head_on_a_connection_has_to_come_too(server):
    with connected(server) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /health")
        assert read_all(connection) == b""
