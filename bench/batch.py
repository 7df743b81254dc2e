"""Batch prediction beside its floor: what decisions, parts and the journal add to reading, the model and writing.

Boosted trees on the 30 columns of the cancer data; its rows again and again with noise. The floor is the loop that one
writes by hand: Polars reads in batches, ONNX Runtime scores them, Polars writes the scores. Each engine is a process of
its own from its start to its end, and every round measures all of them in turn.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import measure

TESTS = Path(__file__).parents[1] / "tests"
WRITTEN = 250_000
FLOOR = """
import sys
import numpy as np, onnxruntime, polars as pl
graph, source, output = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 2
session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
scores = []
for batch in pl.scan_parquet(source).collect_batches(chunk_size=50_000):
    (found,) = session.run(["probabilities"], {name: batch.to_numpy().astype(np.float32)})
    scores.append(found[:, 1])
score = np.concatenate(scores)
pl.DataFrame({"score": score, "decision": (score >= 0.5).astype(np.int64)}).write_parquet(output)
"""


def make_project(folder: Path) -> tuple[Path, list[str], Any]:
    """A project with the bundle in production; returns its graph, its columns, and rows to repeat."""
    sys.path.insert(0, str(TESTS))
    from commands import cancer, run_vitok
    from examples import cancer_bundle
    from vitok.kernel.clock import system_clock
    from vitok.model.bundle import load_manifest
    from vitok.registry import releases
    from vitok.release.plan import Arm, Plan
    from vitok.wire import open_project

    folder.mkdir()
    cancer().write_csv(folder / "cancer.csv")
    run_vitok("init", folder, "--data", folder / "cancer.csv", "--target", "diagnosis", "--id", "patient")
    project, now = open_project(folder), system_clock()
    digest, frame, _ = cancer_bundle(project.blobs)
    arm = Arm(1, digest, "champion", 1.0)
    plan = Plan(1, "cancer", "immediate", (arm,), {digest: "accepted"}, "2026-01-01T00:00:00Z")
    with project.engine.begin() as connection:
        releases.activate(
            connection, plan, release_id="bench", now=now, actor="bench", before="superseded", evidence={}
        )
    manifest = load_manifest(project.blobs, digest)
    graph = folder / "model.onnx"
    graph.write_bytes(project.blobs.get(manifest.files["model.onnx"]))
    return graph, [field.name for field in manifest.inputs], frame


def make_rows(path: Path, frame: Any, names: list[str], count: int) -> None:
    """Writes rows of the frame in random order, each number with 5 % of noise; bounded memory."""
    import numpy as np
    import polars as pl

    rng, base = np.random.default_rng(0), frame.select(names).to_numpy()
    path.mkdir()
    for part, start in enumerate(range(0, count, WRITTEN)):
        height = min(WRITTEN, count - start)
        noise = 1 + 0.05 * rng.standard_normal((height, len(names)))
        content = base[rng.integers(0, len(base), height)] * noise
        pl.DataFrame(content, schema=names).write_parquet(path / f"{part:04}.parquet")
    pl.scan_parquet(path).sink_parquet(path.with_suffix(".parquet"), row_group_size=WRITTEN)
    shutil.rmtree(path)


def run(command: list[str]) -> tuple[float, float, float]:
    """Runs a process to its end; returns seconds, seconds of processor time, and the peak of resident memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(said.decode())
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def prepared(folder: Path, count: int) -> dict[str, list[str]]:
    """What to run for each engine; the preparation has a process of its own, since it needs much memory."""
    subprocess.run([sys.executable, __file__, "--prepare", str(folder), "--rows", str(count)], check=True)
    project, rows = folder / "project", folder / "rows.parquet"
    vitok = [sys.executable, "-m", "vitok.cli", "predict", str(rows), "--project", str(project), "-o"]
    graph = str(project / "model.onnx")
    return {
        "floor: Polars and ONNX Runtime by hand": [
            sys.executable,
            "-c",
            FLOOR,
            graph,
            str(rows),
            str(folder / "floor.parquet"),
        ],
        "vitok predict --no-journal": [*vitok, str(folder / "plain.parquet"), "--no-journal"],
        "vitok predict": [*vitok, str(folder / "journal.parquet")],
    }


def measured(folder: Path, engines: dict[str, list[str]], rounds: int, count: int) -> list[dict[str, Any]]:
    """Medians over rounds."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in engines}
    for number in range(rounds):
        for name, command in engines.items():
            found[name].append(run(command))
            print(f"round {number + 1}: {name}: {found[name][-1][0]:.1f} s", file=sys.stderr)
            shutil.rmtree(folder / "project" / ".vitok" / "lake", ignore_errors=True)
            for path in (folder / "project" / ".vitok" / "journal").glob("index.sqlite*"):
                path.unlink()
    return [
        {
            "engine": name,
            "rows": count,
            "rounds": rounds,
            "seconds": round(median(each[0] for each in results), 2),
            "cpu_seconds": round(median(each[1] for each in results), 2),
            "rows_per_second": round(count / median(each[0] for each in results)),
            "peak_mb": round(max(each[2] for each in results)),
        }
        for name, results in found.items()
    ]


def same_scores(folder: Path) -> bool:
    """Whether Vitok gave the floor's scores, in the floor's order."""
    import polars as pl

    one, other = (pl.scan_parquet(folder / f"{name}.parquet").select("score") for name in ("floor", "plain"))
    both = pl.concat([one, other.select(other_score="score")], how="horizontal")
    apart = both.select((pl.col("score") - pl.col("other_score")).abs().max())
    return bool(apart.collect().item() < 1e-6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prepare is not None:
        _, names, frame = make_project(given.prepare / "project")
        make_rows(given.prepare / "rows", frame, names, given.rows)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = measured(folder, prepared(folder, given.rows), given.rounds, given.rows)
        assert same_scores(folder)
    floor, plain, journal = rows
    slower = "times the floor's seconds"
    targets = [
        # At least 80 % of the floor's speed is at most 1.25 times its seconds.
        measure.target(
            f"batch without journal, {slower}", round(plain["seconds"] / floor["seconds"], 3), 1.25
        ),
        measure.target(
            f"batch with journal, {slower}", round(journal["seconds"] / floor["seconds"], 3), 1.25
        ),
        measure.target("batch without journal, peak MB", plain["peak_mb"], 600),
        measure.target("batch with journal, peak MB", journal["peak_mb"], 600),
    ]
    for row in rows:
        row["speed_over_floor"] = round(floor["seconds"] / row["seconds"], 3)
        row["cpu_speed_over_floor"] = round(floor["cpu_seconds"] / row["cpu_seconds"], 3)
    measure.print_table(rows)
    measure.print_table(targets)
    print(measure.write("batch", rows, targets, ["vitok", "polars", "onnxruntime", "deltalake", "numpy"]))


if __name__ == "__main__":
    main()
