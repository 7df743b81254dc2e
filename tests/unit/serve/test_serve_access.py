import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_serve_app import scenario

from examples import FLIGHT, flight_bundle, write_plan
from vitok.kernel.clock import VirtualClock
from vitok.release.keys import SCOPES
from vitok.serve.access import NEEDS, Access, digest_of
from vitok.serve.app import ServeSettings
from vitok.serve.http import HttpProblem
from vitok.store.blobs import Blobs

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
GUARDED = ServeSettings(guarded=True)


def write_keys(home, **keys):
    """Keys by what the caller sends."""
    home.mkdir(parents=True, exist_ok=True)
    content = {digest_of(key): {"name": key, "scopes": ["predict"]} | values for key, values in keys.items()}
    (home / "keys.json").write_text(json.dumps(content))


def access(home, clock=None, workers=1, hosts=None):
    return Access(home, clock or VirtualClock(NOW), hosts, workers)


def bearer(key):
    return {b"authorization": f"Bearer {key}".encode()}


def refusal(found, route, headers):
    with pytest.raises(HttpProblem) as caught:
        found.admit(route, headers)
    return caught.value.status


def test_each_address_is_declared(tmp_path):
    async def work(app, client):
        return {"/".join(parts) for group in app._routes.values() for parts, _ in group}

    assert scenario(tmp_path, work) == set(NEEDS)


@pytest.mark.parametrize("scope", [None, *SCOPES])
def test_each_address_is_open_to_its_scope_and_to_no_other(tmp_path, scope):
    """Every address beside every scope, and without a key."""
    write_keys(tmp_path, mine={"scopes": [] if scope is None else [scope]})
    found = access(tmp_path)
    for route, needed in {**NEEDS, None: "pages"}.items():
        if needed is None:
            found.admit(route, {})
        elif needed == scope:
            found.admit(route, bearer("mine"))
            assert refusal(found, route, {}) == 401
        else:
            assert refusal(found, route, bearer("mine")) == 403
    assert refusal(found, "new/address", bearer("mine")) == 403


def test_key_comes_in_three_ways_and_a_wrong_one_in_none(tmp_path):
    write_keys(tmp_path, mine={})
    found = access(tmp_path)
    basic = base64.b64encode(b"anybody:mine").decode()
    for headers in (bearer("mine"), {b"authorization": f"Basic {basic}".encode()}, {b"x-api-key": b"mine"}):
        found.admit("invocations", headers)
    for headers in (
        {},
        bearer("mine "[:-2]),
        bearer(""),
        {b"authorization": b"Basic !"},
        {b"authorization": b"mine"},
    ):
        assert refusal(found, "invocations", headers) == 401


@given(st.binary(max_size=40))
def test_any_header_is_let_in_or_refused(tmp_path_factory, content):
    home = tmp_path_factory.mktemp("keys")
    write_keys(home, mine={})
    found = access(home)
    for headers in (
        {b"authorization": content},
        {b"x-api-key": content},
        {b"authorization": b"Basic " + content},
    ):
        assert refusal(found, "invocations", headers) == 401


def test_key_expires(tmp_path):
    clock = VirtualClock(NOW)
    write_keys(tmp_path, mine={"expires": (NOW + timedelta(hours=1)).timestamp()})
    found = access(tmp_path, clock)
    found.admit("invocations", bearer("mine"))
    clock.move_to(NOW + timedelta(hours=1))
    assert refusal(found, "invocations", bearer("mine")) == 401


def test_quota_of_a_day_is_shared_by_the_workers_and_begins_anew(tmp_path):
    clock = VirtualClock(NOW)
    write_keys(tmp_path, mine={"quota": 6})
    found = access(tmp_path, clock, workers=2)
    for _ in range(3):
        found.admit("invocations", bearer("mine"))
    assert refusal(found, "invocations", bearer("mine")) == 429
    clock.move_to(NOW + timedelta(hours=12))
    found.admit("invocations", bearer("mine"))


def test_rate_lets_a_burst_of_a_second_through_and_then_its_pace(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("vitok.serve.access.time.monotonic", lambda: now)
    write_keys(tmp_path, mine={"rate": 4})
    found = access(tmp_path)
    for _ in range(4):
        found.admit("invocations", bearer("mine"))
    assert refusal(found, "invocations", bearer("mine")) == 429
    now += 0.25
    found.admit("invocations", bearer("mine"))
    assert refusal(found, "invocations", bearer("mine")) == 429


def test_host_that_is_not_served_is_refused_before_anything_else(tmp_path):
    found = Access(tmp_path, VirtualClock(NOW), frozenset({"localhost", "::1"}), 1, with_keys=False)
    for host in (b"localhost:8000", b"LOCALHOST", b"[::1]:8000"):
        found.admit("invocations", {b"host": host})
    for host in (b"evil.example", b"", b"localhost.evil.example", b"[::2]:1"):
        assert refusal(found, "invocations", {b"host": host}) == 400


def test_without_any_key_nothing_is_open_but_health(tmp_path):
    found = access(tmp_path)
    found.admit("health/live", {})
    assert refusal(found, "models/*/predict", bearer("x")) == 401


def test_revoked_key_and_damaged_file(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("vitok.serve.access.time.monotonic", lambda: now)
    write_keys(tmp_path, mine={}, other={})
    found = access(tmp_path)
    found.admit("invocations", bearer("mine"))
    write_keys(tmp_path, other={})
    now += 2
    assert refusal(found, "invocations", bearer("mine")) == 401
    (tmp_path / "keys.json").write_text("{")
    now += 2
    found.admit("invocations", bearer("other"))


def test_guarded_data_plane_asks_for_the_key(tmp_path):
    write_plan(tmp_path, flight_bundle(Blobs(tmp_path / "blobs")))
    write_keys(tmp_path, mine={})

    async def work(app, client):
        path, rows = "/models/flights/predict", {"rows": [FLIGHT]}
        with_key = {"headers": {"authorization": "Bearer mine"}}
        return [
            await client.post(path, json=rows),
            await client.post(path, json=rows, **with_key),
            await client.get("/metrics", **with_key),
            await client.get("/health/live"),
            await client.get("/nowhere", **with_key),
        ]

    answers = scenario(tmp_path, work, GUARDED)
    assert [answer.status_code for answer in answers] == [401, 200, 403, 200, 403]
    assert "www-authenticate" in answers[0].headers
    assert answers[2].json() == {"error": "key 'mine' may not do this: it lacks the scope 'read'"}
