"""One prediction beside its floors: what validation, routing, the journal and HTTP add to the model itself.

Boosted trees on 30 columns, one row a request. Every round measures all engines in turn; figures are medians
of three rounds. The server records each prediction in its journal before it answers; the echo server does
nothing.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import measure
import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from examples import cancer_bundle, write_plan
from serving import free_port, running
from vitok.journal.records import Prediction
from vitok.journal.spool import Spool
from vitok.kernel.clock import system_clock
from vitok.model.runtime import NUMBERS, load_model
from vitok.model.schema import RequestSchema
from vitok.store.blobs import Blobs

ROUNDS = 3
SECONDS = 2.0
ECHO = """
import sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = (await receive())["body"]
    n = len(body)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % n)]})
    await send({"type": "http.response.body", "body": body})
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off")
"""


async def load(port: int, path: str, body: bytes, clients: int, seconds: float) -> tuple[float, list[float]]:
    """Closed-loop load on bare sockets, cheap for the client; returns requests/s and latencies (s)."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    latencies: list[float] = []
    started = time.perf_counter()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() - started < seconds:
            begun = time.perf_counter()
            writer.write(head + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer.decode())
            size = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(size)
            latencies.append(time.perf_counter() - begun)
        writer.close()

    await asyncio.gather(*[client() for _ in range(clients)])
    return len(latencies) / (time.perf_counter() - started), latencies


@contextmanager
def started(program: str, *given: str, path: str = "/", **surroundings: str) -> Iterator[int]:
    """A server of its own process, once it answers; yields its port.

    Args:
        program: Python; its first argument is the port.
        given: Its further arguments.
        path: Where it answers, or at least refuses.
        surroundings: Environment variables.
    """
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(port), *given],
        stderr=subprocess.DEVNULL,
        env=os.environ | surroundings,
    )
    try:
        for _ in range(500):
            try:
                asyncio.run(load(port, path, b"{}", 1, 0.01))
                break
            except RuntimeError:  # it refuses, so it answers
                break
            except OSError:
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


def in_process(project: Path, digest: str, row: dict[str, float], body: bytes) -> dict[str, Any]:
    """The parts of a prediction without HTTP, as functions to call."""
    model = load_model(Blobs(project / ".vitok" / "blobs"), digest)
    schema = RequestSchema(model.manifest)
    rows, session = schema.decode(body), model._session
    columns = {NUMBERS: np.array([list(row.values())], dtype=np.float32)}
    decoder = msgspec.json.Decoder(dict[str, list[dict[str, float]]])
    spool = Spool(project / "journal-bench", "bench")
    now = system_clock()
    record = Prediction("id", "id", now, now, 1, digest, "champion", 1, "bench", row, 0.5, 1)

    def decode_and_run() -> None:
        (found,) = decoder.decode(body)["rows"]
        session.run(["probabilities"], {NUMBERS: np.array([list(found.values())], dtype=np.float32)})

    return {
        "floor: onnxruntime session.run": lambda: session.run(["probabilities"], columns),
        "floor: msgspec decode + run": decode_and_run,
        "vitok: checked decode": lambda: schema.decode(body),
        "vitok: Model.score": lambda: model.score(rows),
        "vitok: journal commit": lambda: spool.append([record]),
    }


def measure_http(ports: dict[str, tuple[int, str, bytes]]) -> list[dict[str, Any]]:
    """Requests a second and latencies of each server at each concurrency, in turn."""
    found: dict[tuple[str, int], list[tuple[float, list[float]]]] = {}
    for _ in range(ROUNDS):
        for clients in (1, 8):
            for name, (port, path, body) in ports.items():
                result = asyncio.run(load(port, path, body, clients, SECONDS))
                found.setdefault((name, clients), []).append(result)
    rows = []
    for (name, clients), results in found.items():
        latencies = [np.array(result[1]) * 1000 for result in results]
        row: dict[str, Any] = {"engine": name, "concurrency": clients}
        row["requests_per_second"] = round(median(result[0] for result in results), 1)
        for quantile in (50, 99):
            row[f"p{quantile}_ms"] = round(
                median(float(np.percentile(part, quantile)) for part in latencies), 3
            )
        row["microseconds"] = round(median(float(part.mean()) for part in latencies) * 1000, 1)
        rows.append(row)
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        digest, frame, _ = cancer_bundle(Blobs(project / ".vitok" / "blobs"))
        write_plan(project / ".vitok", digest, project="cancer")
        row = frame.row(0, named=True)
        body = json.dumps({"rows": [row]}).encode()
        rows: list[dict[str, Any]] = []
        for name, work in in_process(project, digest, row, body).items():
            work()
            rows.append({"engine": name, "microseconds": round(measure.seconds_each(work, 2000) * 1e6, 1)})
        with running(project) as server, started(ECHO) as port:
            servers = {
                "floor: echo, bare ASGI, uvicorn": (port, "/", body),
                "vitok: HTTP request with journal": (server.port, "/models/cancer/predict", body),
            }
            rows += measure_http(servers)
            rows.append({"engine": "vitok: start until ready", "seconds": round(server.seconds, 2)})
    measured = {(found["engine"], found.get("concurrency")): found for found in rows}
    own, floor = (
        measured[name, 1] for name in ("vitok: HTTP request with journal", "floor: echo, bare ASGI, uvicorn")
    )
    run = measured["floor: onnxruntime session.run", None]["microseconds"]
    # A ratio within this run: absolute figures move with the machine by more than the journal costs.
    times_floor = own["p50_ms"] * 1000 / (floor["p50_ms"] * 1000 + run)
    targets = [
        measure.target(
            "recorded prediction over echo and model, concurrency 1, p50, times", round(times_floor, 2), 4
        ),
        measure.target("recorded prediction over HTTP, concurrency 1, p99, ms", own["p99_ms"], 5),
        measure.target("start until ready, seconds", rows[-1]["seconds"], 1.5),
    ]
    measure.print_table(rows)
    measure.print_table(targets)
    packages = ["vitok", "onnxruntime", "msgspec", "uvicorn", "uvloop", "httptools", "numpy"]
    print(measure.write("prediction", rows, targets, packages))


if __name__ == "__main__":
    main()
