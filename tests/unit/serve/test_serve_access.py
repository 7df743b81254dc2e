import asyncio
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
from vitok.store.usage import Usage

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
GUARDED = ServeSettings(guarded=True)


def write_keys(home, **keys):
    """Keys by what the caller sends."""
    home.mkdir(parents=True, exist_ok=True)
    content = {digest_of(key): {"name": key, "scopes": ["predict"]} | values for key, values in keys.items()}
    (home / "keys.json").write_text(json.dumps(content))


def access(home, clock=None, workers=1, run=None):
    return Access(home, clock or VirtualClock(NOW), None, Usage(home, workers, run))


def admit(found, route, headers):
    """Admission without a loop: nothing has to be waited for where no token is asked."""
    try:
        found.admit(route, headers).send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("admission waits")


def bearer(key):
    return {b"authorization": f"Bearer {key}".encode()}


def refusal(found, route, headers):
    with pytest.raises(HttpProblem) as caught:
        admit(found, route, headers)
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
    for route, needed in NEEDS.items():
        if needed is None:
            admit(found, route, {})
        elif needed == scope:
            admit(found, route, bearer("mine"))
            assert refusal(found, route, {}) == 401
        else:
            assert refusal(found, route, bearer("mine")) == 403
    assert refusal(found, "new/address", bearer("mine")) == 403


def test_key_comes_in_three_ways_and_a_wrong_one_in_none(tmp_path):
    write_keys(tmp_path, mine={})
    found = access(tmp_path)
    basic = base64.b64encode(b"anybody:mine").decode()
    for headers in (bearer("mine"), {b"authorization": f"Basic {basic}".encode()}, {b"x-api-key": b"mine"}):
        admit(found, "invocations", headers)
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
    admit(found, "invocations", bearer("mine"))
    clock.move_to(NOW + timedelta(hours=1))
    assert refusal(found, "invocations", bearer("mine")) == 401


def test_quota_of_a_day_is_counted_over_all_workers_and_begins_anew(tmp_path):
    clock = VirtualClock(NOW)
    write_keys(tmp_path, mine={"quota": 6})
    workers = [access(tmp_path, clock, workers=2) for _ in range(2)]
    for turn in range(6):
        assert admit(workers[0 if turn < 5 else 1], "invocations", bearer("mine")) == "mine"
    for worker in workers:
        assert refusal(worker, "invocations", bearer("mine")) == 429
    clock.move_to(NOW + timedelta(hours=12))
    for worker in workers * 3:
        admit(worker, "invocations", bearer("mine"))
    assert refusal(workers[0], "invocations", bearer("mine")) == 429


def test_quota_goes_on_after_a_restart(tmp_path):
    write_keys(tmp_path, mine={"quota": 5})
    for _ in range(5):
        found = access(tmp_path)
        admit(found, "invocations", bearer("mine"))
        asyncio.run(found.stop())
    assert refusal(access(tmp_path), "invocations", bearer("mine")) == 429


def test_refusal_says_when_to_come_again(tmp_path):
    write_keys(tmp_path, mine={"quota": 1}, slow={"rate": 0.1})
    found = access(tmp_path)
    for key, seconds in (("mine", b"43200"), ("slow", b"10")):
        admit(found, "invocations", bearer(key))
        with pytest.raises(HttpProblem) as caught:
            admit(found, "invocations", bearer(key))
        assert dict(caught.value.headers) == {b"retry-after": seconds}


def test_key_with_limits_is_refused_where_nothing_can_be_counted_and_others_are_not(tmp_path):
    write_keys(tmp_path, mine={"quota": 6}, free={})
    (tmp_path / "usage").write_text("no folder")
    found = access(tmp_path)
    assert refusal(found, "invocations", bearer("mine")) == 503
    admit(found, "invocations", bearer("free"))
    (tmp_path / "usage").unlink()
    admit(found, "invocations", bearer("mine"))


def test_rate_lets_a_burst_of_a_second_through_and_then_its_pace(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("vitok.serve.access.time.monotonic", lambda: now)
    write_keys(tmp_path, mine={"rate": 4})
    found = access(tmp_path)
    for _ in range(4):
        admit(found, "invocations", bearer("mine"))
    assert refusal(found, "invocations", bearer("mine")) == 429
    now += 0.25
    admit(found, "invocations", bearer("mine"))
    assert refusal(found, "invocations", bearer("mine")) == 429


def test_rate_holds_for_all_workers_of_a_server_and_not_for_another_server(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("vitok.serve.access.time.monotonic", lambda: now)
    write_keys(tmp_path, mine={"rate": 4})
    workers = [access(tmp_path, workers=2, run=7) for _ in range(2)]
    for turn in range(4):
        admit(workers[turn % 2], "invocations", bearer("mine"))
    for worker in workers:
        assert refusal(worker, "invocations", bearer("mine")) == 429
    now += 9.9  # it runs over; the first to ask again writes that down, the other must not take it for his
    for _ in range(4):
        admit(workers[0], "invocations", bearer("mine"))
    now += 0.1
    assert refusal(workers[1], "invocations", bearer("mine")) == 429
    admit(access(tmp_path, run=8), "invocations", bearer("mine"))


def test_rate_that_is_changed_holds_at_once(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("vitok.serve.access.time.monotonic", lambda: now)
    found = access(tmp_path)
    for rate in (100, 2, 100):
        write_keys(tmp_path, mine={"rate": rate})
        now += 2
        for _ in range(rate):
            admit(found, "invocations", bearer("mine"))
        assert refusal(found, "invocations", bearer("mine")) == 429


def test_host_that_is_not_served_is_refused_before_anything_else(tmp_path):
    found = Access(
        tmp_path, VirtualClock(NOW), frozenset({"localhost", "::1"}), Usage(tmp_path), with_keys=False
    )
    for host in (b"localhost:8000", b"LOCALHOST", b"[::1]:8000"):
        admit(found, "invocations", {b"host": host})
    for host in (b"evil.example", b"", b"localhost.evil.example", b"[::2]:1"):
        assert refusal(found, "invocations", {b"host": host}) == 400


def test_without_any_key_nothing_is_open_but_health(tmp_path):
    found = access(tmp_path)
    admit(found, "health/live", {})
    assert refusal(found, "models/*/predict", bearer("x")) == 401


def test_revoked_key_and_damaged_file(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("vitok.serve.access.time.monotonic", lambda: now)
    write_keys(tmp_path, mine={}, other={})
    found = access(tmp_path)
    admit(found, "invocations", bearer("mine"))
    write_keys(tmp_path, other={})
    now += 2
    assert refusal(found, "invocations", bearer("mine")) == 401
    (tmp_path / "keys.json").write_text("{")
    now += 2
    admit(found, "invocations", bearer("other"))


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


def test_refusals_come_in_the_form_that_the_clients_of_an_address_read(tmp_path):
    write_plan(tmp_path, flight_bundle(Blobs(tmp_path / "blobs")))
    write_keys(tmp_path, mine={"quota": 1}, other={"scopes": ["read"]})

    async def work(app, client):
        given = {"instances": [FLIGHT]}
        mine, other = ({"headers": {"authorization": f"Bearer {key}"}} for key in ("mine", "other"))
        return [
            await client.post("/invocations", json=given),
            await client.post("/invocations", json=given, **other),
            await client.post("/invocations", json=given, **mine),
            await client.post("/invocations", json=given, **mine),
            await client.post("/v2/models/flights/infer", json={}, **mine),
            await client.post("/models/flights/predict", json={}, **mine),
        ]

    *invoked, inferred, predicted = scenario(tmp_path, work, GUARDED)
    assert [answer.status_code for answer in invoked] == [401, 403, 200, 429]
    codes = [answer.json()["error_code"] for answer in invoked if answer.status_code != 200]
    assert codes == ["UNAUTHENTICATED", "PERMISSION_DENIED", "REQUEST_LIMIT_EXCEEDED"]
    assert "retry-after" in invoked[3].headers
    assert "www-authenticate" in invoked[0].headers
    text = "key 'mine' has used its 1 requests of today"
    assert invoked[3].json() == {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": text}
    for answer in (inferred, predicted):
        assert (answer.status_code, answer.json()) == (429, {"error": text})


def test_other_refusals_of_invocations_have_its_form_too(tmp_path):
    write_plan(tmp_path, flight_bundle(Blobs(tmp_path / "blobs")))

    async def work(app, client):
        app._busy = 10**9
        full = await client.post("/invocations", json={})
        app._busy = 0
        return [
            full,
            await client.get("/invocations"),
            await client.post("/invocations", content=b"x" * 2000),
        ]

    answers = scenario(tmp_path, work, ServeSettings(max_body_bytes=1000))
    found = [(answer.status_code, answer.json()["error_code"]) for answer in answers]
    assert found == [(429, "REQUEST_LIMIT_EXCEEDED"), (405, "BAD_REQUEST"), (413, "REQUEST_LIMIT_EXCEEDED")]
    assert {tuple(answer.json()) for answer in answers} == {("error_code", "message")}
