"""How long a rollback takes from the order to the last answer of the version that is taken back, on all workers.

Two workers under load from four clients; each round releases the second version and takes it back, with `roll_back` of
the loop (what `vitok rollback` calls), once with all stores there and once with database and lake away.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import measure

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from rollouts import two_versions
from serving import running
from vitok.kernel.clock import system_clock
from vitok.loop.release import release_at_once
from vitok.loop.rollback import roll_back
from vitok.wire import open_project

ROW = {"temp": 3.0, "distance": 800, "carrier": "UA", "holiday": False}
LIMIT_SECONDS = 2.0


class Clients:
    """Clients that ask without pause, and when each version answered last."""

    def __init__(self, url: str, count: int = 4) -> None:
        self.last: dict[int, float] = {}
        self._url, self._end = url, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._end.is_set():
            with httpx.Client() as client:  # a new connection may go to the other worker
                for _ in range(20):
                    answer = client.post(f"{self._url}/models/flights/predict", json={"rows": [ROW]}).json()
                    version = answer.get("version") or answer["predictions"][0]["version"]
                    self.last[version] = time.monotonic()


def seconds_of(folder: Path, *, away: bool) -> float:
    """One rollback."""
    project = two_versions(folder, system_clock)
    release_at_once(project, 2, actor="bench")
    with running(folder, workers=2) as server, Clients(server.url) as clients:
        while 2 not in clients.last:
            time.sleep(0.05)
        if away:
            project.engine.dispose()
            (folder / ".vitok" / "state.sqlite").write_bytes(b"no database at all" * 100)
            shutil.rmtree(folder / ".vitok" / "lake", ignore_errors=True)
        ordered = time.monotonic()
        roll_back(lambda: open_project(folder), folder, system_clock, actor="bench", reason="bench")
        time.sleep(3.0)
        assert clients.last[1] > ordered + 2.5, "the good version does not answer"
        return max(0.0, clients.last[2] - ordered)


def run(rounds: int) -> None:
    """Measures, prints and writes the figures."""
    rows: list[dict[str, Any]] = []
    for away in (False, True):
        found = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                found.append(seconds_of(Path(folder), away=away))
        rows.append(
            {
                "engine": "vitok",
                "stores": "database and lake away" if away else "there",
                "rollbacks": rounds,
                "median_s": round(statistics.median(found), 2),
                "longest_s": round(max(found), 2),
            }
        )
    measure.print_table(rows)
    targets = [
        measure.target(f"longest rollback, stores {row['stores']}, s", row["longest_s"], LIMIT_SECONDS)
        for row in rows
    ]
    measure.write("rollback", rows, targets, packages=("vitok", "uvicorn"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=10)
    run(parser.parse_args().rounds)
