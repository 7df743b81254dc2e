"""The journal beside its floors: what a commit costs, and what it adds to an answer over HTTP.

Records of 30 columns, alone and 32 to a commit; with commits that survive `kill -9` and commits that survive a power
cut. Floors of the same run: the same bytes by a bare `write`, `fdatasync` alone, and the former way, SQLite in WAL mode
with a transaction for each commit. Over HTTP the server is compared with one whose journal keeps nothing. All engines
take turns; figures are medians of the rounds.
"""

import asyncio
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import measure
import msgspec
import numpy as np
from prediction import load, started

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from examples import cancer_bundle, write_plan
from vitok.journal.commits import encode_commit
from vitok.journal.records import Prediction
from vitok.journal.segments import segment_path, spools
from vitok.journal.spool import Spool, drop_through
from vitok.kernel.clock import system_clock
from vitok.store.blobs import Blobs

ROUNDS, GROUPS = 5, (1, 32)
SECONDS, HTTP_ROUNDS, CLIENTS, PATH = 3.0, 5, (1, 8), "/models/cancer/predict"
OWN, SQLITE, WRITE = "vitok: commit", "former way: SQLite WAL, one INSERT a record", "floor: bare write"
WITH, WITHOUT = "vitok: HTTP with journal", "stub: HTTP, the journal keeps nothing"
ADDED = "added by the journal"
SERVE = """
import sys; from pathlib import Path; from vitok.journal.spool import Spool; from vitok.serve.server import run_server
if sys.argv[3] == "stub": Spool.append = lambda self, records: None
run_server(Path(sys.argv[2]), port=int(sys.argv[1]))
"""
_TABLE = """
CREATE TABLE records(seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX records_by_id ON records(id);
"""

Work = Callable[[], Any]


def main() -> None:
    # On the disk where a project would lie, not in a /tmp that may be memory.
    scratch = Path(__file__).parents[1] / ".bench"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        home = Path(folder)
        commits = measure_commits(home)
        http = measure_http(home)
    measure.print_table(commits)
    measure.print_table(http)
    targets = judge(commits, http)
    measure.print_table(targets)
    print(measure.write("journal", [*commits, *http], targets, ["vitok", "msgspec", "uvicorn"]))


def measure_commits(home: Path) -> list[dict[str, Any]]:
    """What one commit costs, by engine, size of the commit, and what it survives."""
    found: dict[tuple[str, str, int], list[float]] = {}
    engines = [
        (survives, size, *engine)
        for survives in ("kill", "power")
        for size in GROUPS
        for engine in commit_engines(home, size, durable=survives == "power")
    ]
    for _ in range(ROUNDS):
        for survives, size, name, work, clean in engines:
            count = 40 if survives == "power" else 3000 // size
            work()
            begun = time.perf_counter()
            for _ in range(count):
                work()
            found.setdefault((name, survives, size), []).append((time.perf_counter() - begun) / count)
            clean()
    rows = []
    for (name, survives, size), seconds in found.items():
        middle = median(seconds)
        row: dict[str, Any] = {"engine": name, "survives": survives, "records": size}
        row["microseconds_a_commit"] = round(middle * 1e6, 1)
        row["microseconds_a_record"] = round(middle / size * 1e6, 2)
        row["records_per_second"] = round(size / middle)
        rows.append(row)
    return rows


def commit_engines(home: Path, size: int, *, durable: bool) -> Iterator[tuple[str, Work, Work]]:
    """Name, one commit, and what clears away after a round."""
    now, key = system_clock(), "01kdvnwg00abcdefghjk"
    inputs = msgspec.Raw(msgspec.json.encode({f"mean_measure_{n}": n * 1.2345678 for n in range(30)}))
    record = Prediction(key, key, now, now, 1, "a" * 64, "champion", 1, "bench", inputs, 0.5, "benign")
    records, data = [record] * size, bytes(encode_commit([record] * size))
    place = home / f"{size}-{durable}"
    place.mkdir()
    spool = Spool(place, "bench", durable)

    def drop() -> None:  # what the mover does
        last = spool._next - 1
        drop_through(place, "bench", last)

    yield OWN, lambda: spool.append(records), drop
    connection = sqlite3.connect(place / "former.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    connection.executescript(_TABLE)
    encode = msgspec.json.Encoder().encode

    def insert() -> None:
        rows = [("prediction", each.id, encode(each)) for each in records]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO records(kind, id, body) VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")

    yield SQLITE, insert, lambda: connection.execute("DELETE FROM records")
    file = os.open(place / "bare", os.O_WRONLY | os.O_CREAT)

    def write() -> None:
        os.write(file, data)
        if durable:
            os.fdatasync(file)

    def rewind() -> None:
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)

    yield "floor: write and fdatasync" if durable else WRITE, write, rewind
    if durable and size == 1:
        block = os.open(place / "block", os.O_WRONLY | os.O_CREAT)

        def sync() -> None:
            os.pwrite(block, b"x", 0)
            os.fdatasync(block)

        yield "floor: fdatasync of one byte in place", sync, lambda: None


def measure_http(home: Path) -> list[dict[str, Any]]:
    """Latencies of a server with its journal, of one without, and of one whose commits wait for the disk."""
    digest, frame, _ = cancer_bundle(Blobs(home / "model" / ".vitok" / "blobs"))
    rows = frame.to_dicts()
    bodies = {size: json.dumps({"rows": rows[:size]}).encode() for size in GROUPS}
    names = {WITH: ("own", "0"), WITHOUT: ("stub", "0"), f"{WITH}, power": ("own", "1")}
    found: dict[tuple[str, int, int], list[tuple[float, list[float]]]] = {}
    for turn in range(HTTP_ROUNDS):
        for name in list(names)[turn % 2 :] + list(names)[: turn % 2]:
            project = home / f"{turn}-{len(found)}-{names[name][0]}{names[name][1]}"
            (project / ".vitok").mkdir(parents=True)
            (project / ".vitok" / "blobs").symlink_to(home / "model" / ".vitok" / "blobs")
            write_plan(project / ".vitok", digest, project="cancer")
            journal, durable = names[name]
            own = started(SERVE, str(project), journal, path=PATH, VITOK_JOURNAL_DURABLE=durable)
            with own as port, moving(project / ".vitok" / "journal"):
                asyncio.run(load(port, PATH, bodies[1], 1, 0.5))
                for size, body in bodies.items():
                    for clients in CLIENTS:
                        result = asyncio.run(load(port, PATH, body, clients, SECONDS))
                        found.setdefault((name, size, clients), []).append(result)
            shutil.rmtree(project)
    return [_http_row(*key, results) for key, results in found.items()] + _added(found)


def _added(found: dict[tuple[str, int, int], list[tuple[float, list[float]]]]) -> list[dict[str, Any]]:
    """What the journal adds: the median of the differences within each round."""
    rows = []
    for size in GROUPS:
        for clients in CLIENTS:
            row: dict[str, Any] = {"engine": ADDED, "rows": size, "clients": clients}
            for quantile in (50, 99):
                with_journal, without = (
                    [float(np.percentile(result[1], quantile)) for result in found[name, size, clients]]
                    for name in (WITH, WITHOUT)
                )
                pairs = list(zip(with_journal, without, strict=True))
                row[f"p{quantile}_microseconds"] = round(median(a - b for a, b in pairs) * 1e6)
                row[f"p{quantile}_times"] = round(median(a / b for a, b in pairs), 3)
            rows.append(row)
    return rows


def _http_row(name: str, size: int, clients: int, results: list[tuple[float, list[float]]]) -> dict[str, Any]:
    row: dict[str, Any] = {"engine": name, "rows": size, "clients": clients}
    row["predictions_per_second"] = round(median(size * result[0] for result in results))
    for quantile in (50, 99):
        parts = [float(np.percentile(result[1], quantile)) * 1000 for result in results]
        row[f"p{quantile}_ms"] = round(median(parts), 3)
        row[f"p{quantile}_ms_range"] = f"{min(parts):.2f}-{max(parts):.2f}"
    return row


@contextmanager
def moving(folder: Path) -> Iterator[None]:
    """Drops what was spooled every two seconds, as the mover does, but without its work for the lake."""
    done = threading.Event()

    def drop() -> None:
        while not done.wait(2.0):
            for worker, numbers in spools(folder).items():
                for number in numbers[:-1]:
                    segment_path(folder, worker, number).unlink()

    thread = threading.Thread(target=drop)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def judge(commits: list[dict[str, Any]], http: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Targets: ratios within this run, since absolute figures move with the machine."""
    cost = {(row["engine"], row["survives"], row["records"]): row["microseconds_a_commit"] for row in commits}
    targets = []
    for size in GROUPS:
        times = cost[OWN, "kill", size] / cost[SQLITE, "kill", size]
        targets.append(measure.target(f"commit of {size} over the former way, times", round(times, 2), 0.5))
    power = cost[OWN, "power", 32] / cost["floor: write and fdatasync", "power", 32]
    targets.append(
        measure.target("durable commit of 32 over write and fdatasync, times", round(power, 2), 1.5)
    )
    for row in http:
        if row["engine"] == ADDED:
            load_of = f"{row['rows']} rows, {row['clients']} clients"
            for quantile, limit in ((50, 1.1), (99, 1.3)):
                what = f"HTTP with over without journal, {load_of}, p{quantile}, times"
                targets.append(measure.target(what, row[f"p{quantile}_times"], limit))
    return targets


if __name__ == "__main__":
    main()
