"""One client, and thirty-two, at the data plane on uvicorn and on granian, and at a plain FastAPI endpoint.

The model, the requests and the load are those of `bench/serving.py`. Every round starts each server anew and measures
all in turn, so that what else the machine does meets all alike; ratios are medians over the rounds of ratios within a
round. Needs `wrk`.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import measure
import numpy as np

ROUNDS = 7
_RUN = "import sys; from granian import Granian; Granian('granian_app:app', address='127.0.0.1', "
_RUN += "port=int(sys.argv[1]), interface='asgi', workers=1, log_enabled=False).serve()"
serving = measure.other_bench("serving")


def prepared(project: Path) -> tuple[list[Any], np.ndarray, float]:
    """The servers, rows to send, and the score of the first."""
    blobs = serving.Blobs(project / ".vitok" / "blobs")
    digest, frame, _ = serving.cancer_bundle(blobs)
    serving.write_plan(project / ".vitok", digest, project="cancer")
    loaded = serving.load_model(blobs, digest)
    model = project / "model.onnx"
    model.write_bytes(blobs.get(loaded.manifest.files["model.onnx"]))
    names = json.loads(loaded._session.get_modelmeta().custom_metadata_map[serving.NUMBERS])
    rows = np.array([[float(f"{v:.6g}") for v in row] for row in frame.select(names).head(1).rows()])
    truth = float(loaded.score_frame(frame.head(1))[0])
    serving.REQUIREMENTS["granian"] = ["granian"]
    serving.prepare("granian", project, dict(os.environ))
    site = next((serving.ENVIRONMENTS / "granian" / "lib").glob("python*/site-packages"))
    known = {engine.name: engine for engine in serving.engines(project, model, names)}
    own, plain = known["vitok: rows"], known["plain FastAPI"]
    other = serving.Engine(
        "vitok: rows, on granian",
        "",
        lambda port: [sys.executable, "-c", _RUN, str(port)],
        own.path,
        own.ready,
        own.body,
        own.read,
        {"PYTHONPATH": f"{serving.PEERS}:{site}"},
    )
    return [own, other, plain], rows, truth


def measured(chosen: list[Any], project: Path, rows: np.ndarray, truth: float) -> dict[str, list[Any]]:
    """The figures of every round, by engine."""
    found: dict[str, list[Any]] = {engine.name: [] for engine in chosen}
    for number in range(ROUNDS):
        for engine in chosen:
            print(f"round {number + 1}: {engine.name}", file=sys.stderr, flush=True)
            with (
                tempfile.TemporaryDirectory() as place,
                serving.started(engine, project, project / "model.onnx", rows) as (port, _),
            ):
                url = f"http://127.0.0.1:{port}{engine.path}"
                answer = engine.read(json.loads(serving.ask(url, engine.body(rows))))
                assert abs(answer - truth) < 1e-4, (engine.name, answer, truth)
                figures = {}
                for clients in (1, 32):
                    for name, value in serving.load(engine, port, rows, clients, Path(place)).items():
                        figures[f"c{clients}_{name}"] = value
            found[engine.name].append(figures)
    return found


def main() -> None:
    """Measures all, and writes the table."""
    with tempfile.TemporaryDirectory() as folder:
        chosen, rows, truth = prepared(Path(folder))
        found = measured(chosen, Path(folder), rows, truth)
    own, granian, plain = found.values()
    table = [
        {"engine": name, "rounds": ROUNDS}
        | {key: round(median(each[key] for each in rounds), 3) for key in rounds[0]}
        for name, rounds in found.items()
    ]

    def ratio(key: str, one: list[Any], other: list[Any]) -> float:
        return round(median(a[key] / b[key] for a, b in zip(one, other, strict=True)), 2)

    rate, spent = "c1_requests_per_second", "c1_cpu_microseconds"
    targets = [
        measure.target("throughput of plain FastAPI, times ours, 1 client", ratio(rate, plain, own), 1.0),
        measure.target("CPU of ours, times that of plain FastAPI, 1 client", ratio(spent, own, plain), 1.0),
        measure.target("CPU on uvicorn, times that on granian, 1 client", ratio(spent, own, granian), 1.0),
        measure.target(
            "CPU on uvicorn, times that on granian, 32 clients",
            ratio("c32_cpu_microseconds", own, granian),
            1.0,
        ),
    ]
    measure.print_table(table)
    measure.print_table(targets)
    packages = ["vitok", "onnxruntime", "uvicorn", "uvloop", "httptools", "msgspec"]
    print(measure.write("one_client", table, targets, packages))


if __name__ == "__main__":
    main()
