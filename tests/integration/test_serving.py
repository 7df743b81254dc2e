"""The data plane as its users meet it: real processes, the stock client, and processes that are killed."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest

from examples import FLIGHT, cancer_bundle, featured_bundle, flight_bundle, write_plan
from serving import free_port, running
from vitok.journal.ledger import Ledger
from vitok.journal.mover import move
from vitok.store.blobs import Blobs
from vitok.store.lake import Lake

pytestmark = pytest.mark.xdist_group("serving")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEAVY = [
    "sklearn",
    "mlflow",
    "optuna",
    "pandas",
    "lightgbm",
    "skl2onnx",
    "onnxmltools",
    "onnx",
    "sqlalchemy",
    "deltalake",
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flights")
    write_plan(folder / ".vitok", flight_bundle(Blobs(folder / ".vitok" / "blobs")))
    return folder


@pytest.fixture(scope="module")
def server(project):
    with running(project) as found:
        yield found


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url) as found:
        yield found


def moved(project):
    home = project / ".vitok"
    lake = Lake(home / "lake")
    while move(home / "journal", lake, NOW).is_busy:
        time.sleep(0.05)
    return Ledger(lake)


def test_server_is_ready_soon_after_its_start(server):
    print(f"ready after {server.seconds:.2f} s")
    assert server.seconds < 5  # 0.7 s on a quiet machine; the bound leaves room for a busy one


def test_prediction_and_outcome_meet_in_the_lake(project, client):
    row = FLIGHT | {"flight": "UA7", "tail": "N7"}
    answer = client.post("/models/flights/predict", json={"rows": [row]}).json()
    assert answer["predictions"][0]["id"] == "UA7"
    taken = client.post("/models/flights/outcomes", json={"outcomes": [{"id": "UA7", "value": True}]}).json()
    assert taken["matched"] == 1
    (record,) = moved(project).labelled().filter(id="UA7").to_dicts()
    assert (record["score"], record["value"]) == (answer["predictions"][0]["score"], "true")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/models/flights/predict", b"", 400),
        ("/models/flights/predict", b'{"rows":[{"carrier":"\xff"}]}', 400),
        ("/models/flights/predict", b'{"rows":[{"temp":NaN}]}', 400),
        ("/models/flights/predict", b'{"rows":' + b"[" * 1_000_000, 400),
        ("/models/flights/predict", b'{"rows":[{"distance":"far","carrier":"UA"}]}', 400),
        ("/models/fares/predict", b"{}", 404),
        ("/v2/models/flights/infer", b'{"inputs":[{"name":"temp"}]}', 400),
        ("/models/flights/predict", b"x" * (16 * 2**20 + 1), 413),
        ("/health/live", b"", 405),
    ],
)
def test_bad_requests_are_explained_and_the_server_goes_on(client, path, body, status):
    answer = client.post(path, content=body)
    assert answer.status_code == status
    assert isinstance(answer.json()["error"], str)
    assert client.post("/models/flights/predict", json={"rows": [FLIGHT]}).status_code == 200


def test_large_batch_does_not_hold_up_small_requests(client, server):
    done = threading.Event()

    def send_large():
        rows = {"rows": [FLIGHT] * 10_000}
        for _ in range(3):
            assert (
                httpx.post(f"{server.url}/models/flights/predict", json=rows, timeout=30).status_code == 200
            )
        done.set()

    thread = threading.Thread(target=send_large)
    thread.start()
    waits = []
    while not done.is_set():
        started = time.perf_counter()
        client.get("/health/live")
        waits.append(time.perf_counter() - started)
    thread.join()
    print(f"{len(waits)} requests beside 3 batches, slowest {max(waits) * 1000:.0f} ms")
    assert np.median(waits) < 0.1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_stock_client_of_the_open_inference_protocol_works(server):
    from tritonclient import http
    from tritonclient.utils import InferenceServerException

    client = http.InferenceServerClient(f"127.0.0.1:{server.port}")
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("flights")
    assert client.is_model_ready("flights", "1")
    assert not client.is_model_ready("flights", "2")
    assert not client.is_model_ready("fares")
    assert client.get_server_metadata()["name"] == "vitok"
    assert client.get_model_metadata("flights")["inputs"][0]["name"] == "temp"
    assert client.get_model_repository_index()[0]["state"] == "READY"
    values = [
        ("temp", "FP32", np.array([[4.5], [-3.0]], dtype=np.float32)),
        ("distance", "INT64", np.array([[800], [100]])),
        ("carrier", "BYTES", np.array([["UA"], ["ZZ"]], dtype=object)),
        ("holiday", "BOOL", np.array([[False], [True]])),
    ]
    for binary in (True, False):
        inputs = []
        for name, datatype, array in values:
            inputs.append(http.InferInput(name, [2, 1], datatype))
            inputs[-1].set_data_from_numpy(array, binary_data=binary)
        outputs = [http.InferRequestedOutput(name, binary_data=binary) for name in ("score", "decision")]
        result = client.infer("flights", inputs, outputs=outputs, request_id="q")
        np.testing.assert_allclose(result.as_numpy("score"), [0.70056713, 0.79412961], rtol=1e-5)
        assert [str(value).strip("b'") for value in result.as_numpy("decision")] == ["true", "true"]
        assert result.get_response()["id"] == "q"
    assert client.infer("flights", inputs).as_numpy("version").tolist() == [1, 1]
    with pytest.raises(InferenceServerException, match=r"rows\[0\].carrier: is missing"):
        client.infer("flights", inputs[:2])
    with pytest.raises(InferenceServerException, match="not served here"):
        client.infer("fares", inputs)
    client.close()


def test_new_release_loses_no_request(tmp_path):
    blobs = Blobs(tmp_path / ".vitok" / "blobs")
    first, second = flight_bundle(blobs), flight_bundle(blobs, bias=1.0)
    write_plan(tmp_path / ".vitok", first)
    with running(tmp_path) as server, httpx.Client(base_url=server.url) as client:
        scores, epoch, end = [], 1, time.perf_counter() + 4
        while time.perf_counter() < end:
            answer = client.post("/models/flights/predict", json={"rows": [FLIGHT]})
            assert answer.status_code == 200
            scores.append(answer.json()["predictions"][0]["score"])
            if len(scores) % 500 == 100:
                epoch += 1
                write_plan(tmp_path / ".vitok", second if epoch % 2 == 0 else first, epoch=epoch)
        assert len(set(scores)) == 2


def test_port_in_use_is_explained(server, project):
    code = f"""
from pathlib import Path
from vitok.serve.server import run_server
run_server(Path({str(project)!r}), port={server.port})
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode != 0
    assert f"port {server.port} on 127.0.0.1: is in use. Choose another" in result.stderr


def test_stopping_answers_what_has_begun(tmp_path):
    write_plan(tmp_path / ".vitok", flight_bundle(Blobs(tmp_path / ".vitok" / "blobs")))
    with running(tmp_path) as server:
        answers = []

        def send():
            answers.append(
                httpx.post(
                    f"{server.url}/models/flights/predict", json={"rows": [FLIGHT] * 10_000}, timeout=30
                )
            )

        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(0.15)
        server.process.send_signal(signal.SIGTERM)
        thread.join()
        assert server.process.wait(15) in (0, -signal.SIGTERM)
    assert answers[0].status_code == 200
    assert moved(tmp_path).predictions().height == 10_000


@pytest.mark.parametrize("featured", [False, True])
def test_serving_process_stays_small(tmp_path, featured):
    blobs = Blobs(tmp_path / ".vitok" / "blobs")
    write_plan(tmp_path / ".vitok", featured_bundle(blobs) if featured else flight_bundle(blobs))
    row = FLIGHT | {"departure": "2026-01-01T06:00:00Z"}
    code = f"""
import asyncio, os, sys
from pathlib import Path
os.environ["VITOK_PROJECT"] = {str(tmp_path)!r}
import vitok.serve.server, httpx, uvicorn

async def main():
    app = vitok.serve.server.worker_app()
    await app.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://vitok") as client:
        answer = await client.post("/models/flights/predict", json={{"rows": [{row!r}]}})
        assert answer.status_code == 200, answer.text
        outcome = {{"id": answer.json()["predictions"][0]["id"], "value": True}}
        answer = await client.post("/models/flights/outcomes", json={{"outcomes": [outcome]}})
        assert answer.json()["matched"] == 1
    await app.stop()

asyncio.run(main())
print([name for name in {[*HEAVY, "polars"]!r} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ("['polars']" if featured else "[]")


def test_trees_of_scikit_learn_answer_as_they_did_in_training(tmp_path):
    digest, frame, pipe = cancer_bundle(Blobs(tmp_path / ".vitok" / "blobs"))
    write_plan(tmp_path / ".vitok", digest, project="cancer")
    with running(tmp_path) as server:
        answer = httpx.post(
            f"{server.url}/models/cancer/predict", json={"rows": frame.to_dicts()}, timeout=30
        )
    scores = [prediction["score"] for prediction in answer.json()["predictions"]]
    np.testing.assert_allclose(scores, pipe.predict_proba(frame)[:, 1], atol=1e-5)


@pytest.mark.slow
def test_killed_workers_lose_and_double_nothing_that_was_acknowledged(tmp_path):
    seed = int(os.environ.get("VITOK_SEED", random.SystemRandom().randrange(10**6)))
    print(f"seed {seed}; repeat with VITOK_SEED={seed}")
    chance = random.Random(seed)
    write_plan(tmp_path / ".vitok", flight_bundle(Blobs(tmp_path / ".vitok" / "blobs")))
    acknowledged: list[str] = []
    failed = 0

    fresh = httpx.Limits(max_keepalive_connections=0)  # so that both workers get requests

    async def send(server, name, end):
        nonlocal failed
        async with httpx.AsyncClient(base_url=server.url, timeout=5, limits=fresh) as client:
            number = 0
            while time.perf_counter() < end:
                rows = [FLIGHT | {"flight": f"{name}-{number}-{part}"} for part in range(1 + number % 3)]
                number += 1
                try:
                    answer = await client.post("/models/flights/predict", json={"rows": rows})
                except httpx.TransportError:
                    failed += 1
                    await asyncio.sleep(0.01)
                    continue
                assert answer.status_code == 200, answer.text
                acknowledged.extend(prediction["id"] for prediction in answer.json()["predictions"])

    def kill(server, times):
        # In a thread of its own: in the clients' loop nothing would be under way at the moment of the kill.
        while times:
            time.sleep(0.4 + chance.random())
            if len(workers := server.workers()) == 2:
                time.sleep(chance.random() * 0.01)
                os.kill(chance.choice(workers).pid, signal.SIGKILL)
                times -= 1
            if chance.random() < 0.7:
                moved(tmp_path)

    async def run(server):
        end = time.perf_counter() + 12
        await asyncio.gather(
            asyncio.to_thread(kill, server, 5), *[send(server, name, end) for name in "abcd"]
        )

    with running(tmp_path, workers=2) as server:
        asyncio.run(run(server))
    found = moved(tmp_path).predictions()["id"]
    print(f"{len(acknowledged)} acknowledged, {failed} requests failed, {found.len()} in the lake")
    assert len(acknowledged) > 500
    assert found.n_unique() == found.len()
    assert set(acknowledged) <= set(found)
    assert found.len() - len(acknowledged) <= 3 * (failed + 8)


def test_workers_end_when_their_supervisor_is_killed(tmp_path):
    write_plan(tmp_path / ".vitok", flight_bundle(Blobs(tmp_path / ".vitok" / "blobs")))
    with running(tmp_path, workers=2) as server:
        workers = server.workers()
        assert len(workers) == 2
        server.process.kill()
        end = time.perf_counter() + 10
        while any(worker.is_running() and worker.status() != "zombie" for worker in workers):
            assert time.perf_counter() < end
            time.sleep(0.1)
    assert free_port()
