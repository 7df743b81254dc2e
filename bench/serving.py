"""A served prediction beside its peers and its floor: the same trees, the same load generator, in turn.

Boosted trees on 30 columns. Vitok checks each row, routes it, and journals the prediction before it answers; the
others do none of it. Needs `wrk` and `hey` (Debian packages). The peers' environments are made under `.bench/`; one
that does not install or start is a row that says why.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import measure
import numpy as np
import psutil
from msgspec import structs

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from prediction import ECHO

from examples import cancer_bundle, write_plan
from serving import free_port
from vitok.model.bundle import load_manifest, store_bundle
from vitok.model.runtime import NUMBERS, load_model
from vitok.release.plan import Arm
from vitok.store.blobs import Blobs

ROOT = Path(__file__).parents[1]
PEERS, ENVIRONMENTS = ROOT / "bench" / "peers", ROOT / ".bench"
STEADY = 1000
ROUNDS, SECONDS, CLIENTS, ROWS = 3, 1, (1, 32), (1, 32)
REQUIREMENTS = {
    "fastapi": ["fastapi", "uvicorn[standard]", "onnxruntime==1.31.1", "numpy"],
    "mlserver": ["mlserver", "onnxruntime==1.31.1", "uvloop<0.22"],
    "bento": ["bentoml", "onnxruntime==1.31.1"],
    "mlflow": ["mlflow==3.17.2", "onnxruntime==1.31.1"],
    "ray": ["ray[serve]", "onnxruntime==1.31.1"],
}
SHADOWED = "shadowed"  # a project of its own, with the same version once more as a shadow
SERVE = "import sys; from pathlib import Path; from vitok.serve.server import run_server; "
SERVE += "run_server(Path(sys.argv[1]), port=int(sys.argv[2]))"
SCRIPT = """
local file = io.open(os.getenv("BODY"), "rb"); wrk.method = "POST"; wrk.body = file:read("*a"); file:close()
wrk.headers["content-type"] = "application/json"
function done(summary, latency)
  local wrong = summary.errors
  io.write(string.format("FOUND %d %d %f %f %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), wrong.connect + wrong.read + wrong.write + wrong.status + wrong.timeout))
end
"""

Body = Callable[[np.ndarray], dict[str, Any]]


@dataclass(frozen=True)
class Engine:
    """One server.

    Args:
        name: As the table calls it.
        environment: Folder under `.bench/`, empty for Vitok's own.
        command: From the port to the command line.
        path, ready: Where to predict, and what answers 200 once it can.
        body: From rows of shape (n, 30) to the request.
        read: From the answer to the probability of the first row; None does not check.
        surroundings: Further environment variables.
    """

    name: str
    environment: str
    command: Callable[[int], list[str]]
    path: str
    ready: str
    body: Body
    read: Callable[[Any], float] | None
    surroundings: dict[str, str] = field(default_factory=dict)


def engines(project: Path, model: Path, names: list[str]) -> list[Engine]:
    """The floor, Vitok, and the peers."""

    def rows(found: np.ndarray) -> dict[str, Any]:
        return {"rows": [dict(zip(names, map(float, row), strict=True)) for row in found]}

    def columns(found: np.ndarray) -> dict[str, Any]:
        shape = [len(found)]
        named = zip(names, found.T.tolist(), strict=True)
        return {"inputs": [{"name": n, "shape": shape, "datatype": "FP32", "data": d} for n, d in named]}

    def matrix(found: np.ndarray) -> dict[str, Any]:
        return {"inputs": found.tolist()}

    def tensor(found: np.ndarray) -> dict[str, Any]:
        data = found.ravel().tolist()
        return {"inputs": [{"name": "X", "shape": list(found.shape), "datatype": "FP32", "data": data}]}

    def own(port: int) -> list[str]:
        return [sys.executable, "-c", SERVE, str(project), str(port)]

    def with_a_shadow(port: int) -> list[str]:
        return [sys.executable, "-c", SERVE, str(project / SHADOWED), str(port)]

    def tool(environment: str, *words: str) -> Callable[[int], list[str]]:
        first = str(ENVIRONMENTS / environment / "bin" / words[0])
        return lambda port: [first, *(word.replace("PORT", str(port)) for word in words[1:])]

    served = {"MLFLOW_DISABLE_TELEMETRY": "true", "RAY_USAGE_STATS_ENABLED": "0", "BENTOML_DO_NOT_TRACK": "1"}
    peers = [
        (
            "plain FastAPI",
            "fastapi",
            ("uvicorn", "fastapi_app:app", "--port", "PORT", "--no-access-log", "--log-level", "warning"),
            "/predict",
            "/ready",
            matrix,
            lambda a: a["probabilities"][0][1],
        ),
        (
            "MLServer",
            "mlserver",
            ("mlserver", "start", str(_mlserver_folder(project))),
            "/v2/models/m/infer",
            "/v2/models/m/ready",
            tensor,
            lambda a: a["outputs"][0]["data"][1],
        ),
        (
            "BentoML",
            "bento",
            ("bentoml", "serve", "bento_service:Service", "-p", "PORT"),
            "/predict",
            "/readyz",
            matrix,
            lambda a: a[0][1],
        ),
        (
            "mlflow models serve",
            "mlflow",
            (
                "mlflow",
                "models",
                "serve",
                "-m",
                str(project / "mlflow"),
                "-p",
                "PORT",
                "--env-manager",
                "local",
                "-w",
                "1",
            ),
            "/invocations",
            "/ping",
            matrix,
            lambda a: a["predictions"][0][1],
        ),
        (
            "Ray Serve",
            "ray",
            ("python", "ray_app.py", "PORT"),
            "/predict",
            "/-/healthz",
            matrix,
            lambda a: a["probabilities"][0][1],
        ),
    ]
    echo = lambda port: [sys.executable, "-c", ECHO, str(port)]  # noqa: E731
    return [
        Engine("floor: echo, bare ASGI, uvicorn", "", echo, "/", "", rows, None),
        Engine(
            "vitok: rows",
            "",
            own,
            "/models/cancer/predict",
            "/health/ready",
            rows,
            lambda a: a["predictions"][0]["score"],
        ),
        Engine(
            "vitok: rows, and a shadow",
            "",
            with_a_shadow,
            "/models/cancer/predict",
            "/health/ready",
            rows,
            lambda a: a["predictions"][0]["score"],
        ),
        Engine(
            "vitok: V2 JSON",
            "",
            own,
            "/v2/models/cancer/infer",
            "/health/ready",
            columns,
            lambda a: a["outputs"][0]["data"][0],
        ),
        *(
            Engine(name, environment, tool(environment, *words), path, ready, body, read, served)
            for name, environment, words, path, ready, body, read in peers
        ),
    ]


def _mlserver_folder(project: Path) -> Path:
    folder = project / "mlserver" / "m"
    folder.mkdir(parents=True)
    settings = {"name": "m", "implementation": "mlserver_model.Graph"}
    (folder / "model-settings.json").write_text(json.dumps(settings))
    return folder.parent


def prepare(environment: str, project: Path, surroundings: dict[str, str]) -> None:
    """Makes a peer's environment, once.

    Raises:
        RuntimeError: it does not install.
    """
    folder = ENVIRONMENTS / environment
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
        done = subprocess.run([*pip, *REQUIREMENTS[environment]], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"does not install: {done.stderr.strip().splitlines()[-1]}")
        (folder / "installed").touch()
    if environment == "mlflow" and not (project / "mlflow").exists():
        python = str(folder / "bin" / "python")
        subprocess.run(
            [python, "mlflow_model.py", str(project / "mlflow")], cwd=PEERS, env=surroundings, check=True
        )


@contextmanager
def started(engine: Engine, project: Path, model: Path, rows: np.ndarray) -> Iterator[tuple[int, float]]:
    """Starts a server; yields its process and the seconds until it answered the first request."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    surroundings = (
        inherited | engine.surroundings | {"MODEL": str(model), "PEERS": str(PEERS), "OMP_NUM_THREADS": "1"}
    )
    if engine.environment:
        surroundings |= {
            "PYTHONPATH": str(PEERS),
            "MLSERVER_HTTP_PORT": str(port),
            "MLSERVER_PARALLEL_WORKERS": "0",
        }
        surroundings |= {"MLSERVER_GRPC_PORT": str(free_port()), "MLSERVER_METRICS_PORT": str(free_port())}
        surroundings["PATH"] = f"{ENVIRONMENTS / engine.environment / 'bin'}:{surroundings['PATH']}"
        prepare(engine.environment, project, surroundings)
    begun = time.perf_counter()
    process = subprocess.Popen(
        engine.command(port),
        cwd=PEERS if engine.environment else None,
        env=surroundings,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_ready(engine, process, port, rows)
        yield port, time.perf_counter() - begun
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _until_ready(engine: Engine, process: "subprocess.Popen[bytes]", port: int, rows: np.ndarray) -> None:
    url, until = f"http://127.0.0.1:{port}", time.monotonic() + 120
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode} before it was ready")
        with suppress(OSError):
            if engine.ready:
                urllib.request.urlopen(url + engine.ready, timeout=2).read()
            ask(url + engine.path, engine.body(rows[:1]))
            return
        time.sleep(0.05)
    raise RuntimeError("was not ready within two minutes")


def ask(url: str, content: dict[str, Any]) -> bytes:
    """One request."""
    request = urllib.request.Request(url, json.dumps(content).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


def processes(port: int) -> list[psutil.Process]:
    """The server on a port, with all that it started."""
    listening = {
        c.pid
        for c in psutil.net_connections("tcp")
        if c.laddr.port == port and c.status == "LISTEN" and c.pid
    }
    found: dict[int, psutil.Process] = {}
    for pid in listening:
        process = psutil.Process(pid)
        session = os.getsid(pid)
        for each in [process, *psutil.process_iter()]:
            with suppress(psutil.Error, OSError):
                if each.pid == pid or os.getsid(each.pid) == session:
                    found[each.pid] = each
    return list(found.values())


def cpu_seconds(found: list[psutil.Process]) -> float:
    """Time that processes have spent."""
    total = 0.0
    for process in found:
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[:2])
    return total


def load(engine: Engine, port: int, rows: np.ndarray, clients: int, folder: Path) -> dict[str, float]:
    """Closed-loop load: requests a second, latencies, and CPU of the server for each request."""
    body, script = folder / "body", folder / "load.lua"
    body.write_text(json.dumps(engine.body(rows)))
    script.write_text(SCRIPT)
    command = ["wrk", "-t1", f"-c{clients}", f"-d{SECONDS}s", "--timeout", "10s", "-s", str(script)]
    server = processes(port)
    before = cpu_seconds(server)
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{engine.path}"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"BODY": str(body)},
    )
    spent = cpu_seconds(server) - before
    line = next(line for line in done.stdout.splitlines() if line.startswith("FOUND"))
    count, micros, p50, p99, errors = map(float, line.split()[1:])
    if errors or not count:
        raise RuntimeError(f"{errors:.0f} of {count:.0f} requests failed")
    return {
        "requests_per_second": count / micros * 1e6,
        "p50_ms": p50 / 1000,
        "p99_ms": p99 / 1000,
        "cpu_microseconds": spent / count * 1e6,
    }


def open_load(engine: Engine, port: int, rows: np.ndarray, rate: float, folder: Path) -> dict[str, float]:
    """Open load at a rate, from 32 clients: latencies without a queue that the load itself makes."""
    body = folder / "body"
    body.write_text(json.dumps(engine.body(rows)))
    command = [
        "hey",
        "-z",
        "5s",
        "-c",
        "32",
        "-q",
        f"{rate / 32:.1f}",
        "-m",
        "POST",
        "-T",
        "application/json",
    ]
    url = f"http://127.0.0.1:{port}{engine.path}"
    out = subprocess.run([*command, "-D", str(body), url], capture_output=True, text=True, check=True).stdout
    found = {
        line.split("%")[0].strip(): float(line.split()[2]) for line in out.splitlines() if "% in " in line
    }
    return {"half_load_p50_ms": found["50"] * 1000, "half_load_p99_ms": found["99"] * 1000}


def measure_all(
    chosen: list[Engine], project: Path, model: Path, rows: np.ndarray, truth: float
) -> list[dict[str, Any]]:
    """Every engine in turn, several rounds; medians."""
    found: dict[str, list[dict[str, float]]] = {engine.name: [] for engine in chosen}
    failed: dict[str, str] = {}
    for number in range(ROUNDS):
        for engine in chosen:
            if engine.name in failed:
                continue
            print(f"round {number + 1}: {engine.name}", file=sys.stderr, flush=True)
            try:
                found[engine.name].append(measure_one(engine, project, model, rows, truth))
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                failed[engine.name] = str(error)[:200]
    table: list[dict[str, Any]] = []
    for engine in chosen:
        row: dict[str, Any] = {"engine": engine.name}
        if engine.name in failed:
            row["failed"] = failed[engine.name]
        else:
            results = found[engine.name]
            row |= {name: round(median(result[name] for result in results), 3) for name in results[0]}
        table.append(row)
    return table


def measure_one(
    engine: Engine, project: Path, model: Path, rows: np.ndarray, truth: float
) -> dict[str, float]:
    """All figures of one engine in one round."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, started(engine, project, model, rows) as (port, seconds):
        place = Path(folder)
        if engine.read is not None:
            answer = engine.read(
                json.loads(ask(f"http://127.0.0.1:{port}{engine.path}", engine.body(rows[:1])))
            )
            if abs(answer - truth) > 1e-4:
                raise RuntimeError(f"answers {answer}, the truth is {truth}")
        for count in ROWS:
            for clients in CLIENTS:
                for name, value in load(engine, port, rows[:count], clients, place).items():
                    figures[f"rows{count}_c{clients}_{name}"] = value
        figures |= open_load(engine, port, rows[:1], figures["rows1_c32_requests_per_second"] / 2, place)
        if engine.name.startswith("vitok: rows"):  # the same rate with and without a shadow
            found = open_load(engine, port, rows[:1], STEADY, place)
            figures |= {name.replace("half_load", "steady"): value for name, value in found.items()}
        figures["largest_process_mb"] = max(process.memory_info().rss for process in processes(port)) / 2**20
        figures["ready_seconds"] = seconds
    return figures


def targets(rows: list[dict[str, Any]], run: float) -> list[dict[str, Any]]:
    """The bars, as ratios within this run; one that a missing peer leaves open is left out."""
    by = {row["engine"]: row for row in rows if "failed" not in row}
    own, echo = by["vitok: rows"], by["floor: echo, bare ASGI, uvicorn"]
    found = [
        measure.target(
            "CPU of a one-row request at 32 clients, times echo and session.run",
            round(own["rows1_c32_cpu_microseconds"] / (echo["rows1_c32_cpu_microseconds"] + run), 2),
            2.5,
        ),
        measure.target(
            "p99 at half load, times p50", round(own["half_load_p99_ms"] / own["half_load_p50_ms"], 2), 3
        ),
        measure.target("start until ready, seconds", own["ready_seconds"], 1.5),
        measure.target("memory of the largest process, MB", own["largest_process_mb"], 120),
    ]
    shadowed = by.get("vitok: rows, and a shadow")
    if shadowed:
        ratio = round(shadowed["steady_p50_ms"] / own["steady_p50_ms"], 2)
        found.append(measure.target(f"p50 at {STEADY} requests/s with a shadow, times without", ratio, 1.25))
    plain = by.get("plain FastAPI")
    if plain:
        for clients, limit in ((32, 0.5), (1, 1.0)):
            name = f"rows1_c{clients}_requests_per_second"
            ratio = round(plain[name] / own[name], 2)
            found.append(
                measure.target(f"throughput of plain FastAPI, times ours, {clients} clients", ratio, limit)
            )
    peers = [by[name] for name in ("MLServer", "BentoML", "mlflow models serve", "Ray Serve") if name in by]
    if peers:
        best = max(peer["rows1_c32_requests_per_second"] for peer in peers)
        ratio = round(best / own["rows1_c32_requests_per_second"], 3)
        found.append(measure.target("throughput of the best peer, times ours, 32 clients", ratio, 0.2))
    return found


def make_shadowed(folder: Path, source: Blobs, digest: str) -> None:
    """A project whose champion has a copy of itself as a shadow."""
    blobs, manifest = Blobs(folder / ".vitok" / "blobs"), load_manifest(source, digest)
    files = {name: source.get(each) for name, each in manifest.files.items()}
    copies = [structs.replace(manifest, parameters={"copy": number}) for number in range(2)]
    champion, shadow = (store_bundle(blobs, copy, files) for copy in copies)
    arms = (Arm(1, champion, "champion", 1.0), Arm(2, shadow, "shadow", 0.0))
    write_plan(folder / ".vitok", champion, shadow, project="cancer", arms=arms)


def main() -> None:
    missing = [tool for tool in ("wrk", "hey") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"bench-serving needs {' and '.join(missing)}: apt-get install {' '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        blobs = Blobs(project / ".vitok" / "blobs")
        digest, frame, _ = cancer_bundle(blobs)
        write_plan(project / ".vitok", digest, project="cancer")
        make_shadowed(project / SHADOWED, blobs, digest)
        loaded = load_model(blobs, digest)
        model = project / "model.onnx"
        model.write_bytes(blobs.get(loaded.manifest.files["model.onnx"]))
        names = json.loads(loaded._session.get_modelmeta().custom_metadata_map[NUMBERS])
        rows = np.array([[float(f"{v:.6g}") for v in row] for row in frame.select(names).head(32).rows()])
        single = {NUMBERS: rows[:1].astype(np.float32)}
        truth = float(loaded._session.run(["probabilities"], single)[0][0, 1])
        run = measure.seconds_each(lambda: loaded._session.run(["probabilities"], single), 2000) * 1e6
        chosen = [
            e
            for e in engines(project, model, names)
            if not sys.argv[1:] or any(w in e.name for w in sys.argv[1:])
        ]
        table = measure_all(chosen, project, model, rows, truth)
    table.insert(0, {"engine": "floor: onnxruntime session.run", "rows1_c32_cpu_microseconds": round(run, 1)})
    bars = targets(table, run)
    for count in ROWS:
        print(f"\n{count} row(s) a request")
        picked = [
            {
                "engine": row["engine"],
                **{
                    name.removeprefix(f"rows{count}_"): value
                    for name, value in row.items()
                    if name.startswith(f"rows{count}_") or name == "failed"
                },
            }
            for row in table
        ]
        measure.print_table(picked)
    print()
    measure.print_table(
        [{name: value for name, value in row.items() if not name.startswith("rows")} for row in table]
    )
    print()
    measure.print_table(bars)
    packages = ["vitok", "onnxruntime", "msgspec", "uvicorn", "uvloop", "httptools", "numpy"]
    print(measure.write("serving", table, bars, packages))


if __name__ == "__main__":
    main()
