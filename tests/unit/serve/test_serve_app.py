import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families

from examples import FLIGHT, featured_bundle, flight_bundle, manifest, write_plan
from vitok.errors import Fault
from vitok.journal.ledger import Ledger
from vitok.journal.mover import move
from vitok.journal.spool import Spool
from vitok.kernel.clock import VirtualClock
from vitok.model.bundle import Field
from vitok.release.plan import Arm
from vitok.serve.app import ServeSettings, create_app
from vitok.store.blobs import Blobs
from vitok.store.lake import Lake

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    """A project's `.vitok` folder with one version released."""
    blobs = Blobs(tmp_path / "blobs")
    write_plan(tmp_path, flight_bundle(blobs))
    return tmp_path


@asynccontextmanager
async def serving(home, settings=None):
    app = create_app(home, VirtualClock(NOW), settings)
    await app.start()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://vitok") as client:
        try:
            yield app, client
        finally:
            await app.stop()


def scenario(home, work, settings=None):
    """Runs `work(app, client)` against a data plane and returns what it returns."""

    async def run():
        async with serving(home, settings) as (app, client):
            return await work(app, client)

    return asyncio.run(run())


def post(home, path, content, settings=None, **headers):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return scenario(home, lambda app, client: client.post(path, content=body, headers=headers), settings)


def moved(home):
    lake = Lake(home / "lake")
    move(home / "journal", lake, NOW)
    return Ledger(lake)


def test_prediction_is_recorded_with_what_was_answered(home):
    row = FLIGHT | {"flight": "UA1", "tail": "N1", "departure": "2025-12-31T06:00:00Z"}
    answer = post(home, "/models/flights/predict", {"rows": [row]})
    assert answer.status_code == 200
    assert answer.json() == {
        "model": "flights",
        "version": 1,
        "predictions": [{"id": "UA1", "score": pytest.approx(0.70056713), "decision": True}],
    }
    (record,) = moved(home).predictions().to_dicts()
    assert (record["id"], record["unit"], record["role"]) == ("UA1", "N1", "champion")
    assert record["time"] == datetime(2025, 12, 31, 6, tzinfo=UTC)
    assert record["received"] == NOW
    assert record["score"] == answer.json()["predictions"][0]["score"]
    assert FLIGHT.items() <= json.loads(record["inputs"]).items()


def test_row_without_id_gets_one_that_the_journal_has_too(home):
    answer = post(home, "/models/flights/predict", {"rows": [FLIGHT, FLIGHT]})
    ids = [prediction["id"] for prediction in answer.json()["predictions"]]
    assert len(set(ids)) == 2
    assert sorted(moved(home).predictions()["id"]) == sorted(ids)


def test_unseen_category_is_warned_about_in_answer_and_journal(home):
    answer = post(home, "/models/flights/predict", {"rows": [FLIGHT | {"carrier": "ZZ"}]})
    warnings = ["carrier: 'ZZ' was not in the training data"]
    assert answer.json()["predictions"][0]["warnings"] == warnings
    assert json.loads(moved(home).predictions()["warnings"][0]) == warnings


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 400, "is no JSON"),
        (b'{"rows":[{"temp":NaN}]}', 400, "Send null for a missing value"),
        (b'{"rows":[{"carrier":"\xff"}]}', 400, "UTF-8"),
        (b'{"rows":' + b"[" * 100_000, 400, "nested too deeply"),
        ({"rows": [{}]}, 400, "rows[0].distance: is missing"),
        ({"rows": [FLIGHT | {"tmep": 1}]}, 400, "Did you mean 'temp'?"),
        ({"rows": [FLIGHT] * 10_001}, 413, "at most 10000"),
    ],
)
def test_bad_request_is_explained_and_not_recorded(home, content, status, message):
    answer = post(home, "/models/flights/predict", content)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert message in answer.json()["error"]
    assert moved(home).predictions().is_empty()


def test_body_over_the_limit_is_refused(home):
    settings = ServeSettings(max_body_bytes=100)
    body = {"rows": [FLIGHT, FLIGHT]}
    assert post(home, "/models/flights/predict", body, settings).status_code == 413

    async def streamed(app, client):
        async def chunks():
            for _ in range(20):
                yield b"x" * 10

        return await client.post("/models/flights/predict", content=chunks())

    assert scenario(home, streamed, settings).status_code == 413


def test_body_in_an_unknown_coding_is_refused(home):
    answer = post(home, "/models/flights/predict", b"", **{"content-encoding": "br"})
    assert (answer.status_code, answer.json()["error"]) == (
        415,
        "body: is packed in a way that is not known. Send it as gzip, deflate, or plain",
    )


def test_unknown_model_path_and_method_are_explained(home):
    async def work(app, client):
        return [
            await client.post("/models/fares/predict", json={}),
            await client.get("/nowhere"),
            await client.get("/models/flights/predict"),
            await client.post("/v2/models/flights/versions/9/infer", content=b"{}"),
            await client.get("/v2/models/flights/versions/x"),
        ]

    answers = scenario(home, work)
    assert [answer.status_code for answer in answers] == [404, 404, 405, 404, 404]
    assert answers[0].json() == {"error": "model 'fares': is not served here. This server has 'flights'."}
    assert answers[2].headers["allow"] == "POST"
    assert "In production: 1" in answers[3].json()["error"]


def test_without_a_release_nothing_is_ready_and_the_remedy_is_named(tmp_path):
    async def work(app, client):
        live, ready = await client.get("/health/live"), await client.get("/v2/health/ready")
        predict = await client.post("/models/flights/predict", json={"rows": [FLIGHT]})
        index = await client.post("/v2/repository/index")
        openapi = await client.get("/openapi.json")
        write_plan(tmp_path, flight_bundle(Blobs(tmp_path / "blobs")))
        await app.watcher.poll()
        return live, ready, predict, index, openapi, await client.get("/v2/health/ready")

    live, ready, predict, index, openapi, later = scenario(tmp_path, work)
    assert (live.status_code, ready.status_code, predict.status_code, later.status_code) == (
        200,
        503,
        503,
        200,
    )
    assert "vitok release VERSION" in predict.json()["error"]
    assert index.json() == []
    assert openapi.json()["paths"] == {}


def test_new_plan_takes_over_and_a_bad_one_does_not(home):
    blobs = Blobs(home / "blobs")

    async def score(client):
        answer = await client.post("/models/flights/predict", json={"rows": [FLIGHT]})
        return answer.json()["predictions"][0]["score"]

    async def work(app, client):
        first = await score(client)
        write_plan(home, flight_bundle(blobs, bias=1.0), epoch=2)
        await app.watcher.poll()
        second = await score(client)
        problems = []
        good = flight_bundle(blobs)
        for plan in ({"verdicts": {good: "refused"}}, {"arms": (Arm(1, "0" * 64, "champion", 1.0),)}):
            write_plan(home, good, epoch=3, **plan)
            await app.watcher.poll()
            problems.append((await client.get("/v2/health/ready")).json())
            assert await score(client) == second
        (home / "plan.json").write_bytes(b"{")
        await app.watcher.poll()
        problems.append((await client.get("/v2/health/ready")).json())
        (home / "plan.json").unlink()
        await app.watcher.poll()
        return first, second, await score(client), problems

    first, second, last, problems = scenario(home, work)
    assert first < second == last
    assert [problem["epoch"] for problem in problems] == [2, 2, 2]
    assert "has no accepted verdict" in problems[0]["problem"]
    assert problems[1]["problem"]
    assert "cannot be read" in problems[2]["problem"]


def test_challenger_gets_its_share_and_keeps_its_units(home):
    blobs = Blobs(home / "blobs")
    write_plan(home, flight_bundle(blobs), flight_bundle(blobs, bias=5.0), share=0.3)
    rows = [FLIGHT | {"tail": f"N{number}"} for number in range(1000)]

    async def work(app, client):
        both = [await client.post("/models/flights/predict", json={"rows": rows}) for _ in range(2)]
        single = await client.post("/models/flights/predict", json={"rows": rows[:1]})
        return *both, single

    one, two, single = scenario(home, work)
    versions = [prediction["version"] for prediction in one.json()["predictions"]]
    assert versions == [prediction["version"] for prediction in two.json()["predictions"]]
    assert 0.25 < versions.count(2) / 1000 < 0.35
    assert single.json()["version"] == versions[0]
    scores = {prediction["version"]: prediction["score"] for prediction in one.json()["predictions"]}
    assert scores[2] > scores[1]
    frame = moved(home).predictions()
    assert frame.filter(role="challenger").height == 2 * versions.count(2) + (versions[0] == 2)


def test_versions_with_other_inputs_serve_side_by_side(home):
    """A row that only the champion takes is its own: the caller did nothing wrong, and the failure is the other's."""
    blobs = Blobs(home / "blobs")
    inputs = [*manifest().inputs, Field("wind", "number", nullable=False, example=3)]
    other = flight_bundle(blobs, inputs=inputs)
    write_plan(home, flight_bundle(blobs), other, share=1.0)
    rows = [FLIGHT | {"flight": f"F{place}"} | ({"wind": 3} if place % 2 else {}) for place in range(6)]

    async def work(app, client):
        async def sent(*rows):
            return (await client.post("/models/flights/predict", json={"rows": rows})).json()

        with_wind, without, mistyped = [
            await sent(FLIGHT | {"flight": f"one {each}"} | each) for each in ({"wind": 3}, {}, {"wind": "x"})
        ]
        return with_wind, without, mistyped, await sent(*rows), app.watcher.current.in_trouble

    with_wind, without, mistyped, both, in_trouble = scenario(home, work)
    assert with_wind["version"] == 2
    assert without["version"] == 1
    (found,) = without["predictions"]
    assert (found["action"], found["reason"]) == (
        "fallback",
        "version 2: wind: is null, and training data always had it. Send a number, for example 3.",
    )
    assert 'version 2: wind: is "x"' in mistyped["predictions"][0]["reason"]
    assert [each["version"] for each in both["predictions"]] == [1, 2] * 3
    assert not in_trouble  # other rows are still asked of it
    frame = moved(home).predictions().filter(pl.col("id").str.starts_with("F")).sort("id")
    assert frame["routed"].to_list() == [2, None] * 3
    assert frame["version"].to_list() == [1, 2] * 3


def test_many_at_once_of_whom_some_lack_an_input_get_each_their_own_answer(home):
    blobs = Blobs(home / "blobs")
    inputs = [*manifest().inputs, Field("wind", "number", nullable=False, example=3)]
    write_plan(home, flight_bundle(blobs), flight_bundle(blobs, inputs=inputs), share=1.0)

    async def work(app, client):
        rows = [FLIGHT | ({"wind": 3} if place % 2 else {}) for place in range(8)]
        path = "/models/flights/predict"
        return await asyncio.gather(*(client.post(path, json={"rows": [row]}) for row in rows))

    answers = scenario(home, work)
    assert [answer.json()["version"] for answer in answers] == [1, 2] * 4


def test_shadow_is_recorded_but_never_answers_nor_disturbs(home):
    blobs = Blobs(home / "blobs")
    good, shadow = flight_bundle(blobs), flight_bundle(blobs, bias=5.0)
    write_plan(home, good, shadow, arms=(Arm(1, good, "champion", 1.0), Arm(2, shadow, "shadow", 0.0)))

    async def work(app, client):
        answer = await client.post("/models/flights/predict", json={"rows": [FLIGHT | {"flight": "a"}]})
        await asyncio.sleep(0.1)  # the shadow is asked after the answer
        app.watcher.current.shadows[0].model._session = None
        return answer, await client.post("/models/flights/predict", json={"rows": [FLIGHT | {"flight": "b"}]})

    answer, second = scenario(home, work)
    assert answer.json()["version"] == 1
    assert second.status_code == 200
    frame = moved(home).since(datetime(2000, 1, 1, tzinfo=UTC))
    assert sorted(frame.select("id", "role", "action").rows()) == [
        ("a", "champion", "model"),
        ("a", "shadow", "model"),
        ("b", "champion", "model"),
        ("b", "shadow", "failed"),
    ]
    assert frame["micros"].is_null().to_list() == [action == "failed" for action in frame["action"]]
    assert moved(home).predictions().height == 3  # what failed is no prediction


def test_model_that_fails_gives_500_without_a_stack_trace(home):
    source = "def add_features(frame):\n    if frame['temp'][0] == 13: raise ValueError('thirteen')\n"
    source += "    return frame.with_columns(hour=1.0, far=False)"
    write_plan(home, featured_bundle(Blobs(home / "blobs"), source))
    rows = [FLIGHT | {"temp": 13, "departure": "2026-01-01T00:00:00Z"}]
    answer = post(home, "/models/flights/predict", {"rows": rows})
    assert answer.status_code == 500
    assert "add_features: fails: ValueError: thirteen" in answer.json()["error"]
    assert "Traceback" not in answer.text
    assert moved(home).predictions().is_empty()


def test_what_cannot_be_recorded_is_not_answered(home, monkeypatch):
    def refuses(self, records):
        raise Fault("journal", "cannot be written: database or disk is full", "Free disk space.")

    monkeypatch.setattr(Spool, "append", refuses)
    answer = post(home, "/models/flights/predict", {"rows": [FLIGHT]})
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("not recorded, so not answered: journal: cannot be written")


def test_unexpected_failure_tells_nothing_of_the_inside(home, monkeypatch):
    monkeypatch.setattr("vitok.serve.batcher.predict", lambda *arguments: 1 / 0)
    answer = post(home, "/models/flights/predict", {"rows": [FLIGHT]})
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text


@pytest.mark.parametrize("durable", [False, True])
def test_concurrent_requests_share_a_commit_and_are_all_recorded(home, durable, monkeypatch):
    commits, append = [], Spool.append

    def counts(self, records):
        commits.append(len(records))
        append(self, records)

    monkeypatch.setattr(Spool, "append", counts)

    async def work(app, client):
        requests = [client.post("/models/flights/predict", json={"rows": [FLIGHT]}) for _ in range(50)]
        requests.append(client.post("/models/flights/predict", json={"rows": [FLIGHT] * 1000}))
        return await asyncio.gather(*requests)

    answers = scenario(home, work, ServeSettings(durable=durable))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(commits) == 1050
    assert len(commits) < 51
    assert moved(home).predictions()["id"].n_unique() == 1050


def test_outcomes_are_sorted_by_what_is_known(home):
    async def work(app, client):
        rows = [FLIGHT | {"flight": key} for key in "abc"]
        await client.post("/models/flights/predict", json={"rows": rows})
        first = await client.post(
            "/models/flights/outcomes",
            json={
                "outcomes": [
                    {"id": "a", "value": True, "time": "2026-01-01T05:00:00Z"},
                    {"id": "b", "value": 0},
                    {"id": "z", "value": True},
                    {"id": "a", "value": True},
                    {"id": "c", "value": "perhaps"},
                    {"id": "c", "value": True, "tiem": 1},
                    {"id": "c", "value": True, "time": "soon"},
                ]
            },
        )
        second = await client.post(
            "/models/flights/outcomes",
            json={
                "outcomes": [
                    {"id": "a", "value": False},
                    {"id": "b", "value": True, "replace": True},
                    {"id": "z", "value": True},
                ]
            },
        )
        return first.json(), second.json()

    first, second = scenario(home, work)
    assert (first["matched"], first["unmatched"], first["duplicates"], first["conflicts"]) == (
        2,
        ["z"],
        1,
        [],
    )
    assert [problem.split(":")[0] for problem in first["problems"]] == [
        "outcomes[4].value",
        "outcomes[5]",
        "outcomes[6].time",
    ]
    assert (second["matched"], second["duplicates"], second["conflicts"]) == (1, 1, ["a"])
    assert 'Send it with "replace": true' in second["problems"][0]
    found = moved(home).outcomes()
    assert dict(zip(found["id"], found["value"], strict=True)) == {"a": "true", "b": "true", "z": "true"}


def test_outcome_of_a_moved_prediction_still_matches(home):
    async def work(app, client):
        await client.post("/models/flights/predict", json={"rows": [FLIGHT | {"flight": "a"}]})
        move(home / "journal", Lake(home / "lake"), NOW)
        answers = [
            await client.post("/models/flights/outcomes", json={"outcomes": [{"id": "a", "value": value}]})
            for value in (True, False)
        ]
        return [answer.json() for answer in answers]

    first, second = scenario(home, work)
    assert first["matched"] == 1
    assert second["conflicts"] == ["a"]


@pytest.mark.parametrize("content", [b"[", {"outcomes": 1}, {"outcomes": [], "more": 1}, []])
def test_bad_body_of_outcomes_is_refused(home, content):
    assert post(home, "/models/flights/outcomes", content).status_code == 400


def test_openapi_describes_rows_from_the_manifest(home):
    described = scenario(home, lambda app, client: client.get("/openapi.json")).json()
    row = described["components"]["schemas"]["Row"]
    assert row["example"] == FLIGHT
    assert row["required"] == ["distance", "carrier"]
    assert row["properties"]["temp"]["type"] == ["number", "null"]
    assert {"/models/flights/predict", "/v2/models/flights/infer", "/invocations"} <= set(described["paths"])


def test_metrics_count_what_happened(home):
    async def work(app, client):
        await client.post("/models/flights/predict", json={"rows": [FLIGHT] * 3})
        await client.post("/models/flights/predict", content=b"")
        return await client.get("/metrics")

    answer = scenario(home, work)
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    samples = {(s.name, *sorted(s.labels.items())): s.value for f in families.values() for s in f.samples}
    predicted = (("action", "model"), ("role", "champion"), ("version", "1"))
    assert samples["vitok_predictions_total", *predicted] == 3
    assert samples["vitok_requests_total", ("route", "models/*/predict"), ("status", "400")] == 1
    assert samples["vitok_request_seconds_bucket", ("le", "+Inf")] == 2
    assert samples["vitok_plan_epoch",] == 1


def test_other_paths_go_to_the_other_application(home):
    async def dashboard(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"dashboard"})

    async def run():
        app = create_app(home, VirtualClock(NOW), otherwise=dashboard)
        await app.start()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://vitok") as client:
            answers = await client.get("/"), await client.get("/health/live")
        await app.stop()
        return answers

    page, live = asyncio.run(run())
    assert (page.text, live.json()) == ("dashboard", {"live": True})
