"""Backups while workers write and the mover moves: each holds all that was acknowledged before it, once, and no gap."""

import threading
from datetime import UTC, datetime
from pathlib import Path

from examples import CHARTER
from vitok.journal.ledger import Ledger
from vitok.journal.records import Prediction
from vitok.journal.spool import Spool
from vitok.loop.backup import back_up
from vitok.loop.keep import collect
from vitok.loop.restore import restore
from vitok.wire import open_project

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(number):
    name = f"row-{number}"
    return Prediction(name, name, NOW, NOW, 1, "0" * 64, "champion", 1, "w", {"x": number}, 0.5, False)


def test_every_backup_is_a_whole_beginning_of_what_was_acknowledged(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "vitok.yaml").write_text(CHARTER)
    project = open_project(folder)
    spool, stop, written = Spool(project.state / "journal", "w-1"), threading.Event(), [0]

    def write():
        while not stop.is_set():
            spool.append([record(number) for number in range(written[0], written[0] + 20)])
            written[0] += 20
            stop.wait(0.002)

    def move():
        while not stop.is_set():
            collect(project)
            stop.wait(0.1)  # as the keeper pauses, so that others get the lock

    threads = [threading.Thread(target=work) for work in (write, move)]
    for thread in threads:
        thread.start()
    before = []
    try:
        for number in range(2):
            acknowledged = written[0]
            back_up(project, tmp_path / f"{number}.tar.gz")
            before.append(acknowledged)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        spool.close()
    for number, acknowledged in enumerate(before):
        copied = open_project(
            Path(
                restore(tmp_path / f"{number}.tar.gz", tmp_path / f"again-{number}", open_project)["project"]
            )
        )
        collect(copied)
        found = sorted(int(name.removeprefix("row-")) for name in Ledger(copied.lake).predictions()["id"])
        assert found == list(range(len(found)))
        assert len(found) >= acknowledged
    assert before[-1] > 0
