"""What becomes of accepted requests when more clients come than there are places.

A server with 32 places meets as many clients as that, and eight and sixteen times as many, all of whom ask again as
soon as they hear anything. Four patient callers among them time their own requests. Needs `wrk`.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import measure
import numpy as np

PLACES, SECONDS, ROUNDS, CALLERS, PAUSE = 32, 4, 3, 4, 0.005
TIMES = (1, 8, 16)
serving = measure.other_bench("serving")


def prepared(project: Path) -> tuple[Any, np.ndarray]:
    """The server, and the row to send."""
    from vitok.release.policy import Policy

    blobs = serving.Blobs(project / ".vitok" / "blobs")
    digest, frame, _ = serving.cancer_bundle(blobs)
    serving.write_plan(project / ".vitok", digest, project="cancer", policy=Policy(queue=PLACES))
    loaded = serving.load_model(blobs, digest)
    names = json.loads(loaded._session.get_modelmeta().custom_metadata_map[serving.NUMBERS])
    rows = np.array([[float(f"{v:.6g}") for v in row] for row in frame.select(names).head(1).rows()])
    engines = serving.engines(project, project / "model.onnx", names)
    return next(each for each in engines if each.name == "vitok: rows"), rows


def call(port: int, request: bytes, found: list[tuple[int, float]]) -> None:
    """Asks again and again with pauses; notes status and seconds of each answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            begun, data = time.perf_counter(), b""
            connection.sendall(request)
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            head, _, body = data.partition(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            while len(body) < size:
                body += connection.recv(65536)
            found.append((int(head[9:12]), time.perf_counter() - begun))
            time.sleep(PAUSE)


def crowd(engine: Any, port: int, rows: np.ndarray, clients: int, folder: Path) -> dict[str, float]:
    """One load: what the crowd got, and what the patient callers saw."""
    body, script = folder / "body", folder / "load.lua"
    body.write_text(json.dumps(engine.body(rows)))
    script.write_text(serving.SCRIPT)
    content = body.read_bytes()
    request = (
        f"POST {engine.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(content)}\r\n\r\n".encode()
        + content
    )
    command = ["wrk", "-t1", f"-c{clients}", f"-d{SECONDS}s", "--timeout", "10s", "-s", str(script)]
    load = subprocess.Popen(
        [*command, f"http://127.0.0.1:{port}{engine.path}"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"BODY": str(body)},
    )
    found: list[tuple[int, float]] = []
    callers = [threading.Thread(target=call, args=(port, request, found)) for _ in range(CALLERS)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    told = next(line for line in load.communicate()[0].splitlines() if line.startswith("FOUND")).split()
    accepted = np.array([seconds for status, seconds in found if status == 200]) * 1000
    asked, refused = int(told[1]), int(told[5])
    return {
        "accepted_per_second": (asked - refused) / int(told[2]) * 1e6,
        "refused_share": refused / asked,
        "accepted_p50_ms": float(np.quantile(accepted, 0.5)),
        "accepted_p99_ms": float(np.quantile(accepted, 0.99)),
        "timed": len(accepted),
    }


def main() -> None:
    found: dict[int, list[dict[str, float]]] = {times: [] for times in TIMES}
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        engine, rows = prepared(project)
        for number in range(ROUNDS):
            with serving.started(engine, project, project, rows) as (port, _):
                for times in TIMES:
                    print(f"round {number + 1}: {times} x {PLACES} clients", file=sys.stderr, flush=True)
                    clients = PLACES * times - (CALLERS if times == 1 else 0)
                    found[times].append(crowd(engine, port, rows, clients, project))
    table = [
        {"clients_for_each_place": times}
        | {name: round(median(each[name] for each in results), 3) for name in results[0]}
        for times, results in found.items()
    ]
    full = table[0]
    targets = []
    for row in table[1:]:
        times = row["clients_for_each_place"]
        late = round(row["accepted_p99_ms"] / full["accepted_p99_ms"], 2)
        lost = round(full["accepted_per_second"] / row["accepted_per_second"], 2)
        targets.append(
            measure.target(f"p99 of accepted requests, {times} clients a place, times full", late, 2)
        )
        targets.append(measure.target(f"accepted when full, times those at {times} clients a place", lost, 2))
    measure.print_table(table)
    measure.print_table(targets)
    print(measure.write("overload", table, targets, ["vitok", "uvicorn", "uvloop", "httptools"]))


if __name__ == "__main__":
    main()
