"""`vitok up` as its users meet it: one command, every interface, and a worker that is killed under load."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import httpx
import numpy as np
import polars as pl
import psutil
import pytest
from sklearn.datasets import load_breast_cancer

from serving import free_port
from vitok.journal.ledger import Ledger
from vitok.journal.mover import move
from vitok.kernel.clock import system_clock
from vitok.store.lake import Lake

pytestmark = pytest.mark.xdist_group("up")


def vitok(*arguments, expect=0):
    command = [sys.executable, "-m", "vitok.cli", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == expect, result.stderr
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


@pytest.fixture(scope="module")
def rows():
    data = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data.feature_names]
    frame = pl.DataFrame(data.data, schema=names)
    return frame.with_columns(
        patient=pl.format("p{}", pl.int_range(pl.len())),
        diagnosis=pl.Series(["malignant" if code == 0 else "benign" for code in data.target]),
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("up")
    rows.write_csv(folder / "table.csv")
    vitok(
        "init", folder / "cancer", "--data", folder / "table.csv", "--target", "diagnosis", "--id", "patient"
    )
    run = vitok("run", "--quick", "--project", folder / "cancer", "--json")
    assert run["verdict"] == "accepted"
    vitok("release", run["version"], "--project", folder / "cancer")
    return folder / "cancer"


@contextmanager
def up(project, workers):
    port = free_port()
    command = [sys.executable, "-m", "vitok.cli", "up", "--project", str(project), "--port", str(port)]
    command += ["--workers", str(workers), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        said = json.loads(process.stdout.readline())
        assert said["url"] == f"http://127.0.0.1:{port}"
        assert said["pid"] == process.pid
        wait_until_ready(said["url"])
        yield said["url"], process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()


def wait_until_ready(url):
    end = time.perf_counter() + 40
    while time.perf_counter() < end:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/v2/health/ready").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("not ready after 40 s")


def children(process, word):
    """The living children of a process whose command line holds a word."""
    found = []
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.Error):  # a zombie, or gone
            if word in " ".join(child.cmdline()):
                found.append(child)
    return found


def inputs_of(rows, start, count):
    return rows.drop("diagnosis").slice(start, count).to_dicts()


def test_every_interface_answers_and_outcomes_meet_predictions(project, rows):
    with up(project, workers=1) as (url, process), httpx.Client(base_url=url) as client:
        page = client.get("/")
        assert "version 1" in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert client.get("/static/vitok.css").status_code == 200
        assert client.get("/api/status").json()["champion"]["version"] == 1
        assert client.get("/nowhere").status_code == 404
        answer = client.post("/models/cancer/predict", json={"rows": inputs_of(rows, 0, 3)}).json()
        assert [prediction["id"] for prediction in answer["predictions"]] == ["p0", "p1", "p2"]
        check_the_stock_client(url, rows, [prediction["score"] for prediction in answer["predictions"]])
        outcomes = [{"id": f"p{n}", "value": rows["diagnosis"][n]} for n in range(3)]
        reported = client.post("/models/cancer/outcomes", json={"outcomes": outcomes}).json()
        assert (reported["matched"], reported["unmatched"], reported["conflicts"]) == (3, [], [])
        keepers = children(process, "watch")
        assert len(keepers) == 1
        keepers[0].kill()
        end = time.perf_counter() + 20
        while time.perf_counter() < end and ledger_of(project).labelled().height != 3:
            time.sleep(0.5)  # only a keeper that was started again moves the journal into the lake
        labelled = ledger_of(project).labelled()
    assert sorted(labelled["id"]) == ["p0", "p1", "p2"]
    assert [json.loads(value) for value in labelled.sort("id")["value"]] == rows["diagnosis"][:3].to_list()


def check_the_stock_client(url, rows, scores):
    from tritonclient import http

    client = http.InferenceServerClient(url.removeprefix("http://"))
    assert client.is_server_ready()
    assert client.is_model_ready("cancer")
    metadata = client.get_model_metadata("cancer")
    tensors = []
    for field in metadata["inputs"]:
        values = rows[field["name"]][:3].to_numpy().astype(np.float32).reshape(-1, 1)
        tensors.append(http.InferInput(field["name"], list(values.shape), field["datatype"]))
        tensors[-1].set_data_from_numpy(values)
    found = client.infer("cancer", tensors).as_numpy("score").ravel()
    np.testing.assert_allclose(found, scores, atol=1e-6)
    client.close()


def ledger_of(project):
    return Ledger(Lake(project / ".vitok" / "lake"))


def test_killed_workers_lose_and_double_nothing_that_was_acknowledged(project, rows):
    seed = int(os.environ.get("VITOK_SEED", random.SystemRandom().randrange(10**6)))
    print(f"seed {seed}; repeat with VITOK_SEED={seed}")
    chance = random.Random(seed)
    acknowledged, failures = [], []
    with up(project, workers=2) as (url, process):
        done = threading.Event()

        def send(name):
            number = 0
            while not done.is_set():
                # Many rows on a fresh connection: long enough for a kill to fall into the middle.
                batch = inputs_of(rows, 0, 150)
                for place, row in enumerate(batch):
                    row["patient"] = f"{name}-{number}-{place}"
                number += 1
                try:
                    answer = httpx.post(f"{url}/models/cancer/predict", json={"rows": batch}, timeout=10)
                except httpx.TransportError as error:
                    failures.append(str(error))
                    continue
                assert answer.status_code == 200, answer.text
                acknowledged.extend(prediction["id"] for prediction in answer.json()["predictions"])

        senders = [threading.Thread(target=send, args=(name,)) for name in "abc"]
        for sender in senders:
            sender.start()
        try:
            for _ in range(5):
                time.sleep(1 + chance.random())
                if workers := children(process, "spawn_main"):
                    chance.choice(workers).kill()
            time.sleep(1)
        finally:
            done.set()
        for sender in senders:
            sender.join(20)
    move(project / ".vitok" / "journal", Lake(project / ".vitok" / "lake"), system_clock())
    found = ledger_of(project).predictions()["id"]
    mine = found.filter(found.str.contains(r"^[abc]-"))
    print(f"{len(acknowledged)} acknowledged, {len(failures)} requests failed, {mine.len()} in the lake")
    assert len(acknowledged) > 1000
    assert mine.n_unique() == mine.len()
    assert set(acknowledged) <= set(mine)
    assert mine.len() - len(acknowledged) <= 150 * len(failures)
